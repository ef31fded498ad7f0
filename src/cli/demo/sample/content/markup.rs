//! The shop's HTML: pages with the markup of a shop, navigation, cards, tables and reviews.

use std::fmt::{self, Write};

use super::product::Product;
use super::words::{CATEGORIES, COLOURS, Choice, FIRST_NAMES};

/// The front page: a card for each of the products shown.
pub(in crate::cli::demo::sample) fn front_page() -> String {
    page("Outfitters of the north", |out| {
        let mut choice = Choice::new(1);
        writeln!(
            out,
            "<section class=\"hero\"><h1>Ready when the path ends</h1><p>{}</p></section>",
            choice.paragraph(3)
        )?;
        for category in CATEGORIES {
            writeln!(out, "<section class=\"shelf\"><h2>{category}</h2>\n<ul class=\"shelf__items\">")?;
            for _ in 0..6 {
                card(out, &Product::number(1_000 + choice.below(500)))?;
            }
            writeln!(out, "</ul></section>")?;
        }
        Ok(())
    })
}

/// The page of one product: description, specification, reviews and what others bought.
pub(in crate::cli::demo::sample) fn product_page(id: u64) -> String {
    let product = Product::number(id);
    page(&product.name, |out| {
        let mut choice = Choice::new(id ^ 0xC0FF_EE00);
        introduction(out, &product, &mut choice)?;
        specification(out, &product, &mut choice)?;
        for number in 1..=24 {
            review(out, number, &mut choice)?;
        }
        writeln!(out, "<aside class=\"related\"><h2>Often bought together</h2><ul>")?;
        for _ in 0..12 {
            card(out, &Product::number(1_000 + choice.below(500)))?;
        }
        writeln!(out, "</ul></aside>")
    })
}

/// A page of running text under `title`: news, terms, a report, an account's orders.
pub(in crate::cli::demo::sample) fn news(title: &str, seed: u64, items: usize) -> String {
    page(title, |out| {
        let mut choice = Choice::new(seed);
        writeln!(out, "<h1>{title}</h1>")?;
        for number in 1..=items {
            writeln!(out, "<article class=\"entry\" id=\"entry-{number}\">\n<h2>{}</h2>", choice.sentence())?;
            writeln!(
                out,
                "<p class=\"entry__date\"><time datetime=\"2026-{0:02}-{1:02}\">{1}/{0}/2026</time></p>",
                1 + choice.below(12),
                1 + choice.below(28)
            )?;
            writeln!(out, "<p>{}</p>\n<p>{}</p>\n</article>", choice.paragraph(4), choice.paragraph(3))?;
        }
        Ok(())
    })
}

/// A text under the size that is worth compressing.
pub(in crate::cli::demo::sample) fn leaflet() -> String {
    "User-agent: *\nDisallow: /basket\nDisallow: /account\nDisallow: /print/\nSitemap: /sitemap.xml\n".to_owned()
}

/// The frame that every page of the shop has around its content.
fn page(title: &str, content: impl FnOnce(&mut String) -> fmt::Result) -> String {
    let mut out = String::new();
    header(&mut out, title)
        .and_then(|()| content(&mut out))
        .and_then(|()| footer(&mut out))
        .expect("writing to a String cannot fail");
    out
}

fn header(out: &mut String, title: &str) -> fmt::Result {
    writeln!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title} | Outfitters</title>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <link rel=\"stylesheet\" href=\"/assets/shop.css\">\n<script defer src=\"/assets/shop.js\"></script>\n\
         </head>\n<body>\n<header class=\"site-header\">\n<a class=\"site-header__logo\" href=\"/\">Outfitters</a>\n<nav class=\"menu\"><ul>"
    )?;
    for category in CATEGORIES {
        let slug = category.to_lowercase().replace(' ', "-");
        writeln!(
            out,
            "<li class=\"menu__item\"><a class=\"menu__link\" href=\"/category/{slug}\">{category}</a></li>"
        )?;
    }
    writeln!(out, "</ul></nav>\n</header>\n<main>")
}

