//! Pure: The one pass over the bytes. See [`super`] for what it looks for.
//!
//! ```text
//!            w            r    q       stop                 end of the list
//!   ... \x8e ab crc flags name=value NUL name=value NUL ... NUL | fill ...
//!            |--- text ------| |-----|
//! ```
//!
//! Each `=` may be that of the first record. It is if text and a NUL follow it. The name starts at one of the
//! characters before it, as the byte before the name (flags, or the last one of the checksum) may look like a part of
//! it; so each of them is a candidate. The records that follow tell where the list ends. The same is done only once for
//! all `=` of one list: only its first record, or one at a round offset, starts a copy.

use memchr::memchr;

use super::field::{Fill, Solver};
use super::fills::Fills;
use super::tails::{Start, Tails, GRID};
use super::{ByteOrder, Findings, Found, List};
use crate::env::image::Layout;

/// How many bytes are taken into the window at once.
const PIECE: usize = 256 << 10;

/// The longest name of a first variable.
pub(crate) const LONGEST_NAME: usize = 128;

/// The longest single value, and the longest list. U-Boot's largest environments have 1 MiB.
const LONGEST_RECORD: usize = 1 << 20;
const LONGEST_LIST: usize = 2 << 20;

/// The smallest copy that is looked for away from round offsets: the smallest EEPROM has 128 bytes. In shorter ones a
/// checksum can't be told from any other four bytes as surely.
pub(crate) const SMALLEST: u64 = 128;

/// How far behind a list its fill is looked at in advance.
const AHEAD: usize = 64;

/// At how many characters the first name of one list may start: in text with many `=`, each has some before it.
/// Such text and a long fill behind it would otherwise take long, and give a false alarm now and then; so copies that
/// start behind the first `=` are taken in round sizes only, too.
const MOST_STARTS: usize = 128;

/// The largest copy of which neither the place nor the size is a multiple of [`GRID`]. Each byte more is a chance for
/// a false alarm where a damaged copy has a long fill.
pub(crate) const LARGEST_ODD: u64 = 128 << 10;

/// So many of one kind are kept.
const MOST: usize = 4096;

/// Variables that each U-Boot has some of: a list without them is not U-Boot's.
const USUAL: [&[u8]; 6] = [b"bootcmd=", b"bootdelay=", b"bootargs=", b"baudrate=", b"stdin=", b"ethaddr="];

/// Records one behind the other.
#[derive(Clone, Copy, Default)]
struct Cut {
    /// The NUL of the first one, which tells lists apart.
    first: u64,
    /// The byte behind the NUL that ends the list, or where something is no record.
    end: u64,
    /// Whether it is a list with an end.
    ends: bool,
    records: u64,
    /// Whether a variable is among them that most environments have.
    usual: bool,
    /// The first `=` of its first record.
    equals: u64,
    /// How many characters were tried as the start of the first name.
    tried: usize,
}

/// Looks for environments in a stream of bytes. Memory is bounded, whatever comes.
pub struct Scanner {
    solver: &'static Solver,
    /// The bytes that are still needed, and where they start in the stream.
    window: Vec<u8>,
    base: u64,
    /// The first byte of the window that was not examined.
    next: usize,
    /// From `text.0` to `text.1` there is text only; whether the byte there was seen.
    text: (u64, u64),
    /// The list that was cut into records last.
    list: Cut,
    /// Up to where a valid copy reaches.
    covered: u64,
    fills: Fills,
    tails: Tails,
    findings: Findings,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    /// A scanner at the start of the bytes.
    pub fn new() -> Self {
        Scanner {
            solver: Solver::get(),
            window: Vec::new(),
            base: 0,
            next: 0,
            text: (0, 0),
            list: Cut::default(),
            covered: 0,
            fills: Fills::default(),
            tails: Tails::default(),
            findings: Findings::default(),
        }
    }

    /// How many bytes it has been given.
    pub fn position(&self) -> u64 {
        self.base + self.window.len() as u64
    }

