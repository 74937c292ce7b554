//! Charges of one row's bits, without branches, so that a compiler can keep sixteen weights in a vector.

use super::noise::hash;
use super::{FULL_CHARGE, HYSTERESIS};
use crate::packed::BITS;

/// One row of weights with what its charges need.
pub(in super::super) struct Row<'a> {
    /// Weight cotangents (blocks * 64), 0 at unused bits.
    pub g: &'a [f32],
    /// State bits (blocks); flipped in place.
    pub hi: &'a mut [u64],
    /// `127 lr_hi sign(v1 - v0) / sqrt(row moment)` of each block.
    pub rate: &'a [f32],
    /// `1 / sqrt(column moment)` (blocks * 64), 0 at unused bits.
    pub col_scale: &'a [f32],
    /// Charges (blocks * 64).
    pub charges: &'a mut [u8],
    /// Sums of G² over the rows of a strip (blocks * 64), added to.
    pub squares: &'a mut [f32],
    /// Receives the sum of G² over the row.
    pub square: &'a mut f32,
    /// Number of the row's first block.
    pub block: usize,
    /// Seed of this step's random numbers.
    pub stream: u32,
}

/// Moves every charge of the row by its evidence and flips the bits whose charge is used up; the number of flips.
#[inline(always)]
pub(in super::super) fn row(row: Row<'_>) -> u32 {
    let mut flips = 0;
    let mut square = [0.0f32; 16];
    for (j, hi) in row.hi.iter_mut().enumerate() {
        let range = j * BITS..(j + 1) * BITS;
        let (g, scale) = (&row.g[range.clone()], &row.col_scale[range.clone()]);
        let (charges, squares) = (&mut row.charges[range.clone()], &mut row.squares[range]);
        let counter = ((row.block + j) * 16) as u32;
        let mut random = [0u32; 16];
        for (i, r) in random.iter_mut().enumerate() {
            *r = hash(counter.wrapping_add(i as u32), row.stream);
        }
        let mut flipped = 0u64;
        for q in 0..4 {
            let mut marks = [0u32; 16];
            for i in 0..16 {
                let k = q * 16 + i;
                // Bit k of hi moves to the sign bit: a set bit turns the evidence around.
                let sign = ((*hi >> (q * 16)) as u32 >> i & 1) << 31;
                let evidence = f32::from_bits((row.rate[j] * g[k] * scale[k]).to_bits() ^ sign);
                let u = ((random[i] >> (8 * q) & 255) as f32 + 0.5) * (1.0 / 256.0);
                let moved = (f32::from(charges[k]) + evidence + u).floor();
                let flip = moved < 0.0;
                let charge = if flip { HYSTERESIS - moved } else { moved };
                let charge = if charge < FULL_CHARGE { charge } else { FULL_CHARGE };
                charges[k] = charge as i32 as u8; // a whole number from 0 to 127
                marks[i] = u32::from(flip) << i;
                let gg = g[k] * g[k];
                square[i] += gg;
                squares[k] += gg;
            }
            flipped |= u64::from(marks.iter().fold(0, |a, b| a | b)) << (q * 16);
        }
        flips += flipped.count_ones();
        *hi ^= flipped;
    }
    *row.square = square.iter().sum();
    flips
}
