//! Every product of every instruction set of this machine against plain loops in float64, within a stated bound of the error,
//! and beside pages that nobody may touch. `make test-memory` runs this file under AddressSanitizer and valgrind, too.

mod common;

#[cfg(target_os = "linux")]
use common::fenced::Fenced;
use common::numbers;
use parking_lot::Mutex;
use proptest::prelude::*;
use rbe_core::isa::{Isa, set_isa};
use rbe_core::kernel::packed::reference::{self, TwoLevel};
use rbe_core::kernel::packed::{Grads, backward, dx, flip_gradient, forward, level_gradient, weight_gradient};
use rbe_core::packed::{BITS, FactorPair, PackedTensor, levels};
use rbe_core::parallel;

/// Half an ulp of 1 in f32: the most that one operation errs, relative to its result.
const UNIT: f64 = 1.0 / (1 << 24) as f64;

/// Roundings that do not grow with the sum: those of the levels, near the rim of the disk the most, and of the last few steps.
const FIXED: usize = 96;

/// The instruction set belongs to the process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn wide(v: &[f32]) -> Vec<f64> {
    v.iter().map(|v| f64::from(*v)).collect()
}

fn magnitudes(v: &[f64]) -> Vec<f64> {
    v.iter().map(|v| v.abs()).collect()
}

/// Fails unless `|got - want| <= 2 (terms + FIXED) UNIT size`, where `size` is the same sum over magnitudes: the bound for sums
/// of products in any order, with two roundings for every term.
fn close(what: &str, got: &[f32], want: &[f64], size: &[f64], terms: usize) {
    let bound = 2.0 * (terms + FIXED) as f64 * UNIT;
    for (i, ((got, want), size)) in got.iter().zip(want).zip(size).enumerate() {
        let error = (f64::from(*got) - want).abs();
        assert!(error <= bound * size, "{what} {i}: {got} for {want}, off by {error:e}, bound {:e}", bound * size);
    }
}

/// A packed layer, its inputs, and what the products of their magnitudes and of themselves are in float64.
struct Case {
    w: PackedTensor,
    batch: usize,
    x: Vec<f32>,
    dy: Vec<f32>,
    bias: Vec<f32>,
    exact: Products,
    sizes: Products,
}

/// In the order y (batch, rows), dx (batch, cols), G (rows, blocks, 64), levels (rows, blocks, 2), bias (rows).
type Products = [Vec<f64>; 5];

fn products(hi: &[u64], v: &[f64], rows: usize, cols: usize, batch: usize, [x, dy, bias]: [&[f64]; 3]) -> Products {
    let two = TwoLevel { hi, v, rows, cols };
    let mut out = [batch * rows, batch * cols, hi.len() * BITS, hi.len() * 2, rows].map(|n| vec![0.0; n]);
    let [y, dx, g, gv, db] = &mut out;
    reference::forward(x, batch, two, Some(bias), y);
    reference::dx(dy, batch, two, dx);
    reference::weight_gradient(x, dy, batch, rows, cols, g);
    reference::level_gradient(g, hi, gv);
    dy.chunks_exact(rows).for_each(|row| db.iter_mut().zip(row).for_each(|(b, d)| *b += d));
    out
}

impl Case {
    fn new(rows: usize, cols: usize, batch: usize, seed: u64) -> Case {
        // Some blocks near the rim, so that both ways to the levels are taken.
        let w = common::packed(seed + 1, [rows, cols], 0.7, Some(0.3));
        let (x, dy, bias) = (numbers(seed + 2, batch * cols), numbers(seed + 3, batch * rows), numbers(seed + 4, rows));
        let (hi, lo) = (w.hi(), wide(&w.lo()));
        let v: Vec<f64> = lo.chunks_exact(2).flat_map(|z| levels([z[0], z[1]], f64::from(w.scale()))).collect();
        let inputs = [wide(&x), wide(&dy), wide(&bias)];
        let exact = products(&hi, &v, rows, cols, batch, inputs.each_ref().map(Vec::as_slice));
        // Kernels sum v0 T + (v1 - v0) S: three times the larger level, at every bit.
        let larger: Vec<f64> = v.chunks_exact(2).flat_map(|v| [3.0 * v[0].abs().max(v[1].abs()); 2]).collect();
        let inputs = inputs.map(|v| magnitudes(&v));
        let mut sizes = products(&hi, &larger, rows, cols, batch, inputs.each_ref().map(Vec::as_slice));
        // The gradient of one level is what both have together less that of the other.
        sizes[3].chunks_exact_mut(2).for_each(|pair| pair.fill(2.0 * (pair[0] + pair[1])));
        Case { w, batch, x, dy, bias, exact, sizes }
    }

    fn outputs(&self) -> [usize; 5] {
        [0, 1, 2, 3, 4].map(|i: usize| self.exact[i].len())
    }

