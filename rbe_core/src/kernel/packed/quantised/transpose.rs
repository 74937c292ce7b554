//! Transposes of small squares of bytes and of 16-bit integers, each row a word.

/// Exchanges the parts of words that `mask` selects in one of them and that lie `shift` bits higher in the other, `distance` words before.
#[inline(always)]
fn exchange<const N: usize>(words: &mut [u64; N], distance: usize, shift: u32, mask: u64) {
    for i in 0..N {
        if i & distance == 0 {
            let (a, b) = (words[i], words[i + distance]);
            words[i] = a & mask | (b & mask) << shift;
            words[i + distance] = a >> shift & mask | b & !mask;
        }
    }
}

/// Columns of eight rows of eight bytes.
#[inline(always)]
pub(super) fn transpose_bytes(mut rows: [u64; 8]) -> [u64; 8] {
    exchange(&mut rows, 4, 32, 0x0000_0000_ffff_ffff);
    exchange(&mut rows, 2, 16, 0x0000_ffff_0000_ffff);
    exchange(&mut rows, 1, 8, 0x00ff_00ff_00ff_00ff);
    rows
}

/// Columns of four rows of four 16-bit integers.
#[inline(always)]
pub(super) fn transpose_shorts(mut rows: [u64; 4]) -> [u64; 4] {
    exchange(&mut rows, 2, 32, 0x0000_0000_ffff_ffff);
    exchange(&mut rows, 1, 16, 0x0000_ffff_0000_ffff);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_transposed() {
        let rows: [u64; 8] = std::array::from_fn(|r| u64::from_le_bytes(std::array::from_fn(|c| (8 * r + c) as u8)));
        for (c, column) in transpose_bytes(rows).iter().enumerate() {
            assert_eq!(column.to_le_bytes(), std::array::from_fn::<u8, 8, _>(|r| (8 * r + c) as u8));
        }
    }

    #[test]
    fn shorts_are_transposed() {
        let rows: [u64; 4] = std::array::from_fn(|r| (0..4).map(|c| ((0x1000 * r + c) as u64) << (16 * c)).sum());
        for (c, column) in transpose_shorts(rows).iter().enumerate() {
            assert_eq!(*column, (0..4).map(|r| ((0x1000 * r + c) as u64) << (16 * r)).sum());
        }
    }
}
