//! The only binary: parses the command line and hands over to the library.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static MEMORY: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    lockstep::cli::main()
}
