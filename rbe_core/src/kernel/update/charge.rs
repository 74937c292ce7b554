//! Charges of bits: how a flip score moves one, and what a kernel needs for a row of them.

use super::level_parameters::Rows;
use crate::kernel::noise::byte;
use crate::packed::{BITS, Tile};

/// Charge that stands for 1.0.
pub(crate) const FULL_CHARGE: f32 = 127.0;
/// Parts of a unit of charge that flip scores are counted in: a random byte rounds them.
pub(in crate::kernel) const PARTS: f32 = 256.0;
/// Flip score that empties or fills any charge, in parts.
pub(in crate::kernel) const MOST: f32 = 32767.0;
/// Charge added to a fresh flip: it must be contradicted, not merely doubted.
pub(in crate::kernel) const HYSTERESIS: i32 = 38; // 0.3 of a full charge

/// The integer nearest to `v`, ties to even, for `|v| < 2^22`: adding 1.5 · 2^23 rounds to an integer, which is then in
/// the low bits. Unlike a cast it needs no checks, so loops with it become vectors.
#[inline(always)]
pub(super) fn nearest(v: f32) -> i32 {
    (v + 12_582_912.0).to_bits().cast_signed() - 0x4b40_0000
}

/// The charge moved by a flip score in parts, rounded stochastically by a random byte, and whether its bit flips.
///
/// `floor((n + byte) / 256)` of an integer n of parts has the mean n / 256.
#[inline(always)]
pub(in crate::kernel) fn discharge(charge: u8, score: f32, byte: u8) -> (u8, bool) {
    // A minimum that takes MOST for NaN, as vector instructions do.
    let parts = if score < MOST { score } else { MOST };
    let parts = nearest(if parts > -MOST - 1.0 { parts } else { -MOST - 1.0 });
    let moved = ((i32::from(charge) << 8 | i32::from(byte)) + parts).min(32767) >> 8;
    let next = if moved < 0 { (HYSTERESIS - moved).min(127) } else { moved };
    (next as u8, moved < 0)
}

/// Gradients of the two levels of a tile's rows.
pub(in crate::kernel) type Levels = [Rows; 2];

/// Gradient of some blocks of a row (blocks * 64), 0 at unused bits, over their unit.
#[derive(Clone, Copy)]
pub(in crate::kernel) enum RowGradient<'a> {
    /// As they are.
    Real(&'a [f32]),
    /// Integers, to be multiplied by the scales of their columns.
    Integer(&'a [i32], &'a [f32]),
}

/// Some blocks of one row of weights with what their charges need.
pub(in crate::kernel) struct Row<'a> {
    /// G over `unit`.
    pub g: RowGradient<'a>,
    /// Unit of G: 1 for real numbers.
    pub unit: f32,
    /// The tiles (blocks) whose row `lane` it is: bits are flipped in place.
    pub tiles: &'a mut [Tile],
    /// `127 · 256 lr_hi sign(v1 - v0) / sqrt(row moment)` of the rows of each tile, times their units of G.
    pub rates: &'a [Rows],
    /// `1 / sqrt(column moment)` (blocks * 64), 0 at unused bits.
    pub col_scale: &'a [f32],
    /// Charges (blocks * 64).
    pub charges: &'a mut [u8],
    /// Sums of G² over the rows of a row panel (blocks * 64), added to.
    pub squares: &'a mut [f32],
    /// Sum of G² over the row, added to.
    pub square: &'a mut f32,
    /// Receives the sums of G over the bits that are 0 and 1 (blocks), before any flips.
    pub levels: &'a mut [Levels],
    /// Place of the row in tiles, rates and levels.
    pub lane: usize,
    /// Number of the first block.
    pub block: usize,
    /// Seed of this step's random numbers.
    pub stream: u32,
}

