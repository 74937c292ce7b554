//! One optimiser step of a packed weight: charges of the bits, second moments, Riemannian Adam of the level parameters.

use super::guard::{Guard, Sizes};
use super::packed_state::PackedState;
use crate::isa::{self, Isa};
use crate::kernel::noise::stream;
use crate::kernel::update::{Bounds, OfStep, Pace, Rescaled, Source, StepParams, WeightStep};
use crate::kernel::update::{magnitude, of_step, power_of_two, running, update_weights};
use crate::memory;
use crate::packed::{BITS, Magnitude, PackedGradient, PackedTensor};

/// Updates `w` and `state` from the gradient of a weight. The number of bits flipped.
///
/// The second moments that scale the flip scores are those before this step, so that one pass over `G` suffices. They are those of this
/// very step for the first one, and for a spike: a gradient far larger than the usual one (see [`Guard`]).
///
/// # Panics
/// If a slice has another length.
pub fn step_weights(w: &PackedTensor, state: &mut PackedState, g: PackedGradient<'_>, p: &StepParams) -> u64 {
    step_on(isa::current(), w, state, g, p)
}

/// How large a gradient is, and what it is multiplied by.
#[derive(Clone, Copy)]
struct Scaling {
    magnitude: Magnitude,
    /// What keeps its squares inside single precision.
    ceiling: f64,
    /// What `G` is multiplied by where it is summed.
    scale: f64,
}

fn step_on(isa: Isa, w: &PackedTensor, state: &mut PackedState, g: PackedGradient<'_>, p: &StepParams) -> u64 {
    g.check(w);
    let magnitude = magnitude(&g, w);
    let ceiling = Guard::ceiling(magnitude.bound);
    let bound = magnitude.bound * ceiling * ceiling;
    if state.guard.is_spike(bound, |usual| usual.bound) {
        let scale = ceiling * power_of_two((state.guard.usual().bound / bound).sqrt());
        if let Some(flips) = scaled_step(isa, w, state, g, p, Scaling { magnitude, ceiling, scale }) {
            return flips;
        }
    }
    scaled_step(isa, w, state, g, p, Scaling { magnitude, ceiling, scale: ceiling }).unwrap_or_default()
}

