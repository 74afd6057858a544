//! Pure over `Read`: where an image is cut.
//!
//! Blocks of zeros are taken out first, since they cost nothing. What is between them is cut where its content says so
//! (FastCDC), so that an insertion changes the chunks around it and no others.

use std::io::{self, ErrorKind, Read};

use fastcdc::v2020::FastCDC;

/// Zeros are looked for in blocks of this size, which file systems use.
const BLOCK: usize = 4096;

/// How much is read at once.
const BUFFER: usize = 1 << 20;

/// The sizes of chunks in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// What they are on average.
    pub average: u32,
}

impl Sizes {
    /// The largest one.
    pub fn largest(self) -> usize {
        self.average as usize * 4
    }
}

/// A piece of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// So many zeros.
    Zeros(u64),
    /// A chunk.
    Chunk(&'a [u8]),
}

/// Cuts an image.
pub(crate) struct Chunker<R> {
    image: R,
    sizes: Sizes,
    buffer: Vec<u8>,
    /// What of the buffer was not handed out.
    start: usize,
    /// Up to here the buffer holds no block of zeros.
    data_end: usize,
    ended: bool,
}

impl<R: Read> Chunker<R> {
    /// At the start of an image.
    pub fn new(image: R, sizes: Sizes) -> Self {
        Chunker { image, sizes, buffer: Vec::new(), start: 0, data_end: 0, ended: false }
    }

    /// The next piece; `None` at the end of the image.
    ///
    /// # Errors
    ///
    /// Those of reading the image.
    pub fn next_piece(&mut self) -> io::Result<Option<Piece<'_>>> {
        self.forget();
        let largest = self.sizes.largest();
        if self.data_end - self.start < largest {
            self.look_further()?;
        }
        if self.start == self.data_end {
            return self.zeros();
        }
        let data = self.buffer.get(self.start..self.data_end).unwrap_or_default();
        let cutter = FastCDC::new(data, self.sizes.average / 4, self.sizes.average, self.sizes.average * 4);
        let (_, end) = cutter.cut(0, data.len());
        let piece = self.start..self.start + end.clamp(1, data.len());
        self.start = piece.end;
        Ok(self.buffer.get(piece).map(Piece::Chunk))
    }

    /// Looks for the end of the data from `start` on, as far as a chunk may reach.
    fn look_further(&mut self) -> io::Result<()> {
        while self.data_end - self.start < self.sizes.largest() {
            let Some(block) = self.block(self.data_end)? else { return Ok(()) };
            if is_zero(self.buffer.get(block.clone()).unwrap_or_default()) {
                return Ok(());
            }
            self.data_end = block.end;
        }
        Ok(())
    }

    /// A run of zeros that starts at `start`, where no data are.
    fn zeros(&mut self) -> io::Result<Option<Piece<'_>>> {
        let mut run = 0;
        loop {
            // An image may have a run of many GiB, which is not to be in memory.
            self.forget();
            let Some(block) = self.block(self.start)? else { break };
            if !is_zero(self.buffer.get(block.clone()).unwrap_or_default()) {
                break;
            }
            run += block.len() as u64;
            self.start = block.end;
            self.data_end = block.end;
        }
        Ok((run > 0).then_some(Piece::Zeros(run)))
    }

    /// The block that starts at this place of the buffer, which is one of its block limits; `None` at the end.
    fn block(&mut self, at: usize) -> io::Result<Option<std::ops::Range<usize>>> {
        if self.buffer.len() < at + BLOCK && !self.ended {
            self.fill()?;
        }
        let end = self.buffer.len().min(at + BLOCK);
        Ok((at < end).then_some(at..end))
    }

    /// Reads more. The places in the buffer stay as they are until everything before `start` can go at once.
    fn fill(&mut self) -> io::Result<()> {
        let mut at = self.buffer.len();
        self.buffer.resize(at + BUFFER, 0);
        while at < self.buffer.len() {
            match self.image.read(self.buffer.get_mut(at..).unwrap_or_default()) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(got) => at += got,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.buffer.truncate(at);
        Ok(())
    }

    /// Forgets what was handed out, once it is worth the moving of the rest.
    fn forget(&mut self) {
        if self.start >= BUFFER {
            self.buffer.drain(..self.start);
            self.data_end -= self.start;
            self.start = 0;
        }
    }
}

