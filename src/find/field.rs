//! Pure: CRC-32 as arithmetic: how many fill bytes lead from one checksum to another, without trying each number.
//!
//! The register of a CRC-32 is a polynomial modulo the generator, an element of a field of 2^32 elements. A zero
//! byte multiplies it by x^8. So "how many zero bytes until the checksum is right" is the discrete logarithm of
//! `wanted / register` to the base x^8. The group has 2^32 - 1 = 3 * 5 * 17 * 257 * 65537 elements, and by the
//! method of Pohlig and Hellman the logarithm is put together from its remainders modulo these small primes. The
//! two largest tell every number below 257 * 65537, which is more than an environment may have bytes.
//!
//! Bytes of 0xff are the same thing around another centre: there is one register that they leave as it is, and the
//! distance from it is multiplied by x^8.
//!
//! Registers and elements are in the reflected form, as CRC-32 is always computed: bit 31 is the coefficient of
//! x^0. The register is the complement of the checksum.

use std::sync::OnceLock;

/// The generator of CRC-32 (IEEE 802.3), reflected.
const GENERATOR: u32 = 0xedb8_8320;
const ONE: u32 = 1 << 31;
/// x^8: what one more zero byte multiplies by.
const STEP: u32 = ONE >> 8;

/// The prime factors of 2^32 - 1 that are used.
const SMALL: u32 = 257;
const LARGE: u32 = 65537;
/// 65537 modulo 257 is 2, and this is its inverse.
const HALF: u32 = 129;

/// The product of two elements.
fn mul(a: u32, mut b: u32) -> u32 {
    let mut product = 0;
    for bit in (0..32).rev() {
        product ^= b & ((a >> bit) & 1).wrapping_neg();
        b = (b >> 1) ^ (GENERATOR & (b & 1).wrapping_neg());
    }
    product
}

fn pow(mut base: u32, mut exponent: u32) -> u32 {
    let mut power = ONE;
    while exponent > 0 {
        if exponent & 1 == 1 {
            power = mul(power, base);
        }
        base = mul(base, base);
        exponent >>= 1;
    }
    power
}

/// By which element `count` more zero bytes multiply the register.
pub(super) fn zeros(count: u64) -> u32 {
    // The order of the group: so many zero bytes change nothing.
    pow(STEP, u32::try_from(count % u64::from(u32::MAX)).unwrap_or(0))
}

/// A checksum after bytes that would themselves, alone, have the checksum 0: for differences of checksums.
pub(super) fn shift(difference: u32, by: u32) -> u32 {
    mul(difference, by)
}

/// The byte that fills an environment behind its variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    Zeros,
    Ones,
}

impl Fill {
    pub(super) fn byte(self) -> u8 {
        match self {
            Fill::Zeros => 0,
            Fill::Ones => 0xff,
        }
    }
}

/// Squares of elements by their bytes: a square of a sum is the sum of the squares, since 2 is 0.
struct Squares([[u32; 256]; 4]);

impl Squares {
    fn new() -> Self {
        let mut tables = [[0; 256]; 4];
        for (place, table) in tables.iter_mut().enumerate() {
            for (byte, square) in (0u32..).zip(table.iter_mut()) {
                let element = byte << (8 * place);
                *square = mul(element, element);
            }
        }
        Squares(tables)
    }

    /// `element` to the power 2^`times`.
    fn squared(&self, element: u32, times: u32) -> u32 {
        let [a, b, c, d] = &self.0;
        let square = |table: &[u32; 256], byte: u8| table.get(usize::from(byte)).copied().unwrap_or(0);
        (0..times).fold(element, |element, _| {
            let [e, f, g, h] = element.to_le_bytes();
            square(a, e) ^ square(b, f) ^ square(c, g) ^ square(d, h)
        })
    }

    /// `element` to the power 2^`bits` - 1, for a power of two of bits.
    fn ones(&self, element: u32, bits: u32) -> u32 {
        let (mut power, mut done) = (element, 1);
        while done < bits {
            power = mul(self.squared(power, done), power);
            done *= 2;
        }
        power
    }

    /// The part of `element` in the subgroup of 65537 elements: its power (2^32 - 1) / 65537 = 2^16 - 1.
    fn large(&self, element: u32) -> u32 {
        self.ones(element, 16)
    }

    /// The part of `element` in the subgroup of 257 elements: its power (2^32 - 1) / 257 = (2^16 + 1) * (2^8 - 1).
    fn small(&self, element: u32) -> u32 {
        self.ones(mul(self.squared(element, 16), element), 8)
    }
}

/// Tables of the two subgroups' logarithms, 512 KiB.
pub(super) struct Solver {
    squares: Squares,
    /// STEP to the powers 1, 2, 4, ...
    steps: [u32; 32],
    /// Element and logarithm, in the order of the elements.
    large: Vec<(u32, u32)>,
    small: Vec<(u32, u32)>,
    /// The register that a byte of 0xff leaves as it is.
    fixed: u32,
}

/// A checksum whose fill is of one kind: what of the search does not depend on the checksum that is wanted.
pub(super) struct Start<'s> {
    solver: &'s Solver,
    centre: u32,
    from: u32,
    large: u32,
    small: u32,
}

