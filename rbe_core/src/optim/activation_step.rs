//! One optimiser step of the blocks of an activation.

use super::guard::{Guard, Sizes};
use super::packed_state::PackedState;
use crate::kernel::noise::stream;
use crate::kernel::update::{ActivationStep, Bounds, Pace, StepParams, running, update_activation};
use crate::memory;
use crate::packed::{CYCLE_BITS, PackedTensor};

/// As [`super::step_weights`] for the blocks of an activation: `delta (rows, 11)` is the change of the loss for each flip (+inf where
/// there is none), `g (rows, 2)` the Euclidean gradient of the level parameters. The number of bits flipped.
pub fn step_activation(w: &PackedTensor, state: &mut PackedState, delta: &[f64], g: &[f64], p: &StepParams) -> u64 {
    let rows = w.rows();
    let mean = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64;
    let usual = state.guard.usual();
    let scaled = |values: &[f64], by: f64| memory::collect(values.iter().map(|v| v * by));
    let g = scaled(g, Guard::ceiling(mean(g)));
    let square = mean(&g);
    // Flips into growing functions have scores of very different sizes: whether the gradient is a spike is seen by that of the level
    // parameters.
    let gain = if state.guard.is_spike(square, |usual| usual.square) { (usual.square / square).sqrt() } else { 1.0 };
    let bounded = memory::collect(delta.iter().map(|d| if d.is_finite() { d * gain } else { 0.0 }));
    let bounded = scaled(&bounded, Guard::ceiling(mean(&bounded)));
    let mean_of_row = |r: &[f64]| r.iter().map(|d| d * d).sum::<f64>() / CYCLE_BITS as f64;
    let row_means = memory::collect(bounded.chunks_exact(CYCLE_BITS).map(mean_of_row));
    let col_means: Vec<f64> =
        (0..CYCLE_BITS).map(|k| bounded.iter().skip(k).step_by(CYCLE_BITS).map(|d| d * d).sum::<f64>() / rows as f64).collect();
    // These moments scale the flip scores of this very step, which is what bounds them: they take all of it.
    let of_scores = Bounds { gain: 1.0, usual_square: 0.0, usual_points: 0.0, steps: state.step };
    for (moment, now) in [(&state.row_moment, &row_means), (&state.col_moment, &col_means)] {
        moment.write::<f32>().iter_mut().zip(now).for_each(|(m, v)| *m = of_scores.follow(*m, *v));
    }
    let (row_scale, col_scale) = running(&state.row_moment.read::<f32>(), &state.col_moment.read::<f32>(), state.step + 1);
    let bounds = Bounds { gain, usual_square: usual.square, usual_points: usual.points, steps: state.step };
    let (row_scale, col_scale) = (&row_scale[..], &col_scale[..]);
    let (pace, stream) = (Pace::new(p, &bounds), stream(p.seed, state.step));
    let step = ActivationStep { w, p, delta, bounded: &bounded, g: &g, row_scale, col_scale, pace, stream };
    let (flips, added) = state.with_slices(|slices| update_activation(&step, slices));
    state.step += 1;
    let now = Sizes { bound: mean(&bounded) / gain.powi(2), square, points: added / rows as f64 / gain.powi(2) };
    state.record(now, |level| level.bound, f64::from(p.betas.1));
    flips
}
