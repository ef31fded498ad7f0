//! Against trees of files that look like a container's.

use super::super::cgroup::tests::Root;
use super::*;

const V2: &str =
    "usage_usec 900\nuser_usec 500\nsystem_usec 400\nnr_periods 9\nnr_throttled 2\nthrottled_usec 250000\n";
const V1: &str = "nr_periods 9\nnr_throttled 2\nthrottled_time 250000000\n";
const PSI: &str =
    "some avg10=0.00 avg60=0.12 avg300=0.20 total=1500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";

fn counts(throttled: u64, stalled: Option<u64>) -> Counts {
    Counts { throttled: Duration::from_millis(throttled), stalled: stalled.map(Duration::from_millis) }
}

#[test]
fn both_versions_are_read_and_none_is_no_pressure() {
    let v2 = Root::new(
        "v2",
        &[("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/cpu.stat", V2), ("sys/fs/cgroup/cpu.pressure", PSI)],
    );
    assert_eq!(Meter::new(&v2.0).read(), counts(250, Some(1500)));
    let v1 = Root::new("v1", &[("proc/self/cgroup", "4:cpu,cpuacct:/\n"), ("sys/fs/cgroup/cpu/cpu.stat", V1)]);
    assert_eq!(Meter::new(&v1.0).read(), counts(250, None));
    let none = Root::new("none", &[("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/cpu.stat", "usage_usec 900\n")]);
    assert_eq!(Meter::new(&none.0).read(), counts(0, None));
}

#[test]
fn a_quota_above_counts_too() {
    let root = Root::new(
        "above",
        &[
            ("proc/self/cgroup", "0::/pod/app\n"),
            ("sys/fs/cgroup/pod/app/cpu.stat", "throttled_usec 10\n"),
            ("sys/fs/cgroup/pod/cpu.stat", V2),
        ],
    );
    assert_eq!(Meter::new(&root.0).read(), counts(250, None));
}

#[test]
fn counts_become_shares_of_the_time_between() {
    let signals =
        counts(600, Some(300)).since(&counts(100, Some(50)), Duration::from_secs(1), Duration::from_millis(3));
    assert_eq!(signals, Signals { throttled: 0.5, stalled: Some(0.25), late: Duration::from_millis(3) });
    // A counter that fell belongs to another group: no pressure rather than a wild number.
    assert_eq!(
        counts(0, None).since(&counts(100, Some(50)), Duration::from_secs(1), Duration::ZERO),
        Signals::default()
    );
}

#[test]
fn what_does_not_parse_is_nothing() {
    assert_eq!(throttled("throttled_usec much\n"), None);
    assert_eq!(throttled(""), None);
}

/// From the files to the gauge, in real time: down within two seconds of pressure.
#[tokio::test(flavor = "multi_thread")]
async fn a_squeeze_is_answered_within_two_seconds() {
    let root = Root::new("squeeze", &[("sys/fs/cgroup/cpu.stat", "throttled_usec 0\n")]);
    let pressure = Arc::new(Pressure::default());
    let build = crate::metrics::Build { version: "0", revision: "0" };
    let metrics = Arc::new(Metrics::new(&crate::metrics::Config::default(), build));
    let watching = tokio::spawn(watch(Meter::new(&root.0), pressure.clone(), metrics.clone()));
    let start = Instant::now();
    while pressure.step() == Step::CALM {
        let throttled = start.elapsed().as_micros() / 3;
        root.write("sys/fs/cgroup/cpu.stat", &format!("throttled_usec {throttled}\n"));
        assert!(start.elapsed() < Duration::from_secs(20), "no step down");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let took = start.elapsed();
    watching.abort();
    assert!(took < Duration::from_secs(2), "{took:?}");
    let text = metrics.exposition().expect("well-formed");
    assert!(text.contains("\nvacpack_compression_pressure_step 1\n"), "{text}");
    assert!(!text.contains("\nvacpack_cpu_throttled_seconds_total 0\n"), "{text}");
}
