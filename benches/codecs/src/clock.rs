//! CPU time of this thread: what else the machine does is not in it.

use std::time::Duration;

/// What `work` makes, and the CPU time that it took.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let before = now();
    let made = work();
    (made, now().saturating_sub(before))
}

#[expect(unsafe_code, reason = "nothing safe tells a thread's CPU time")]
fn now() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a timespec to be filled in.
    let answer = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(answer, 0, "every thread has a clock");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
