//! A figure for each contender in each class.

use std::time::Duration;

use crate::classes::Class;
use crate::clock::timed;
use crate::contender::{Contender, contenders};

/// What was measured of one class.
pub struct Measured {
    pub class: &'static str,
    pub files: usize,
    pub bytes: usize,
    pub points: Vec<Point>,
}

pub struct Point {
    pub contender: Contender,
    pub coded: usize,
    /// The shortest time of each file, summed up.
    pub busy: Duration,
    pub bytes: usize,
}

const ROUNDS: usize = 4;

impl Point {
    pub fn ratio(&self) -> f64 {
        self.bytes as f64 / self.coded as f64
    }

    pub fn megabytes_a_second(&self) -> f64 {
        self.bytes as f64 / self.busy.as_secs_f64() / 1e6
    }

    pub fn nanoseconds_a_byte(&self) -> f64 {
        self.busy.as_secs_f64() * 1e9 / self.bytes as f64
    }
}

/// File by file, and for each file everybody in turn: what disturbs one disturbs the others.
pub fn measure(class: &Class) -> Measured {
    let bytes = class.bytes();
    let point = |contender| Point { contender, coded: 0, busy: Duration::ZERO, bytes };
    let mut points: Vec<Point> = contenders().into_iter().map(point).collect();
    for body in class.bodies() {
        let mut best = vec![(0, Duration::MAX); points.len()];
        // A short body is soon coded, and a clock is only so fine.
        let rounds = ROUNDS.max((200_000 / body.len().max(1)).min(50));
        for round in 0..rounds {
            for (point, best) in points.iter().zip(&mut best) {
                if round == 0 || !point.contender.is_slow() {
                    let (coded, busy) = timed(|| point.contender.encode(body).len());
                    *best = (coded, best.1.min(busy));
                }
            }
        }
        for (point, (coded, busy)) in points.iter_mut().zip(best) {
            point.coded += coded;
            point.busy += busy;
        }
    }
    Measured { class: class.name, files: class.files.len(), bytes, points }
}
