//! The system's allocator, told to be sparing with memory in the long run and with the kernel in the short.
//!
//! Chosen by measurement (`benches/runs/2026-11-21/allocators.md`): after churn glibc with as many arenas as workers holds
//! the least beside what the cache accounts for, at the same CPU time a request as jemalloc and mimalloc, and it is in every
//! image already. Left alone it makes eight arenas a core, each with its own slack, and gives back nothing but the end
//! of each; [`release`] gives back every free page, and is called when there is much of it.
//!
//! The end, though, it gives back at once, and everything above 128 KiB may be that: an encoder of 3 MiB that is made anew
//! for each body cost 460 page faults a response, a fifth of the CPU of compressing a style sheet of 280 KB. So a few
//! encoders' worth stays with each arena, until the next ebb.

use std::ffi::c_int;

/// The most that lies free at the end of an arena. An encoder takes up to 7 MiB.
const KEPT: c_int = 16 << 20;
/// Pieces from here on come from the kernel and go back to it alone: above the ring of an encoder's widest window.
const ALONE: c_int = 8 << 20;

/// So many arenas at the most: each thread beyond shares one.
pub fn set_up(workers: usize) {
    let arenas = c_int::try_from(workers.max(2)).unwrap_or(c_int::MAX);
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for (parameter, value) in
        [(libc::M_ARENA_MAX, arenas), (libc::M_TRIM_THRESHOLD, KEPT), (libc::M_MMAP_THRESHOLD, ALONE)]
    {
        // SAFETY: it takes no pointer (mallopt(3)); arenas that are there already stay.
        #[expect(unsafe_code, reason = "the allocator has no other interface")]
        unsafe {
            libc::mallopt(parameter, value);
        }
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
        set_up(2);
        let freed = vec![1_u8; 8 << 20];
        drop(freed);
        release();
    }
}
