//! The memory that one Argon2id evaluation works in: taken from the operating system, wiped, and given back at once.
//!
//! Not kept for the next evaluation: an idle server would hold 19 MiB for each processor. Nor left to the allocator:
//! glibc keeps freed memory in the arena of the thread that asked for it, and each of the many threads that hash has
//! its turn, so a server that once hashed many passwords held hundreds of megabytes for good.

use argon2::Block;
use zeroize::Zeroize;

/// From this size on glibc always maps memory anew and unmaps it when it is freed: above its
/// `DEFAULT_MMAP_THRESHOLD_MAX`, 32 MiB on 64-bit machines (mallopt(3)). What lies beyond the cost is never touched, so it
/// is an address and no memory.
const ALWAYS_MAPPED: usize = 33 * 1024 * 1024;

/// So many blocks of 1 KiB. Wiped when dropped.
pub(super) struct Memory(Vec<Block>);

impl Memory {
    pub(super) fn new(blocks: usize) -> Self {
        let mut memory = Vec::with_capacity(blocks.max(ALWAYS_MAPPED / Block::SIZE));
        memory.resize(blocks, Block::new());
        Self(memory)
    }
}

impl AsMut<[Block]> for Memory {
    fn as_mut(&mut self) -> &mut [Block] {
        &mut self.0
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // Not as a whole: that would wipe, and so touch, the part that was never used.
        for block in &mut self.0 {
            block.zeroize();
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::hash::{HashCost, PasswordHasher, Salt};
    use crate::key_ring::KeyRing;
    use crate::master_key::MasterKey;
    use lockstep_core::password::Password;

    /// More than what 16 threads leave behind that gave their memory back, and less than what two keep of theirs.
    const MOST_KEPT_KIB: usize = 24 * 1024;

    #[test]
    fn threads_that_hashed_keep_nothing() {
        let hasher = PasswordHasher::new(&KeyRing::create(&MasterKey::generate()).0, HashCost::default());
        let password = Password::try_from("myPassword").expect("printable");
        let before = anonymous_kib();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16)
                .map(|_| {
                    scope.spawn(|| {
                        hasher.hash(&password, &Salt([1; 16]));
                        // Alive until all have hashed, as the threads of a runtime are.
                        std::thread::park_timeout(std::time::Duration::from_secs(3));
                    })
                })
                .collect();
            let kept = (0..300).find_map(|_| {
                std::thread::sleep(std::time::Duration::from_millis(100));
                let kept = anonymous_kib().saturating_sub(before);
                (threads.iter().all(|thread| thread.is_finished())).then_some(kept)
            });
            let kept = kept.expect("they end");
            assert!(kept < MOST_KEPT_KIB, "{kept} KiB are kept");
        });
    }

    /// The memory of this process that belongs to no file.
    fn anonymous_kib() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").expect("a status");
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a line");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}
