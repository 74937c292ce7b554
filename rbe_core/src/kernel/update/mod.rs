//! One optimiser step of a packed tensor: charges of the bits, second moments, Riemannian Adam of the points.

mod activation;
pub(in crate::kernel) mod charge;
mod flip_score;
mod guard;
pub(in crate::kernel) mod level_parameters;
mod magnitude;
mod moments;
mod reference;
pub(in crate::kernel) mod rounded;
mod state;
mod vector;

pub use activation::step_activation;
pub(in crate::kernel) use flip_score::accumulate_row;
pub use flip_score::{Evidence, Precision};
pub use guard::{Guard, Sizes, correction};
pub(in crate::kernel) use level_parameters::to_points;
pub use magnitude::{Magnitude, sum_of_squares};
pub use state::State;

use self::flip_score::{Rescaled, Source};
use self::guard::{Bounds, power_of_two};
use crate::isa::{self, Isa};
use crate::kernel::noise::stream;
use crate::kernel::packed::row_panel::{PANEL_ROWS, panels};
use crate::kernel::scratch::scratch;
use crate::memory;
use crate::packed::{BITS, PackedTensor, TILE_ROWS, Tile};
use crate::parallel;

/// Charge that stands for 1.0.
pub const FULL_CHARGE: f32 = 127.0;
/// Decay of the second moments of G.
const BETA_G: f64 = 0.999;
/// Second moments below this are no evidence at all.
const TINY: f32 = 1e-30;

/// Rates and constants of a step.
#[derive(Debug, Clone, Copy)]
pub struct StepParams {
    /// Rate of the charges.
    pub lr_hi: f32,
    /// Rate of the points: length of a step in the disk.
    pub lr_lo: f32,
    /// Decays of the points' first and second moments.
    pub betas: (f32, f32),
    /// Weight of the post-flip correction of the points' gradient, 0 for none.
    pub interaction: f32,
    /// Seed of the stochastic rounding.
    pub seed: u64,
    /// Numbers in which the evidence is computed.
    pub evidence: Precision,
}

/// What a step did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StepStats {
    /// Bits flipped.
    pub flips: u64,
}

/// Mutable parts of one strip, owned by one task.
struct Strip<'a> {
    first: usize, // its first row
    tiles: &'a mut [Tile],
    charges: &'a mut [u8],
    m: &'a mut [f32],
    v: &'a mut [f32],
    row_moment: &'a mut [f32],
}

/// What all strips of a step share.
struct Context<'a> {
    w: &'a PackedTensor,
    p: &'a StepParams,
    source: &'a Source<'a>,
    row_scale: &'a [f32], // (rows)
    col_scale: &'a [f32], // (blocks * 64), 0 at unused bits
    pace: Pace,
    bounds: Bounds,
    stream: u32,
}

/// What Riemannian Adam takes besides points, gradients and moments.
pub(in crate::kernel) struct Pace {
    /// Rate of the points.
    lr: f64,
    /// Decays of the moments.
    betas: [f64; 2],
    /// `1 - beta^t` of both.
    corrections: [f64; 2],
    /// What the gradient is multiplied by.
    gain: f64,
    /// The largest square that is added to the second moment: as a multiple of it, and as such.
    most: [f64; 2],
}

impl Pace {
    fn new(p: &StepParams, bounds: &Bounds) -> Pace {
        let betas = [p.betas.0, p.betas.1].map(f64::from);
        let corrections = betas.map(|beta| correction(beta, bounds.steps + 1));
        let most = bounds.most(betas[1], bounds.usual.points);
        Pace { lr: f64::from(p.lr_lo), betas, corrections, gain: bounds.gain, most }
    }

    /// Of a tensor of which no step is known, to be completed.
    #[cfg(test)]
    fn plain() -> Pace {
        Pace { lr: 0.0, betas: [0.9, 0.999], corrections: [0.1, 0.001], gain: 1.0, most: [0.0, f64::INFINITY] }
    }
}

/// What one strip adds up.
struct Sums {
    flips: u64,
    columns: Vec<f64>, // of G², over the square of its unit
    points: f64,       // of what was added to the second moments of the points
}

/// Updates `w` and `state` from the weight cotangent `G` that `g` describes.
///
/// The second moments that scale the evidence are those before this step, so that one pass over G suffices. They are those of this very
/// step for the first one, and for a spike: a gradient far larger than the usual one (see [`Guard`]).
///
/// # Panics
/// If a slice has another length.
pub fn step(w: &PackedTensor, state: &mut State, g: Evidence<'_>, p: &StepParams) -> StepStats {
    step_on(isa::current(), w, state, g, p)
}

fn step_on(isa: Isa, w: &PackedTensor, state: &mut State, g: Evidence<'_>, p: &StepParams) -> StepStats {
    g.check(w);
    let magnitude = g.magnitude(w);
    let ceiling = Guard::ceiling(magnitude.bound);
    let bound = magnitude.bound * ceiling * ceiling;
    if state.guard.is_spike(bound, |usual| usual.bound) {
        let scale = ceiling * power_of_two((state.guard.usual().bound / bound).sqrt());
        if let Some(stats) = scaled_step(isa, w, state, g, p, magnitude, [ceiling, scale]) {
            return stats;
        }
    }
    scaled_step(isa, w, state, g, p, magnitude, [ceiling; 2]).unwrap_or_default()
}