    /// The next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(PIECE) {
            self.window.extend_from_slice(piece);
            self.examine(false);
            self.forget();
        }
    }

    /// The next `count` bytes are zeros: a hole in a sparse file.
    pub fn zeros(&mut self, count: u64) {
        const BLOCK: [u8; 4096] = [0; 4096];
        let end = self.position().saturating_add(count);
        // Zeros end each list. What waits for a round end sees them one by one, and does so no longer than 1 MiB.
        while self.position() < end {
            let left = end - self.position();
            if left > BLOCK.len() as u64 && self.at_rest() {
                let valid = self.fills.zeros(end);
                valid.into_iter().for_each(|copy| self.keep(copy));
                self.window.clear();
                self.window.extend_from_slice(&BLOCK);
                self.next = BLOCK.len();
                self.base = end - BLOCK.len() as u64;
                return;
            }
            self.feed(BLOCK.get(..left.min(BLOCK.len() as u64) as usize).unwrap_or_default());
        }
    }

    /// Whether zeros change nothing but the places at which pending copies end.
    fn at_rest(&self) -> bool {
        // Two whole blocks of the grid, so that the header of a copy without variables was seen, too.
        let behind = self.window.len().checked_sub(3 * GRID as usize);
        let last = behind.and_then(|behind| self.window.get(behind..));
        self.tails.position().is_none()
            && self.next == self.window.len()
            && last.is_some_and(|bytes| bytes.iter().all(|&byte| byte == 0))
            && self.fills.want_zeros()
    }

    /// The next `count` bytes can't be read: nothing reaches over them.
    pub fn gap(&mut self, count: u64) {
        self.end();
        self.base = self.position().saturating_add(count);
        self.window.clear();
        self.next = 0;
        self.text = (0, 0);
        self.list = Cut::default();
    }

    /// All that was found.
    pub fn finish(mut self) -> Findings {
        self.end();
        let Findings { mut copies, mut lists } = self.findings;
        // Of two that share bytes, the one in a round place and of a round size is the real one, then the larger one.
        let odd = |number: u64| number % GRID != 0;
        let rank = |copy: &Found| {
            let doubt = u8::from(odd(copy.offset)) + u8::from(odd(copy.size));
            (doubt, std::cmp::Reverse(copy.size), copy.offset, copy.layout.header())
        };
        let mut kept: Vec<Found> = Vec::new();
        while let Some(best) = copies.iter().copied().min_by_key(rank) {
            copies.retain(|copy| copy.end() <= best.offset || best.end() <= copy.offset);
            kept.insert(kept.partition_point(|copy| copy.offset < best.offset), best);
        }
        let copies = kept;
        lists.retain(|list| !copies.iter().any(|copy| copy.offset <= list.start && list.start < copy.end()));
        Findings { copies, lists }
    }

    /// No more bytes follow these.
    fn end(&mut self) {
        self.examine(true);
        self.fills.clear();
        self.tails.clear();
    }

    /// Drops the bytes of the window that nobody needs any more.
    fn forget(&mut self) {
        let back = self.next.saturating_sub(LONGEST_NAME + Layout::Redundant.header() + 2 * GRID as usize);
        let waited_for = self.tails.position().map_or(back, |at| self.index(at));
        let drop = back.min(waited_for);
        // Moving the rest costs as much as it is long.
        if drop >= PIECE / 2 {
            self.window.drain(..drop);
            self.base += drop as u64;
            self.next -= drop;
        }
    }

    fn index(&self, position: u64) -> usize {
        usize::try_from(position.saturating_sub(self.base)).unwrap_or(usize::MAX)
    }

    fn at(&self, index: usize) -> u64 {
        self.base + index as u64
    }

    fn byte(&self, index: usize) -> Option<u8> {
        self.window.get(index).copied()
    }

    /// Looks at the window from `next` on, as far as its end allows; `last`: nothing comes behind it.
    fn examine(&mut self, last: bool) {
        let mut q = self.next;
        loop {
            let Some(found) = self.window.get(q..).and_then(|rest| memchr(b'=', rest)) else {
                q = self.window.len();
                break;
            };
            q += found;
            if !self.equals_sign(q, last) {
                break;
            }
            q += 1;
        }
        self.blank_blocks(q, last);
        self.next = q;
        // A start that is still to come ends its first block behind this.
        let reached = if last { self.window.len() } else { q.saturating_sub(Layout::Redundant.header()) };
        self.advance_tails(self.at(reached));
        let valid = self.fills.check(self.base, &self.window);
        valid.into_iter().for_each(|copy| self.keep(copy));
    }

    /// Looks at one `=`. False if more bytes are needed for that.
    fn equals_sign(&mut self, q: usize, last: bool) -> bool {
        if self.at(q) < self.covered || !self.byte(q.wrapping_sub(1)).is_some_and(is_name) {
            return true;
        }
        let Some(stop) = self.stop(q + 1) else {
            return last || self.window.len() - q > LONGEST_RECORD;
        };
        if self.byte(stop) != Some(0) {
            return true;
        }
        let inside = self.list.first < self.at(stop) && self.at(stop) < self.list.end;
        let names =
            q - self.window.iter().take(q).rev().take(LONGEST_NAME).take_while(|&&b| is_name(b)).count();
        let round =
            |r: usize, header: usize| self.at(r).checked_sub(header as u64).is_some_and(|at| at % GRID == 0);
        let headers = [Layout::Single, Layout::Redundant];
        let rounds: Vec<(usize, Layout)> = (names..q)
            .flat_map(|r| headers.map(|layout| (r, layout)))
            .filter(|&(r, layout)| r >= layout.header() && round(r, layout.header()))
            .collect();
        if inside && rounds.is_empty() {
            return true;
        }
        let known = inside || self.list.first == self.at(stop);
        let Some(mut list) = (if known { Some(self.list) } else { self.cut(q, stop, last) }) else {
            return false;
        };
        let whole = |index: usize| last || index <= self.window.len();
        if !rounds.iter().all(|&(r, layout)| whole(r - layout.header() + GRID as usize))
            || list.ends && !inside && !whole(self.index(list.end) + AHEAD)
        {
            return false;
        }
        // From here on nothing returns for more bytes, so that nothing is done twice.
        for (r, layout) in rounds {
            self.round_start(r, layout);
        }
        if inside {
            return true;
        }
        if list.ends && list.usual && list.records >= 3 && list.tried == 0 && self.findings.lists.len() < MOST
        {
            self.findings.lists.push(List { start: self.at(names), end: list.end, records: list.records });
        }
        let most = MOST_STARTS.saturating_sub(list.tried);
        list.tried += q - names;
        self.list = list;
        if list.ends && q - names <= most {
            self.any_start(names..q, &list);
        }
        true
    }

    /// The first byte from `from` on that is no text.
    fn stop(&mut self, from: usize) -> Option<usize> {
        let position = self.at(from);
        let known = self.text.0 <= position && position <= self.text.1;
        let start = if known { self.index(self.text.1) } else { from };
        let rest = self.window.get(start..)?;
        let stop = rest.iter().position(|&byte| !is_text(byte));
        let end = start + stop.unwrap_or(rest.len());
        let first = if known { self.text.0 } else { position };
        self.text = (first, self.at(end));
        stop.map(|_| end)
    }

    /// Cuts the records behind the first one, which has its `=` at `q` and its NUL at `stop`. `None`: the list goes
    /// on behind the window.
    fn cut(&mut self, q: usize, stop: usize, last: bool) -> Option<Cut> {
        let usual = USUAL.iter().any(|name| self.window.get(..=q).is_some_and(|bytes| bytes.ends_with(name)));
        let mut cut = Cut { first: self.at(stop), equals: self.at(q), records: 1, usual, ..Cut::default() };
        let mut next = stop + 1;
        loop {
            cut.end = self.at(next);
            match self.byte(next) {
                _ if next - q > LONGEST_LIST => return Some(cut),
                None => return last.then_some(cut),
                Some(0) => return Some(Cut { end: cut.end + 1, ends: true, ..cut }),
                Some(_) => {}
            }
            let Some(end) = self.stop(next) else {
                let long = self.window.len() - next > LONGEST_RECORD;
                return (last || long).then_some(cut);
            };
            let record = self.window.get(next..end).unwrap_or_default();
            if self.byte(end) != Some(0) || matches!(memchr(b'=', record), None | Some(0)) {
                return Some(cut);
            }
            cut.usual |= USUAL.iter().any(|name| record.starts_with(name));
            cut.records += 1;
            next = end + 1;
        }
    }

    /// The header of a copy whose data start at `r`.
    fn header(&self, r: usize, layout: Layout) -> Option<([u8; 4], Option<u8>)> {
        let header = self.window.get(r.checked_sub(layout.header())?..r)?;
        let (crc, flags) = header.split_first_chunk()?;
        Some((*crc, flags.first().copied()))
    }

    /// A copy may start at a round offset, with its data at `r`.
    fn round_start(&mut self, r: usize, layout: Layout) {
        let Some((crc, flags)) = self.header(r, layout) else { return };
        let start = r - layout.header();
        let Some(data) = self.window.get(r..start + GRID as usize) else { return };
        let first = crc32fast::hash(data);
        let offset = self.at(start);
        self.advance_tails(offset + GRID);
        let found = self.tails.add(Start { offset, layout, crc, flags: flags.unwrap_or(0), first });
        found.into_iter().for_each(|copy| self.keep(copy));
    }

    fn advance_tails(&mut self, to: u64) {
        let Some(from) = self.tails.position() else { return };
        let len = (self.index(to).min(self.window.len())).saturating_sub(self.index(from));
        let len = len - len % GRID as usize;
        let mut found = Vec::new();
        let start = self.index(from);
        if let Some(bytes) = self.window.get(start..start + len) {
            self.tails.advance(bytes, |copy| found.push(copy));
        }
        found.into_iter().for_each(|copy| self.keep(copy));
    }

    /// A copy with a uniform fill may start before one of `names`, the characters before the first `=` of a list
    /// that ends before `end`.
    fn any_start(&mut self, names: std::ops::Range<usize>, list: &Cut) {
        let end = self.index(list.end);
        let ahead = self.window.get(end..).unwrap_or_default();
        let zeros = ahead.iter().take(AHEAD).take_while(|&&byte| byte == 0).count();
        let ones = zeros < AHEAD && ahead.get(zeros) == Some(&0xff);
        for (depth, r) in names.enumerate() {
            let Some(data) = self.window.get(r..end) else { return };
            // Too short to be one, however it goes on.
            if zeros < AHEAD && !ones && data.len() + zeros + Layout::Redundant.header() < SMALLEST as usize {
                continue;
            }
            let now = crc32fast::hash(data);
            // The fills that may follow, with where they start and how long they can be.
            let limit = if zeros == AHEAD { u64::MAX } else { zeros as u64 };
            let after = Solver::after_zeros(now, zeros as u64);
            let fills = [
                (Fill::Zeros, list.end, limit, self.solver.start(Fill::Zeros, now)),
                (Fill::Ones, list.end + zeros as u64, u64::MAX, self.solver.start(Fill::Ones, after)),
            ];
            for layout in [Layout::Single, Layout::Redundant] {
                let Some((crc, flags)) = self.header(r, layout) else { continue };
                let offset = self.at(r - layout.header());
                for order in [ByteOrder::Little, ByteOrder::Big] {
                    for (fill, from, limit, start) in fills.iter().take(1 + usize::from(ones)) {
                        let count = start.as_ref().and_then(|start| start.count(order.read(crc)));
                        let Some(count) = count.filter(|count| count <= limit) else { continue };
                        let size = from + count - offset;
                        let round = offset % GRID == 0 || size % GRID == 0;
                        // The characters before the first name are a header that happens to look like one.
                        let odd = list.records > 1 && offset <= list.equals && depth <= layout.header();
                        if size >= SMALLEST && (round || odd && size <= LARGEST_ODD) {
                            self.fills.add(Found { offset, size, layout, order, flags }, *fill, *from);
                        }
                    }
                }
            }
        }
    }

    /// Copies without any variable, at round offsets: a header, two NULs and a fill. Looks at the blocks of which
    /// the last byte lies between `next` and `to`.
    fn blank_blocks(&mut self, to: usize, last: bool) {
        // The window starts anywhere; the next round offset that was not looked at.
        let first = self.at(self.next).saturating_sub(GRID - 1).next_multiple_of(GRID);
        let mut start = self.index(first.max(self.base.next_multiple_of(GRID)));
        let limit = if last { self.window.len() } else { to };
        while start + GRID as usize <= limit {
            let (at, from) = (start, start + GRID as usize);
            start = from;
            let Some((header, data)) = self.window.get(at..from).and_then(|block| block.split_at_checked(8))
            else {
                return;
            };
            let fill = match data.first() {
                Some(0) if data.iter().all(|&byte| byte == 0) => Fill::Zeros,
                Some(0xff) if data.iter().all(|&byte| byte == 0xff) => Fill::Ones,
                _ => continue,
            };
            let Some((&crc, rest)) = header.split_first_chunk::<4>() else { return };
            if crc == [0; 4] || crc == [0xff; 4] {
                continue;
            }
            let found: Vec<Found> = [Layout::Single, Layout::Redundant]
                .into_iter()
                .filter_map(|layout| {
                    let (flags, list) = rest.split_at_checked(layout.header() - 4)?;
                    let list_end = list.iter().take_while(|&&byte| byte == 0).count();
                    let blank = list_end >= 2 && list.iter().skip(list_end).all(|&byte| byte == fill.byte());
                    let start = blank.then(|| self.solver.start(fill, crc32fast::hash(list)))??;
                    [ByteOrder::Little, ByteOrder::Big].into_iter().find_map(|order| {
                        let size = 8 + start.count(order.read(crc))?;
                        let (offset, flags) = (self.at(at), flags.first().copied());
                        let copy = Found { offset, size, layout, order, flags };
                        (size % GRID == 0).then_some(copy)
                    })
                })
                .collect();
            let from = self.at(at) + 8;
            found.into_iter().for_each(|copy| self.fills.add(copy, fill, from));
        }
    }

    fn keep(&mut self, copy: Found) {
        self.covered = self.covered.max(copy.end());
        if self.findings.copies.len() < MOST {
            self.findings.copies.push(copy);
        }
    }
}

/// What names of first variables are made of.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'='
}

/// What values are made of: anything but control characters, tabulator, line breaks and escape excepted.
fn is_text(byte: u8) -> bool {
    byte >= b' ' && byte != 0x7f || matches!(byte, b'\t' | b'\n' | b'\r' | 0x1b)
}
