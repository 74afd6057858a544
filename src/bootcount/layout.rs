//! Pure: The bytes of U-Boot's boot counters, as its drivers in `drivers/bootcount/` write them.
//!
//! ```text
//! layout        bytes                                                    driver
//! single-word   u32: magic (high half), count (low half)                 bootcount.c, bootcount_at91.c,
//!                                                                        bootcount_davinci.c, bootcount_syscon.c
//!                                                                        (4 bytes), bootcount_dm_i2c.c (size 4)
//! double-word   u32: count | u32: magic                                  bootcount.c
//! ram           word: count | word: magic | word | 1000 words: pattern   bootcount_ram.c; a word is an unsigned
//!                                                                        long, of which 32 bits are used
//! upgrade-word  u32: 0xb0, version 2, upgrade_available, count           bootcount_nvmem.c
//! short         u16: 0xbc, count                                         rtc.c, i2c-eeprom.c, spi-flash.c
//! syscon-short  u16: 0xb0, count                                         bootcount_syscon.c (2 bytes)
//! pair          u8: 0x55 | u8: count                                     bootcount_dm_i2c.c (size 2)
//! file          u8: 0xbd | u8: version 1 | u8: count | u8: upgrade_available   bootcount_fs.c
//! ```
//!
//! Where the magic number is not what it should be, U-Boot takes the count for 0. That of `ram` it writes and
//! never looks at: there the pattern has to be right.

/// `CONFIG_SYS_BOOTCOUNT_MAGIC`, unless the board chose another one.
pub const MAGIC: u32 = 0xb001_c041;

/// The pattern of `bootcount_ram.c`, and how many words of it there are.
const PATTERN: [u32; 5] = [0, 0xffff_ffff, 0xff00_ff00, 0x0f0f_0f0f, 0xf0f0_f0f0];
const PATTERN_WORDS: usize = 1000;

/// How a boot counter is laid out in bytes. See the drawing above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// Magic number and count in the halves of one word.
    SingleWord {
        /// Its high half counts.
        magic: u32,
    },
    /// Count and magic number in a word each.
    DoubleWord {
        /// All of it counts.
        magic: u32,
    },
    /// A count that is protected by a pattern.
    Ram {
        /// Bytes of U-Boot's `unsigned long`: 4, or 8, with which U-Boot does not count.
        word: usize,
    },
    /// With `upgrade_available`, without which U-Boot does not count.
    UpgradeWord,
    /// Magic number and count in the halves of 16 bits.
    Short {
        /// 0xbc, in a syscon 0xb0.
        magic: u8,
    },
    /// Magic number and count in a byte each.
    Pair,
    /// The file of `CONFIG_BOOTCOUNT_FS`, with `upgrade_available`.
    File,
}

/// In which order the bytes of a word are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The least significant one first; U-Boot's default for its boot counters.
    Little,
    /// The most significant one first.
    Big,
}

/// A boot counter's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Boots since the last reset, as U-Boot will read it.
    pub count: u32,
    /// `upgrade_available`, in the layouts that have it: U-Boot counts only while it is set.
    pub upgrade_available: Option<bool>,
}

impl Count {
    /// Whether a reset would change nothing.
    pub fn is_reset(&self) -> bool {
        self.count == 0 && self.upgrade_available != Some(true)
    }
}

impl Layout {
    /// Bytes of the counter.
    #[allow(clippy::len_without_is_empty, reason = "none is empty")]
    pub fn len(&self) -> usize {
        match self {
            Layout::SingleWord { .. } | Layout::UpgradeWord | Layout::File => 4,
            Layout::DoubleWord { .. } => 8,
            Layout::Ram { word } => (3 + PATTERN_WORDS) * word,
            Layout::Short { .. } | Layout::Pair => 2,
        }
    }

    /// The count in these bytes, and the order in which it was found: `order`, or where that is `None`
    /// the one in which the magic number is right. `None` where the magic number is wrong or bytes are missing.
    pub fn decode(&self, bytes: &[u8], order: Option<Order>) -> Option<(Count, Order)> {
        let orders = order.map_or(&[Order::Little, Order::Big][..], |order| match order {
            Order::Little => &[Order::Little],
            Order::Big => &[Order::Big],
        });
        let bytes = bytes.get(..self.len())?;
        orders.iter().find_map(|&order| Some((self.decode_in(bytes, order)?, order)))
    }

