//! One step of the blocks of an activation.

use super::StepParams;
use super::bounds::Pace;
use super::charge::{FULL_CHARGE, PARTS, discharge};
use super::panel::StateSlices;
use super::reference::point;
use crate::kernel::noise::byte;
use crate::kernel::packed::activation::MIN_RADIUS;
use crate::packed::{BITS, CYCLE_BITS, Cycle, PackedTensor, TILE_ROWS};

/// Rate of an activation's charges over that of weights. A flip there changes a whole feature by much more than Δ_j, a first
/// order term, predicts: at the rate of weights some networks diverge (`benches/python/activations.py`).
const SHARE: f32 = 0.01;

/// What all blocks of a step share.
pub(crate) struct ActivationStep<'a> {
    pub w: &'a PackedTensor,
    pub p: &'a StepParams,
    /// Change of the loss for each flip, +inf where there is none (rows, 11).
    pub delta: &'a [f64],
    /// That, bounded (rows, 11).
    pub bounded: &'a [f64],
    /// Euclidean gradient of the level parameters (rows, 2).
    pub g: &'a [f64],
    /// `1 / sqrt(row moment)` (rows)
    pub row_scale: &'a [f32],
    /// `1 / sqrt(column moment)` (11)
    pub col_scale: &'a [f32],
    pub pace: Pace,
    /// Seed of this step's random numbers.
    pub stream: u32,
}

/// Updates bits, level parameters and state. Two flips that are valid alone may not be together; then only the one that lowers the loss
/// more is made. The number of flips, and the sum of what was added to the second moments of the level parameters.
pub(crate) fn update_activation(step: &ActivationStep<'_>, state: StateSlices<'_>) -> (u64, f64) {
    let (p, delta) = (step.p, step.delta);
    let mut tiles = step.w.tiles_mut();
    let (m, v) = (state.m.as_chunks_mut().0.as_chunks_mut().0, state.v.as_chunks_mut().0);
    let (mut flips, mut added) = (0, 0.0);
    for n in 0..step.w.rows() {
        let (tile, lane) = (&mut tiles[n / TILE_ROWS], n % TILE_ROWS);
        let hi = tile.hi(lane);
        let mut flipped = 0u64;
        for k in 0..CYCLE_BITS {
            let change =
                SHARE * p.lr_hi * FULL_CHARGE * PARTS * step.bounded[n * CYCLE_BITS + k] as f32 * step.row_scale[n] * step.col_scale[k];
            let (next, flip) = discharge(state.charges[n * BITS + k], change, byte(n, k, step.stream));
            state.charges[n * BITS + k] = next;
            flipped |= u64::from(flip && delta[n * CYCLE_BITS + k].is_finite()) << k;
        }
        if Cycle::from_bits(hi ^ flipped).is_none() {
            let best = (0..CYCLE_BITS)
                .filter(|k| flipped >> k & 1 == 1)
                .min_by(|a, b| delta[n * CYCLE_BITS + a].total_cmp(&delta[n * CYCLE_BITS + b]));
            flipped = best.map_or(0, |k| 1 << k);
        }
        flips += u64::from(flipped.count_ones());
        tile.set_hi(lane, hi ^ flipped);
        let z = [tile.z0[lane], tile.z1[lane]];
        let moments = (&mut m[n / TILE_ROWS], &mut v[n / TILE_ROWS], lane);
        let (next, square) = point(z, [step.g[2 * n], step.g[2 * n + 1]], moments, &step.pace);
        added += square;
        // θ needs a direction: stay away from the origin, on the side the step went to.
        let r = f64::from(next[0].hypot(next[1]));
        let next = match r {
            r if r >= MIN_RADIUS => next,
            r if r > 0.0 => next.map(|c| (f64::from(c) * MIN_RADIUS / r * (1.0 + 1e-6)) as f32),
            _ => [(MIN_RADIUS * (1.0 + 1e-6)) as f32, 0.0],
        };
        tile.z0[lane] = next[0];
        tile.z1[lane] = next[1];
    }
    (flips, added)
}
