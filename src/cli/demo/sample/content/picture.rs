//! The shop's pictures: a drawing that is text (SVG), and a photograph that no coding makes smaller (PNG).

use std::fmt::{self, Write};

use super::words::Choice;

/// A map of contour lines, as a drawing program exports it.
pub(in crate::cli::demo::sample) fn contour_map(lines: u64) -> String {
    let mut out = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1200 800\" role=\"img\" aria-label=\"Map of our shops\">\n<g fill=\"none\" stroke=\"#6b7a5e\">\n",
    );
    let mut choice = Choice::new(31);
    (0..lines).try_for_each(|line| contour(&mut out, line, &mut choice)).expect("writing to a String cannot fail");
    out.push_str("</g>\n</svg>\n");
    out
}

fn contour(out: &mut String, line: u64, choice: &mut Choice) -> fmt::Result {
    let height = line * 20;
    write!(
        out,
        "<g id=\"height-{height}\" class=\"contour contour--major\"><title>{height} m</title>\n\
         <path stroke-width=\"0.{}\" stroke-linejoin=\"round\" stroke-linecap=\"round\" d=\"M{} {}",
        4 + line % 5,
        choice.below(1_200),
        choice.below(800)
    )?;
    for _ in 0..40 {
        let (across, down) = (choice.below(24), choice.below(12));
        write!(out, "c{across} {down} {} {} {} {}", across + 4, down, across + 8, down + 4)?;
    }
    writeln!(
        out,
        "\"/>\n<text class=\"contour__label\" x=\"{}\" y=\"{}\" font-family=\"sans-serif\" font-size=\"9\">{height} m</text></g>",
        choice.below(1_200),
        choice.below(800)
    )
}

/// A grainy grey photograph of `side` by `side` points as a PNG. The grain leaves a compressor nothing to find,
/// so the pixels are in stored blocks and the file is already as small as it gets.
pub(in crate::cli::demo::sample) fn photograph(side: u16) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let side_bytes = u32::from(side).to_be_bytes();
    // 8 bits of grey a point, no interlacing.
    let header = [side_bytes.as_slice(), &side_bytes, &[8, 0, 0, 0, 0]].concat();
    chunk(&mut file, *b"IHDR", &header);
    chunk(&mut file, *b"IDAT", &zlib_stored(&grain(side)));
    chunk(&mut file, *b"IEND", &[]);
    file
}

/// The rows of the picture, each after its filter byte (0: none).
fn grain(side: u16) -> Vec<u8> {
    let mut choice = Choice::new(32);
    let mut pixels = Vec::with_capacity(usize::from(side) * (usize::from(side) + 1));
    for _ in 0..side {
        pixels.push(0);
        pixels.extend((0..side).map(|_| u8::try_from(choice.below(256)).unwrap_or_default()));
    }
    pixels
}

/// Length, name, data, and a CRC over name and data (PNG, third edition, section 5.3).
fn chunk(file: &mut Vec<u8>, name: [u8; 4], data: &[u8]) {
    file.extend(u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes());
    file.extend(name);
    file.extend(data);
    file.extend(crc32(&[&name, data].concat()).to_be_bytes());
}

/// A zlib stream of stored blocks (RFC 1950; RFC 1951, section 3.2.4).
fn zlib_stored(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let mut blocks = data.chunks(0xFFFF).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(u8::from(blocks.peek().is_none()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
    out.extend(adler32(data).to_be_bytes());
    out
}

/// RFC 1950, section 8.2.
fn adler32(data: &[u8]) -> u32 {
    let (low, high) = data.iter().fold((1, 0), |(low, high), &byte| {
        let low = (low + u32::from(byte)) % 65_521;
        (low, (high + low) % 65_521)
    });
    high << 16 | low
}

/// PNG, third edition, annex D.
fn crc32(data: &[u8]) -> u32 {
    let rest = data.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
    });
    !rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_match_their_published_check_values() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(b"IEND"), 0xAE42_6082);
        assert_eq!(adler32(b"Wikipedia"), 0x11E6_0398);
    }

    #[test]
    fn the_photograph_is_a_png_of_its_size() {
        let file = photograph(300);
        assert_eq!(&file[..8], b"\x89PNG\r\n\x1a\n");
        assert_eq!(&file[16..24], &[0, 0, 1, 44, 0, 0, 1, 44]);
        assert_eq!(&file[file.len() - 8..], b"IEND\xAE\x42\x60\x82");
        // Two stored blocks, so that the block header's end flag is seen in both states.
        assert!((90_300..90_500).contains(&file.len()), "{}", file.len());
    }
}
