//! The C library of brotli, to be measured and compared with: what a proxy in front of the same app would link.
//!
//! Measurements and tests only; nothing of it is in the program.

#![expect(unsafe_code, reason = "it is a C library, and its crate has no safe form that takes a window")]

use std::ptr;

use compu_brotli_sys as c;

struct Encoder(*mut c::BrotliEncoderState);

/// The body at this quality and window, given in chunks as a proxy gets them. `length`: what is told of it beforehand.
pub fn encode(quality: u32, window: u32, length: Option<u64>, body: &[u8], chunk: usize) -> Vec<u8> {
    let encoder = Encoder::new();
    encoder.set(c::BrotliEncoderParameter_BROTLI_PARAM_QUALITY, quality);
    encoder.set(c::BrotliEncoderParameter_BROTLI_PARAM_LGWIN, window);
    if let Some(length) = length {
        encoder.set(c::BrotliEncoderParameter_BROTLI_PARAM_SIZE_HINT, u32::try_from(length).unwrap_or(u32::MAX));
    }
    let mut coded = Vec::new();
    for chunk in body.chunks(chunk) {
        encoder.run(c::BrotliEncoderOperation_BROTLI_OPERATION_PROCESS, chunk, &mut coded);
    }
    encoder.run(c::BrotliEncoderOperation_BROTLI_OPERATION_FINISH, &[], &mut coded);
    coded
}

/// As in "1.2.0".
pub fn version() -> String {
    // SAFETY: it reads a constant.
    let packed = unsafe { c::BrotliEncoderVersion() };
    format!("{}.{}.{}", packed >> 24, packed >> 12 & 0xfff, packed & 0xfff)
}

impl Encoder {
    fn new() -> Self {
        // SAFETY: no allocator of ours: the library takes its own, and needs no third argument for it.
        let state = unsafe { c::BrotliEncoderCreateInstance(None, None, ptr::null_mut()) };
        assert!(!state.is_null(), "no memory for an encoder");
        Self(state)
    }

    fn set(&self, parameter: c::BrotliEncoderParameter, value: u32) {
        // SAFETY: the state is alive until `self` is dropped.
        let known = unsafe { c::BrotliEncoderSetParameter(self.0, parameter, value) };
        assert_eq!(known, 1, "parameter {parameter}");
    }

    fn run(&self, operation: c::BrotliEncoderOperation, input: &[u8], coded: &mut Vec<u8>) {
        let (mut left, mut next) = (input.len(), input.as_ptr());
        loop {
            let mut room = 0;
            // SAFETY: `next` points at `left` bytes of `input`, as the library itself keeps it; without room it writes to
            // its own storage.
            let accepted = unsafe {
                c::BrotliEncoderCompressStream(
                    self.0,
                    operation,
                    &raw mut left,
                    &raw mut next,
                    &raw mut room,
                    ptr::null_mut(),
                    ptr::null_mut(),
                )
            };
            assert_eq!(accepted, 1, "the library refuses its input");
            if !self.take(coded) && left == 0 {
                return;
            }
        }
    }

    /// What waits in the library's storage; whether anything did.
    fn take(&self, coded: &mut Vec<u8>) -> bool {
        let mut size = 0;
        // SAFETY: the state is alive; the answer points at `size` bytes that stay until the next call.
        let piece = unsafe {
            let piece = c::BrotliEncoderTakeOutput(self.0, &raw mut size);
            if size == 0 { &[] } else { std::slice::from_raw_parts(piece, size) }
        };
        coded.extend_from_slice(piece);
        !piece.is_empty()
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: created by the library, and not used after this.
        unsafe { c::BrotliEncoderDestroyInstance(self.0) }
    }
}
