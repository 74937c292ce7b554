//! Products with int8 inputs: every instruction set of this machine, for several numbers of threads, against the twins in plain loops, to
//! the bit, and beside pages that nobody may touch; and what the rounding does to the results. `make test-memory` runs this file under
//! AddressSanitizer and valgrind, too.

mod common;

#[cfg(target_os = "linux")]
use common::fenced::Fenced;
use common::numbers;
use parking_lot::Mutex;
use proptest::prelude::*;
use rbe_core::isa::{Isa, set_isa};
use rbe_core::kernel::packed::quantised::{self, Method, reference};
use rbe_core::packed::{PackedTensor, Quantised};
use rbe_core::parallel;

/// The instruction set belongs to the process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Runs `check` with every instruction set and each of the numbers of threads.
fn on_every_set(numbers_of_threads: &[usize], check: impl Fn(&str)) {
    let _one = ONE_AT_A_TIME.lock();
    for threads in numbers_of_threads {
        parallel::set_num_threads(*threads).unwrap();
        for isa in Isa::for_tests() {
            set_isa(Some(isa.name())).unwrap();
            check(&format!("{} {threads}", isa.name()));
        }
    }
    set_isa(None).unwrap();
}

fn bits(v: &[f32]) -> Vec<u32> {
    // All NaN count as one.
    v.iter().map(|v| if v.is_nan() { f32::NAN.to_bits() } else { v.to_bits() }).collect()
}

/// Inputs rounded, `(values, scales)`.
fn rounded(x: &[f32], batch: usize) -> (Vec<i8>, Vec<f32>) {
    let (mut values, mut scales) = (vec![0; x.len()], vec![0.0; batch]);
    quantised::quantise(x, &mut values, &mut scales);
    (values, scales)
}

/// The twin of `rounded`, for samples that are finite and not tiny.
fn rounded_in_plain_loops(x: &[f32], batch: usize) -> (Vec<i8>, Vec<f32>) {
    let most = |x: &[f32]| x.iter().fold(0.0f32, |most, v| most.max(v.abs()));
    let samples = || x.chunks_exact(x.len() / batch);
    let values = samples().flat_map(|x| x.iter().map(move |v| (v * (127.0 / most(x))).round_ties_even() as i8));
    (values.collect(), samples().map(|x| most(x) / 127.0).collect())
}

/// A packed layer with inputs, and what the twins make of them.
struct Case {
    w: PackedTensor,
    batch: usize,
    x: Vec<f32>,
    dy: Vec<f32>,
    bias: Vec<f32>,
    values: Vec<i8>,
    scales: Vec<f32>,
    y: Vec<f32>,
    y_without_bias: Vec<f32>,
    dx: Vec<f32>,
}

impl Case {
    fn new(rows: usize, cols: usize, batch: usize, seed: u64) -> Case {
        let w = common::packed(seed + 1, [rows, cols], 0.7, Some(0.3));
        let (x, mut dy, bias) = (numbers(seed + 2, batch * cols), numbers(seed + 3, batch * rows), numbers(seed + 4, rows));
        // Samples of very different sizes, one of zeros.
        dy.chunks_exact_mut(rows).enumerate().for_each(|(b, dy)| dy.iter_mut().for_each(|d| *d *= [1.0, 1e-20, 0.0, 1e20][b % 4]));
        let (values, scales) = rounded_in_plain_loops(&x, batch);
        let (mut y, mut y_without_bias, mut dx) = (vec![0.0; batch * rows], vec![0.0; batch * rows], vec![0.0; batch * cols]);
        let of = Quantised { values: &values, scales: &scales };
        reference::forward(of, &w, Some(&bias), &mut y);
        reference::forward(of, &w, None, &mut y_without_bias);
        reference::dx(&dy, batch, &w, &mut dx);
        Case { w, batch, x, dy, bias, values, scales, y, y_without_bias, dx }
    }

