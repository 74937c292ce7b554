//! One optimiser step of a packed tensor: charges of the bits, second moments, Riemannian Adam of the points.

use super::dense::strip_gradient;
use super::isa::{Isa, isa};
use super::packed::Factor;
use super::strip::{STRIP_ROWS, rows_of, scratch, strips};
use super::{charge, wide};
use crate::array::Array;
use crate::disk;
use crate::dtype::DType;
use crate::error::{RbeError, Result};
use crate::kernel::activation::MIN_RADIUS;
use crate::packed::{BITS, CYCLE_BITS, Cycle, PackedTensor, TILE_ROWS, Tile, pull_back};
use crate::parallel;

/// Charge that stands for 1.0.
pub const FULL_CHARGE: f32 = 127.0;
/// Charge added to a fresh flip: it must be contradicted, not merely doubted.
pub const HYSTERESIS: f32 = 38.0; // 0.3 of a full charge
/// Decay of the second moments of G.
const BETA_G: f64 = 0.999;
/// Second moments below this are no evidence at all.
const TINY: f32 = 1e-30;

/// Optimiser state of one packed tensor: 1 byte a weight and 12 bytes a block, plus rows + columns numbers.
#[derive(Clone)]
pub struct State {
    /// Charge of every bit, int8 in `[0, 127]` stored as bytes: (rows, blocks * 64).
    pub charges: Array,
    /// Running mean of G² over each row (rows), f32, not bias-corrected.
    pub row_moment: Array,
    /// Running mean of G² over each column (cols), f32, not bias-corrected.
    pub col_moment: Array,
    /// First moment of the points' gradient, a tangent vector at each point: (rows, blocks, 2) f32.
    pub m: Array,
    /// Second moment of the points' gradient in the metric: (rows, blocks) f32.
    pub v: Array,
    /// Steps taken.
    pub step: u64,
}

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
}

/// What a step did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StepStats {
    /// Bits flipped.
    pub flips: u64,
}

/// 32 random bits of a counter (a variant of the integer hash "lowbias32" by C. Wellons).
pub(super) fn hash(counter: u32, seed: u32) -> u32 {
    let mut x = counter.wrapping_add(seed);
    x = (x ^ (x >> 16)).wrapping_mul(0x21f0_aaad);
    x = (x ^ (x >> 15)).wrapping_mul(0x735a_2d97);
    x ^ (x >> 15)
}

/// Seed of one step's stream: SplitMix64 of (seed, step).
pub(super) fn stream(seed: u64, step: u64) -> u32 {
    let mut z = seed.wrapping_add(step.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 32) as u32
}

/// Uniform number in (0, 1) for weight `k` of block `block`: byte `k / 16` of the hash of `(block, k % 16)`.
pub(super) fn uniform(block: usize, k: usize, stream: u32) -> f32 {
    let h = hash((block * 16 + k % 16) as u32, stream);
    (((h >> (8 * (k / 16))) & 255) as f32 + 0.5) * (1.0 / 256.0)
}

impl State {
    /// Fresh state for `w`: charges uniform in `[0, 127]`, moments zero.
    pub fn new(w: &PackedTensor, seed: u64) -> State {
        let (rows, blocks) = (w.rows(), w.blocks());
        let stream = stream(seed, u64::MAX);
        let charges = Array::build(&[rows, blocks * BITS], |out: &mut [u8]| {
            for (i, c) in out.iter_mut().enumerate() {
                *c = (uniform(i / BITS, i % BITS, stream) * 128.0) as u8;
            }
        });
        State {
            charges,
            row_moment: Array::zeros(DType::F32, &[rows]),
            col_moment: Array::zeros(DType::F32, &[w.cols()]),
            m: Array::zeros(DType::F32, &[rows, blocks, 2]),
            v: Array::zeros(DType::F32, &[rows, blocks]),
            step: 0,
        }
    }

    /// The arrays by name; none of them depends on instruction set or thread count.
    pub fn arrays(&self) -> Vec<(&'static str, &Array)> {
        vec![
            ("charges", &self.charges),
            ("row_moment", &self.row_moment),
            ("col_moment", &self.col_moment),
            ("exp_avg", &self.m),
            ("exp_avg_sq", &self.v),
        ]
    }

