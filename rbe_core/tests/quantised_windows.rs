//! Products of a convolution's windows with int8 inputs: every instruction set of this machine against the twins in plain loops, to the bit.

mod common;

use common::numbers;
use parking_lot::Mutex;
use proptest::prelude::*;
use rbe_core::isa::{Isa, set_isa};
use rbe_core::kernel::packed::quantised::windows::{self, DxFilters, STEP, WindowRows, reference};
use rbe_core::random::Generator;

/// The instruction set belongs to the process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Runs `check` with every instruction set.
fn on_every_set(mut check: impl FnMut(&str)) {
    let _one = ONE_AT_A_TIME.lock();
    for isa in Isa::for_tests() {
        set_isa(Some(isa.name())).unwrap();
        check(isa.name());
    }
    set_isa(None).unwrap();
}

fn bits(v: &[f32]) -> Vec<u32> {
    // All NaN count as one.
    v.iter().map(|v| if v.is_nan() { f32::NAN.to_bits() } else { v.to_bits() }).collect()
}

/// Rows that overlap, at starts that are no multiple of anything; and their values.
fn windows(cols: usize, positions: usize, seed: u64) -> (Vec<u8>, Vec<usize>) {
    let len = cols / 2 + positions.next_multiple_of(STEP) + 7;
    let mut words = vec![0.0f32; len];
    Generator::new(seed).stream().normal(&mut words);
    // Zero stands for -128, which is no value.
    let values = words.iter().map(|v| (v * 60.0 + 128.0).clamp(1.0, 255.0) as u8).collect();
    (values, (0..cols).map(|k| (k * 37 + 5) % (cols / 2 + 7)).collect())
}

fn compare(rows: usize, cols: usize, positions: usize, seed: u64) {
    let w = common::packed(seed + 1, [rows, cols], 0.7, Some(0.3));
    let (values, starts) = windows(cols, positions, seed + 2);
    let x = WindowRows { values: &values, starts: &starts, positions };
    let (mut scales, bias, mut dy) = (numbers(seed + 3, positions), numbers(seed + 4, rows), numbers(seed + 5, rows * positions));
    scales.iter_mut().enumerate().for_each(|(p, s)| *s *= [1.0, 1e-3, 0.0][p / 50 % 3]);
    // Positions and rows of very different sizes, some of zeros.
    dy.iter_mut().enumerate().for_each(|(i, d)| *d *= [1.0, 1e-20, 0.0, 1e10][i % positions % 4] * [1.0, 1e-4, 0.0][i / positions % 3]);
    let (mut y, mut bare) = (vec![0.0; rows * positions], vec![0.0; rows * positions]);
    let (mut dx, mut g) = (numbers(seed + 6, values.len()), numbers(seed + 7, cols * windows::padded_rows(rows)));
    let (before_dx, before_g) = (dx.clone(), g.clone());
    reference::forward(x, &scales, &w, Some(&bias), &mut y);
    reference::forward(x, &scales, &w, None, &mut bare);
    reference::dx(&dy, &w, &starts, &mut dx);
    reference::weight_gradient(x, &scales, &dy, 11, &mut g);
    on_every_set(|isa| {
        let what = format!("{isa} {rows} {cols} {positions}");
        let (mut got, mut got_bare) = (vec![f32::NAN; y.len()], vec![f32::NAN; y.len()]);
        windows::forward(x, &scales, &w, Some(&bias), &mut got);
        windows::forward(x, &scales, &w, None, &mut got_bare);
        assert_eq!(bits(&got), bits(&y), "forward {what}");
        assert_eq!(bits(&got_bare), bits(&bare), "forward without bias {what}");
        let (mut got_dx, mut got_g) = (before_dx.clone(), before_g.clone());
        DxFilters::new(&w).dx(&dy, 0, &starts, &mut got_dx);
        assert_eq!(bits(&got_dx), bits(&dx), "dx {what}");
        windows::weight_gradient(x, &scales, &dy, 11, &mut got_g);
        assert_eq!(bits(&got_g), bits(&g), "gradient of the filters {what}");
    });
}

#[test]
fn shapes_at_the_edges_of_blocks_tiles_panels_and_lanes() {
    for (rows, cols, positions) in
        [(1, 1, 1), (16, 64, 16), (17, 65, 17), (64, 9, 31), (32, 27, 32), (65, 129, 33), (80, 70, 196), (257, 64, 63), (300, 130, 65)]
    {
        compare(rows, cols, positions, 7);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn any_shape(rows in 1..150usize, cols in 1..200usize, positions in 1..150usize, seed in 0..1000u64) {
        compare(rows, cols, positions, seed);
    }
}

#[test]
fn sums_of_more_positions_than_32_bits_hold_are_cut() {
    // The largest numbers everywhere: one sum over all positions would wrap around.
    let (rows, cols, positions) = (2, 3, 200_000);
    let values = vec![255u8; positions + 2 * STEP];
    let starts = [0, 1, 2];
    let x = WindowRows { values: &values, starts: &starts, positions };
    let (scales, dy) = (vec![1.0; positions], vec![127.0; rows * positions]);
    on_every_set(|isa| {
        let mut g = vec![0.0; cols * windows::padded_rows(rows)];
        windows::weight_gradient(x, &scales, &dy, 5, &mut g);
        for of_column in g.chunks_exact(windows::padded_rows(rows)) {
            let want = 127.0 * 127.0 * positions as f32;
            assert!(of_column[..rows].iter().all(|g| (g / want - 1.0).abs() < 1e-5), "{isa} {:?}", &of_column[..rows]);
            assert!(of_column[rows..].iter().all(|g| *g == 0.0));
        }
    });
}

#[test]
fn the_mean_of_the_gradient_over_its_noise_is_the_product() {
    let (rows, cols, positions, draws) = (3, 20, 70, 4000);
    let (values, starts) = windows(cols, positions, 1);
    let x = WindowRows { values: &values, starts: &starts, positions };
    let (scales, mut dy) = (vec![0.01; positions], numbers(2, rows * positions));
    // Most are less than the unit of rounding: to the nearest, they would vanish.
    dy.iter_mut().enumerate().for_each(|(i, d)| *d *= if i % positions == 3 { 1.0 } else { 2e-3 });
    let len = cols * windows::padded_rows(rows);
    let (mut mean, mut square) = (vec![0.0f64; len], vec![0.0f64; len]);
    for seed in 0..draws {
        let mut g = vec![0.0; len];
        windows::weight_gradient(x, &scales, &dy, seed * 7919, &mut g);
        for (i, g) in g.iter().enumerate() {
            mean[i] += f64::from(*g) / f64::from(draws);
            square[i] += f64::from(*g) * f64::from(*g) / f64::from(draws);
        }
    }
    for (k, start) in starts.iter().enumerate() {
        for n in 0..rows {
            let product = |p: usize| f64::from(dy[n * positions + p]) * f64::from(scales[p]) * (f64::from(values[start + p]) - 128.0);
            let (want, i) = ((0..positions).map(product).sum::<f64>(), k * windows::padded_rows(rows) + n);
            let deviation = (square[i] - mean[i] * mean[i]).max(0.0).sqrt();
            let off = (mean[i] - want).abs();
            assert!(off <= 5.0 * deviation / f64::from(draws).sqrt() + 1e-3 * want.abs(), "{k} {n}: {} {want} ({deviation})", mean[i]);
            assert!(deviation > 0.0);
        }
    }
}