    /// Computes all products from `[x, dy, bias]` and into outputs that lie where the caller wants them, and compares.
    fn check(&self, what: &str, [x, dy, bias]: [&[f32]; 3], values: &mut [i8], [scales, y, dx]: [&mut [f32]; 3]) {
        let (w, batch) = (&self.w, self.batch);
        let what = format!("{what}, {} {}, batch {batch}", w.rows(), w.cols());
        quantised::quantise(x, values, scales);
        assert_eq!((&*values, bits(scales)), (&*self.values, bits(&self.scales)), "quantise {what}");
        let x = Quantised { values, scales };
        quantised::forward(x, w, Some(bias), y);
        assert_eq!(bits(y), bits(&self.y), "forward {what}");
        quantised::dx(dy, batch, w, dx);
        assert_eq!(bits(dx), bits(&self.dx), "dx {what}");
        for method in [Method::Tables, Method::Dots] {
            y.fill(f32::NAN);
            quantised::forward_by(method, x, w, None, y);
            assert_eq!(bits(y), bits(&self.y_without_bias), "forward without bias by {method:?} {what}");
            y.fill(f32::NAN);
            quantised::forward_by(method, x, w, Some(bias), y);
            assert_eq!(bits(y), bits(&self.y), "forward by {method:?} {what}");
            dx.fill(f32::NAN);
            quantised::dx_by(method, dy, batch, w, dx);
            assert_eq!(bits(dx), bits(&self.dx), "dx by {method:?} {what}");
        }
    }

    fn check_all(&self, numbers_of_threads: &[usize]) {
        on_every_set(numbers_of_threads, |what| {
            let mut values = vec![99; self.values.len()];
            let mut outputs = [&self.scales, &self.y, &self.dx].map(|v| vec![f32::NAN; v.len()]);
            self.check(what, [&self.x, &self.dy, &self.bias], &mut values, outputs.each_mut().map(Vec::as_mut_slice));
        });
    }
}

#[rustfmt::skip]
const AWKWARD: [(usize, usize, usize); 9] = [
    (1, 1, 1), (16, 64, 8), (17, 65, 9), (63, 63, 4), (65, 129, 16), (64, 128, 17), (257, 64, 33), (300, 70, 140), (33, 191, 45),
];

#[test]
fn shapes_at_the_edges_of_blocks_tiles_panels_and_lanes() {
    AWKWARD.into_iter().for_each(|(rows, cols, batch)| Case::new(rows, cols, batch, 7).check_all(&[1, 2, 3]));
}

#[test]
fn products_large_enough_for_several_pieces_are_the_same() {
    Case::new(1040, 704, 70, 3).check_all(&[1, 2, 3]);
}