    fn decode_in(&self, bytes: &[u8], order: Order) -> Option<Count> {
        let plain = |count: u32| Count { count, upgrade_available: None };
        match *self {
            Layout::SingleWord { magic } => {
                let word = order.u32(bytes, 0)?;
                (word >> 16 == magic >> 16).then(|| plain(word & 0xffff))
            }
            Layout::DoubleWord { magic } => {
                (order.u32(bytes, 4)? == magic).then_some(plain(order.u32(bytes, 0)?))
            }
            Layout::Ram { word } => {
                let right = |i: usize| order.u32(bytes, (3 + i) * word) == PATTERN.get(i % 5).copied();
                // `bootcount_load` compares an int with an unsigned long: where that has 64 bits, 0xffffffff
                // in memory is not 0xffffffff in the pattern, and what it returns is always 0.
                let count = if word == 4 { order.u32(bytes, 0)? } else { 0 };
                (0..PATTERN_WORDS).all(right).then(|| plain(count))
            }
            Layout::UpgradeWord => {
                let word = order.u32(bytes, 0)?;
                let upgrade_available = Some(word >> 8 & 0xff != 0);
                (word >> 24 == 0xb0).then_some(Count { count: word & 0xff, upgrade_available })
            }
            Layout::Short { magic } => {
                let (high, low) = order.halves(bytes)?;
                (high == magic).then(|| plain(low.into()))
            }
            Layout::Pair => match bytes {
                [0x55, count, ..] => Some(plain((*count).into())),
                _ => None,
            },
            Layout::File => match bytes {
                [0xbd, 1, count, upgrade] => {
                    // `bootcount_load` counts nothing where this byte is 0.
                    let count = if *upgrade == 0 { 0 } else { (*count).into() };
                    Some(Count { count, upgrade_available: Some(*upgrade != 0) })
                }
                _ => None,
            },
        }
    }

    /// Sets the count to 0, and `upgrade_available` as well; all other bytes stay.
    pub fn reset(&self, bytes: &mut [u8], order: Order) {
        let mut clear = |from: usize, len: usize| {
            if let Some(part) = bytes.get_mut(from..from + len) {
                part.fill(0);
            }
        };
        let little = order == Order::Little;
        match self {
            Layout::SingleWord { .. } | Layout::UpgradeWord => clear(if little { 0 } else { 2 }, 2),
            Layout::DoubleWord { .. } | Layout::Ram { .. } => clear(0, 4),
            Layout::Short { .. } => clear(if little { 0 } else { 1 }, 1),
            Layout::Pair => clear(1, 1),
            Layout::File => clear(2, 2),
        }
    }
}