/// The step for `ceiling · G`, from sums of `scale · G`. None, and nothing has changed, if the scales differ, as they do for a gradient
/// that may be a spike, and it is none.
fn scaled_step(
    isa: Isa,
    w: &PackedTensor,
    state: &mut PackedState,
    g: PackedGradient<'_>,
    p: &StepParams,
    Scaling { magnitude, ceiling, scale }: Scaling,
) -> Option<u64> {
    let (rows, cols, blocks) = (w.rows(), w.cols(), w.blocks());
    let copies = (scale != 1.0 || magnitude.uneven).then(|| Rescaled::new(&g, scale));
    let factors = copies.as_ref().map(Rescaled::factors);
    let g = match (&copies, &factors) {
        (Some(copies), Some(factors)) => PackedGradient { factors, folded: copies.folded(), magnitude: None },
        _ => g,
    };
    let stream = stream(p.seed, state.step);
    let source = Source::new(isa, g, w, p.evidence, stream);
    let (usual, suspect) = (state.guard.usual(), scale != ceiling);
    let own = (suspect || state.step == 0).then(|| of_step(w, &source));
    let relative = (ceiling / scale).powi(2);
    let mut gain = 1.0;
    if suspect {
        let square = own.as_ref().map_or(0.0, OfStep::square);
        if !state.guard.is_spike(square * relative, |usual| usual.square) {
            return None;
        }
        // A spike counts as a gradient of the usual size in its direction.
        gain = (usual.square / square).sqrt();
    }
    let running = || running(&state.row_moment.read::<f32>(), &state.col_moment.read::<f32>(), state.step);
    let (row_scale, mut col_scale) = own.map_or_else(running, |own| own.inverse_roots());
    memory::pad(&mut col_scale, blocks * BITS, 0.0);
    let bounds = Bounds { gain, usual_square: usual.square, usual_points: usual.points, steps: state.step };
    let pace = Pace::new(p, &bounds);
    let step = WeightStep { w, p, source: &source, row_scale: &row_scale, col_scale: &col_scale, pace, bounds, stream };
    let sums = state.with_slices(|slices| update_weights(&step, slices));
    state.step += 1;
    let square = sums.columns.iter().sum::<f64>() / (rows as f64 * cols as f64) * relative;
    let points = sums.points / (rows as f64 * blocks as f64) / gain.powi(2) * relative;
    let now = Sizes { bound: magnitude.bound * ceiling * ceiling, square, points };
    state.record(now, |level| level.square, f64::from(p.betas.1));
    Some(sums.flips)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::update::Precision;
    use crate::packed::{BITS, FactorPair};
    use crate::parallel;
    use crate::random::Generator;

    fn normal(n: usize, seed: u64) -> Vec<f32> {
        let mut out = vec![0.0f32; n];
        Generator::new(seed).stream().normal(&mut out);
        out
    }

    fn weight(rows: usize, cols: usize) -> PackedTensor {
        PackedTensor::random(&[rows, cols], None, Generator::new(1).stream()).unwrap()
    }

    fn params() -> StepParams {
        StepParams { lr_hi: 0.6, lr_lo: 0.03, betas: (0.9, 0.999), interaction: 0.0, seed: 5, evidence: Precision::Exact }
    }

    /// Charges, bits, level parameters, moments and flips after one step.
    fn after(isa: Isa, rows: usize, cols: usize, g: PackedGradient<'_>) -> (Vec<u8>, Vec<u64>, Vec<f32>, Vec<f32>, u64) {
        after_with(isa, rows, cols, g, &params())
    }

    fn after_with(
        isa: Isa,
        rows: usize,
        cols: usize,
        g: PackedGradient<'_>,
        params: &StepParams,
    ) -> (Vec<u8>, Vec<u64>, Vec<f32>, Vec<f32>, u64) {
        let w = weight(rows, cols);
        let mut state = PackedState::new(&w, 3);
        let flips = step_on(isa, &w, &mut state, g, params);
        let moments = [&state.row_moment, &state.col_moment, &state.m, &state.v].map(|a| a.to_vec::<f32>().unwrap()).concat();
        (state.charges.to_vec::<u8>().unwrap(), w.hi(), w.lo(), moments, flips)
    }

    fn close(what: &str, a: &[f32], b: &[f32], bound: f32) {
        assert_eq!(a.len(), b.len());
        let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs() / (1e-3 + b.abs())).fold(0.0, f32::max);
        assert!(worst <= bound, "{what}: {worst}");
    }

    /// Parameters that take the plain twin, with an interaction that changes nothing.
    fn plainly(p: StepParams) -> StepParams {
        StepParams { interaction: f32::MIN_POSITIVE, ..p }
    }

    #[test]
    fn vector_steps_are_the_plain_one() {
        for (rows, cols) in [(1usize, 1usize), (16, 64), (17, 65), (70, 191), (130, 320)] {
            let blocks = cols.div_ceil(BITS);
            let mut g = normal(rows * blocks * BITS, 2);
            for row in g.chunks_exact_mut(blocks * BITS) {
                row[cols..].fill(0.0);
            }
            let gradient = PackedGradient { folded: Some(&g), ..PackedGradient::default() };
            let plain = after_with(Isa::SCALAR, rows, cols, gradient, &plainly(params()));
            assert!(rows < 16 || plain.4 > 0, "no bit flipped");
            let first = after(Isa::SCALAR, rows, cols, gradient);
            for isa in Isa::for_tests() {
                let vector = after(isa, rows, cols, gradient);
                assert!(vector == first, "{} {rows} {cols}: not that of plain Rust, to the bit", isa.name());
                // One G, one set of moments: the charges agree to the bit.
                assert!(plain.0 == vector.0 && plain.1 == vector.1 && plain.4 == vector.4, "{} {rows} {cols}", isa.name());
                close("level parameters", &vector.2, &plain.2, 1e-5);
                close("moments", &vector.3, &plain.3, 1e-4);
            }
        }
    }

    #[test]
    fn steps_of_integers_are_the_same_on_every_set() {
        let mut of_int8 = params();
        of_int8.evidence = Precision::Int8;
        for (rows, cols, batch) in [(1usize, 1usize, 3usize), (16, 64, 20), (17, 65, 7), (70, 191, 300), (130, 1000, 33)] {
            let (x, dy) = (normal(batch * cols, 7), normal(batch * rows, 8));
            let factors = [FactorPair { x: &x, dy: &dy, batch }];
            for folded in [false, true] {
                let mut g = normal(rows * cols.div_ceil(BITS) * BITS, 2);
                g.chunks_exact_mut(cols.div_ceil(BITS) * BITS).for_each(|row| row[cols..].fill(0.0));
                let gradient = PackedGradient { factors: &factors, folded: folded.then_some(&g), magnitude: None };
                let plain = after_with(Isa::SCALAR, rows, cols, gradient, &plainly(of_int8));
                assert!(rows < 16 || plain.4 > 0, "no bit flipped");
                let first = after_with(Isa::SCALAR, rows, cols, gradient, &of_int8);
                for isa in Isa::for_tests() {
                    let vector = after_with(isa, rows, cols, gradient, &of_int8);
                    assert!(vector == first, "{} {rows} {cols} {folded}: not that of plain Rust, to the bit", isa.name());
                    assert!(plain.0 == vector.0 && plain.1 == vector.1 && plain.4 == vector.4, "{} {rows} {cols} {folded}", isa.name());
                    close("level parameters", &vector.2, &plain.2, 1e-5);
                    close("moments", &vector.3, &plain.3, 1e-4);
                }
            }
        }
    }

    #[test]
    fn steps_do_not_depend_on_the_number_of_threads() {
        let (rows, cols, batch) = (300, 130, 20);
        let (x, dy) = (normal(batch * cols, 7), normal(batch * rows, 8));
        let factors = [FactorPair { x: &x, dy: &dy, batch }];
        for isa in Isa::for_tests() {
            let mut first = None;
            for threads in [1, 2, 4, 8] {
                parallel::set_num_threads(threads).unwrap();
                let now = after(isa, rows, cols, PackedGradient { factors: &factors, ..PackedGradient::default() });
                assert!(*first.get_or_insert_with(|| now.clone()) == now, "{} with {threads} threads", isa.name());
            }
        }
    }
}
