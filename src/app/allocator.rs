//! The system's allocator, told to be sparing: few arenas, and what was freed goes back to the kernel.
//!
//! Chosen by measurement (`benches/runs/2026-11-21/allocators.md`): after churn glibc with as many arenas as workers holds
//! the least beside what the cache accounts for, at the same CPU time a request as jemalloc and mimalloc, and it is in every
//! image already. Left alone it makes eight arenas a core, each with its own slack, and gives back nothing but the end
//! of each; [`release`] gives back every free page, and is called when there is much of it.

use std::ffi::c_int;

/// So many arenas at the most: each thread beyond shares one.
pub fn use_few_arenas(workers: usize) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes no pointer (mallopt(3)); arenas that are there already stay.
    #[expect(unsafe_code, reason = "the allocator has no other interface")]
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, c_int::try_from(workers.max(2)).unwrap_or(c_int::MAX));
    }
}

/// Gives back what the allocator holds and nobody uses. Takes some milliseconds.
pub fn release() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes no pointer, and may be called from any thread at any time (malloc_trim(3)).
    #[expect(unsafe_code, reason = "nothing else gives memory back to the kernel")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Remembers how much was held, to know when enough was let go.
#[derive(Debug, Default)]
pub struct Ebb {
    high: u64,
}

impl Ebb {
    /// Whether so much less than before is held now that it is worth a [`release`]: an eighth of `capacity`.
    pub fn observe(&mut self, held: u64, capacity: u64) -> bool {
        let fell = self.high.saturating_sub(held) > capacity / 8;
        self.high = if fell { held } else { self.high.max(held) };
        fell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purge_is_an_ebb_and_ordinary_eviction_is_none() {
        let mut ebb = Ebb::default();
        let seen = [0, 500, 800, 790, 710, 675, 674, 674, 900, 0, 0].map(|held| ebb.observe(held, 1000));
        assert_eq!(seen, [false, false, false, false, false, false, true, false, false, true, false]);
    }

    /// Neither may fail or block; what they do shows in `benches/e2e/allocators`.
    #[test]
    fn the_allocator_takes_both_calls() {
        use_few_arenas(2);
        let freed = vec![1_u8; 8 << 20];
        drop(freed);
        release();
    }
}