fn is_zero(block: &[u8]) -> bool {
    block.iter().all(|&byte| byte == 0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn noise(len: usize, mut state: u64) -> Vec<u8> {
        let mut byte = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 56) as u8
        };
        (0..len).map(|_| byte()).collect()
    }

    /// Hands out a few bytes at a time.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let len = buf.len().min(self.0.len()).min(1 + self.0.len() % 1000);
            buf[..len].copy_from_slice(&self.0[..len]);
            self.0 = &self.0[len..];
            Ok(len)
        }
    }

    fn cut(image: impl Read) -> Vec<Vec<u8>> {
        let mut chunker = Chunker::new(image, Sizes { average: 8192 });
        let mut pieces = Vec::new();
        while let Some(piece) = chunker.next_piece().unwrap() {
            pieces.push(match piece {
                Piece::Zeros(len) => {
                    assert!(pieces.last().is_none_or(|last: &Vec<u8>| !is_zero(last)), "two runs in a row");
                    vec![0; len as usize]
                }
                Piece::Chunk(bytes) => {
                    assert!(!bytes.is_empty() && bytes.len() <= 32768);
                    bytes.to_vec()
                }
            });
        }
        pieces
    }

    #[test]
    fn a_long_run_of_zeros_is_not_in_memory() {
        let image = io::repeat(0).take(50 << 20).chain(&[7; 98_304][..]).chain(io::repeat(0).take(9 << 20));
        let mut chunker = Chunker::new(image, Sizes { average: 8192 });
        let mut zeros = 0;
        while let Some(piece) = chunker.next_piece().unwrap() {
            if let Piece::Zeros(len) = piece {
                zeros += len;
            }
            assert!(chunker.buffer.capacity() <= 4 * BUFFER, "{}", chunker.buffer.capacity());
        }
        assert_eq!(zeros, 59 << 20);
    }

    #[test]
    fn the_pieces_are_the_image_and_zeros_are_taken_out() {
        let image = [
            vec![0; 3 * BLOCK],
            noise(100_000, 1),
            vec![0; 2 * BLOCK + 17],
            noise(10 << 20, 2),
            vec![0; 6 << 20],
            noise(5, 3),
        ]
        .concat();
        let pieces = cut(&image[..]);
        assert_eq!(pieces.concat(), image);
        assert_eq!(pieces, cut(Slow(&image)));
        assert_eq!(pieces[0].len(), 3 * BLOCK);
        let runs: Vec<usize> = pieces.iter().filter(|piece| is_zero(piece)).map(Vec::len).collect();
        assert_eq!(runs.len(), 3);
        assert!(runs[2] >= (6 << 20) - BLOCK, "{runs:?}");
        assert!(cut(&[][..]).is_empty());
        assert_eq!(cut(&[0; 10][..]), [vec![0; 10]]);
        assert_eq!(cut(&[1; 10][..]), [vec![1; 10]]);
    }

    #[test]
    fn an_insertion_changes_the_chunks_around_it_only() {
        let old = noise(4 << 20, 7);
        let new = [&old[..1_000_000], &noise(777, 8), &old[1_000_000..]].concat();
        let known: std::collections::HashSet<Vec<u8>> = cut(&old[..]).into_iter().collect();
        let fresh: usize = cut(&new[..]).iter().filter(|piece| !known.contains(*piece)).map(Vec::len).sum();
        assert!(fresh < 150_000, "{fresh}");
    }
}
