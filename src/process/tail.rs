//! The end of a stream of bytes, of a bounded length.

use std::collections::VecDeque;

/// The last bytes of all that was pushed.
#[derive(Debug, Default)]
pub(super) struct Tail {
    bytes: VecDeque<u8>,
    longest: usize,
    dropped: u64,
}

impl Tail {
    pub(super) fn new(longest: usize) -> Tail {
        Tail { longest, ..Tail::default() }
    }

    pub(super) fn push(&mut self, more: &[u8]) {
        self.bytes.extend(more);
        let over = self.bytes.len().saturating_sub(self.longest);
        self.bytes.drain(..over);
        self.dropped += over as u64;
    }

    /// The bytes that are kept, and how many came before them.
    pub(super) fn get(&self) -> (Vec<u8>, u64) {
        (self.bytes.iter().copied().collect(), self.dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_and_the_rest_is_counted() {
        let mut tail = Tail::new(4);
        tail.push(b"ab");
        assert_eq!(tail.get(), (b"ab".to_vec(), 0));
        tail.push(b"cdefgh");
        assert_eq!(tail.get(), (b"efgh".to_vec(), 4));
        tail.push(b"");
        tail.push(b"i");
        assert_eq!(tail.get(), (b"fghi".to_vec(), 5));
    }
}
