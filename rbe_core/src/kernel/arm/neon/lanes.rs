//! Eight and sixteen samples in registers of four, and the transposes.

use std::arch::aarch64::*;
use std::array::from_fn;

use crate::kernel::packed::lanes::{Lanes, Transpose};
use crate::packed::{BITS, Tile};

/// NEON is there.
#[derive(Clone, Copy)]
pub(in crate::kernel) struct Neon(());

impl Neon {
    /// # Safety
    /// The machine must have NEON.
    #[inline(always)]
    pub(in crate::kernel) unsafe fn new() -> Neon {
        Neon(())
    }
}

impl Transpose for Neon {
    #[inline(always)]
    fn transpose(self, rows: [&[f32; 8]; 8]) -> [[f32; 8]; 8] {
        // SAFETY: `self` is the proof that NEON is there.
        unsafe { transpose(rows) }
    }
    #[inline(always)]
    fn column_bits(self, tile: &Tile) -> [u16; BITS] {
        // SAFETY: as above.
        unsafe { column_bits(tile) }
    }
}

macro_rules! lanes {
    ($lanes:literal in $registers:literal) => {
        impl Lanes<$lanes> for Neon {
            type V = [float32x4_t; $registers];

            #[inline(always)]
            fn splat(self, v: f32) -> Self::V {
                // SAFETY: `self` is the proof that NEON is there.
                unsafe { [vdupq_n_f32(v); $registers] }
            }
            #[inline(always)]
            fn load(self, from: &[f32; $lanes]) -> Self::V {
                // SAFETY: as above; four floats are readable.
                from_fn(|q| unsafe { vld1q_f32(from[4 * q..][..4].as_ptr()) })
            }
            #[inline(always)]
            fn store(self, to: &mut [f32; $lanes], v: Self::V) {
                for (to, v) in to.as_chunks_mut::<4>().0.iter_mut().zip(v) {
                    // SAFETY: as above; four floats are writable.
                    unsafe { vst1q_f32(to.as_mut_ptr(), v) };
                }
            }
            #[inline(always)]
            fn add(self, a: Self::V, b: Self::V) -> Self::V {
                // SAFETY: as above.
                from_fn(|q| unsafe { vaddq_f32(a[q], b[q]) })
            }
            #[inline(always)]
            fn mul(self, a: Self::V, b: Self::V) -> Self::V {
                // SAFETY: as above.
                from_fn(|q| unsafe { vmulq_f32(a[q], b[q]) })
            }
            #[inline(always)]
            fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
                // SAFETY: as above.
                from_fn(|q| unsafe { vfmaq_f32(c[q], a[q], b[q]) })
            }
            #[inline(always)]
            fn across(self, rows: &[[f32; $lanes]; 8]) -> [f32; 8] {
                // SAFETY: as above.
                unsafe {
                    across(from_fn(|r| {
                        let row: Self::V = self.load(&rows[r]);
                        row[1..].iter().fold(row[0], |sum, v| vaddq_f32(sum, *v))
                    }))
                }
            }
        }
    };
}
lanes!(8 in 2);
lanes!(16 in 4);

/// Sums of the numbers of each of eight registers.
#[inline]
#[target_feature(enable = "neon")]
fn across(rows: [float32x4_t; 8]) -> [f32; 8] {
    let pairs = |i: usize| vpaddq_f32(rows[i], rows[i + 1]);
    let mut out = [0.0; 8];
    // SAFETY: eight floats are writable.
    unsafe {
        vst1q_f32(out.as_mut_ptr(), vpaddq_f32(pairs(0), pairs(2)));
        vst1q_f32(out[4..].as_mut_ptr(), vpaddq_f32(pairs(4), pairs(6)));
    }
    out
}

/// Columns of four rows of four.
#[inline]
#[target_feature(enable = "neon")]
fn transpose_four(r: [float32x4_t; 4]) -> [float32x4_t; 4] {
    // Pairs of rows, then halves as numbers of 64 bits.
    let pair = [vtrn1q_f32(r[0], r[1]), vtrn2q_f32(r[0], r[1]), vtrn1q_f32(r[2], r[3]), vtrn2q_f32(r[2], r[3])];
    let wide = pair.map(|v| vreinterpretq_f64_f32(v));
    [vtrn1q_f64(wide[0], wide[2]), vtrn1q_f64(wide[1], wide[3]), vtrn2q_f64(wide[0], wide[2]), vtrn2q_f64(wide[1], wide[3])]
        .map(|v| vreinterpretq_f32_f64(v))
}

/// Columns of eight rows of eight.
#[inline]
#[target_feature(enable = "neon")]
fn transpose(rows: [&[f32; 8]; 8]) -> [[f32; 8]; 8] {
    let mut out = [[0.0; 8]; 8];
    for r in [0, 4] {
        for c in [0, 4] {
            // SAFETY: four floats are readable.
            let columns = transpose_four(from_fn(|i| unsafe { vld1q_f32(rows[r + i][c..][..4].as_ptr()) }));
            for (out, column) in out[c..].iter_mut().zip(columns) {
                // SAFETY: four floats are writable.
                unsafe { vst1q_f32(out[r..][..4].as_mut_ptr(), column) };
            }
        }
    }
    out
}

/// Transposes the 8 x 8 bits of both halves: swaps of single bits, then pairs, then fours across the diagonal.
#[inline]
#[target_feature(enable = "neon")]
fn transpose_bits(x: uint64x2_t) -> uint64x2_t {
    macro_rules! swap {
        ($x:expr, $by:literal, $mask:literal) => {{
            let t = vandq_u64(veorq_u64($x, vshrq_n_u64::<$by>($x)), vdupq_n_u64($mask));
            veorq_u64($x, veorq_u64(t, vshlq_n_u64::<$by>(t)))
        }};
    }
    let x = swap!(x, 7, 0x00aa_00aa_00aa_00aa);
    let x = swap!(x, 14, 0x0000_cccc_0000_cccc);
    swap!(x, 28, 0x0000_0000_f0f0_f0f0)
}

/// The bits of the sixteen rows at every column, row 0 in bit 0.
#[inline]
#[target_feature(enable = "neon")]
fn column_bits(tile: &Tile) -> [u16; BITS] {
    let mut out = [0; BITS];
    for (words, out) in [&tile.low, &tile.high].into_iter().zip(out.as_chunks_mut::<32>().0) {
        // SAFETY: the 64 bytes of sixteen words are readable. Each register gets a byte of every word: eight columns of sixteen rows.
        let bytes = unsafe { vld4q_u8(words.as_ptr().cast()) };
        for (bytes, out) in [bytes.0, bytes.1, bytes.2, bytes.3].into_iter().zip(out.as_chunks_mut::<8>().0) {
            let rows = vreinterpretq_u8_u64(transpose_bits(vreinterpretq_u64_u8(bytes)));
            let columns = vzip1q_u8(rows, vextq_u8::<8>(rows, rows));
            // SAFETY: eight words of 16 bits are writable.
            unsafe { vst1q_u16(out.as_mut_ptr(), vreinterpretq_u16_u8(columns)) };
        }
    }
    out
}
