//! Keeps this process's memory to itself: no core file, no debugger, nothing to read below `/proc` for other processes of
//! the same user. Done before the first secret is read. Against root it protects nothing, and swap is the operator's
//! affair (`docs/operations.md`).

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Secludes this process for as long as it lives.
///
/// Both, because each closes what the other leaves open: where `kernel.core_pattern` names a program, the limit on the
/// size of a core file does not count; and a process that is not dumpable is so only until it executes another program.
///
/// # Errors
/// What the kernel said. A process that is not secluded must read no secret.
pub fn begin() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}
