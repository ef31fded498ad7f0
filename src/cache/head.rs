//! Heads that are kept: in memory of their own, and no more of it than they need.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

/// The same fields, all values in one allocation. Values parsed off a connection are slices that keep its buffer alive:
/// a head of 300 bytes would hold 4 KiB or more.
pub fn compact(head: &HeaderMap) -> HeaderMap {
    let total = head.values().map(HeaderValue::len).sum();
    let mut bytes = Vec::with_capacity(total);
    head.values().for_each(|value| bytes.extend_from_slice(value.as_bytes()));
    let mut bytes = Bytes::from(bytes);
    let mut own = HeaderMap::with_capacity(head.keys_len());
    for (name, value) in head {
        let copy = bytes.split_to(value.len());
        if let Ok(mut copy) = HeaderValue::from_maybe_shared(copy) {
            copy.set_sensitive(value.is_sensitive());
            own.append(name.clone(), copy);
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_move_out_of_the_buffer_they_were_parsed_from() {
        let buffer = Bytes::from(b"HTTP/1.1 200 OK one two three".to_vec());
        let value = |from: usize, to: usize| HeaderValue::from_maybe_shared(buffer.slice(from..to)).unwrap();
        let mut head = HeaderMap::new();
        head.append("x-a", value(16, 19));
        head.append("x-b", value(24, 29));
        head.append("x-a", value(20, 23));
        head.append("x-empty", value(0, 0));
        let mut secret = value(16, 19);
        secret.set_sensitive(true);
        head.append("x-secret", secret);

        let own = compact(&head);
        assert_eq!(own, head);
        assert!(own["x-secret"].is_sensitive() && !own["x-a"].is_sensitive());
        let range = buffer.as_ptr_range();
        assert!(own.values().all(|value| value.is_empty() || !range.contains(&value.as_bytes().as_ptr())));
    }
}
