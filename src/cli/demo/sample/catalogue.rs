//! Every resource of the sample app, in the order of the table.

use std::time::Duration;

use bytes::Bytes;

use super::content;
use super::resource::{Framing, Resource};

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";

pub(super) fn resources() -> Vec<Resource> {
    let mut all = pages();
    all.extend(data());
    all.extend(assets());
    all.extend(habits());
    all
}

fn pages() -> Vec<Resource> {
    vec![
        Resource::new("/", HTML, content::front_page()).max_age(60).validators(),
        Resource::new("/products/1042", HTML, content::product_page(1042))
            .max_age(60)
            .validators()
            .framed(Framing::Chunked)
            .note("chunked"),
        Resource::new("/news", HTML, content::news("News from the workshop", 41, 24)).max_age(60).note("no validators"),
        Resource::new("/report", HTML, content::news("Stock report", 42, 40))
            .max_age(300)
            .framed(Framing::Chunked)
            .delayed(Duration::from_millis(400))
            .note("takes 400 ms"),
    ]
}

fn data() -> Vec<Resource> {
    vec![
        Resource::new("/api/products", JSON, content::listing(1, 1_000, 7_412)).max_age(30).note("the whole list"),
        Resource::new("/api/products?page=2", JSON, content::listing(2, 1_100, 100))
            .max_age(30)
            .validators()
            .framed(Framing::Chunked),
    ]
}

fn assets() -> Vec<Resource> {
    vec![
        Resource::new("/assets/shop.js", "text/javascript", content::javascript(140)).max_age(86_400).validators(),
        Resource::new("/assets/shop.css", "text/css", content::stylesheet(300)).max_age(86_400).validators(),
        Resource::new("/assets/map.svg", "image/svg+xml", content::contour_map(70)).max_age(86_400).validators(),
        Resource::new("/images/ridge.png", "image/png", content::photograph(200))
            .max_age(86_400)
            .validators()
            .note("already compressed"),
        Resource::new("/robots.txt", "text/plain", content::leaflet()).max_age(3_600).note("small"),
    ]
}

/// What makes an app "legacy": each of these is common, and each must come through unharmed.
fn habits() -> Vec<Resource> {
    vec![
        Resource::new("/basket", HTML, content::news("Your basket", 43, 8))
            .max_age(60)
            .field("Set-Cookie", "session=5f1c9a7e; Path=/; HttpOnly")
            .note("sets a cookie"),
        Resource::new("/account", HTML, content::news("Your account", 44, 10))
            .field("Cache-Control", "private, no-store")
            .note("no-store"),
        Resource::new("/print/1042", HTML, content::product_page(1043))
            .max_age(60)
            .framed(Framing::Close)
            .note("ends by closing"),
        Resource::new("/help", HTML, gzipped(&content::news("Help", 45, 20)))
            .max_age(300)
            .field("Content-Encoding", "gzip")
            .field("Vary", "Accept-Encoding")
            .note("gzipped by the app"),
        Resource::stream("/events", content::stock_events(40), Duration::from_millis(20)).note("server-sent events"),
    ]
}

/// The app's own compression, by its own library at its own level: vacpack's encoders have no part in it.
fn gzipped(text: &str) -> Bytes {
    use std::io::Write;

    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()).expect("writing to a Vec cannot fail").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_is_the_same_on_every_run() {
        for (one, other) in resources().iter().zip(resources()) {
            assert_eq!((one.path, &one.pieces), (other.path, &other.pieces));
        }
    }

    #[test]
    fn each_path_is_listed_once() {
        let mut paths: Vec<_> = resources().iter().map(|resource| resource.path).collect();
        paths.sort_unstable();
        let all = paths.len();
        paths.dedup();
        assert_eq!(paths.len(), all);
    }

    #[test]
    fn sizes_are_those_of_a_shop() {
        for resource in resources() {
            let range = match resource.path {
                "/robots.txt" => 50..1_024,
                "/api/products" => 2_000_000..4_000_000,
                "/assets/shop.js" => 150_000..400_000,
                "/events" => 3_000..10_000,
                _ => 4_000..150_000,
            };
            assert!(range.contains(&resource.length()), "{} has {} bytes", resource.path, resource.length());
        }
    }

    /// Text that compresses far better than a real page would make the table a lie; so would noise.
    #[test]
    fn text_compresses_as_real_text_does() {
        for resource in resources() {
            if resource.coded_by_app() || resource.length() < 8_000 || resource.path.ends_with(".png") {
                continue;
            }
            let text = String::from_utf8(resource.pieces.concat()).unwrap();
            let ratio = gzipped(&text).len() as f64 / text.len() as f64;
            assert!((0.08..0.45).contains(&ratio), "{}: {ratio:.3}", resource.path);
        }
    }

    #[test]
    fn what_may_be_stored_follows_from_the_head() {
        let refused: Vec<_> = resources().iter().filter(|one| !one.storable()).map(|one| one.path).collect();
        assert_eq!(refused, ["/basket", "/account", "/print/1042", "/events"]);
    }
}
