//! What the sample shop serves: generated, the same on every run, and made of words and numbers that
//! compress as such pages do. Nothing here is anybody else's text.

mod feed;
mod markup;
mod picture;
mod product;
mod script;
mod words;

pub(super) use feed::{listing, stock_events};
pub(super) use markup::{front_page, leaflet, news, product_page};
pub(super) use picture::{contour_map, photograph};
pub(super) use script::{javascript, stylesheet};