fn footer(out: &mut String) -> fmt::Result {
    writeln!(
        out,
        "</main>\n<footer class=\"site-footer\"><ul><li><a href=\"/help\">Help</a></li><li><a href=\"/news\">News</a></li>\
         <li><a href=\"/account\">Your account</a></li></ul><img src=\"/assets/map.svg\" alt=\"Our shops\"></footer>\n</body>\n</html>"
    )
}

fn card(out: &mut String, product: &Product) -> fmt::Result {
    writeln!(
        out,
        "<li class=\"card\" data-sku=\"{sku}\"><a class=\"card__link\" href=\"{url}\"><img class=\"card__image\" src=\"{image}\" \
         alt=\"{name}\" loading=\"lazy\" width=\"320\" height=\"240\"><h3 class=\"card__title\">{name}</h3></a>\
         <p class=\"card__price\"><span class=\"price\">{amount}</span> {currency}</p>\
         <p class=\"card__rating\" aria-label=\"{rating} of 5\">{rating} <span>({reviews})</span></p></li>",
        sku = product.sku,
        url = product.url,
        image = product.image,
        name = product.name,
        amount = product.price.amount,
        currency = product.price.currency,
        rating = product.rating,
        reviews = product.reviews,
    )
}

fn introduction(out: &mut String, product: &Product, choice: &mut Choice) -> fmt::Result {
    writeln!(
        out,
        "<nav class=\"breadcrumb\"><a href=\"/\">Home</a> / <a href=\"/category/{0}\">{0}</a></nav>\n<h1>{1}</h1>\n\
         <img class=\"product__image\" src=\"/images/ridge.png\" alt=\"{1} on a ridge\">\n<p class=\"product__summary\">{2}</p>",
        product.category, product.name, product.summary
    )?;
    for _ in 0..5 {
        writeln!(out, "<p class=\"product__text\">{}</p>", choice.paragraph(5))?;
    }
    writeln!(
        out,
        "<form class=\"product__buy\" method=\"post\" action=\"/basket\"><input type=\"hidden\" name=\"sku\" value=\"{}\">",
        product.sku
    )?;
    for colour in COLOURS {
        let available = if product.colours.contains(colour) { "" } else { " disabled" };
        writeln!(
            out,
            "<label class=\"swatch\"><input type=\"radio\" name=\"colour\" value=\"{colour}\"{available}> {colour}</label>"
        )?;
    }
    writeln!(out, "<button class=\"button button--primary\">Add to basket</button></form>")
}

fn specification(out: &mut String, product: &Product, choice: &mut Choice) -> fmt::Result {
    writeln!(out, "<table class=\"specification\">\n<tr><th>Weight</th><td>{} g</td></tr>", product.weight_grams)?;
    for name in
        ["Volume", "Height", "Width", "Depth", "Packed size", "Temperature", "Warranty", "Fabric", "Lining", "Origin"]
    {
        writeln!(out, "<tr><th scope=\"row\">{name}</th><td>{} ({})</td></tr>", choice.below(900), choice.sentence())?;
    }
    writeln!(out, "</table>")
}

fn review(out: &mut String, number: u64, choice: &mut Choice) -> fmt::Result {
    let stars = 3 + choice.below(3);
    writeln!(
        out,
        "<article class=\"review\" id=\"review-{number}\">\n<header class=\"review__header\"><span class=\"review__author\">{}</span> \
         <span class=\"review__stars\" aria-label=\"{stars} of 5 stars\">{stars}/5</span></header>\n<p class=\"review__text\">{}</p>\n\
         <footer><button class=\"review__helpful\" data-review=\"{}\">Helpful ({})</button></footer>\n</article>",
        choice.pick(FIRST_NAMES),
        choice.paragraph(3),
        100_000 + choice.below(900_000),
        choice.below(60),
    )
}
