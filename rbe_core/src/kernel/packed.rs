//! Products with packed tensors in f32: the driver that picks the kernels, cuts the work and owns the bounds.
//!
//! Every sum runs in an order that the shapes alone decide, so results do not depend on the number of threads.

use super::dense;
use super::dy_tiles::{DyTiles, Orders};
use super::family::{Family, SAMPLES};
use super::isa::{Isa, isa};
use super::levels;
use super::strip::scratch;
use super::view::{Shared, View};
use crate::packed::{BITS, PackedTensor, TILE_ROWS};
use crate::parallel;

/// One use of a packed tensor: `x (batch, cols)` went in, `dy (batch, rows)` came back.
#[derive(Clone, Copy)]
pub struct Factor<'a> {
    /// (batch, cols)
    pub x: &'a [f32],
    /// (batch, rows)
    pub dy: &'a [f32],
    /// Rows of both.
    pub batch: usize,
}

/// What [`backward`] is to compute.
#[derive(Default)]
pub struct Grads<'a> {
    /// (batch, cols), overwritten.
    pub dx: Option<&'a mut [f32]>,
    /// Gradient of the levels (rows, blocks, 2), overwritten.
    pub levels: Option<&'a mut [f32]>,
    /// (rows), overwritten.
    pub bias: Option<&'a mut [f32]>,
}

/// Calls the kernel of the instruction set.
macro_rules! by_isa {
    ($isa:expr, $kernel:ident($($argument:expr),*)) => {
        match $isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => super::avx2::$kernel($($argument),*),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => super::avx512::$kernel($($argument),*),
            #[cfg(target_arch = "x86_64")]
            Isa::Amx => super::amx::$kernel($($argument),*),
            _ => unreachable!("only sets with kernels of their own come here"),
        }
    };
}

/// Multiplications and additions below which handing over to another thread costs more than it saves.
const WORTH_SHARING: usize = 1 << 22;
/// Samples of a piece of the forward product: more decode the levels less often, fewer keep their sums nearer.
const PIECE_SAMPLES: usize = 2 * SAMPLES;
/// Most pieces of one product.
const PIECES: usize = 16;
/// Rows of a piece of `G`: many, for every piece brings `x` into order anew.
const GRADIENT_ROWS: usize = 256;
/// Fewest row tiles of a piece: fewer, and building the tables dominates.
const ROW_TILES: usize = 24;

/// `y (batch, rows) = x (batch, cols) Wᵀ + bias (rows)`.
///
/// # Panics
/// If a slice has another length.
pub fn forward(x: &[f32], batch: usize, w: &PackedTensor, bias: Option<&[f32]>, y: &mut [f32]) {
    forward_on(isa(), x, batch, w, bias, y);
}

fn forward_on(isa: Isa, x: &[f32], batch: usize, w: &PackedTensor, bias: Option<&[f32]>, y: &mut [f32]) {
    let (rows, cols) = (w.rows(), w.cols());
    assert!(x.len() == batch * cols && y.len() == batch * rows && bias.is_none_or(|b| b.len() == rows), "packed forward: lengths");
    if isa == Isa::Scalar {
        return dense::forward(x, batch, w, bias, y);
    }
    let tiles = w.tiles();
    let view = View::new(w, &tiles);
    let y = Shared::new(y, rows);
    let (samples, per) = pieces(batch, &view);
    let (across, down) = (view.row_tiles().div_ceil(per), batch.div_ceil(samples));
    parallel::for_each(across * down, |p| {
        let (first, r) = (p / across * samples, p % across * per);
        let r = r..(r + per).min(view.row_tiles());
        let last = (first + samples).min(batch);
        // Whole chunks, and what is left of the batch.
        let family = Family::of_rest(isa, last % SAMPLES);
        let rest = if family == Family::Sixteen { last } else { last - last % SAMPLES };
        for (family, samples) in [(Family::Sixteen, first..rest), (family, rest..last)] {
            if !samples.is_empty() {
                let x = &x[samples.start * cols..samples.end * cols];
                // SAFETY: `isa` is one of this machine's; every piece has rows and samples of its own.
                unsafe { by_isa!(isa, forward(family, x, samples.start, view, r.clone(), bias, y)) }
            }
        }
    });
}

/// Samples and row tiles of one piece of the forward product.
fn pieces(batch: usize, w: &View<'_>) -> (usize, usize) {
    let tiles = w.row_tiles();
    if batch * w.rows * w.cols < WORTH_SHARING {
        return (batch.max(1).next_multiple_of(SAMPLES), tiles);
    }
    let chunks = batch.div_ceil(PIECE_SAMPLES);
    let across = (PIECES / chunks.min(PIECES)).min(tiles.div_ceil(ROW_TILES)).max(1);
    (PIECE_SAMPLES * chunks.div_ceil(PIECES), tiles.div_ceil(across))
}

