//! Somebody else's decoders: what vacpack encodes is read by programs that share no line of code with it.

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

/// A program that reads coded bytes on stdin and writes the content to stdout, or fails.
struct Decoder {
    program: &'static str,
    arguments: &'static [&'static str],
}

const BROTLI: &[Decoder] = &[
    Decoder { program: "brotli", arguments: &["--decompress", "--stdout"] },
    Decoder { program: "node", arguments: &["-e", NODE_BROTLI] },
];
const ZSTD: &[Decoder] = &[Decoder { program: "zstd", arguments: &["--decompress", "--stdout", "--quiet"] }];
const GZIP: &[Decoder] = &[
    Decoder { program: "gzip", arguments: &["--decompress", "--stdout"] },
    Decoder { program: "python3", arguments: &["-c", PYTHON_GZIP] },
    Decoder { program: "node", arguments: &["-e", NODE_GZIP] },
];

const NODE_BROTLI: &str = "process.stdout.write(require('zlib').brotliDecompressSync(require('fs').readFileSync(0)))";
const NODE_GZIP: &str = "process.stdout.write(require('zlib').gunzipSync(require('fs').readFileSync(0)))";
/// One member, its trailer checked, and nothing behind it.
const PYTHON_GZIP: &str = "import sys, zlib
decoder = zlib.decompressobj(31)
content = decoder.decompress(sys.stdin.buffer.read()) + decoder.flush()
assert decoder.eof and not decoder.unused_data, 'not exactly one gzip member'
sys.stdout.buffer.write(content)";

/// The content behind a coding, by the first foreign decoder for it.
pub fn foreign(coding: &str, coded: &[u8]) -> Vec<u8> {
    match decoders(coding) {
        [] => coded.to_vec(),
        [first, ..] => first.decode(coded),
    }
}

/// The content behind a coding, on which every foreign decoder for it agrees.
pub fn by_all(coding: &str, coded: &[u8]) -> Vec<u8> {
    let content = foreign(coding, coded);
    for other in decoders(coding).iter().skip(1) {
        assert!(other.decode(coded) == content, "{} reads other content from {coding}", other.program);
    }
    content
}

fn decoders(coding: &str) -> &'static [Decoder] {
    match coding {
        "identity" => &[],
        "br" => BROTLI,
        "zstd" => ZSTD,
        "gzip" => GZIP,
        other => panic!("nobody asked for {other}"),
    }
}

impl Decoder {
    fn decode(&self, coded: &[u8]) -> Vec<u8> {
        let started = Command::new(self.program)
            .args(self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut running = started.unwrap_or_else(|error| {
            panic!("the foreign decoder `{}` does not start ({error}): `make setup` installs it", self.program)
        });
        let mut stdin = running.stdin.take().expect("piped");
        let ended = thread::scope(|scope| {
            // A decoder that gives up early closes the pipe; its exit code tells.
            scope.spawn(move || drop(stdin.write_all(coded)));
            running.wait_with_output().expect("a child of ours")
        });
        let complaint = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "`{}` refuses {} bytes: {complaint}", self.program, coded.len());
        ended.stdout
    }
}

/// The crate's writer keeps back what its buffer has no room for until more input comes: more room than any part needs.
const WHOLE: usize = 1 << 20;

/// Decodes as bytes arrive: what a browser could show by now. For promptness; correctness is the others' subject.
pub enum Prompt {
    Identity(Vec<u8>),
    Brotli(Box<brotli::DecompressorWriter<Vec<u8>>>),
    Zstd(zstd::stream::write::Decoder<'static, Vec<u8>>),
    Gzip(flate2::write::GzDecoder<Vec<u8>>),
}

impl Prompt {
    pub fn new(coding: &str) -> Self {
        match coding {
            "identity" => Self::Identity(Vec::new()),
            "br" => Self::Brotli(Box::new(brotli::DecompressorWriter::new(Vec::new(), WHOLE))),
            "zstd" => Self::Zstd(zstd::stream::write::Decoder::new(Vec::new()).expect("memory")),
            "gzip" => Self::Gzip(flate2::write::GzDecoder::new(Vec::new())),
            other => panic!("nobody asked for {other}"),
        }
    }

    /// Takes coded bytes; returns all content so far.
    pub fn push(&mut self, coded: &[u8]) -> &[u8] {
        let taken = match self {
            Self::Identity(content) => content.write_all(coded),
            Self::Brotli(decoder) => decoder.write_all(coded).and_then(|()| decoder.flush()),
            Self::Zstd(decoder) => decoder.write_all(coded).and_then(|()| decoder.flush()),
            Self::Gzip(decoder) => decoder.write_all(coded).and_then(|()| decoder.flush()),
        };
        taken.expect("a valid coded stream so far");
        match self {
            Self::Identity(content) => content,
            Self::Brotli(decoder) => decoder.get_ref(),
            Self::Zstd(decoder) => decoder.get_ref(),
            Self::Gzip(decoder) => decoder.get_ref(),
        }
    }
}
