//! Strings for C: those that a handle has lent to its caller, and how long they live.

use std::collections::BTreeSet;
use std::ffi::{c_char, CString};

/// Borrowed strings. They stay where they are until [`end`](Given::end), however many calls follow; equal ones are
/// one, so that asking the same again takes no more memory.
#[derive(Default)]
pub struct Given {
    live: BTreeSet<CString>,
    /// Those that live until the end of the present call: they may be its arguments.
    ended: Vec<BTreeSet<CString>>,
}

impl Given {
    /// Lends a string, as far as its first NUL.
    pub fn lend(&mut self, bytes: &[u8]) -> *const c_char {
        let string = c_string(bytes.to_vec());
        if !self.live.contains(&string) {
            self.live.insert(string.clone());
        }
        // What a CString points to stays where it is when the set moves the CString.
        self.live.get(&string).map_or(c"".as_ptr(), |string| string.as_ptr())
    }

    /// What was lent so far is not valid after this call any more.
    pub fn end(&mut self) {
        self.ended.push(std::mem::take(&mut self.live));
    }

    /// The call is over.
    pub fn release(&mut self) {
        self.ended.clear();
    }
}

/// A string for C: as far as the first NUL, if it holds one.
pub fn c_string(mut bytes: Vec<u8>) -> CString {
    bytes.truncate(memchr::memchr(0, &bytes).unwrap_or(bytes.len()));
    CString::new(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_strings_are_one_and_live_until_they_are_ended() {
        let mut given = Given::default();
        let first = given.lend(b"first");
        for number in 0..1000 {
            given.lend(format!("{number}").as_bytes());
            given.release();
            assert_eq!(given.lend(b"first\0second"), first);
        }
        assert_eq!(given.live.len(), 1001);
        given.end();
        assert_ne!(given.lend(b"first"), first, "the first one is still there");
        assert_eq!(given.ended.len(), 1);
        given.release();
        assert_eq!((given.live.len(), given.ended.len()), (1, 0));
    }
}
