//! Sixteen rows in lanes on AVX2: `vpermps` looks up eight sums, so three inputs make a group.

use std::arch::x86_64::*;

use super::lanes::Avx2;
use crate::kernel::packed::rows_in_lanes::RowLanes;
use crate::packed::{BITS, Tile};

/// Groups of a half block: ten of three inputs and one of two.
const GROUPS: usize = 11;

impl RowLanes for Avx2 {
    type Table = [[f32; 8]; 2 * GROUPS];
    type Index = [[__m256i; 2]; 2]; // (half of the block, half of the rows)

    #[inline(always)]
    fn index(self, tile: &Tile) -> Self::Index {
        // SAFETY: `self` is the proof that AVX2 is there; sixteen words are readable. No closures: they would become calls.
        unsafe {
            let (low, high) = (tile.low.as_ptr(), tile.high.as_ptr());
            [
                [_mm256_loadu_si256(low.cast()), _mm256_loadu_si256(low.add(8).cast())],
                [_mm256_loadu_si256(high.cast()), _mm256_loadu_si256(high.add(8).cast())],
            ]
        }
    }

    #[inline(always)]
    fn fill(self, inputs: &[f32; BITS], table: &mut Self::Table) {
        for (half, table) in inputs.as_chunks::<32>().0.iter().zip(table.as_chunks_mut::<GROUPS>().0) {
            for (group, out) in half.chunks(3).zip(table) {
                // SAFETY: `self` is the proof that AVX2 is there; eight floats are writable.
                unsafe {
                    let zero = _mm256_setzero_ps();
                    let one = _mm256_blend_ps::<0xaa>(zero, _mm256_set1_ps(group[0]));
                    let two = _mm256_add_ps(one, _mm256_blend_ps::<0xcc>(zero, _mm256_set1_ps(group[1])));
                    let third = group.get(2).copied().unwrap_or(0.0);
                    _mm256_storeu_ps(out.as_mut_ptr(), _mm256_add_ps(two, _mm256_blend_ps::<0xf0>(zero, _mm256_set1_ps(third))));
                }
            }
        }
    }

    #[inline(always)]
    fn set_sums(self, index: &Self::Index, table: &Self::Table) -> Self::V {
        // SAFETY: `self` is the proof that AVX2 is there.
        unsafe { set_sums(index, table) }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn set_sums(index: &[[__m256i; 2]; 2], table: &[[f32; 8]; 2 * GROUPS]) -> [__m256; 2] {
    let mut sums = [[_mm256_setzero_ps(); 2]; 2];
    macro_rules! groups {
        ($half:literal, $($group:literal)*) => {
            $(
                // SAFETY: eight floats are readable.
                let entries = unsafe { _mm256_loadu_ps(table[$half * GROUPS + $group].as_ptr()) };
                for rows in 0..2 {
                    // The lookup reads the low three bits of an index.
                    let at = _mm256_srli_epi32::<{ 3 * $group }>(index[$half][rows]);
                    sums[$half][rows] = _mm256_add_ps(sums[$half][rows], _mm256_permutevar8x32_ps(entries, at));
                }
            )*
        };
    }
    groups!(0, 0 1 2 3 4 5 6 7 8 9 10);
    groups!(1, 0 1 2 3 4 5 6 7 8 9 10);
    [_mm256_add_ps(sums[0][0], sums[1][0]), _mm256_add_ps(sums[0][1], sums[1][1])]
}
