//! Pure: one chunk as a zstd frame.
//!
//! A chunk is small, and alone it would compress badly. So the bytes of the image before it are its *prefix*: the frame
//! may refer to them. Whoever installs goes through the image from its start, so it has them, wherever they came from.
//! In a patch a range of the old image is before them, too.

use zstd_safe::DCtx;

/// What zstd would take for a trained dictionary at the start of a prefix (ZSTD_MAGIC_DICTIONARY, little-endian).
const DICTIONARY: [u8; 4] = 0xec30_a437_u32.to_le_bytes();

/// The prefix of a chunk: the last `window` bytes of the image before it. An image that has the head of a trained
/// dictionary just there must not be read as one: then the prefix starts a byte later.
pub(crate) fn prefix(before: &[u8], window: usize) -> &[u8] {
    let prefix = tail(before, window);
    match prefix.split_first() {
        Some((_, rest)) if prefix.starts_with(&DICTIONARY) => rest,
        _ => prefix,
    }
}

/// The prefix of a difference: a range of the old image, and behind it the last `window` bytes of the image before
/// the chunk. `old` holds the range, and then both.
pub(crate) fn joined<'a>(old: &'a mut Vec<u8>, before: &[u8], window: usize) -> &'a [u8] {
    old.extend_from_slice(tail(before, window));
    prefix(old, old.len())
}

/// The last `len` bytes.
fn tail(bytes: &[u8], len: usize) -> &[u8] {
    bytes.get(bytes.len().saturating_sub(len)..).unwrap_or_default()
}

/// The last `window` bytes of the image behind `bytes` and so many zeros: what the next chunks have before them.
pub(crate) fn history(bytes: &[u8], zeros: u64, window: usize) -> Vec<u8> {
    let zeros = usize::try_from(zeros).unwrap_or(usize::MAX).min(window);
    let mut history = tail(bytes, window - zeros).to_vec();
    history.resize(history.len() + zeros, 0);
    history
}

/// Decompresses chunks.
pub(crate) struct Decoder(DCtx<'static>);

impl Decoder {
    /// It needs some 100 KiB of memory.
    pub fn new() -> Decoder {
        Decoder(DCtx::create())
    }

    /// Fills `out` from the frame. False where it holds something else than so many bytes. The bytes are not
    /// trusted: they come from a bundle, and only their hash will say whether they are the right ones.
    pub fn decode(&mut self, prefix: &[u8], frame: &[u8], out: &mut [u8]) -> bool {
        let len = out.len();
        matches!(self.0.decompress_using_dict(out, frame, prefix), Ok(got) if got == len)
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Decoder::new()
    }
}

/// Compresses chunks.
#[cfg(feature = "bundle")]
pub(crate) struct Encoder(zstd_safe::CCtx<'static>);

#[cfg(feature = "bundle")]
impl Encoder {
    /// One for each thread: it needs some MiB of memory.
    pub fn new() -> Encoder {
        Encoder(zstd_safe::CCtx::create())
    }

    /// The frame of a chunk, if that is smaller than the chunk.
    pub fn encode(&mut self, prefix: &[u8], chunk: &[u8], level: i32) -> Option<Vec<u8>> {
        let mut frame = Vec::with_capacity(zstd_safe::compress_bound(chunk.len()));
        self.0.compress_using_dict(&mut frame, chunk, prefix, level).ok()?;
        Some(frame).filter(|frame| frame.len() < chunk.len())
    }
}

#[cfg(feature = "bundle")]
impl Default for Encoder {
    fn default() -> Self {
        Encoder::new()
    }
}

#[cfg(all(test, feature = "bundle"))]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_that_repeats_what_is_before_it_is_a_few_bytes() {
        let before: Vec<u8> =
            (0..20_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let chunk = before[30_000..38_000].to_vec();
        let frame = Encoder::new().encode(prefix(&before, 65536), &chunk, 9).unwrap();
        assert!(frame.len() < 100, "{}", frame.len());
        let mut out = vec![0; chunk.len()];
        let mut decoder = Decoder::new();
        assert!(decoder.decode(prefix(&before, 65536), &frame, &mut out));
        assert_eq!(out, chunk);
        // Another prefix, another length, a damaged frame: no, or other bytes.
        assert!(!decoder.decode(&before[..10], &frame, &mut out));
        assert!(!decoder.decode(prefix(&before, 65536), &frame, &mut vec![0; chunk.len() - 1]));
        assert!(!decoder.decode(prefix(&before, 65536), &frame, &mut vec![0; chunk.len() + 1]));
        assert!(!decoder.decode(prefix(&before, 65536), &frame[..frame.len() - 1], &mut out));
        // And after all that it still works.
        assert!(decoder.decode(prefix(&before, 65536), &frame, &mut out));
        assert_eq!(out, chunk);
    }

    #[test]
    fn what_looks_like_a_dictionary_is_none() {
        let mut before = vec![b'x'; 100];
        before.extend(DICTIONARY);
        before.extend((0..5000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()));
        let window = before.len() - 100;
        assert_eq!(prefix(&before, window).len(), window - 1);
        let chunk = before[5000..9000].to_vec();
        let frame = Encoder::new().encode(prefix(&before, window), &chunk, 3).unwrap();
        let mut out = vec![0; chunk.len()];
        assert!(Decoder::new().decode(prefix(&before, window), &frame, &mut out));
        assert_eq!(out, chunk);
    }

    #[test]
    fn what_does_not_shrink_is_no_frame() {
        let chunk: Vec<u8> = (0..1000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        assert_eq!(Encoder::new().encode(&[], &chunk, 19), None);
    }
}