impl Solver {
    /// The only one: its tables take some milliseconds to make.
    pub(super) fn get() -> &'static Self {
        static SOLVER: OnceLock<Solver> = OnceLock::new();
        SOLVER.get_or_init(Self::new)
    }

    fn new() -> Self {
        let squares = Squares::new();
        let table = |order: u32, base: u32| {
            let powers = std::iter::successors(Some(ONE), |&power| Some(mul(power, base)));
            let mut table: Vec<(u32, u32)> = powers.zip(0..order).collect();
            table.sort_unstable();
            table
        };
        let (large, small) = (table(LARGE, squares.large(STEP)), table(SMALL, squares.small(STEP)));
        let mut steps = [STEP; 32];
        for (power, step) in (0..).zip(steps.iter_mut()) {
            *step = squares.squared(STEP, power);
        }
        // fixed = (fixed + 0xff) * STEP, solved for `fixed`. Plus and minus are both exclusive or; the inverse is
        // the power of order minus one.
        let fixed = mul(mul(0xff, STEP), pow(ONE ^ STEP, u32::MAX - 1));
        Solver { squares, steps, large, small, fixed }
    }

    /// The search for how many bytes of `fill` lead on from the checksum `now`.
    pub(super) fn start(&self, fill: Fill, now: u32) -> Option<Start<'_>> {
        let centre = match fill {
            Fill::Zeros => 0,
            Fill::Ones => self.fixed,
        };
        let from = !now ^ centre;
        let (large, small) = self.logarithms(from)?;
        Some(Start { solver: self, centre, from, large, small })
    }

    /// The logarithm of an element modulo 65537 and modulo 257; zero has none.
    fn logarithms(&self, element: u32) -> Option<(u32, u32)> {
        let large = logarithm(&self.large, self.squares.large(element))?;
        let small = logarithm(&self.small, self.squares.small(element))?;
        Some((large, small))
    }

    /// By which element `count` more zero bytes multiply the register, `count` below 2^32.
    fn zeros(&self, count: u32) -> u32 {
        let steps = (0..).zip(&self.steps).filter(|(bit, _)| count >> bit & 1 == 1);
        steps.fold(ONE, |power, (_, step)| mul(power, *step))
    }

    /// The checksum `now` after `count` zero bytes.
    pub(super) fn after_zeros(now: u32, count: u64) -> u32 {
        !mul(!now, zeros(count))
    }
}

impl Start<'_> {
    /// After how many bytes the checksum becomes `wanted`, if it does before 257 * 65537 bytes.
    pub(super) fn count(&self, wanted: u32) -> Option<u64> {
        let to = !wanted ^ self.centre;
        let (large, small) = self.solver.logarithms(to)?;
        // The logarithm of a quotient is the difference of the logarithms.
        let large = (large + LARGE - self.large) % LARGE;
        let small = (small + SMALL - self.small) % SMALL;
        // count = large + 65537 * k, and this k makes it right modulo 257, too.
        let k = (small + SMALL - large % SMALL) % SMALL * HALF % SMALL;
        let count = large + LARGE * k;
        (mul(self.from, self.solver.zeros(count)) == to).then_some(count.into())
    }
}

fn logarithm(table: &[(u32, u32)], element: u32) -> Option<u32> {
    let at = table.binary_search_by_key(&element, |&(power, _)| power).ok()?;
    table.get(at).map(|&(_, logarithm)| logarithm)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(data: &[u8], fill: Fill, count: usize) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(data);
        hasher.update(&vec![fill.byte(); count]);
        hasher.finalize()
    }

    #[test]
    fn the_count_of_fill_bytes_follows_from_the_checksums() {
        let solver = Solver::new();
        for fill in [Fill::Zeros, Fill::Ones] {
            for count in [0, 1, 2, 255, 256, 257, 258, 65535, 65536, 65537, 65538, 131_074, 1 << 20, 16 << 20]
            {
                for data in [&b"a=1\0\0"[..], b"", b"bootcmd=run distro_bootcmd\0\0"] {
                    let (now, then) = (after(data, fill, 0), after(data, fill, count));
                    assert_eq!(
                        solver.start(fill, now).unwrap().count(then),
                        Some(count as u64),
                        "{fill:?} {count}"
                    );
                    if fill == Fill::Zeros {
                        assert_eq!(Solver::after_zeros(now, count as u64), then);
                    }
                }
            }
        }
    }

    #[test]
    fn what_fill_bytes_do_not_reach_has_no_count() {
        let solver = Solver::new();
        let mut found = 0;
        let mut now = 0x1234_5678u32;
        for _ in 0..4000 {
            let wanted = now.wrapping_mul(0x9e37_79b9).rotate_left(7);
            for fill in [Fill::Zeros, Fill::Ones] {
                if let Some(count) = solver.start(fill, now).and_then(|start| start.count(wanted)) {
                    assert!(count < 257 * 65537);
                    found += 1;
                }
            }
            now = wanted;
        }
        // 257 * 65537 of 2^32 numbers are small enough: 31 of 8000.
        assert!((10..70).contains(&found), "{found}");
        assert!(solver.start(Fill::Zeros, u32::MAX).is_none());
        assert!(solver.start(Fill::Ones, !solver.fixed).is_none());
    }

    #[test]
    fn differences_of_checksums_shift() {
        // crc(a b) ^ crc(c b) depends on a and c and the length of b alone.
        let tail = b"the rest";
        let of = |head: &[u8]| crc32fast::hash(&[head, tail].concat());
        let difference = crc32fast::hash(b"aaaa") ^ crc32fast::hash(b"cccc");
        assert_eq!(shift(difference, zeros(8)), of(b"aaaa") ^ of(b"cccc"));
    }
}
