//! How many connections there are to the app: as many as it is asked on at once, and for a while after.

use crate::harness::wait::until_calm;
use crate::harness::{Answer, Gate, Origin, Part, Vacpack, together, until};
use std::time::Duration;

/// So many requests at once, each on a connection of its own.
fn crowd(origin: &Origin, vacpack: &Vacpack, count: usize) {
    let gate = Gate::opening_at(count);
    origin.serve("/page", Answer::html("page").fresh("no-store").first(Part::Wait(gate)));
    assert!(together(count, |_| vacpack.get("/page").status).iter().all(|status| *status == 200));
}

fn until_there_are(origin: &Origin, count: usize) {
    until("connections to close", || (origin.connections() <= count).then_some(()));
    assert_eq!(until_calm("connections", Duration::from_millis(200), || origin.connections()), count);
}

#[test]
fn a_crowd_leaves_as_many_connections_as_it_needed() {
    let origin = Origin::start();
    let vacpack = Vacpack::before(&origin);
    for _crowd in 0..3 {
        crowd(&origin, &vacpack, 300);
        until_there_are(&origin, 300);
    }
    assert_eq!(vacpack.metrics_after(900).sum("vacpack_upstream_connections_total", &["false"]), 300.0);
}

#[test]
fn what_nobody_needs_any_more_is_closed() {
    let origin = Origin::start();
    let vacpack = Vacpack::with(&origin, "upstream.idle_timeout = \"300ms\"");
    crowd(&origin, &vacpack, 30);
    until_there_are(&origin, 0);
}

#[test]
fn no_more_are_kept_than_the_operator_allows() {
    let origin = Origin::start();
    let vacpack = Vacpack::with(&origin, "upstream.keepalive = 8\nruntime.workers = 2");
    crowd(&origin, &vacpack, 30);
    until("connections to close", || (origin.connections() <= 8).then_some(()));
    let kept = until_calm("connections", Duration::from_millis(200), || origin.connections());
    // The pool is divided by threads: one part may be full while another has room.
    assert!((1..=8).contains(&kept), "{kept}");
}
