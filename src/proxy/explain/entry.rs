//! What is stored, written down.

use std::time::{Duration, SystemTime};

use http::header::CONTENT_ENCODING;
use http::{HeaderMap, HeaderValue};

use super::{Asking, shown};
use crate::cache::{Moment, Representation, RequestView, Resource, Variant};
use crate::explain::{Body, Entry, Field, Lifetime, OtherVariant, RepresentationKept, VariantKept, on_skip, source_of};
use crate::header::Coding;
use crate::negotiate::{self, ResponseFacts, Selection};
use crate::policy::{Freshness, Selector, StoredFreshness};

impl Asking<'_> {
    pub(super) fn entry(&self, resource: &Resource, selected: Option<&std::sync::Arc<Variant>>) -> Entry {
        let is_selected = |one: &Variant| selected.is_some_and(|selected| selected.generation == one.generation);
        let others = resource.variants().iter().filter(|one| !is_selected(one));
        Entry {
            bytes: resource.weight(),
            variants: resource.variants().len() as u64,
            max_variants: self.scene.limits.max_variants as u64,
            variant: selected.map(|variant| self.kept(variant)),
            others: others.map(|variant| self.other(variant)).collect(),
        }
    }

    fn kept(&self, variant: &Variant) -> VariantKept {
        let stored = variant.stored_freshness(Moment::at(self.now));
        VariantKept {
            status: variant.status.as_u16(),
            lifetime: self.lifetime(&variant.freshness, &stored, &variant.head),
            etag: text(&variant.tag.to_header()),
            last_modified: variant.last_modified().map(text),
            selected_by: selected_by(&variant.selector),
            tags: variant.tags.to_vec(),
            hits: variant.hits(),
            identity_bytes: variant.identity_length.filter(|_| variant.codable),
            codable: variant.codable,
            representations: variant.representations().iter().map(|one| representation(variant, one)).collect(),
        }
    }

    fn other(&self, variant: &Variant) -> OtherVariant {
        let stored = variant.stored_freshness(Moment::at(self.now));
        OtherVariant {
            selected_by: selected_by(&variant.selector),
            age: stored.current_age(self.now).as_secs(),
            fresh_for: left(&stored, self.now),
            hits: variant.hits(),
            codings: variant.representations().iter().map(|one| coding_of(one)).collect(),
        }
    }

    pub(super) fn lifetime(&self, freshness: &Freshness, stored: &StoredFreshness, head: &HeaderMap) -> Lifetime {
        Lifetime {
            seconds: freshness.lifetime.as_secs(),
            age: stored.current_age(self.now).as_secs(),
            fresh_for: left(stored, self.now),
            source: freshness.source.label().to_owned(),
            from: source_of(freshness, head, &self.request.route.cache),
            stale_while_revalidate: stored.stale_while_revalidate.as_secs(),
            stale_if_error: stored.stale_if_error.as_secs(),
            no_cache: stored.no_cache,
            must_revalidate: stored.must_revalidate,
        }
    }

    /// What a hit sends.
    pub(super) fn stored_body(&self, variant: &Variant, view: &RequestView) -> Option<Body> {
        let selection = variant.selection(view)?;
        let one = variant.representation(selection.coding());
        let skipped = match selection.coding() {
            Coding::Identity => self.skipped(variant),
            _ => None,
        };
        let made = if matches!(selection, Selection::Serve(_)) { "stored" } else { "derived" };
        let coding = one.map_or_else(|| selection.coding().token().to_owned(), |one| coding_of(one));
        let level = one.and_then(|one| one.level);
        Some(Body { coding, made: made.to_owned(), level, skipped: skipped.map(on_skip) })
    }

    /// Why the client gets what is stored without a coding of ours.
    fn skipped(&self, variant: &Variant) -> Option<negotiate::SkipReason> {
        let length = variant.identity_length;
        let facts = ResponseFacts {
            status: variant.status,
            headers: &variant.head,
            length,
            end_of_stream: false,
            stored: true,
        };
        negotiate::plan(&self.request.facts, &facts, &self.request.route.offer).skipped()
    }
}

fn representation(variant: &Variant, one: &Representation) -> RepresentationKept {
    RepresentationKept {
        coding: coding_of(one),
        bytes: one.body.len() as u64,
        level: one.level,
        improved: one.improved,
        hits: variant.hits_of(one.coding),
        etag: text(&one.etag.to_header()),
    }
}

/// As the client is told, so that what the app coded itself is called by its name.
fn coding_of(one: &Representation) -> String {
    one.head.headers.get(CONTENT_ENCODING).map_or_else(|| Coding::Identity.token().to_owned(), text)
}

pub(super) fn selected_by(selector: &Selector) -> Vec<Field> {
    let values = selector.values();
    selector.fields().iter().zip(values).map(|(name, value)| shown(name.as_str(), value)).collect()
}

/// What is left of the lifetime in whole seconds; negative once it is over.
fn left(stored: &StoredFreshness, now: SystemTime) -> i64 {
    let seconds = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    match stored.fresh_until.duration_since(now) {
        Ok(left) => seconds(left),
        Err(over) => -seconds(over.duration()).max(1),
    }
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}