    /// Replaces the arrays, given in the order of [`State::arrays`] and with their shapes and dtypes.
    ///
    /// # Errors
    /// `Value` for a charge above 127; `NonFinite` for a moment that is not finite. Nothing changes then.
    pub fn replace(&mut self, arrays: Vec<Array>, step: u64) -> Result<()> {
        const OP: &str = "load_state_dict";
        let [charges, row_moment, col_moment, m, v]: [Array; 5] =
            arrays.try_into().map_err(|a: Vec<Array>| RbeError::value(OP, "five arrays", a.len()))?;
        if let Some(bad) = charges.read::<u8>().iter().find(|c| f32::from(**c) > FULL_CHARGE) {
            return Err(RbeError::value(OP, "charges from 0 to 127", bad));
        }
        for a in [&row_moment, &col_moment, &m, &v] {
            if let Some(bad) = a.read::<f32>().iter().find(|v| !v.is_finite()) {
                return Err(RbeError::non_finite(OP, "finite moments", bad));
            }
        }
        *self = State { charges, row_moment, col_moment, m, v, step };
        Ok(())
    }

    /// Bytes held.
    pub fn nbytes(&self) -> usize {
        [&self.charges, &self.row_moment, &self.col_moment, &self.m, &self.v].iter().map(|a| a.nbytes()).sum()
    }
}

/// Mutable parts of one strip, owned by one task.
struct Strip<'a> {
    tiles: &'a mut [Tile],
    charges: &'a mut [u8],
    m: &'a mut [f32],
    v: &'a mut [f32],
    row_moment: &'a mut [f32],
}

