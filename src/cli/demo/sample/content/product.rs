//! A product of the shop: the record behind a page, a card and a line of the listing.

use serde::Serialize;

use super::words::{CATEGORIES, COLOURS, Choice, KINDS, NAMES};

#[derive(Debug, Serialize)]
pub(super) struct Product {
    pub(super) id: u64,
    pub(super) sku: String,
    pub(super) name: String,
    pub(super) category: &'static str,
    pub(super) price: Price,
    pub(super) rating: f64,
    pub(super) reviews: u64,
    pub(super) stock: u64,
    pub(super) colours: Vec<&'static str>,
    pub(super) weight_grams: u64,
    pub(super) url: String,
    pub(super) image: String,
    pub(super) summary: String,
    pub(super) updated: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Price {
    pub(super) amount: String,
    pub(super) currency: &'static str,
}

impl Product {
    /// The product with this number: the same one wherever it is shown.
    pub(super) fn number(id: u64) -> Self {
        let mut choice = Choice::new(id);
        let (name, kind, category) = (choice.pick(NAMES), choice.pick(KINDS), choice.pick(CATEGORIES));
        let colours = (0..=choice.below(3)).map(|_| choice.pick(COLOURS)).collect();
        let slug = format!("{}-{}", name.to_lowercase(), kind.replace(' ', "-"));
        Self {
            id,
            sku: format!("{:02X}-{:05}", choice.below(256), choice.below(100_000)),
            name: format!("{name} {kind}"),
            category,
            price: Price { amount: format!("{}.{:02}", 9 + choice.below(640), choice.below(100)), currency: "EUR" },
            rating: rating(choice.below(21)),
            reviews: choice.below(400),
            stock: choice.below(120),
            colours,
            weight_grams: 40 + choice.below(4_200),
            url: format!("/products/{id}"),
            image: format!("/images/{slug}-{:06x}.jpg", choice.below(1 << 24)),
            summary: choice.sentence(),
            updated: format!(
                "2026-{:02}-{:02}T{:02}:{:02}:00Z",
                1 + choice.below(11),
                1 + choice.below(28),
                choice.below(24),
                choice.below(60)
            ),
        }
    }
}

/// 3.0 to 5.0 in tenths.
fn rating(tenths_over_three: u64) -> f64 {
    let tenths = u32::try_from(30 + tenths_over_three).unwrap_or(30);
    f64::from(tenths) / 10.0
}
