//! Pure: The checksum of a copy: CRC-32 as zlib computes it.
//!
//! `crc32fast` is fast, and brings 16 KiB of tables and a path for each processor. The smallest program (`cfg(small)`,
//! see build.rs) has a table of 1 KiB instead: a copy has a few KiB, and is on flash that is slower than that.

/// The checksum of `data`.
#[cfg(not(small))]
pub(super) fn crc32(data: &[u8]) -> u32 {
    crc32fast::hash(data)
}

#[cfg(small)]
pub(super) use plain::crc32;

#[cfg(any(small, test))]
mod plain {
    /// The polynomial of CRC-32 (IEEE 802.3), its bits reversed.
    const POLYNOMIAL: u32 = 0xedb8_8320;

    /// What a byte makes of a checksum of 0.
    const fn of_byte(byte: u32) -> u32 {
        let (mut crc, mut bit) = (byte, 0);
        while bit < 8 {
            crc = (crc >> 1) ^ (POLYNOMIAL & (crc & 1).wrapping_neg());
            bit += 1;
        }
        crc
    }

    static TABLE: [u32; 256] = {
        let (mut table, mut rest) = ([0; 256], 256_u32);
        while let Some(byte) = rest.checked_sub(1) {
            // A constant: an index out of bounds would not compile.
            table[byte as usize] = of_byte(byte);
            rest = byte;
        }
        table
    };

    pub(in crate::env) fn crc32(data: &[u8]) -> u32 {
        let step = |crc: u32, byte: &u8| {
            let [low, ..] = (crc ^ u32::from(*byte)).to_le_bytes();
            (crc >> 8) ^ TABLE.get(usize::from(low)).copied().unwrap_or_default()
        };
        !data.iter().fold(!0, step)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn both_ways_give_the_same_checksum() {
        let bytes: Vec<u8> = (0..1000_u32).map(|i| ((i * i) >> 3) as u8).collect();
        for len in (0..70).chain([255, 256, 257, 1000]) {
            let data = &bytes[..len];
            assert_eq!(super::plain::crc32(data), crc32fast::hash(data), "{len}");
        }
        // The check value of the catalogue of CRCs.
        assert_eq!(super::plain::crc32(b"123456789"), 0xcbf4_3926);
    }
}
