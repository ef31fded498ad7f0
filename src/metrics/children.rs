//! The children of a family that has one closed label, resolved once and found by position.

use std::marker::PhantomData;

use prometheus::IntCounterVec;

use super::label::Label;

/// One `M` for each value of `L`.
pub struct Children<L, M> {
    children: Box<[M]>,
    label: PhantomData<fn(L)>,
}

impl<L: Label, M> Children<L, M> {
    pub fn resolve(mut child: impl FnMut(&'static str) -> M) -> Self {
        let children = L::ALL.iter().map(|value| child(value.label())).collect();
        Self { children, label: PhantomData }
    }

    pub fn of(&self, label: L) -> &M {
        &self.children[label.index()]
    }
}

impl<L: Label> Children<L, prometheus::IntCounter> {
    /// All counters of a family with this one label, at zero from the start: a rate over a counter that appears with
    /// its first event would miss that event.
    pub fn of_family(family: &IntCounterVec) -> Self {
        Self::resolve(|label| family.with_label_values(&[label]))
    }
}
