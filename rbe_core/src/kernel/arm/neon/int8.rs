//! Sums of int8 products for NEON: by dot products of bytes where the processor has them, else by products of 16 bits.

use std::arch::aarch64::*;

use super::dot::{dot, has_dot};
use crate::kernel::update::int8::{CHUNK_ROWS, Int8Operands, OFFSET, PANEL, WORDS};

/// See [`Int8Operands`]: sums (rows of the chunk, columns).
///
/// # Safety
/// The machine must have NEON.
pub(in crate::kernel) unsafe fn dot_u8_i8(w: &Int8Operands<'_>, out: &mut [i32]) {
    // SAFETY: as the caller vouches; dot products are there if they are used.
    unsafe { if has_dot() { by_dot(w, out) } else { sums::<false>(w, out) } }
}

/// # Safety
/// The machine must have NEON with dot products of bytes.
#[target_feature(enable = "neon,dotprod")]
unsafe fn by_dot(w: &Int8Operands<'_>, out: &mut [i32]) {
    // SAFETY: as the caller vouches.
    unsafe { sums::<true>(w, out) };
}

/// Registers of a panel: four samples of four columns each.
const REGISTERS: usize = PANEL / 4;
/// Rows that are summed at once.
const ROWS: usize = 4;

/// `(128 - OFFSET) / OFFSET` modulo 2^32, for excesses of many samples have left the range of 32 bits.
const LACKING: i32 = {
    // By Newton's method, which doubles the number of right bits: an odd number is its own inverse modulo 8.
    let (mut inverse, mut step) = (OFFSET, 0);
    while step < 4 {
        inverse = inverse.wrapping_mul(2i32.wrapping_sub(OFFSET.wrapping_mul(inverse)));
        step += 1;
    }
    inverse.wrapping_mul(128 - OFFSET)
};
const _: () = assert!(LACKING.wrapping_mul(OFFSET) == 128 - OFFSET);

/// Bytes without sign become such with one, 128 less. So every sum lacks `(128 - OFFSET) Σ dy` in place of having an excess of `OFFSET Σ dy`.
///
/// # Safety
/// The machine must have NEON, and with `DOT` dot products of bytes.
#[inline(always)]
unsafe fn sums<const DOT: bool>(w: &Int8Operands<'_>, out: &mut [i32]) {
    assert!(w.fit(out), "sums: lengths");
    let words = w.words();
    let width = w.x.len() / words;
    for (k, panel) in w.x.chunks_exact(words * PANEL).enumerate() {
        for r in (0..CHUNK_ROWS).step_by(ROWS) {
            // SAFETY: as the caller vouches; four words are readable, and four sums writable.
            unsafe {
                let mut sums = [[vdupq_n_s32(0); REGISTERS]; ROWS];
                for (i, x) in panel.as_chunks::<PANEL>().0.iter().enumerate().take(w.used) {
                    let signs = vdupq_n_u32(0x8080_8080);
                    let mut columns = [vdupq_n_s8(0); REGISTERS];
                    for q in 0..REGISTERS {
                        columns[q] = vreinterpretq_s8_u32(veorq_u32(vld1q_u32(x[4 * q..][..4].as_ptr()), signs));
                    }
                    for row in 0..ROWS {
                        let dy = w.dy[(i / WORDS * CHUNK_ROWS + r + row) * WORDS + i % WORDS];
                        let dy = vreinterpretq_s8_u32(vdupq_n_u32(dy));
                        for q in 0..REGISTERS {
                            sums[row][q] = if DOT {
                                dot(sums[row][q], columns[q], dy)
                            } else {
                                // Two products of 128 and MOST fit in 16 bits.
                                let low = vmull_s8(vget_low_s8(columns[q]), vget_low_s8(dy));
                                vpadalq_s16(sums[row][q], vpaddq_s16(low, vmull_high_s8(columns[q], dy)))
                            };
                        }
                    }
                }
                for (row, sums) in sums.into_iter().enumerate() {
                    let missing = vdupq_n_s32(w.excess[r + row].wrapping_mul(LACKING));
                    let out = &mut out[(r + row) * width + k * PANEL..][..PANEL];
                    for (out, sum) in out.as_chunks_mut::<4>().0.iter_mut().zip(sums) {
                        vst1q_s32(out.as_mut_ptr(), vaddq_s32(sum, missing));
                    }
                }
            }
        }
    }
}