/// `dx (batch, cols) = dy (batch, rows) W`.
///
/// # Panics
/// If a slice has another length.
pub fn dx(dy: &[f32], batch: usize, w: &PackedTensor, dx: &mut [f32]) {
    backward_on(isa(), None, dy, batch, w, Grads { dx: Some(dx), ..Grads::default() }, true);
}

fn check(factors: &[Factor<'_>], w: &PackedTensor) {
    assert!(factors.iter().all(|f| f.x.len() == f.batch * w.cols() && f.dy.len() == f.batch * w.rows()), "packed gradient: lengths");
}

/// `g (rows, blocks, 64) = Σ dyᵀ x`, zero at unused bits.
///
/// # Panics
/// If a slice has another length.
pub fn weight_gradient(factors: &[Factor<'_>], w: &PackedTensor, g: &mut [f32]) {
    gradient(factors, w, g, |_, _| {});
}

/// The change of the loss for each flip, `G_k (v_{1-b} - v_b)`: (rows, blocks, 64), zero at unused bits.
///
/// # Panics
/// If a slice has another length.
pub fn flip_gradient(factors: &[Factor<'_>], w: &PackedTensor, g: &mut [f32]) {
    flip_gradient_on(isa(), factors, w, g);
}

fn flip_gradient_on(isa: Isa, factors: &[Factor<'_>], w: &PackedTensor, g: &mut [f32]) {
    let tiles = w.tiles();
    let view = View::new(w, &tiles);
    gradient(factors, w, g, |first, piece| flips(isa, &view, first, piece));
}

/// `G (rows, blocks, 64)` to the change of the loss for each flip.
///
/// # Panics
/// If `g` has another length.
pub fn to_flips(w: &PackedTensor, g: &mut [f32]) {
    let width = w.blocks() * BITS;
    assert!(g.len() == w.rows() * width, "flip gradient: length");
    let tiles = w.tiles();
    let view = View::new(w, &tiles);
    parallel::for_each_piece(g, GRADIENT_ROWS * width, |p, piece| flips(isa(), &view, p * GRADIENT_ROWS, piece));
}

/// Calls `then(first row, rows)` with rows of `G` while they are in the cache.
fn gradient(factors: &[Factor<'_>], w: &PackedTensor, g: &mut [f32], then: impl Fn(usize, &mut [f32]) + Sync + Send) {
    check(factors, w);
    let width = w.blocks() * BITS;
    assert!(g.len() == w.rows() * width, "packed gradient: lengths");
    parallel::for_each_piece(g, GRADIENT_ROWS * width, |p, piece| {
        dense::rows_gradient(factors, w, p * GRADIENT_ROWS, piece);
        then(p * GRADIENT_ROWS, piece);
    });
}

/// Rows of `G` from row `first` of a tile on, times `v_{1-b} - v_b`.
fn flips(isa: Isa, w: &View<'_>, first: usize, g: &mut [f32]) {
    for (t, tile) in g.chunks_mut(TILE_ROWS * w.blocks * BITS).enumerate() {
        match isa {
            Isa::Scalar => levels::flips(w, first / TILE_ROWS + t, tile),
            // SAFETY: `isa` is one of this machine's.
            _ => unsafe { by_isa!(isa, flips(w, first / TILE_ROWS + t, tile)) },
        }
    }
}

/// Gradient of the levels (rows, blocks, 2): sums of `G = Σ dyᵀ x` over each block's bits that are 0 and 1.
///
/// # Panics
/// If a slice has another length.
pub fn level_gradient(factors: &[Factor<'_>], w: &PackedTensor, gv: &mut [f32]) {
    level_gradient_on(isa(), factors, w, gv);
}

fn level_gradient_on(isa: Isa, factors: &[Factor<'_>], w: &PackedTensor, gv: &mut [f32]) {
    check(factors, w);
    assert!(gv.len() == w.rows() * w.blocks() * 2, "packed gradient: lengths");
    if isa == Isa::Scalar || factors.is_empty() {
        return dense::level_gradient(factors, w, gv);
    }
    for (i, f) in factors.iter().enumerate() {
        backward_on(isa, Some(f.x), f.dy, f.batch, w, Grads { levels: Some(gv), ..Grads::default() }, i == 0);
    }
}

/// All gradients of one use that `wanted` names, in one entry into the pool.
///
/// # Panics
/// If a slice has another length.
pub fn backward(f: Factor<'_>, w: &PackedTensor, wanted: Grads<'_>) {
    backward_on(isa(), Some(f.x), f.dy, f.batch, w, wanted, true);
}

/// With `fresh` the gradient of the levels is written, else added.
fn backward_on(isa: Isa, x: Option<&[f32]>, dy: &[f32], batch: usize, w: &PackedTensor, wanted: Grads<'_>, fresh: bool) {
    let (rows, cols, blocks) = (w.rows(), w.cols(), w.blocks());
    let fits = |have: Option<&[f32]>, want: usize| have.is_none_or(|have| have.len() == want);
    assert!(
        dy.len() == batch * rows
            && fits(x, batch * cols)
            && fits(wanted.dx.as_deref(), batch * cols)
            && fits(wanted.levels.as_deref(), rows * blocks * 2)
            && fits(wanted.bias.as_deref(), rows),
        "packed backward: lengths"
    );
    if let Some(out) = wanted.bias {
        out.fill(0.0);
        for row in dy.chunks_exact(rows) {
            out.iter_mut().zip(row).for_each(|(o, d)| *o += d);
        }
    }
    if isa == Isa::Scalar {
        return parallel::enter(|| {
            if let Some(out) = wanted.dx {
                dense::dx(dy, batch, w, out);
            }
            if let (Some(out), Some(x)) = (wanted.levels, x) {
                dense::level_gradient(&[Factor { x, dy, batch }], w, out);
            }
        });
    }
    let tiles = w.tiles();
    let view = View::new(w, &tiles);
    let rest = Family::of_rest(isa, batch % SAMPLES);
    let orders = if isa == Isa::Amx { Orders::Rows } else { Orders::Both };
    let mut ordered = scratch(DyTiles::len(batch, &view, rest, orders));
    let shared = batch * rows * cols >= WORTH_SHARING;
    let each = |n: usize, task: &(dyn Fn(usize) + Sync)| if shared { parallel::for_each(n, task) } else { (0..n).for_each(task) };
    let run = || {
        // SAFETY: `isa` is one of this machine's.
        let lanes = |family: Family, dy: &[f32], out: &mut [f32]| unsafe { by_isa!(isa, order(family, dy, &view, out)) };
        let dy = DyTiles::order(dy, &view, (rest, orders), ordered.slice_mut(), each, lanes);
        // One list of pieces for both gradients: nobody waits in between.
        let dx = wanted.dx.map(|out| Shared::new(out, cols));
        let levels = wanted.levels.zip(x).map(|(out, x)| (Shared::new(out, blocks * 2), x));
        each(2 * blocks, &|p| {
            let j = p % blocks;
            // SAFETY: `isa` is one of this machine's; every piece has a block column of its own of one of the outputs.
            unsafe {
                match (p < blocks, dx, levels) {
                    (true, Some(dx), _) => by_isa!(isa, dx(dy, view, j, dx)),
                    (false, _, Some((gv, x))) => by_isa!(isa, level_gradient(x, dy, view, j, gv, fresh)),
                    _ => {}
                }
            }
        });
    };
    if shared { parallel::enter(run) } else { run() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::scalar::{self, TwoLevel};
    use super::*;
    use crate::packed::levels;

    /// Error of a sum of n products of numbers up to 1 in magnitude, with weights up to 1: n roundings of half an ulp each, twice
    /// over for the subset sums.
    const ROUNDING: f64 = 1.2e-7;

    fn numbers(seed: u64, n: usize) -> Vec<f32> {
        (0..n as u64)
            .map(|i| (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ (seed << 17)).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9))
            .map(|h| (h >> 40) as f32 / (1 << 23) as f32 - 1.0)
            .collect()
    }

    fn packed(seed: u64, rows: usize, cols: usize) -> PackedTensor {
        let blocks = cols.div_ceil(BITS);
        let last = if cols.is_multiple_of(BITS) { u64::MAX } else { (1 << (cols % BITS)) - 1 };
        let hi: Vec<u64> = numbers(seed, rows * blocks * 4)
            .chunks_exact(4)
            .enumerate()
            .map(|(i, v)| {
                let word = v.iter().fold(0u64, |h, v| h << 16 | u64::from(((v + 1.0) * 32768.0) as u16));
                word & if i % blocks == blocks - 1 { last } else { u64::MAX }
            })
            .collect();
        // Some rows near the boundary, so that both ways to the levels are taken.
        let lo: Vec<f32> = numbers(seed + 1, rows * blocks * 2).into_iter().map(|v| v * 0.7).collect();
        PackedTensor::new(&[rows, cols], &hi, &lo, Some(0.3)).unwrap()
    }

    fn wide(v: &[f32]) -> Vec<f64> {
        v.iter().map(|v| f64::from(*v)).collect()
    }

    fn close(what: &str, got: &[f32], want: &[f64], terms: usize) {
        let bound = ROUNDING * (terms as f64 + 8.0) * 2.0;
        for (i, (got, want)) in got.iter().zip(want).enumerate() {
            assert!((f64::from(*got) - want).abs() <= bound * (1.0 + want.abs()), "{what} {i}: {got} {want} (bound {bound})");
        }
    }

    /// All products of every instruction set of this machine against the plain twin in float64.
    fn compare(rows: usize, cols: usize, batch: usize, seed: u64) {
        let w = packed(seed, rows, cols);
        let blocks = w.blocks();
        let (x, dy, bias) = (numbers(seed + 2, batch * cols), numbers(seed + 3, batch * rows), numbers(seed + 4, rows));
        let (hi, lo) = (w.hi(), wide(&w.lo()));
        let v: Vec<f64> = lo.chunks_exact(2).flat_map(|z| levels([z[0], z[1]], f64::from(w.scale()))).collect();
        let two = TwoLevel { hi: &hi, v: &v, rows, cols };
        let (wx, wdy, wbias) = (wide(&x), wide(&dy), wide(&bias));
        let mut y = vec![0.0; batch * rows];
        scalar::forward(&wx, batch, two, Some(&wbias), &mut y);
        let mut dx = vec![0.0; batch * cols];
        scalar::dx(&wdy, batch, two, &mut dx);
        let mut g = vec![0.0; rows * blocks * BITS];
        scalar::weight_gradient(&wx, &wdy, batch, rows, cols, &mut g);
        let mut gv = vec![0.0; rows * blocks * 2];
        scalar::level_gradient(&g, &hi, &mut gv);
        let flipped: Vec<f64> = (0..g.len())
            .map(|i| {
                let v = &v[i / BITS * 2..][..2];
                g[i] * if hi[i / BITS] >> (i % BITS) & 1 == 1 { v[0] - v[1] } else { v[1] - v[0] }
            })
            .collect();
        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
            let mut got = vec![f32::NAN; g.len()];
            flip_gradient_on(isa, &[Factor { x: &x, dy: &dy, batch }], &w, &mut got);
            close(&format!("{} flips", isa.name()), &got, &flipped, batch);
            let mut got = vec![f32::NAN; batch * rows];
            forward_on(isa, &x, batch, &w, Some(&bias), &mut got);
            close(&format!("{} forward", isa.name()), &got, &y, cols);
            let (mut a, mut b) = (vec![f32::NAN; batch * cols], vec![f32::NAN; rows * blocks * 2]);
            let grads = Grads { dx: Some(&mut a), levels: Some(&mut b), bias: None };
            backward_on(isa, Some(&x), &dy, batch, &w, grads, true);
            close(&format!("{} dx", isa.name()), &a, &dx, rows);
            close(&format!("{} levels", isa.name()), &b, &gv, batch * BITS);
            // The same batch as two micro-batches.
            let (front, back) = (batch / 3, batch - batch / 3);
            let (x, dy) = (x.split_at(front * cols), dy.split_at(front * rows));
            let factors = [Factor { x: x.0, dy: dy.0, batch: front }, Factor { x: x.1, dy: dy.1, batch: back }];
            let mut c = vec![f32::NAN; rows * blocks * 2];
            level_gradient_on(isa, &factors, &w, &mut c);
            close(&format!("{} levels of two factors", isa.name()), &c, &gv, batch * BITS);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]
        #[test]
        fn every_kernel_agrees_with_its_twin(rows in 1usize..40, cols in 1usize..140, batch in 0usize..36, seed in 0u64..1000) {
            compare(rows, cols, batch, seed);
        }
    }

    #[test]
    fn awkward_shapes_agree_with_the_twin() {
        for (rows, cols, batch) in
            [(1, 1, 1), (33, 191, 31), (16, 64, 32), (17, 65, 33), (48, 128, 70), (300, 700, 41), (15, 320, 65), (40, 63, 64)]
        {
            compare(rows, cols, batch, 7);
        }
    }

    #[test]
    fn results_do_not_depend_on_the_number_of_threads() {
        let (rows, cols, batch) = (530, 330, 70); // above WORTH_SHARING, nothing a multiple of anything
        assert!(rows * cols * batch > WORTH_SHARING);
        let w = packed(1, rows, cols);
        let (x, dy) = (numbers(2, batch * cols), numbers(3, batch * rows));
        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
            let mut first = None;
            for threads in [1, 2, 4, 8] {
                parallel::set_num_threads(threads).unwrap();
                let (mut y, mut dx, mut gv) = (vec![0.0; batch * rows], vec![0.0; batch * cols], vec![0.0; rows * w.blocks() * 2]);
                forward_on(isa, &x, batch, &w, None, &mut y);
                backward_on(isa, Some(&x), &dy, batch, &w, Grads { dx: Some(&mut dx), levels: Some(&mut gv), bias: None }, true);
                let bits: Vec<u32> = [y, dx, gv].concat().into_iter().map(f32::to_bits).collect();
                assert!(*first.get_or_insert_with(|| bits.clone()) == bits, "{} with {threads} threads", isa.name());
            }
        }
    }
}
