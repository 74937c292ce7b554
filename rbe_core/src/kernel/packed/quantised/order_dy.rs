//! The upstream gradient as 16-bit integers with samples in lanes, and the noise that rounds its products.

use super::operands::{OrderDy, PANEL_ROWS};
use super::quantise::ROUNDING;
use super::transpose::{transpose_bytes, transpose_shorts};
use crate::kernel::noise::hash;

/// Samples of a square that is transposed at once.
const EIGHT: usize = 8;

/// Some rows of a sample's upstream gradient as integers, with their noise: zeros where there are no more rows.
#[inline(always)]
fn round(dy: &[f32], factor: f32, (first, seed): (usize, u32), values: &mut [i16], noise: &mut [u8]) {
    let (here, padding) = values.split_at_mut(dy.len());
    for (value, dy) in here.iter_mut().zip(dy) {
        // A sample that is not finite has any values: its scale is NaN.
        *value = (dy * factor + ROUNDING).to_bits() as i16;
    }
    padding.fill(0);
    for (q, noise) in noise.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        *noise = hash((first / 4 + q) as u32, seed).to_le_bytes();
    }
}

/// Fills what [`OrderDy`] says, `N` being 1.
#[inline(always)]
pub(in crate::kernel) fn order_one(task: OrderDy<'_>) {
    let OrderDy { dy, rows, inverse, seeds, panels, values, noise } = task;
    let padded = panels.len() * PANEL_ROWS;
    let of_samples = values.chunks_exact_mut(padded).zip(noise.chunks_exact_mut(padded));
    for (b, (values, noise)) in of_samples.enumerate() {
        round(&dy[b * rows..][..rows], inverse[b], (0, seeds[b]), values, noise);
    }
}

/// Fills what [`OrderDy`] says.
#[inline(always)]
pub(in crate::kernel) fn order<const N: usize>(task: OrderDy<'_>) {
    let OrderDy { dy, rows, inverse, seeds, panels, values, noise } = task;
    let (values, noise) = (values.as_chunks_mut::<N>().0, noise.as_chunks_mut::<N>().0);
    let of_panels = values.as_chunks_mut::<PANEL_ROWS>().0.iter_mut().zip(noise.as_chunks_mut::<PANEL_ROWS>().0);
    for (panel, (values, noise)) in panels.zip(of_panels) {
        let first = panel * PANEL_ROWS;
        for b in (0..N).step_by(EIGHT) {
            // Of samples that are missing, what comes out is not used.
            let (mut of_samples, mut random) = ([[0i16; PANEL_ROWS]; EIGHT], [[0u8; PANEL_ROWS]; EIGHT]);
            let here = seeds.len().saturating_sub(b).min(EIGHT);
            for i in 0..here {
                let dy = &dy[(b + i) * rows..][first.min(rows)..rows.min(first + PANEL_ROWS)];
                round(dy, inverse[b + i], (first, seeds[b + i]), &mut of_samples[i], &mut random[i]);
            }
            transpose(&of_samples, &random, b, values, noise);
        }
    }
}

/// Writes the panels of eight samples to the lanes from `b` on.
#[inline(always)]
fn transpose<const N: usize>(
    of_samples: &[[i16; PANEL_ROWS]; EIGHT],
    random: &[[u8; PANEL_ROWS]; EIGHT],
    b: usize,
    values: &mut [[i16; N]; PANEL_ROWS],
    noise: &mut [[u8; N]; PANEL_ROWS],
) {
    for row in (0..PANEL_ROWS).step_by(EIGHT) {
        let mut words = [0; EIGHT];
        for i in 0..EIGHT {
            words[i] = u64::from_le_bytes(bytemuck::pod_read_unaligned(&random[i][row..row + EIGHT]));
        }
        for (noise, word) in noise[row..].iter_mut().zip(transpose_bytes(words)) {
            noise[b..b + EIGHT].copy_from_slice(&word.to_le_bytes());
        }
    }
    for row in (0..PANEL_ROWS).step_by(4) {
        for s in (0..EIGHT).step_by(4) {
            let mut words = [0; 4];
            for i in 0..4 {
                words[i] =
                    u64::from_le_bytes(bytemuck::pod_read_unaligned(bytemuck::cast_slice::<i16, u8>(&of_samples[s + i][row..row + 4])));
            }
            for (values, word) in values[row..].iter_mut().zip(transpose_shorts(words)) {
                values[b + s..b + s + 4].copy_from_slice(&bytemuck::cast::<_, [i16; 4]>(word.to_le_bytes()));
            }
        }
    }
}
