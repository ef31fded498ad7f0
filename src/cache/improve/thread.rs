//! The improver's thread, as the kernel sees it.

use std::time::Duration;

/// This thread gets what no other one wants. Where the kernel knows no such class, or will not have it, it is as nice as
/// can be; what it may not change stays as it is.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "two system calls: std cannot set the priority of a thread")]
pub fn lower_priority() {
    let parameter = libc::sched_param { sched_priority: 0 };
    // SAFETY: 0 names the calling thread; the kernel reads one `sched_param`, which outlives the call. Not through the
    // C library's wrapper: musl's does nothing.
    let _ = unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, libc::SCHED_IDLE, &raw const parameter) };
    // SAFETY: three numbers; on Linux 0 names the calling thread, not the process.
    let _ = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 19) };
}

/// Elsewhere `setpriority` is about the whole process.
#[cfg(not(target_os = "linux"))]
pub fn lower_priority() {}

/// CPU time that this thread has used.
#[expect(unsafe_code, reason = "a system call: std has no clock of a thread")]
pub fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes one `timespec` to the address it is given, which outlives the call.
    let answer = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    if answer != 0 {
        return Duration::ZERO;
    }
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or(0), nanos.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_thread_alone_steps_back() {
        // Field 19 of `stat` is the nice value, field 41 the policy; the name in field 2 may hold spaces.
        fn nice_and_policy(of: &str) -> (String, String) {
            let stat = std::fs::read_to_string(format!("/proc/{of}/stat")).unwrap();
            let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
            (fields[16].to_owned(), fields[38].to_owned())
        }
        let before = nice_and_policy("self");
        let lowered = std::thread::spawn(|| {
            lower_priority();
            nice_and_policy("thread-self")
        });
        assert_eq!(lowered.join().unwrap(), ("19".to_owned(), libc::SCHED_IDLE.to_string()));
        assert_eq!(nice_and_policy("self"), before);
    }

    #[test]
    fn the_clock_runs_with_the_work() {
        let before = cpu_time();
        while cpu_time() <= before {
            std::hint::spin_loop();
        }
        let idle = cpu_time();
        std::thread::sleep(Duration::from_millis(30));
        assert!(cpu_time() - idle < Duration::from_millis(20), "sleep is no work");
    }
}
