//! The upstream gradient as 16-bit integers with samples in lanes, and the noise that rounds its products.

use super::operands::{OrderDy, PANEL_ROWS};
use super::quantise::ROUNDING;
use super::short_lanes::ShortLanes;
use crate::kernel::noise::hash;

/// Fills what [`OrderDy`] says for one sample, `N` being 1.
#[inline(always)]
pub(in crate::kernel) fn order_one(task: OrderDy<'_>) {
    let OrderDy { dy, rows, inverse, seeds, panels, values, noise } = task;
    let first = panels.start * PANEL_ROWS;
    let dy = &dy[first.min(rows)..rows.min(first + values.len())];
    let (here, padding) = values.split_at_mut(dy.len());
    for (value, dy) in here.iter_mut().zip(dy) {
        *value = (dy * inverse[0] + ROUNDING).to_bits() as i16; // as below
    }
    padding.fill(0);
    for (q, noise) in noise.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        *noise = hash((first / 4 + q) as u32, seeds[0]).to_le_bytes();
    }
}

/// Fills what [`OrderDy`] says.
#[inline(always)]
pub(in crate::kernel) fn order<S: ShortLanes<N>, const N: usize>(s: S, task: OrderDy<'_>) {
    let OrderDy { dy, rows, inverse, seeds, panels, values, noise } = task;
    let samples = seeds.len();
    let (mut factors, mut streams) = ([0.0f32; N], [0u32; N]);
    factors[..samples].copy_from_slice(inverse);
    streams[..samples].copy_from_slice(seeds);
    let first = panels.start * PANEL_ROWS;
    let (values, noise) = (values.as_chunks_mut::<N>().0, noise.as_chunks_mut::<N>().0);
    for (e, (values, noise)) in values.as_chunks_mut::<8>().0.iter_mut().zip(noise.as_chunks_mut::<8>().0).enumerate() {
        let row = first + 8 * e;
        for b in (0..N).step_by(8) {
            let mut from = [[0.0f32; 8]; 8];
            for (i, from) in from.iter_mut().enumerate() {
                let rest = if b + i < samples { &dy[(b + i) * rows..][row.min(rows)..rows] } else { &[] };
                match rest.first_chunk() {
                    Some(eight) => *from = *eight,
                    None => from[..rest.len()].copy_from_slice(rest),
                }
            }
            for (values, column) in values.iter_mut().zip(s.transpose(from.each_ref())) {
                for i in 0..8 {
                    // A sample that is not finite has any values: its scale is NaN.
                    values[b + i] = (column[i] * factors[b + i] + ROUNDING).to_bits() as i16;
                }
            }
        }
        for (q, noise) in noise.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            let counter = (row / 4 + q) as u32;
            let mut random = [0u32; N];
            for i in 0..N {
                random[i] = hash(counter, streams[i]);
            }
            for (k, noise) in noise.iter_mut().enumerate() {
                for i in 0..N {
                    noise[i] = (random[i] >> (8 * k)) as u8;
                }
            }
        }
    }
}
