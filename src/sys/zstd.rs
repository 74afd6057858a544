//! zstd's encoder for matches that somebody else has found, which its crate does not offer.

use std::ptr::NonNull;

use zstd_safe::zstd_sys::{self as zstd, ZSTD_cParameter as Parameter};

/// The most bytes that a block of a frame stands for.
pub const BLOCK: usize = 128 << 10;

/// The shortest match that a frame can hold.
pub const SHORTEST: usize = 3;

/// Some bytes as they are, then some that are a copy of earlier ones. The last one of a block has no copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sequence {
    /// Bytes as they are.
    pub literals: usize,
    /// How far back the copied bytes lie; 0: there is no copy.
    pub offset: usize,
    /// Bytes that are copied.
    pub len: usize,
}

/// Makes frames of sequences.
pub struct SequenceEncoder {
    context: NonNull<zstd::ZSTD_CCtx>,
    sequences: Vec<zstd::ZSTD_Sequence>,
}

// SAFETY: a context is memory of its own, which any thread may use as long as it is the only one.
unsafe impl Send for SequenceEncoder {}

impl SequenceEncoder {
    /// `level` says how hard it looks for short codes. `None` where zstd has no memory, or does not know what is asked
    /// for.
    pub fn new(level: i32) -> Option<SequenceEncoder> {
        // SAFETY: it asks for nothing.
        let context = NonNull::new(unsafe { zstd::ZSTD_createCCtx() })?;
        let encoder = SequenceEncoder { context, sequences: Vec::new() };
        let parameters = [
            (Parameter::ZSTD_c_compressionLevel, level),
            (Parameter::ZSTD_c_minMatch, SHORTEST as i32),
            // ZSTD_c_blockDelimiters: ZSTD_sf_explicitBlockDelimiters
            (Parameter::ZSTD_c_experimentalParam11, 1),
            // ZSTD_c_repcodeResolution: ZSTD_ps_enable
            (Parameter::ZSTD_c_experimentalParam19, 1),
        ];
        let all = parameters.iter().all(|&(parameter, value)| {
            // SAFETY: the context is a good one; what zstd does not know, it refuses.
            let code = unsafe { zstd::ZSTD_CCtx_setParameter(context.as_ptr(), parameter, value) };
            !is_error(code)
        });
        all.then_some(encoder)
    }

    /// A frame of `bytes`, which the sequences make up, block by block. Their copies are taken for what they say: they
    /// may lie in bytes before, which only the decoder will have. `None` where they do not make up just these bytes.
    pub fn encode(&mut self, sequences: &[Sequence], bytes: &[u8]) -> Option<Vec<u8>> {
        let (mut all, mut block) = (0usize, 0usize);
        self.sequences.clear();
        for sequence in sequences {
            let Sequence { literals, offset, len } = *sequence;
            let is_end = (offset, len) == (0, 0);
            if !is_end && (offset == 0 || len < SHORTEST) {
                return None;
            }
            block = block.checked_add(literals)?.checked_add(len)?;
            if block > BLOCK {
                return None;
            }
            if is_end {
                all += block;
                block = 0;
            }
            self.sequences.push(zstd::ZSTD_Sequence {
                offset: u32::try_from(offset).ok()?,
                litLength: literals as u32,
                matchLength: len as u32,
                rep: 0,
            });
        }
        if all != bytes.len() || block != 0 {
            return None;
        }
        let mut frame = vec![0; zstd_safe::compress_bound(bytes.len())];
        let (to, from) = (frame.as_mut_ptr(), bytes.as_ptr());
        // SAFETY: the lengths are those of the three buffers. Of `bytes` zstd reads the literals, and nothing that a copy
        // refers to; each block ends with an end, is no longer than a block may be, and together they are `bytes`.
        let len = unsafe {
            zstd::ZSTD_compressSequences(
                self.context.as_ptr(),
                to.cast(),
                frame.len(),
                self.sequences.as_ptr(),
                self.sequences.len(),
                from.cast(),
                bytes.len(),
            )
        };
        if is_error(len) {
            return None;
        }
        frame.truncate(len);
        Some(frame)
    }
}

impl Drop for SequenceEncoder {
    fn drop(&mut self) {
        // SAFETY: it was created by `new`, and nobody else has it.
        unsafe { zstd::ZSTD_freeCCtx(self.context.as_ptr()) };
    }
}

fn is_error(code: usize) -> bool {
    // SAFETY: it looks at a number.
    unsafe { zstd::ZSTD_isError(code) != 0 }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const END: Sequence = Sequence { literals: 0, offset: 0, len: 0 };

    fn decoded(frame: &[u8], before: &[u8], len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        let got = zstd_safe::DCtx::create().decompress_using_dict(&mut out[..], frame, before).unwrap();
        out.truncate(got);
        out
    }

    #[test]
    fn copies_may_lie_before_the_bytes() {
        let before = b"0123456789 the quick brown fox";
        let bytes = b"AB the quick brown fox, the quick";
        let sequences = [
            Sequence { literals: 2, offset: 22, len: 20 },
            Sequence { literals: 1, offset: 21, len: 10 },
            END,
        ];
        let frame = SequenceEncoder::new(19).unwrap().encode(&sequences, bytes).unwrap();
        assert!(frame.len() < bytes.len());
        assert_eq!(decoded(&frame, before, bytes.len()), bytes);
    }

    #[test]
    fn what_does_not_make_up_the_bytes_is_refused() {
        let bytes = [7; 200_000];
        let end = |literals| Sequence { literals, ..END };
        let copy = |literals, offset, len| Sequence { literals, offset, len };
        let mut encoder = SequenceEncoder::new(3).unwrap();
        let good = [copy(1, 1, 99_999), END, end(100_000)];
        let frame = encoder.encode(&good, &bytes).unwrap();
        assert_eq!(decoded(&frame, &[], bytes.len()), bytes);
        let bad: [&[Sequence]; 9] = [
            &[],
            &good[..1],
            &good[..2],
            &[good[0], END, end(99_999)],
            &[good[0], END, end(100_001)],
            &[copy(0, 1, 200_000), END],
            &[end(200_000)],
            &[copy(1, 0, 99_999), END, end(100_000)],
            &[copy(99_998, 1, 2), END, end(100_000)],
        ];
        for sequences in bad {
            assert_eq!(encoder.encode(sequences, &bytes), None, "{sequences:?}");
        }
        assert_eq!(encoder.encode(&[copy(1, usize::MAX, 99_999), END, end(100_000)], &bytes), None);
        assert_eq!(encoder.encode(&[copy(usize::MAX, 1, 99_999), END, end(100_000)], &bytes), None);
        // And after all that it still works.
        assert_eq!(encoder.encode(&good, &bytes), Some(frame));
    }
}
