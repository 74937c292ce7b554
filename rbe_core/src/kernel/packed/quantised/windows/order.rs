//! The upstream gradient of windows as 16-bit integers with positions in lanes. It lies so already: nothing is transposed.

use super::operands::STEP;
use crate::isa::multiversion;
use crate::kernel::noise::hash;
use crate::kernel::packed::quantised::operands::{MOST_DY, PANEL_ROWS};
use crate::kernel::packed::quantised::quantise::{ROUNDING, scale_of};

/// Positions that are ordered at a time.
const LANES: usize = 16;

/// Where the upstream gradient goes: as in [`ShortDy`](crate::kernel::packed::quantised::operands::ShortDy), for the positions up to the next
/// multiple of [`STEP`] with `lanes` of them in lanes.
pub(super) struct Ordered<'a> {
    pub lanes: usize,
    pub values: &'a mut [i16],
    pub noise: &'a mut [u8],
    pub scales: &'a mut [f32],
}

/// Sixteen numbers of a row from position `at` on; where it ends before, `padded`, which gets zeros after its end.
#[inline(always)]
fn sixteen<'a>(row: &'a [f32], at: usize, padded: &'a mut [f32; LANES]) -> &'a [f32; LANES] {
    let rest = row.get(at..).unwrap_or(&[]);
    match rest.first_chunk() {
        Some(whole) => whole,
        None => {
            *padded = [0.0; LANES];
            padded[..rest.len()].copy_from_slice(rest);
            padded
        }
    }
}

multiversion! {
    /// Orders `dy (rows, positions)`, whose first position has the number `first` for the noise.
    pub(super) fn order(dy: &[f32], positions: usize, first: u32, out: Ordered<'_>) {
        let Ordered { lanes, values, noise, scales } = out;
        let rows = dy.len() / positions;
        let padded = rows.next_multiple_of(PANEL_ROWS);
        for at in (0..positions.next_multiple_of(STEP)).step_by(LANES) {
            let (mut most, mut short) = ([0i32; LANES], [0.0; LANES]);
            for row in dy.chunks_exact(positions) {
                let dy = sixteen(row, at, &mut short);
                for i in 0..LANES {
                    // Magnitudes are ordered as their bits are, with NaN above infinity.
                    let bits = (dy[i].to_bits() & 0x7fff_ffff).cast_signed();
                    most[i] = if bits > most[i] { bits } else { most[i] };
                }
            }
            let (mut inverse, mut seeds) = ([0.0f32; LANES], [0u32; LANES]);
            for i in 0..LANES {
                (scales[at + i], inverse[i]) = scale_of(f32::from_bits(most[i].cast_unsigned()), MOST_DY);
                seeds[i] = hash(most[i].cast_unsigned(), first.wrapping_add((at + i) as u32));
            }
            let start = at / lanes * padded * lanes + at % lanes;
            for n in 0..padded {
                let Some(values) = values[start + n * lanes..].first_chunk_mut::<LANES>() else { unreachable!("whole vectors") };
                if n >= rows {
                    *values = [0; LANES];
                    continue;
                }
                let dy = sixteen(&dy[n * positions..][..positions], at, &mut short);
                for i in 0..LANES {
                    values[i] = (dy[i] * inverse[i] + ROUNDING).to_bits() as i16; // any values where the scale is NaN
                }
            }
            // Rows of zeros have products of zero whatever the noise.
            for q in 0..rows.div_ceil(4) {
                let mut random = [0u32; LANES];
                for i in 0..LANES {
                    random[i] = hash(q as u32, seeds[i]);
                }
                for k in 0..4 {
                    let Some(noise) = noise[start + (4 * q + k) * lanes..].first_chunk_mut::<LANES>() else { unreachable!("whole vectors") };
                    for i in 0..LANES {
                        noise[i] = (random[i] >> (8 * k)) as u8;
                    }
                }
            }
        }
    }
}
