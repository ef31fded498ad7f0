//! What the shop's scripts read: the JSON listing, and the stream of stock changes.

use serde::Serialize;

use super::product::Product;
use super::words::Choice;

#[derive(Serialize)]
struct Listing {
    total: usize,
    page: u64,
    items: Vec<Product>,
}

/// Products `first` to `first + count - 1`, as an API of the day would list them.
pub(in crate::cli::demo::sample) fn listing(page: u64, first: u64, count: u64) -> String {
    let items: Vec<_> = (first..first + count).map(Product::number).collect();
    let listing = Listing { total: 7_412, page, items };
    serde_json::to_string(&listing).expect("a struct of strings and finite numbers has a JSON form")
}

/// Server-sent events (WHATWG HTML, section 9.2), one element an event.
pub(in crate::cli::demo::sample) fn stock_events(count: u64) -> Vec<String> {
    let mut choice = Choice::new(11);
    (1..=count)
        .map(|number| {
            let product = Product::number(1_000 + choice.below(500));
            format!(
                "id: {number}\nevent: stock\ndata: {{\"sku\":\"{}\",\"name\":\"{}\",\"stock\":{},\"warehouse\":\"north-{}\",\"reserved\":{}}}\n\n",
                product.sku,
                product.name,
                choice.below(120),
                choice.below(4),
                choice.below(10),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listing_is_json_of_the_size_asked_for() {
        let listing: serde_json::Value = serde_json::from_str(&listing(1, 1_000, 50)).unwrap();
        let items = listing["items"].as_array().unwrap();
        assert_eq!(items.len(), 50);
        assert_eq!(items[42]["url"], "/products/1042");
    }

    #[test]
    fn each_event_ends_with_an_empty_line() {
        let events = stock_events(3);
        assert_eq!(events.len(), 3);
        for event in events {
            assert!(event.ends_with("}\n\n"), "{event:?}");
            assert_eq!(event.matches("\n\n").count(), 1, "{event:?}");
        }
    }
}