impl<'a> Row<'a> {
    /// The numbers of G, those of integers with their own bits, and the scales of their columns, which real ones do not need.
    ///
    /// # Panics
    /// If the lengths do not fit together.
    pub(in crate::kernel) fn numbers(&self) -> (&'a [f32], &'a [f32]) {
        let (g, scale): (&[f32], &[f32]) = match self.g {
            RowGradient::Real(g) => (g, g),
            RowGradient::Integer(g, scale) => (bytemuck::cast_slice(g), scale),
        };
        let (blocks, width) = (self.tiles.len(), self.tiles.len() * BITS);
        assert!(
            [self.rates.len(), self.levels.len()] == [blocks; 2]
                && [g.len(), scale.len(), self.col_scale.len(), self.charges.len(), self.squares.len()] == [width; 5],
            "charges: lengths"
        );
        (g, scale)
    }
}

/// Lanes of the sums over a row: number `k` of a block is added in lane `k % 16`, whatever the instruction set, so that all have one result.
const LANES: usize = 16;

/// The lanes as one: their halves upon each other, then neighbours, twice, then what is left.
#[inline(always)]
fn across(lanes: [f32; LANES]) -> f32 {
    let halves: [f32; 8] = std::array::from_fn(|i| lanes[i] + lanes[i + 8]);
    let quarter = |i: usize| (halves[i] + halves[i + 1]) + (halves[i + 2] + halves[i + 3]);
    quarter(0) + quarter(4)
}

/// Moves every charge of the row by its flip score and flips the bits whose charge is used up; the number of flips. The twin in plain Rust
/// of what instruction sets have.
pub(in crate::kernel) fn charge_row(row: Row<'_>) -> u32 {
    let (g, scale) = row.numbers();
    let whole = matches!(row.g, RowGradient::Integer(..));
    let Row { unit, tiles, rates, col_scale, charges, squares, square, levels, lane, block, stream, .. } = row;
    let (mut total, mut flips) = ([0.0f32; LANES], 0);
    for (j, ((tile, rates), levels)) in tiles.iter_mut().zip(rates).zip(levels).enumerate() {
        let (hi, mut flipped) = (tile.hi(lane), 0u64);
        let (mut all, mut set) = ([0.0f32; LANES], [0.0f32; LANES]);
        for k in 0..BITS {
            let at = j * BITS + k;
            let g = if whole { g[at].to_bits().cast_signed() as f32 * scale[at] } else { g[at] };
            let is_set = hi >> k & 1 == 1;
            // A set bit turns the sign of the score.
            let score = if is_set { -rates[lane] } else { rates[lane] } * g * col_scale[at];
            let (next, flips) = discharge(charges[at], score, byte(block + j, k, stream));
            charges[at] = next;
            flipped |= u64::from(flips) << k;
            all[k % LANES] += g;
            set[k % LANES] += if is_set { g } else { 0.0 };
            total[k % LANES] = g.mul_add(g, total[k % LANES]);
            let g = if whole { g * unit } else { g };
            squares[at] = g.mul_add(g, squares[at]);
        }
        flips += flipped.count_ones();
        tile.set_hi(lane, hi ^ flipped);
        levels[0][lane] = unit * across(std::array::from_fn(|i| all[i] - set[i]));
        levels[1][lane] = unit * across(set);
    }
    *square += unit * unit * across(total);
    flips
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_over_the_bytes_is_the_flip_score() {
        for (charge, parts) in [(64u8, 3.0f32), (64, -700.0), (10, 1000.0), (100, -25_000.0)] {
            let sum: i32 = (0..=255u8).map(|byte| i32::from(discharge(charge, parts, byte).0)).sum();
            assert_eq!(sum - 256 * i32::from(charge), parts as i32, "{charge} {parts}");
        }
    }

    #[test]
    fn charges_stay_inside_and_flips_start_charged() {
        assert_eq!(discharge(100, 40.0 * PARTS, 0), (127, false));
        assert_eq!(discharge(100, f32::INFINITY, 255), (127, false));
        assert_eq!(discharge(100, f32::NAN, 0), (127, false));
        assert_eq!(discharge(10, -12.0 * PARTS, 0), (40, true)); // 2 below, on the other side
        assert_eq!(discharge(127, f32::NEG_INFINITY, 255), (39, true));
        assert_eq!(discharge(0, f32::NEG_INFINITY, 0), (127, true));
        assert_eq!(discharge(0, 0.0, 255), (0, false));
    }
}