/// Updates `w` and `state` from `G = Σ dyᵀ x`. `levels` is the gradient of the levels (rows, blocks, 2) where backward
/// computed it already.
///
/// The second moments that scale the evidence are those before this step (of this very step, for the first), so that
/// one pass over G suffices.
///
/// # Panics
/// If a slice has another length.
pub fn step(w: &PackedTensor, state: &mut State, factors: &[Factor<'_>], levels: Option<&[f32]>, p: &StepParams) -> StepStats {
    let (rows, cols, blocks) = (w.rows(), w.cols(), w.blocks());
    let width = blocks * BITS;
    assert!(factors.iter().all(|f| f.x.len() == f.batch * cols && f.dy.len() == f.batch * rows), "packed step: lengths");
    assert!(levels.is_none_or(|l| l.len() == rows * blocks * 2), "packed step: lengths");
    let (row_scale, col_scale) = if state.step == 0 { first_moments(w, factors) } else { running_moments(state) };

    let stream = stream(p.seed, state.step);
    let t = (state.step + 1) as i32;
    let corrections = [1.0 - f64::from(p.betas.0).powi(t), 1.0 - f64::from(p.betas.1).powi(t)];
    let mut tiles = w.tiles_mut();
    let (mut charges, mut m, mut v) = (state.charges.write::<u8>(), state.m.write::<f32>(), state.v.write::<f32>());
    let mut row_moment = state.row_moment.write::<f32>();
    let mut work: Vec<Strip<'_>> = Vec::with_capacity(strips(w));
    {
        let mut charges = charges.chunks_mut(STRIP_ROWS * width);
        let mut m = m.chunks_mut(STRIP_ROWS * blocks * 2);
        let mut v = v.chunks_mut(STRIP_ROWS * blocks);
        let mut moments = row_moment.chunks_mut(STRIP_ROWS);
        for tiles in tiles.chunks_mut(STRIP_ROWS / TILE_ROWS * blocks) {
            if let (Some(charges), Some(m), Some(v), Some(row_moment)) = (charges.next(), m.next(), v.next(), moments.next()) {
                work.push(Strip { tiles, charges, m, v, row_moment });
            }
        }
    }
    let isa = isa();
    let padded: Vec<f32> = col_scale.iter().copied().chain(std::iter::repeat_n(0.0, width - cols)).collect();
    let partial: Vec<(u64, Vec<f64>)> = parallel::map_mut(&mut work, |s, strip| match isa {
        _ if isa != Isa::Scalar && p.interaction == 0.0 => {
            vector_strip(isa, w, s, strip, factors, levels, p, corrections, &row_scale, &padded, stream)
        }
        _ => plain_strip(w, s, strip, factors, levels, p, corrections, &row_scale, &col_scale, stream),
    });
    drop(work);
    let mut columns = vec![0.0f64; cols];
    let mut flips = 0;
    for (f, part) in partial {
        flips += f;
        columns.iter_mut().zip(part).for_each(|(c, p)| *c += p);
    }
    for (moment, sum) in state.col_moment.write::<f32>().iter_mut().zip(columns) {
        *moment = (BETA_G * f64::from(*moment) + (1.0 - BETA_G) * sum / rows as f64) as f32;
    }
    drop((charges, m, v, row_moment));
    state.step += 1;
    StepStats { flips }
}

/// One strip in plain loops: the twin of [`vector_strip`], and what the interaction option runs on.
#[allow(clippy::too_many_arguments)] // one strip's worth of everything
fn plain_strip(
    w: &PackedTensor,
    s: usize,
    strip: &mut Strip<'_>,
    factors: &[Factor<'_>],
    levels: Option<&[f32]>,
    p: &StepParams,
    corrections: [f64; 2],
    row_scale: &[f32],
    col_scale: &[f32],
    stream: u32,
) -> (u64, Vec<f64>) {
    let (cols, blocks) = (w.cols(), w.blocks());
    let width = blocks * BITS;

    let here = rows_of(w, s);
    let mut g = scratch(here * width);
    strip_gradient(factors, w, s, g.slice_mut());
    let g: &[f32] = g.slice();
    let mut flips = 0;
    let mut columns = vec![0.0f64; cols];
    for r in 0..here {
        let n = s * STRIP_ROWS + r;
        let row = &g[r * width..(r + 1) * width];
        let mut square = 0.0;
        for (k, g) in row[..cols].iter().enumerate() {
            let gg = f64::from(*g) * f64::from(*g);
            square += gg;
            columns[k] += gg;
        }
        strip.row_moment[r] = (BETA_G * f64::from(strip.row_moment[r]) + (1.0 - BETA_G) * square / cols as f64) as f32;
        for j in 0..blocks {
            let block = n * blocks + j;
            let (tile, lane) = (&mut strip.tiles[r / TILE_ROWS * blocks + j], r % TILE_ROWS);
            let z = [tile.z0[lane], tile.z1[lane]];
            let used = BITS.min(cols - j * BITS);
            let (hi, g) = (tile.hi(lane), &row[j * BITS..j * BITS + used]);
            let charges = &mut strip.charges[r * width + j * BITS..][..used];
            let flipped = charge(g, hi, z, &col_scale[j * BITS..], row_scale[n], charges, p.lr_hi, block, stream);
            flips += u64::from(flipped.count_ones());
            tile.set_hi(lane, hi ^ flipped);

            let mut gv = [0.0f32; 2];
            match levels {
                Some(levels) => gv.copy_from_slice(&levels[2 * block..2 * block + 2]),
                None => g.iter().enumerate().for_each(|(k, g)| gv[(hi >> k & 1) as usize] += g),
            }
            if p.interaction != 0.0 {
                // Σ I_k over the flipped bits moves G_k from one level's sum to the other's.
                for (k, g) in g.iter().enumerate().filter(|(k, _)| flipped >> k & 1 == 1) {
                    let from = (hi >> k & 1) as usize;
                    gv[from] -= p.interaction * g;
                    gv[1 - from] += p.interaction * g;
                }
            }
            let at = r * blocks + j;
            let next = point(z, pull_back(z, w.scale(), gv), &mut strip.m[2 * at..2 * at + 2], &mut strip.v[at], p, corrections);
            tile.z0[lane] = next[0];
            tile.z1[lane] = next[1];
        }
    }
    (flips, columns)
}

/// Calls the kernel of the instruction set.
macro_rules! by_isa {
    ($isa:expr, $kernel:ident($($argument:expr),*)) => {
        match $isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => super::avx512::$kernel($($argument),*),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => super::avx2::$kernel($($argument),*),
            _ => unreachable!("only sets with kernels of their own come here"),
        }
    };
}

/// One strip with sixteen weights or rows in a vector.
#[allow(clippy::too_many_arguments)] // one strip's worth of everything
fn vector_strip(
    isa: Isa,
    w: &PackedTensor,
    s: usize,
    strip: &mut Strip<'_>,
    factors: &[Factor<'_>],
    levels: Option<&[f32]>,
    p: &StepParams,
    corrections: [f64; 2],
    row_scale: &[f32],
    col_scale: &[f32],
    stream: u32,
) -> (u64, Vec<f64>) {
    let (cols, blocks, here) = (w.cols(), w.blocks(), rows_of(w, s));
    let width = blocks * BITS;
    let mut g = scratch(here * width);
    strip_gradient(factors, w, s, g.slice_mut());
    let g: &[f32] = g.slice();
    let (mut squares, mut flips) = (vec![0.0f32; width], 0);
    let (mut hi, mut rate) = (vec![0u64; blocks], vec![0.0f32; blocks]);
    let mut own = Vec::new(); // gradient of the levels, where backward has not computed it
    if levels.is_none() {
        own.resize(here * blocks * 2, 0.0f32);
        for r in 0..here {
            for j in 0..blocks {
                let gv = &mut own[2 * (r * blocks + j)..][..2];
                super::scalar::level_gradient(
                    &g[r * width + j * BITS..][..BITS],
                    &[strip.tiles[r / TILE_ROWS * blocks + j].hi(r % TILE_ROWS)],
                    gv,
                );
            }
        }
    }
    let gv = levels.map_or(&own[..], |l| &l[s * STRIP_ROWS * blocks * 2..]);
    for r in 0..here {
        let n = s * STRIP_ROWS + r;
        for j in 0..blocks {
            let (tile, lane) = (&strip.tiles[r / TILE_ROWS * blocks + j], r % TILE_ROWS);
            hi[j] = tile.hi(lane);
            let up = f32::from(u8::from(tile.z1[lane] > tile.z0[lane])) - f32::from(u8::from(tile.z1[lane] < tile.z0[lane]));
            rate[j] = p.lr_hi * FULL_CHARGE * up * row_scale[n];
        }
        let mut square = 0.0f32;
        let row = charge::Row {
            g: &g[r * width..(r + 1) * width],
            hi: &mut hi,
            rate: &rate,
            col_scale,
            charges: &mut strip.charges[r * width..(r + 1) * width],
            squares: &mut squares,
            square: &mut square,
            block: n * blocks,
            stream,
        };
        // SAFETY: `isa` is one of this machine's.
        flips += u64::from(unsafe { by_isa!(isa, charge_row(row)) });
        for j in 0..blocks {
            strip.tiles[r / TILE_ROWS * blocks + j].set_hi(r % TILE_ROWS, hi[j]);
        }
        strip.row_moment[r] = (BETA_G * f64::from(strip.row_moment[r]) + (1.0 - BETA_G) * f64::from(square) / cols as f64) as f32;
    }
    for t in 0..here.div_ceil(TILE_ROWS) {
        let rows = (here - t * TILE_ROWS).min(TILE_ROWS);
        for j in 0..blocks {
            let at = |r: usize| (t * TILE_ROWS + r) * blocks + j;
            let mut gradient = [[0.0f32; TILE_ROWS]; 2];
            let (mut m, mut v) = ([[0.0f32; TILE_ROWS]; 2], [0.0f32; TILE_ROWS]);
            for r in 0..rows {
                for a in 0..2 {
                    gradient[a][r] = gv[2 * at(r) + a];
                    m[a][r] = strip.m[2 * at(r) + a];
                }
                v[r] = strip.v[at(r)];
            }
            let (mut m_out, mut v_out) = ([[0.0f32; TILE_ROWS]; 2], [0.0f32; TILE_ROWS]);
            let points = wide::Points {
                tile: &mut strip.tiles[t * blocks + j],
                levels: gradient,
                m,
                v,
                m_out: &mut m_out,
                v_out: &mut v_out,
                scale: f64::from(w.scale()),
                lr: f64::from(p.lr_lo),
                betas: [f64::from(p.betas.0), f64::from(p.betas.1)],
                corrections,
            };
            // SAFETY: as above.
            unsafe { by_isa!(isa, points(points)) };
            for r in 0..rows {
                for a in 0..2 {
                    strip.m[2 * at(r) + a] = m_out[a][r];
                }
                strip.v[at(r)] = v_out[r];
            }
        }
    }
    (flips, squares[..cols].iter().map(|v| f64::from(*v)).collect())
}

/// Updates the charges of one block; the bits to flip.
#[allow(clippy::too_many_arguments)] // one block's worth of everything
fn charge(
    g: &[f32],
    hi: u64,
    z: [f32; 2],
    col_scale: &[f32],
    row_scale: f32,
    charges: &mut [u8],
    lr: f32,
    block: usize,
    stream: u32,
) -> u64 {
    // Levels share the order of the coordinates; sign(v_{1-b} - v_b) = up for b = 0, -up for b = 1.
    let up = if z[1] > z[0] {
        1.0
    } else if z[1] < z[0] {
        -1.0
    } else {
        0.0
    };
    let rate = lr * FULL_CHARGE * up * row_scale;
    let mut flipped = 0;
    for (k, (g, c)) in g.iter().zip(charges.iter_mut()).enumerate() {
        let sign = if hi >> k & 1 == 1 { -1.0 } else { 1.0 };
        let (next, flips) = discharge(*c, rate * sign * g * col_scale[k], uniform(block, k, stream));
        *c = next;
        flipped |= u64::from(flips) << k;
    }
    flipped
}

/// The charge moved by `change` with stochastic rounding by `u` in (0, 1), and whether its bit flips.
fn discharge(charge: u8, change: f32, u: f32) -> (u8, bool) {
    let moved = (f32::from(charge) + change + u).floor();
    if moved < 0.0 { ((HYSTERESIS - moved).min(FULL_CHARGE) as u8, true) } else { (moved.min(FULL_CHARGE) as u8, false) }
}

/// As [`step`] for the blocks of an activation: `delta (rows, 11)` is the change of the loss for each flip (+inf where
/// there is none), `g (rows, 2)` the Euclidean gradient of the points. Two flips that are valid alone may not be together;
/// then only the one that lowers the loss more is made.
pub fn step_activation(w: &PackedTensor, state: &mut State, delta: &[f64], g: &[f64], p: &StepParams) -> StepStats {
    let rows = w.rows();
    let stream = stream(p.seed, state.step);
    let t = (state.step + 1) as i32;
    let corrections = [1.0 - f64::from(p.betas.0).powi(t), 1.0 - f64::from(p.betas.1).powi(t)];
    let evidence: Vec<f64> = delta.iter().map(|d| if d.is_finite() { *d } else { 0.0 }).collect();
    let row_means: Vec<f64> = evidence.chunks_exact(CYCLE_BITS).map(|r| r.iter().map(|d| d * d).sum::<f64>() / CYCLE_BITS as f64).collect();
    let col_means: Vec<f64> =
        (0..CYCLE_BITS).map(|k| evidence.iter().skip(k).step_by(CYCLE_BITS).map(|d| d * d).sum::<f64>() / rows as f64).collect();
    for (moment, now) in [(&state.row_moment, &row_means), (&state.col_moment, &col_means)] {
        moment.write::<f32>().iter_mut().zip(now).for_each(|(m, v)| *m = (BETA_G * f64::from(*m) + (1.0 - BETA_G) * v) as f32);
    }
    let (row_scale, col_scale) = inverse_roots(&state.row_moment.read::<f32>(), &state.col_moment.read::<f32>(), 1.0 - BETA_G.powi(t));
    let (mut tiles, mut charges) = (w.tiles_mut(), state.charges.write::<u8>());
    let (mut m, mut v) = (state.m.write::<f32>(), state.v.write::<f32>());
    let mut flips = 0;
    for n in 0..rows {
        let (tile, lane) = (&mut tiles[n / TILE_ROWS], n % TILE_ROWS);
        let hi = tile.hi(lane);
        let mut flipped = 0u64;
        for k in 0..CYCLE_BITS {
            let change = p.lr_hi * FULL_CHARGE * evidence[n * CYCLE_BITS + k] as f32 * row_scale[n] * col_scale[k];
            let (next, flip) = discharge(charges[n * BITS + k], change, uniform(n, k, stream));
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
        let next = point(z, [g[2 * n] as f32, g[2 * n + 1] as f32], &mut m[2 * n..2 * n + 2], &mut v[n], p, corrections);
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
    StepStats { flips }
}

/// One step of Riemannian Adam (Bécigneul, Ganea 2019) from `z` with Euclidean gradient `g`; the new point.
fn point(z: [f32; 2], g: [f32; 2], m: &mut [f32], v: &mut f32, p: &StepParams, corrections: [f64; 2]) -> [f32; 2] {
    let (b1, b2) = (f64::from(p.betas.0), f64::from(p.betas.1));
    let z = z.map(f64::from);
    let r = disk::egrad_to_rgrad(z, g.map(f64::from));
    let moment = [b1 * f64::from(m[0]) + (1.0 - b1) * r[0], b1 * f64::from(m[1]) + (1.0 - b1) * r[1]];
    let second = b2 * f64::from(*v) + (1.0 - b2) * disk::inner(z, r, r);
    let rate = -f64::from(p.lr_lo) / corrections[0] / ((second / corrections[1]).sqrt() + wide::EPS);
    let next = disk::project(disk::exp(z, [moment[0] * rate, moment[1] * rate])).map(|c| c as f32);
    let moved = disk::transport(z, next.map(f64::from), moment);
    m[0] = moved[0] as f32;
    m[1] = moved[1] as f32;
    *v = second as f32;
    next
}

/// Factors of the evidence per row and column, `1 / sqrt(s_nk) = row · column`, from the running moments.
fn running_moments(state: &State) -> (Vec<f32>, Vec<f32>) {
    let correction = 1.0 - BETA_G.powi(state.step as i32);
    inverse_roots(&state.row_moment.read::<f32>(), &state.col_moment.read::<f32>(), correction)
}

/// As [`running_moments`], from G of this very step.
fn first_moments(w: &PackedTensor, factors: &[Factor<'_>]) -> (Vec<f32>, Vec<f32>) {
    let (rows, cols, width) = (w.rows(), w.cols(), w.blocks() * BITS);
    let partial = parallel::map(strips(w), |s| {
        let here = rows_of(w, s);
        let mut g = scratch(here * width);
        strip_gradient(factors, w, s, g.slice_mut());
        let mut columns = vec![0.0f64; cols];
        let rows: Vec<f64> = g
            .slice::<f32>()
            .chunks_exact(width)
            .map(|row| {
                row[..cols]
                    .iter()
                    .zip(&mut columns)
                    .map(|(g, c)| {
                        let gg = f64::from(*g) * f64::from(*g);
                        *c += gg;
                        gg
                    })
                    .sum()
            })
            .collect();
        (rows, columns)
    });
    let mut columns = vec![0.0f64; cols];
    let mut row_means = Vec::with_capacity(rows);
    for (r, c) in partial {
        row_means.extend(r.into_iter().map(|v| (v / cols as f64) as f32));
        columns.iter_mut().zip(c).for_each(|(a, b)| *a += b);
    }
    let col_means: Vec<f32> = columns.into_iter().map(|v| (v / rows as f64) as f32).collect();
    inverse_roots(&row_means, &col_means, 1.0)
}

/// `s_nk = r_n t_k / mean(r)`: the two factors of `1 / sqrt(s_nk)`, zero where there is no moment.
fn inverse_roots(rows: &[f32], cols: &[f32], correction: f64) -> (Vec<f32>, Vec<f32>) {
    let mean = rows.iter().map(|v| f64::from(*v)).sum::<f64>() / rows.len() as f64;
    let inverse = |v: f64| if v > f64::from(TINY) { (1.0 / v.sqrt()) as f32 } else { 0.0 };
    // Each factor carries its own bias correction: s = (r/c)(t/c)/(mean/c).
    let of_rows = rows.iter().map(|r| if mean > 0.0 { inverse(f64::from(*r) / mean) } else { 0.0 }).collect();
    let of_cols = cols.iter().map(|t| inverse(f64::from(*t) / correction)).collect();
    (of_rows, of_cols)
}
