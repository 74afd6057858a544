//! Pure: Copies whose size was computed from the checksum: they are valid if the fill goes on to their end.

use super::field::Fill;
use super::Found;

/// So many can wait at a time. Each is a chance of less than one in a hundred, so that no real bytes come near.
const MOST: usize = 4096;

struct Pending {
    copy: Found,
    fill: Fill,
    /// From where on the fill was not looked at.
    from: u64,
}

/// The copies whose fill has not been seen to its end.
#[derive(Default)]
pub(super) struct Fills {
    pending: Vec<Pending>,
}

impl Fills {
    /// A copy that is valid if all bytes from `from` to its end are `fill`.
    pub(super) fn add(&mut self, copy: Found, fill: Fill, from: u64) {
        if self.pending.len() < MOST {
            self.pending.push(Pending { copy, fill, from });
        }
    }

    /// Whether nothing but zeros is waited for.
    pub(super) fn want_zeros(&self) -> bool {
        self.pending.iter().all(|pending| pending.fill == Fill::Zeros)
    }

    /// The bytes from `base` on are these. Gives the copies that end among them.
    pub(super) fn check(&mut self, base: u64, bytes: &[u8]) -> Vec<Found> {
        let to = base + bytes.len() as u64;
        let index = |at: u64| usize::try_from(at.saturating_sub(base)).unwrap_or(usize::MAX);
        let mut valid = Vec::new();
        self.pending.retain_mut(|pending| {
            let end = pending.copy.end().min(to);
            let fill = bytes.get(index(pending.from)..index(end)).unwrap_or_default();
            if fill.iter().any(|&byte| byte != pending.fill.byte()) {
                return false;
            }
            pending.from = pending.from.max(end);
            valid.extend((pending.copy.end() <= to).then_some(pending.copy));
            pending.copy.end() > to
        });
        valid
    }

    /// All bytes up to `end` are zeros.
    pub(super) fn zeros(&mut self, end: u64) -> Vec<Found> {
        let mut valid = Vec::new();
        self.pending.retain_mut(|pending| {
            let goes_on = pending.fill == Fill::Zeros;
            let ends = pending.copy.end() <= end;
            valid.extend((goes_on && ends).then_some(pending.copy));
            pending.from = end;
            goes_on && !ends
        });
        valid
    }

    /// What comes next is not known.
    pub(super) fn clear(&mut self) {
        self.pending.clear();
    }
}