/// The step for `ceiling · G`, from sums of `scale · G`. None, and nothing has changed, if the scales differ, as they do for a gradient
/// that may be a spike, and it is none.
fn scaled_step(
    isa: Isa,
    w: &PackedTensor,
    state: &mut State,
    g: Evidence<'_>,
    p: &StepParams,
    magnitude: Magnitude,
    [ceiling, scale]: [f64; 2],
) -> Option<StepStats> {
    let (rows, cols, blocks) = (w.rows(), w.cols(), w.blocks());
    let width = blocks * BITS;
    let copies = (scale != 1.0 || magnitude.uneven).then(|| g.rescaled(scale));
    let factors = copies.as_ref().map(Rescaled::factors);
    let g = match (&copies, &factors) {
        (Some(copies), Some(factors)) => Evidence { factors, folded: copies.folded(), magnitude: None },
        _ => g,
    };
    let stream = stream(p.seed, state.step);
    let source = Source::new(isa, g, w, p.evidence, stream);
    let (usual, suspect) = (state.guard.usual(), scale != ceiling);
    let own = (suspect || state.step == 0).then(|| moments::of_step(w, &source));
    let relative = (ceiling / scale).powi(2);
    let mut bounds = Bounds { gain: 1.0, usual, steps: state.step };
    if suspect {
        let square = own.as_ref().map_or(0.0, moments::OfStep::square);
        if !state.guard.is_spike(square * relative, |usual| usual.square) {
            return None;
        }
        // A spike counts as a gradient of the usual size in its direction.
        bounds.gain = (usual.square / square).sqrt();
    }
    let (row_scale, mut col_scale) = own.map_or_else(|| moments::running(state), |own| own.inverse_roots());
    memory::pad(&mut col_scale, width, 0.0);
    let pace = Pace::new(p, &bounds);
    let cx = Context { w, p, source: &source, row_scale: &row_scale, col_scale: &col_scale, pace, bounds, stream };
    let mut tiles = w.tiles_mut();
    let (mut charges, mut m, mut v) = (state.charges.write::<u8>(), state.m.write::<f32>(), state.v.write::<f32>());
    let mut row_moment = state.row_moment.write::<f32>();
    let mut work: Vec<Strip<'_>> = memory::with_capacity(panels(w));
    {
        let mut charges = charges.chunks_mut(PANEL_ROWS * width);
        let mut m = m.chunks_mut(PANEL_ROWS * blocks * 2);
        let mut v = v.chunks_mut(PANEL_ROWS * blocks);
        let mut moments = row_moment.chunks_mut(PANEL_ROWS);
        for (s, tiles) in tiles.chunks_mut(PANEL_ROWS / TILE_ROWS * blocks).enumerate() {
            if let (Some(charges), Some(m), Some(v), Some(row_moment)) = (charges.next(), m.next(), v.next(), moments.next()) {
                work.push(Strip { first: s * PANEL_ROWS, tiles, charges, m, v, row_moment });
            }
        }
    }
    let partial: Vec<Sums> = parallel::map_mut(&mut work, |s, strip| {
        if let (Some(set), 0.0) = (isa.vectors(), p.interaction) {
            return vector::strip(set, &cx, strip);
        }
        let mut of_strip = scratch(strip.row_moment.len() * width);
        source.strip(w, s, of_strip.slice_mut());
        reference::strip(&cx, strip, of_strip.slice())
    });
    drop(work);
    let mut columns = memory::zeros::<f64>(cols);
    let (mut flips, mut points) = (0, 0.0);
    for part in partial {
        flips += part.flips;
        points += part.points;
        columns.iter_mut().zip(part.columns).for_each(|(c, p)| *c += p);
    }
    let bounds = cx.bounds;
    for (moment, sum) in state.col_moment.write::<f32>().iter_mut().zip(&columns) {
        *moment = bounds.follow(*moment, sum / rows as f64);
    }
    drop((charges, m, v, row_moment));
    state.step += 1;
    let square = columns.iter().sum::<f64>() / (rows as f64 * cols as f64) * relative;
    let points = points / (rows as f64 * blocks as f64) / bounds.gain.powi(2) * relative;
    let now = Sizes { bound: magnitude.bound * ceiling * ceiling, square, points };
    state.record(now, |level| level.square, f64::from(p.betas.1));
    Some(StepStats { flips })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packed::FactorPair;
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

    /// Charges, bits, points, moments and flips after one step.
    fn after(isa: Isa, rows: usize, cols: usize, g: Evidence<'_>) -> (Vec<u8>, Vec<u64>, Vec<f32>, Vec<f32>, u64) {
        after_with(isa, rows, cols, g, &params())
    }

    fn after_with(
        isa: Isa,
        rows: usize,
        cols: usize,
        g: Evidence<'_>,
        params: &StepParams,
    ) -> (Vec<u8>, Vec<u64>, Vec<f32>, Vec<f32>, u64) {
        let w = weight(rows, cols);
        let mut state = State::new(&w, 3);
        let stats = step_on(isa, &w, &mut state, g, params);
        let moments = [&state.row_moment, &state.col_moment, &state.m, &state.v].map(|a| a.to_vec::<f32>().unwrap()).concat();
        (state.charges.to_vec::<u8>().unwrap(), w.hi(), w.lo(), moments, stats.flips)
    }

    fn close(what: &str, a: &[f32], b: &[f32], bound: f32) {
        assert_eq!(a.len(), b.len());
        let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs() / (1e-3 + b.abs())).fold(0.0, f32::max);
        assert!(worst <= bound, "{what}: {worst}");
    }

    #[test]
    fn vector_steps_are_the_plain_one() {
        for (rows, cols) in [(1usize, 1usize), (16, 64), (17, 65), (70, 191), (130, 320)] {
            let blocks = cols.div_ceil(BITS);
            let mut g = normal(rows * blocks * BITS, 2);
            for row in g.chunks_exact_mut(blocks * BITS) {
                row[cols..].fill(0.0);
            }
            let evidence = Evidence { folded: Some(&g), ..Evidence::default() };
            let plain = after(Isa::SCALAR, rows, cols, evidence);
            assert!(rows < 16 || plain.4 > 0, "no bit flipped");
            for isa in Isa::for_tests().into_iter().filter(|isa| *isa != Isa::SCALAR) {
                let vector = after(isa, rows, cols, evidence);
                // One G, one set of moments: the charges agree to the bit.
                assert!(plain.0 == vector.0 && plain.1 == vector.1 && plain.4 == vector.4, "{} {rows} {cols}", isa.name());
                close("points", &vector.2, &plain.2, 1e-5);
                close("moments", &vector.3, &plain.3, 1e-4);
            }
        }
    }

    #[test]
    fn steps_of_whole_numbers_are_the_same_on_every_set() {
        let mut of_int8 = params();
        of_int8.evidence = Precision::Int8;
        for (rows, cols, batch) in [(1usize, 1usize, 3usize), (16, 64, 20), (17, 65, 7), (70, 191, 300), (130, 1000, 33)] {
            let (x, dy) = (normal(batch * cols, 7), normal(batch * rows, 8));
            let factors = [FactorPair { x: &x, dy: &dy, batch }];
            for folded in [false, true] {
                let mut g = normal(rows * cols.div_ceil(BITS) * BITS, 2);
                g.chunks_exact_mut(cols.div_ceil(BITS) * BITS).for_each(|row| row[cols..].fill(0.0));
                let evidence = Evidence { factors: &factors, folded: folded.then_some(&g), magnitude: None };
                let step = |isa| after_with(isa, rows, cols, evidence, &of_int8);
                let plain = step(Isa::SCALAR);
                assert!(rows < 16 || plain.4 > 0, "no bit flipped");
                for isa in Isa::for_tests().into_iter().filter(|isa| *isa != Isa::SCALAR) {
                    let vector = step(isa);
                    assert!(plain.0 == vector.0 && plain.1 == vector.1 && plain.4 == vector.4, "{} {rows} {cols} {folded}", isa.name());
                    close("points", &vector.2, &plain.2, 1e-5);
                    close("moments", &vector.3, &plain.3, 1e-4);
                }
            }
        }
    }

    #[test]
    fn rows_strips_and_folded_parts_are_the_same_evidence() {
        let (rows, cols) = (37, 130);
        let w = weight(rows, cols);
        for batch in [1, 5, 40] {
            let (x, dy) = (normal(batch * cols, 7), normal(batch * rows, 8));
            let factors = [FactorPair { x: &x, dy: &dy, batch }];
            let mut g = vec![0.0; rows * w.blocks() * BITS];
            crate::kernel::packed::weight_gradient(&factors, &w, &mut g);
            let mut row = vec![0.0; w.blocks() * BITS];
            for n in 0..rows {
                accumulate_row(&factors, rows, cols, n, &mut row);
                close("row", &row, &g[n * row.len()..(n + 1) * row.len()], 1e-4);
            }
            let twice = Evidence { factors: &factors, folded: Some(&g), magnitude: None };
            for (precision, bound) in [(Precision::Exact, 1e-5), (Precision::Int8, 0.3)] {
                let mut sum = vec![0.0; 37 * w.blocks() * BITS];
                Source::new(isa::current(), twice, &w, precision, 3).strip(&w, 0, &mut sum);
                let error: f32 = sum.iter().zip(&g).map(|(s, g)| (s - 2.0 * g).powi(2)).sum();
                let size: f32 = g.iter().map(|g| 4.0 * g * g).sum();
                assert!((error / size).sqrt() <= bound * 0.1, "{precision:?} {batch}: {}", (error / size).sqrt());
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
                let now = after(isa, rows, cols, Evidence { factors: &factors, ..Evidence::default() });
                assert!(*first.get_or_insert_with(|| now.clone()) == now, "{} with {threads} threads", isa.name());
            }
        }
    }
}
