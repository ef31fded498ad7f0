//! What an entry costs in memory. The sum over all entries is what the cache holds against its capacity.
//!
//! Bodies, field names and field values count byte by byte. What the containers around them take is a constant each,
//! measured with a counting allocator (`benches/hit.rs` prints it beside what is charged) and rounded up: an operator's
//! limit holds for a million small entries as it does for a hundred large ones.

use http::HeaderMap;

use super::key::ResourceKey;

/// A resource: the map's bucket, its entry, its places in the access order and the timer wheel, the `Arc`s around it.
pub const RESOURCE: u64 = 640 + size_of::<ResourceKey>() as u64;
/// A variant without its fields, tags and representations.
pub const VARIANT: u64 = 640;
/// A representation without its body and its fields.
pub const REPRESENTATION: u64 = 320;
/// A field's slot in a header map, its index and its share of spare capacity.
pub const FIELD: u64 = 128;

/// A tag without its text: its place in the variant and in the index of tags.
pub const TAG: u64 = 96;

/// Every line of a head.
pub fn fields(head: &HeaderMap) -> u64 {
    head.iter().map(|(name, value)| FIELD + (name.as_str().len() + value.len()) as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn each_line_counts_its_bytes_and_its_slot() {
        let mut head = HeaderMap::new();
        assert_eq!(fields(&head), 0);
        head.append("x-a", HeaderValue::from_static("12345"));
        head.append("x-a", HeaderValue::from_static(""));
        assert_eq!(fields(&head), 2 * FIELD + 3 + 5 + 3);
    }
}
