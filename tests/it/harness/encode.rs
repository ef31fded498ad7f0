//! Bodies as apps code them by themselves.

use std::io::Write;

/// `coding` is a token of `Content-Encoding`, or `raw` for `deflate` without the zlib wrapper that it should have.
pub fn as_app(coding: &str, body: &[u8]) -> Vec<u8> {
    const LEVEL: flate2::Compression = flate2::Compression::new(6);
    fn ended<W>(mut writer: W, body: &[u8], end: impl FnOnce(W) -> std::io::Result<Vec<u8>>) -> Vec<u8>
    where
        W: Write,
    {
        writer.write_all(body).expect("a Vec takes everything");
        end(writer).expect("a Vec takes everything")
    }
    match coding {
        "identity" => body.to_vec(),
        "gzip" | "x-gzip" => {
            ended(flate2::write::GzEncoder::new(Vec::new(), LEVEL), body, flate2::write::GzEncoder::finish)
        }
        "deflate" => {
            ended(flate2::write::ZlibEncoder::new(Vec::new(), LEVEL), body, flate2::write::ZlibEncoder::finish)
        }
        "raw" => {
            ended(flate2::write::DeflateEncoder::new(Vec::new(), LEVEL), body, flate2::write::DeflateEncoder::finish)
        }
        "br" => ended(brotli::CompressorWriter::new(Vec::new(), 4096, 5, 20), body, |writer| Ok(writer.into_inner())),
        "zstd" => zstd::stream::encode_all(body, 3).expect("a slice reads to its end"),
        other => panic!("nobody codes in {other}"),
    }
}