/// 10 000, or what PROPTEST_CASES says: under valgrind a case takes a hundred times as long.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]
    #[test]
    fn every_kernel_agrees_with_its_twin(rows in 1..90usize, cols in 1..140usize, batch in 1..49usize, seed in 0..1000u64) {
        Case::new(rows, cols, batch, seed).check_all(&[1]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn no_kernel_reads_or_writes_beyond_its_operands() {
    let small = (1..20).flat_map(|n| [(n, 3 * n, n), (2 * n + 1, 64 + n, 17 - n % 17), (n, 13 * n, 2 * n - 1), (3 * n, n, n + 31)]);
    for (rows, cols, batch) in AWKWARD.into_iter().chain(small) {
        let case = Case::new(rows, cols, batch, 3);
        for at_end in [false, true] {
            let inputs = [&case.x, &case.dy, &case.bias].map(|v| Fenced::new(v, at_end));
            on_every_set(&[1], |what| {
                let mut values = Fenced::new(&vec![99; case.values.len()], at_end);
                let mut outputs = [&case.scales, &case.y, &case.dx].map(|v| Fenced::new(&vec![f32::NAN; v.len()], at_end));
                let outputs = outputs.each_mut().map(Fenced::slice_mut);
                case.check(what, inputs.each_ref().map(Fenced::slice), values.slice_mut(), outputs);
            });
        }
    }
}

#[test]
fn a_sample_that_is_not_finite_has_results_that_are_not_and_leaves_the_others_alone() {
    let (rows, cols) = (40, 70);
    let w = common::packed(1, [rows, cols], 0.7, None);
    for batch in [3, 20, 40] {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let (mut x, mut dy) = (numbers(2, batch * cols), numbers(3, batch * rows));
            let run = |x: &[f32], dy: &[f32]| {
                let (values, scales) = rounded(x, batch);
                let (mut y, mut dx) = (vec![0.0; batch * rows], vec![0.0; batch * cols]);
                quantised::forward(Quantised { values: &values, scales: &scales }, &w, None, &mut y);
                quantised::dx(dy, batch, &w, &mut dx);
                [y, dx]
            };
            let before = run(&x, &dy);
            (x[cols + 3], dy[rows + 3]) = (bad, bad);
            for (after, before) in run(&x, &dy).iter().zip(&before) {
                let width = after.len() / batch;
                assert!(after[width..2 * width].iter().all(|v| v.is_nan()));
                assert_eq!(bits(&after[..width]), bits(&before[..width]));
                assert_eq!(bits(&after[2 * width..]), bits(&before[2 * width..]));
            }
        }
    }
}

/// Root of the mean square of `a - b` over that of `b`.
fn relative(a: &[f32], b: &[f32]) -> f64 {
    let square = |v: &mut dyn Iterator<Item = f64>| v.map(|v| v * v).sum::<f64>();
    let error = square(&mut a.iter().zip(b).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    (error / square(&mut b.iter().map(|v| f64::from(*v)))).sqrt()
}

fn exact(x: &[f32], dy: &[f32], batch: usize, w: &PackedTensor) -> [Vec<f32>; 2] {
    let (mut y, mut dx) = (vec![0.0; batch * w.rows()], vec![0.0; batch * w.cols()]);
    rbe_core::kernel::packed::forward(x, batch, w, None, &mut y);
    rbe_core::kernel::packed::dx(dy, batch, w, &mut dx);
    [y, dx]
}

#[test]
fn rounding_costs_about_a_hundredth() {
    let (rows, cols, batch) = (384, 512, 48);
    let w = common::packed(1, [rows, cols], 0.5, None);
    let (x, dy) = (numbers(2, batch * cols), numbers(3, batch * rows));
    let (values, scales) = rounded(&x, batch);
    let [y, dx] = exact(&x, &dy, batch, &w);
    let (mut got_y, mut got_dx) = (y.clone(), dx.clone());
    quantised::forward(Quantised { values: &values, scales: &scales }, &w, None, &mut got_y);
    quantised::dx(&dy, batch, &w, &mut got_dx);
    let (of_y, of_dx) = (relative(&got_y, &y), relative(&got_dx, &dx));
    assert!((1e-4..0.02).contains(&of_y) && (1e-4..0.04).contains(&of_dx), "{of_y} {of_dx}");
}

#[test]
fn the_mean_of_dx_over_its_noise_is_the_product() {
    // The noise follows from the sample's place and largest number, so that equal samples have noise of their own.
    let (rows, cols, draws) = (24, 70, 6000);
    let w = common::packed(1, [rows, cols], 0.5, None);
    let mut one = numbers(3, rows);
    // Most are less than the unit of rounding to int8: to the nearest, they would vanish.
    one.iter_mut().skip(1).for_each(|d| *d *= 2e-3);
    let dy = one.repeat(draws);
    let mut all = vec![0.0; draws * cols];
    quantised::dx(&dy, draws, &w, &mut all);
    let mut want = vec![0.0; cols];
    rbe_core::kernel::packed::dx(&one, 1, &w, &mut want);
    for k in 0..cols {
        let of_column = || all.iter().skip(k).step_by(cols).map(|v| f64::from(*v));
        let mean = of_column().sum::<f64>() / draws as f64;
        let deviation = (of_column().map(|v| (v - mean).powi(2)).sum::<f64>() / draws as f64).sqrt();
        let off = (mean - f64::from(want[k])).abs();
        assert!(off <= 5.0 * deviation / (draws as f64).sqrt() + 1e-4 * f64::from(want[k]).abs(), "{k}: {mean} {} ({deviation})", want[k]);
        assert!(deviation > 0.0);
    }
}