    /// Computes all products from inputs and into outputs that lie where the caller wants them, and compares.
    fn check(&self, isa: Isa, [x, dy, bias]: [&[f32]; 3], [y, out, g, gv, db]: [&mut [f32]; 5]) {
        set_isa(Some(isa.name())).unwrap();
        let (w, batch, [rows, cols]) = (&self.w, self.batch, [self.w.rows(), self.w.cols()]);
        let terms = [cols, rows, batch, batch + BITS, batch];
        let compare = |what: &str, i: usize, got: &[f32]| {
            close(&format!("{} {what} ({rows}, {cols}), batch {batch},", isa.name()), got, &self.exact[i], &self.sizes[i], terms[i]);
        };
        forward(x, batch, w, Some(bias), y);
        compare("forward", 0, y);
        let factor = FactorPair { x, dy, batch };
        backward(factor, w, Grads { dx: Some(out), levels: Some(gv), bias: Some(db) });
        compare("dx", 1, out);
        compare("levels", 3, gv);
        compare("bias", 4, db);
        dx(dy, batch, w, out);
        compare("dx alone", 1, out);
        weight_gradient(&[factor], w, g);
        compare("G", 2, g);
        // The same batch as two micro-batches.
        let front = batch / 3;
        let (x, dy) = (x.split_at(front * cols), dy.split_at(front * rows));
        let factors = [FactorPair { x: x.0, dy: dy.0, batch: front }, FactorPair { x: x.1, dy: dy.1, batch: batch - front }];
        level_gradient(&factors, w, gv);
        compare("levels of two factors", 3, gv);
        weight_gradient(&factors, w, g);
        compare("G of two factors", 2, g);
        flip_gradient(&factors, w, g, gv);
        compare("levels on the way to flips", 3, gv);
    }

    fn check_all(&self) {
        let _guard = ONE_AT_A_TIME.lock();
        for isa in Isa::for_tests() {
            let mut outputs = self.outputs().map(|n| vec![f32::NAN; n]);
            self.check(isa, [&self.x, &self.dy, &self.bias], outputs.each_mut().map(Vec::as_mut_slice));
        }
    }
}

#[rustfmt::skip] // the last are more samples than backward takes at once
// The last has more row tiles than are worked on at once.
const AWKWARD: [(usize, usize, usize); 11] = [
    (1, 1, 1), (33, 191, 31), (16, 64, 32), (17, 65, 33), (48, 128, 70), (130, 300, 41), (15, 320, 65), (40, 63, 64), (35, 70, 131), (17, 65, 256), (1550, 70, 19),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]
    #[test]
    fn every_kernel_agrees_with_float64(rows in 1usize..40, cols in 1usize..140, batch in 0usize..36, seed in 0u64..1000) {
        Case::new(rows, cols, batch, seed).check_all();
    }
}

/// 10 000, or what PROPTEST_CASES says: under valgrind a case takes a hundred times as long.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000)
}

#[test]
fn awkward_shapes_agree_with_float64() {
    AWKWARD.into_iter().for_each(|(rows, cols, batch)| Case::new(rows, cols, batch, 7).check_all());
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let _guard = ONE_AT_A_TIME.lock();
    // Enough to be shared out, nothing a multiple of anything; by columns, and by rows too.
    for case in [Case::new(530, 330, 70, 1), Case::new(1601, 90, 21, 1)] {
        for isa in Isa::for_tests() {
            let mut first = None;
            for threads in [1, 2, 4, 8] {
                parallel::set_num_threads(threads).unwrap();
                let mut outputs = case.outputs().map(|n| vec![f32::NAN; n]);
                case.check(isa, [&case.x, &case.dy, &case.bias], outputs.each_mut().map(Vec::as_mut_slice));
                let bits: Vec<u32> = outputs.concat().into_iter().map(f32::to_bits).collect();
                assert!(*first.get_or_insert_with(|| bits.clone()) == bits, "{} with {threads} threads", isa.name());
            }
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn no_kernel_reads_or_writes_beyond_its_operands() {
    let _guard = ONE_AT_A_TIME.lock();
    let small = (1..20).flat_map(|n| [(n, 3 * n, n), (2 * n + 1, 64 + n, 17 - n % 17), (n, 13 * n, 2 * n - 1)]);
    for (rows, cols, batch) in AWKWARD.into_iter().chain(small) {
        let case = Case::new(rows, cols, batch, 3);
        for at_end in [false, true] {
            let inputs = [&case.x, &case.dy, &case.bias].map(|v| Fenced::new(v, at_end));
            for isa in Isa::for_tests() {
                let mut outputs = case.outputs().map(|n| Fenced::new(&vec![f32::NAN; n], at_end));
                case.check(isa, inputs.each_ref().map(Fenced::slice), outputs.each_mut().map(Fenced::slice_mut));
            }
        }
    }
}