impl Order {
    fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let word = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(match self {
            Order::Little => u32::from_le_bytes(word),
            Order::Big => u32::from_be_bytes(word),
        })
    }

    /// The high and the low half of 16 bits.
    fn halves(self, bytes: &[u8]) -> Option<(u8, u8)> {
        match (self, bytes) {
            (Order::Little, [low, high, ..]) | (Order::Big, [high, low, ..]) => Some((*high, *low)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `bootcount_ram.c` writes it, with a magic number that a board has chosen.
    fn ram(word: usize, count: u32, order: Order) -> Vec<u8> {
        let mut bytes = vec![0xee; 1003 * word];
        let words = [(0, count), (1, 0x1234_5678)].into_iter();
        for (at, value) in words.chain((0..1000).map(|i| (3 + i, PATTERN[i % 5]))) {
            let value = if order == Order::Little { value.to_le_bytes() } else { value.to_be_bytes() };
            bytes[at * word..][..4].copy_from_slice(&value);
        }
        bytes
    }

    /// Bytes as U-Boot writes them for count 3, then as they are after a reset.
    fn cases() -> Vec<(Layout, Order, Vec<u8>, Vec<u8>)> {
        let single = Layout::SingleWord { magic: MAGIC };
        let double = Layout::DoubleWord { magic: MAGIC };
        let (little, big) = (Order::Little, Order::Big);
        vec![
            (single, little, vec![3, 0, 1, 0xb0], vec![0, 0, 1, 0xb0]),
            (single, big, vec![0xb0, 1, 0, 3], vec![0xb0, 1, 0, 0]),
            (double, little, vec![3, 0, 0, 0, 0x41, 0xc0, 1, 0xb0], vec![0, 0, 0, 0, 0x41, 0xc0, 1, 0xb0]),
            (double, big, vec![0, 0, 0, 3, 0xb0, 1, 0xc0, 0x41], vec![0, 0, 0, 0, 0xb0, 1, 0xc0, 0x41]),
            (Layout::Ram { word: 4 }, little, ram(4, 3, little), ram(4, 0, little)),
            (Layout::Ram { word: 4 }, big, ram(4, 3, big), ram(4, 0, big)),
            (Layout::UpgradeWord, little, vec![3, 1, 2, 0xb0], vec![0, 0, 2, 0xb0]),
            (Layout::UpgradeWord, big, vec![0xb0, 2, 1, 3], vec![0xb0, 2, 0, 0]),
            (Layout::Short { magic: 0xbc }, little, vec![3, 0xbc], vec![0, 0xbc]),
            (Layout::Short { magic: 0xb0 }, big, vec![0xb0, 3], vec![0xb0, 0]),
            (Layout::Pair, little, vec![0x55, 3], vec![0x55, 0]),
            (Layout::File, little, vec![0xbd, 1, 3, 1], vec![0xbd, 1, 0, 0]),
        ]
    }

    #[test]
    fn every_layout_is_read_and_reset_in_place() {
        for (layout, order, bytes, reset) in cases() {
            assert_eq!(bytes.len(), layout.len(), "{layout:?}");
            for asked in [None, Some(order)] {
                let (count, _) =
                    layout.decode(&bytes, asked).unwrap_or_else(|| panic!("{layout:?} {asked:?}"));
                assert_eq!(count.count, 3, "{layout:?}");
                assert!(!count.is_reset());
            }
            let found = layout.decode(&bytes, None).map(|(_, order)| order);
            let ordered = !matches!(layout, Layout::Pair | Layout::File);
            assert!(!ordered || found == Some(order), "{layout:?}");
            let mut now = bytes.clone();
            layout.reset(&mut now, order);
            assert_eq!(now, reset, "{layout:?} {order:?}");
            assert!(layout.decode(&now, None).is_some_and(|(count, _)| count.is_reset()));
        }
    }

    #[test]
    fn a_wrong_magic_number_or_too_few_bytes_are_no_counter() {
        for (layout, order, bytes, _) in cases() {
            let empty = vec![0; layout.len()];
            let erased = vec![0xff; layout.len()];
            for other in [&empty, &erased, &bytes[..layout.len() - 1].to_vec()] {
                assert_eq!(layout.decode(other, None), None, "{layout:?}");
                assert_eq!(layout.decode(other, Some(order)), None, "{layout:?}");
            }
        }
        let mut damaged = cases()[4].2.clone();
        damaged[4 * 700] ^= 1;
        assert_eq!(Layout::Ram { word: 4 }.decode(&damaged, None), None);
        let wrong = Layout::SingleWord { magic: 0x1234_0000 };
        assert_eq!(wrong.decode(&[3, 0, 1, 0xb0], None), None);
    }

    #[test]
    fn in_ram_u_boot_of_64_bits_always_reads_0() {
        let layout = Layout::Ram { word: 8 };
        let found = layout.decode(&ram(8, 3, Order::Little), None);
        assert_eq!(found, Some((Count { count: 0, upgrade_available: None }, Order::Little)));
        assert_eq!(layout.decode(&vec![0; layout.len()], None), None);
    }

    #[test]
    fn without_upgrade_available_the_file_counts_nothing() {
        let count = Layout::File.decode(&[0xbd, 1, 7, 0], None).map(|(count, _)| count);
        assert_eq!(count, Some(Count { count: 0, upgrade_available: Some(false) }));
    }
}
