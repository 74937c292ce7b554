//! One optimiser step of the blocks of an activation.

use super::charge::{PARTS, discharge};
use super::moments::inverse_roots;
use super::reference::point;
use super::{BETA_G, Bounds, FULL_CHARGE, Guard, Pace, Sizes, State, StepParams, StepStats, correction};
use crate::kernel::noise::{byte, stream};
use crate::kernel::packed::activation::MIN_RADIUS;
use crate::memory;
use crate::packed::{BITS, CYCLE_BITS, Cycle, PackedTensor, TILE_ROWS};

/// Rate of an activation's charges over that of weights. A flip there changes a whole feature by much more than Δ_j, a first
/// order term, foresees: at the rate of weights some networks diverge (`benches/python/activations.py`).
const SHARE: f32 = 0.01;

/// As [`super::step`] for the blocks of an activation: `delta (rows, 11)` is the change of the loss for each flip (+inf where
/// there is none), `g (rows, 2)` the Euclidean gradient of the points. Two flips that are valid alone may not be together;
/// then only the one that lowers the loss more is made.
pub fn step_activation(w: &PackedTensor, state: &mut State, delta: &[f64], g: &[f64], p: &StepParams) -> StepStats {
    let rows = w.rows();
    let stream = stream(p.seed, state.step);
    let mean = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64;
    let usual = state.guard.usual();
    let scaled = |values: &[f64], by: f64| memory::collect(values.iter().map(|v| v * by));
    let g = scaled(g, Guard::ceiling(mean(g)));
    let square = mean(&g);
    // Flips into growing functions make evidence of very different sizes: whether the gradient is a spike is seen by that of the points.
    let gain = if state.guard.is_spike(square, |usual| usual.square) { (usual.square / square).sqrt() } else { 1.0 };
    let evidence = memory::collect(delta.iter().map(|d| if d.is_finite() { d * gain } else { 0.0 }));
    let evidence = scaled(&evidence, Guard::ceiling(mean(&evidence)));
    let mean_of_row = |r: &[f64]| r.iter().map(|d| d * d).sum::<f64>() / CYCLE_BITS as f64;
    let row_means = memory::collect(evidence.chunks_exact(CYCLE_BITS).map(mean_of_row));
    let col_means: Vec<f64> =
        (0..CYCLE_BITS).map(|k| evidence.iter().skip(k).step_by(CYCLE_BITS).map(|d| d * d).sum::<f64>() / rows as f64).collect();
    // These moments scale the evidence of this very step, which is what bounds it: they take all of it.
    let of_evidence = Bounds { gain: 1.0, usual: Sizes::default(), steps: state.step };
    for (moment, now) in [(&state.row_moment, &row_means), (&state.col_moment, &col_means)] {
        moment.write::<f32>().iter_mut().zip(now).for_each(|(m, v)| *m = of_evidence.follow(*m, *v));
    }
    let correction = correction(BETA_G, state.step + 1);
    let (row_scale, col_scale) = inverse_roots(&state.row_moment.read::<f32>(), &state.col_moment.read::<f32>(), correction);
    let bounds = Bounds { gain, usual, steps: state.step };
    let pace = Pace::new(p, &bounds);
    let (mut tiles, mut charges) = (w.tiles_mut(), state.charges.write::<u8>());
    let (mut m, mut v) = (state.m.write::<f32>(), state.v.write::<f32>());
    let of_tiles = (m.as_chunks_mut().0.as_chunks_mut().0, v.as_chunks_mut().0);
    let (mut flips, mut added) = (0, 0.0);
    for n in 0..rows {
        let (tile, lane) = (&mut tiles[n / TILE_ROWS], n % TILE_ROWS);
        let hi = tile.hi(lane);
        let mut flipped = 0u64;
        for k in 0..CYCLE_BITS {
            let change = SHARE * p.lr_hi * FULL_CHARGE * PARTS * evidence[n * CYCLE_BITS + k] as f32 * row_scale[n] * col_scale[k];
            let (next, flip) = discharge(charges[n * BITS + k], change, byte(n, k, stream));
            charges[n * BITS + k] = next;
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
        let moments = (&mut of_tiles.0[n / TILE_ROWS], &mut of_tiles.1[n / TILE_ROWS], lane);
        let (next, square) = point(z, [g[2 * n], g[2 * n + 1]], moments, &pace);
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
    drop((m, v, charges));
    state.step += 1;
    let now = Sizes { bound: mean(&evidence) / gain.powi(2), square, points: added / rows as f64 / gain.powi(2) };
    state.record(now, |level| level.bound, f64::from(p.betas.1));
    StepStats { flips }
}
