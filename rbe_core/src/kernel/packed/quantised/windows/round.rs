//! The upstream gradient of windows rounded to int8 for the gradient of the filters.

use crate::isa::multiversion;
use crate::kernel::noise::hash;
use crate::kernel::packed::quantised::quantise::{ROUNDING, scale_of};

/// Largest magnitude.
const MOST: f32 = 127.0;
/// Positions that share sixteen random words, a byte each.
const SHARING: usize = 64;
const WORDS: usize = 16;

/// The random byte of a position.
pub(super) fn byte(position: usize, seed: u32) -> u8 {
    let word = position / SHARING * WORDS + position % WORDS;
    (hash(word as u32, seed) >> (8 * (position % SHARING / WORDS))) as u8
}

/// `v` rounded up with the probability that its distance from the integer below says, given a random byte.
#[inline(always)]
pub(super) fn rounded(v: f32, byte: u8) -> i8 {
    // The nearest integer of v + (byte + ½) / 256 - ½.
    let noise = f32::from(byte) * (1.0 / 256.0) - 0.5 * (1.0 - 1.0 / 256.0);
    (v + noise + ROUNDING).to_bits() as i8
}

/// What an integer of a row stands for, what its numbers are multiplied by, and the seed of its noise; of the products of `dy` and `scales`.
#[inline(always)]
pub(super) fn measure(dy: &[f32], scales: &[f32], seed: u32) -> (f32, f32, u32) {
    let mut most = 0i32;
    for (dy, scale) in dy.iter().zip(scales) {
        // Magnitudes are ordered as their bits are, with NaN above infinity.
        let bits = ((dy * scale).to_bits() & 0x7fff_ffff).cast_signed();
        most = if bits > most { bits } else { most };
    }
    let (factor, inverse) = scale_of(f32::from_bits(most.cast_unsigned()), MOST);
    (factor, inverse, hash(most.cast_unsigned(), seed))
}

multiversion! {
    /// Rounds the products of `dy` and `scales`, one each a position, stochastically to `values`, zero beyond the last position: what an
    /// integer stands for. Zero becomes zero.
    pub(crate) fn round_row(dy: &[f32], scales: &[f32], seed: u32, values: &mut [i8]) -> f32 {
        let (factor, inverse, seed) = measure(dy, scales, seed);
        let positions = dy.len();
        for (s, values) in values.chunks_mut(SHARING).enumerate() {
            let mut random = [0u32; WORDS];
            for i in 0..WORDS {
                random[i] = hash((s * WORDS + i) as u32, seed);
            }
            for (k, values) in values.chunks_mut(WORDS).enumerate() {
                let at = s * SHARING + k * WORDS;
                let (dy, scales) = (dy.get(at..).unwrap_or(&[]), scales.get(at..).unwrap_or(&[]));
                if let (Some(dy), Some(scales), Some(values)) = (dy.first_chunk::<WORDS>(), scales.first_chunk::<WORDS>(), values.first_chunk_mut::<WORDS>()) {
                    for i in 0..WORDS {
                        values[i] = rounded(dy[i] * scales[i] * inverse, (random[i] >> (8 * k)) as u8);
                    }
                } else {
                    for (i, value) in values.iter_mut().enumerate() {
                        *value = if at + i < positions { rounded(dy[i] * scales[i] * inverse, (random[i] >> (8 * k)) as u8) } else { 0 };
                    }
                }
            }
        }
        factor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_over_all_bytes_is_the_number_and_integers_stay() {
        for n in -127..=127i8 {
            assert!((0..=255).all(|byte| rounded(f32::from(n), byte) == n), "{n}");
        }
        for v in [0.25f32, -0.25, 3.5, -126.75, 126.996_09] {
            let sum: i32 = (0..=255).map(|byte| i32::from(rounded(v, byte))).sum();
            assert!((f64::from(sum) / 256.0 - f64::from(v)).abs() <= 1.0 / 256.0, "{v}: {sum}");
        }
    }
}
