//! Optimiser steps with gradients of any size, on every instruction set of this machine: numbers stay finite and points inside the disk,
//! and the steps after a spike train on. `make test-steps` runs a million of them.

mod common;

use common::Random;
use parking_lot::Mutex;
use proptest::prelude::*;
use rbe_core::array::Array;
use rbe_core::gradient::{Factor, Gradient, GradientCache};
use rbe_core::isa::{Isa, set_isa};
use rbe_core::kernel::update::{Precision, StepParams};
use rbe_core::optim::{Guard, HybridOptimizer, NonFinite, PackedState, Rates, step_weights};
use rbe_core::packed::{CYCLE_BITS, Cycle, FactorPair, Family, PackedGradient, PackedTensor};
use rbe_core::random::Generator;
use rbe_core::{DType, RBETensor, RbeError, Value};

/// The instruction set belongs to the process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn weight(rows: usize, cols: usize) -> PackedTensor {
    PackedTensor::random(&[rows, cols], None, Generator::new(1).stream()).unwrap()
}

fn params(evidence: Precision, interaction: f32) -> StepParams {
    StepParams { lr_hi: 0.05, lr_lo: 0.03, betas: (0.9, 0.999), interaction, seed: 5, evidence }
}

/// Fails unless points are inside the disk, unused bits 0, charges at most 127 and moments finite, second ones not negative.
fn check_weight(w: &PackedTensor, what: &str) {
    for z in w.lo().chunks_exact(2) {
        assert!(f64::from(z[0]).hypot(f64::from(z[1])) < 0.99901, "{what}: {z:?}");
    }
    for row in w.hi().chunks_exact(w.blocks()) {
        assert_eq!(row[w.blocks() - 1] & !w.last_mask(), 0, "{what}: unused bits");
    }
}

fn check_arrays(arrays: &[(&'static str, Array)], what: &str) {
    for (name, a) in arrays {
        match a.dtype() {
            DType::F32 => check_moments(name, &a.to_vec::<f32>().unwrap().into_iter().map(f64::from).collect::<Vec<_>>(), what),
            DType::F64 if *name == "guard" => assert!(Guard::from_array(a).is_ok(), "{what}: {:?}", a.to_vec::<f64>()),
            DType::F64 => check_moments(name, &a.to_vec::<f64>().unwrap(), what),
            _ => assert!(a.to_vec::<u8>().unwrap().into_iter().all(|c| c <= 127), "{what}: {name}"),
        }
    }
}

fn check_moments(name: &str, values: &[f64], what: &str) {
    let bad = values.iter().find(|v| !v.is_finite() || (name != "exp_avg" && **v < 0.0));
    assert!(bad.is_none(), "{what}: {name} {bad:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn steps_of_any_size_leave_numbers_in_their_domains(
        rows in 1usize..40,
        cols in 1usize..140,
        batch in 1usize..20,
        // The exponents of x, and of the gradient that it makes with dy.
        sizes in prop::collection::vec((-19.0f64..38.0, -19.0f64..38.0), 1..8),
        exact in any::<bool>(),
        interaction in prop_oneof![Just(0.0f32), Just(0.7)],
        folded in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let _guard = ONE_AT_A_TIME.lock();
        let precision = if exact { Precision::Exact } else { Precision::Int8 };
        for isa in Isa::for_tests() {
            set_isa(Some(isa.name())).unwrap();
            let (w, mut random) = (weight(rows, cols), Random(seed));
            let mut state = PackedState::new(&w, 3);
            for (of_x, of_g) in &sizes {
                let x = random.normal(batch * cols, 10f64.powf(of_x.min(37.0)));
                let dy = random.normal(batch * rows, 10f64.powf((of_g - of_x).clamp(-44.0, 37.0)));
                let g: Vec<f32> = (0..rows * w.blocks() * 64)
                    .map(|i| if i % (w.blocks() * 64) < cols { random.normal(1, 10f64.powf(of_g.min(37.0)))[0] } else { 0.0 })
                    .collect();
                let factors = [FactorPair { x: &x, dy: &dy, batch }];
                let gradient = PackedGradient { factors: &factors, folded: folded.then_some(&g), ..PackedGradient::default() };
                step_weights(&w, &mut state, gradient, &params(precision, interaction));
                let what = format!("{} {of_x} {of_g}", isa.name());
                check_weight(&w, &what);
                check_arrays(&state.arrays(), &what);
            }
        }
        set_isa(None).unwrap();
    }
}

/// Bits that flip in 300 steps with gradients of size 1 after `before` of them and one of size `spike`.
fn flips_after(before: usize, spike: Option<f64>, precision: Precision, seed: u64) -> u64 {
    let (rows, cols, batch) = (20, 130, 6);
    let (w, mut random) = (weight(rows, cols), Random(seed));
    let mut state = PackedState::new(&w, 3);
    let mut one = |size: f64| {
        let x = random.normal(batch * cols, size.sqrt());
        let dy = random.normal(batch * rows, size.sqrt());
        step_weights(
            &w,
            &mut state,
            PackedGradient { factors: &[FactorPair { x: &x, dy: &dy, batch }], ..PackedGradient::default() },
            &params(precision, 0.0),
        )
    };
    for _ in 0..before {
        one(1.0);
    }
    if let Some(size) = spike {
        let flips = one(size);
        assert!(flips < (rows * cols / 10) as u64, "a spike of {size:e} flips {flips} bits");
    }
    (0..300).map(|_| one(1.0)).sum()
}

#[test]
fn the_steps_after_a_spike_train_on() {
    let _guard = ONE_AT_A_TIME.lock();
    for isa in Isa::for_tests() {
        set_isa(Some(isa.name())).unwrap();
        for precision in [Precision::Exact, Precision::Int8] {
            for before in [0, 1, 10, 200] {
                let usual = flips_after(before, None, precision, 1);
                for size in [1e3, 1e4, 1e6, 1e10, 1e14, 1e18, 1e25, 1e33, 1e37] {
                    let flips = flips_after(before, Some(size), precision, 1);
                    assert!(flips > usual / 2, "{} {precision:?}, {size:e} after {before} steps: {flips} flips for {usual}", isa.name());
                }
            }
        }
    }
    set_isa(None).unwrap();
}

#[test]
fn usual_gradients_take_the_same_steps_without_a_guard() {
    let _guard = ONE_AT_A_TIME.lock();
    let (rows, cols, batch) = (33, 191, 5);
    let run = |precision: Precision, guarded: bool| {
        let (w, mut random) = (weight(rows, cols), Random(2));
        let mut state = PackedState::new(&w, 3);
        for t in 0..200 {
            // Sizes that vary by a factor of 10 about a falling mean, and rows that are mostly silent.
            let size = 10f64.powf(random.between(-0.5, 0.5) - t as f64 / 100.0);
            let x = random.normal(batch * cols, 1.0);
            let mut dy = random.normal(batch * rows, size);
            dy.iter_mut().enumerate().for_each(|(i, d)| *d *= if i % rows < 5 && t % 20 != i % 20 { 1e-3 } else { 1.0 });
            if !guarded {
                state.guard = Guard::default();
            }
            step_weights(
                &w,
                &mut state,
                PackedGradient { factors: &[FactorPair { x: &x, dy: &dy, batch }], ..PackedGradient::default() },
                &params(precision, 0.0),
            );
        }
        let numbers = ["row_moment", "col_moment", "exp_avg", "exp_avg_sq"];
        let moments = state.arrays().into_iter().filter(|(name, _)| numbers.contains(name)).flat_map(|(_, a)| a.to_vec::<f32>().unwrap());
        (w.hi(), w.lo(), moments.map(f32::to_bits).collect::<Vec<_>>())
    };
    for isa in Isa::for_tests() {
        set_isa(Some(isa.name())).unwrap();
        for precision in [Precision::Exact, Precision::Int8] {
            assert!(run(precision, true) == run(precision, false), "{} {precision:?}", isa.name());
        }
    }
    set_isa(None).unwrap();
}

/// A packed weight, an activation and two dense tensors, with the gradients that somebody who means harm would give them.
struct Trial {
    params: Vec<RBETensor>,
    optimizer: HybridOptimizer,
    random: Random,
}

const BATCH: usize = 3;
const ROWS: usize = 5;
const COLS: usize = 70;

impl Trial {
    fn new(on_nonfinite: NonFinite, rates: Rates, seed: u64) -> Trial {
        let states = vec![Cycle::initial(Family::Tanh).bits(); ROWS];
        let activation = PackedTensor::new(&[ROWS, CYCLE_BITS], &states, &[0.3; 2 * ROWS], Some(1.0)).unwrap();
        let dense = RBETensor::new(&[0.5f32; ROWS], &[ROWS]).unwrap().requiring_grad().unwrap();
        let wide = RBETensor::new(&[0.5f64; ROWS], &[ROWS]).unwrap().requiring_grad().unwrap();
        let params = vec![RBETensor::from_packed(weight(ROWS, COLS), true), RBETensor::from_packed(activation, true), dense, wide];
        let optimizer = HybridOptimizer::with_groups(vec![(params.clone(), rates)], on_nonfinite, false, seed).unwrap();
        Trial { params, optimizer, random: Random(seed) }
    }

    /// Numbers of one size, of every size, of one number that stands out, zeros, and now and then one that is not finite.
    fn numbers(&mut self, n: usize, most: f64) -> Vec<f32> {
        let size = 10f64.powf(self.random.between(-45.0, most));
        let mut out = match self.random.below(8) {
            0 => vec![0.0; n],
            1 => (0..n).map(|i| if i % 2 == 0 { size as f32 } else { -size as f32 }).collect(),
            2 => (0..n).map(|_| 10f64.powf(self.random.between(-45.0, most)) as f32).collect(),
            3 => self.random.normal(n, 1.0),
            _ => self.random.normal(n, size / 6.0),
        };
        let at = self.random.below(n as u64) as usize;
        match self.random.below(400) {
            0 => out[at] = f32::NAN,
            1 => out[at] = f32::INFINITY,
            2 => out[at] = f32::NEG_INFINITY,
            3..40 => out[at] = (size * 1e10).min(1e38) as f32,
            40..60 => out[at] = -0.0,
            _ => {}
        }
        out
    }

    fn array(&mut self, shape: &[usize], most: f64) -> Array {
        Array::from_slice(&self.numbers(shape.iter().product(), most), shape).unwrap()
    }

    fn step(&mut self) -> rbe_core::Result<()> {
        self.optimizer.zero_grad();
        let most = if self.random.below(4) == 0 { 38.3 } else { 12.0 };
        for (i, p) in self.params.clone().into_iter().enumerate() {
            let gradient = match p.value() {
                Value::Dense(a) if a.dtype() == DType::F32 => Gradient::Dense(self.array(&[ROWS], most)),
                Value::Dense(_) => {
                    let wide: Vec<f64> = self.numbers(ROWS, most).into_iter().map(|v| f64::from(v).powi(3)).collect();
                    Gradient::Dense(Array::from_slice(&wide, &[ROWS])?)
                }
                Value::Packed(w) if i == 0 => {
                    let (x, dy) = (self.array(&[BATCH, COLS], most / 2.0), self.array(&[BATCH, ROWS], most / 2.0));
                    let mut cache = GradientCache::new(w, Factor::Product { x, dy });
                    for _ in 0..self.random.below(3) * self.random.below(2) * 40 {
                        let (x, dy) = (self.array(&[1, COLS], most / 2.0), self.array(&[1, ROWS], most / 2.0));
                        cache.append(GradientCache::new(w, Factor::Product { x, dy }))?;
                    }
                    Gradient::Packed(cache)
                }
                Value::Packed(w) => {
                    let factor =
                        Factor::Activation { x: self.array(&[BATCH, ROWS], 1.0), dy: self.array(&[BATCH, ROWS], most), bounded: false };
                    Gradient::Packed(GradientCache::new(w, factor))
                }
            };
            if self.random.below(10) > 0 {
                p.set_grad(Some(gradient))?;
            }
        }
        self.optimizer.step()
    }

    fn check(&self, what: &str) {
        for (i, p) in self.params.iter().enumerate() {
            match p.value() {
                Value::Packed(w) => check_weight(w, what),
                Value::Dense(a) => check_arrays(&[("exp_avg", a.contiguous())], what),
            }
            check_arrays(&self.optimizer.state_of(i).unwrap().0, what);
        }
    }

    /// All there is, as text.
    fn everything(&self) -> String {
        let numbers = |a: &Array| match a.dtype() {
            DType::F32 => format!("{:?}", a.to_vec::<f32>()),
            DType::F64 => format!("{:?}", a.to_vec::<f64>()),
            _ => format!("{:?}", a.to_vec::<u8>()),
        };
        let values = self.params.iter().map(|p| match p.value() {
            Value::Packed(w) => format!("{:?} {:?}", w.hi(), w.lo()),
            Value::Dense(a) => numbers(a),
        });
        let states = (0..self.params.len()).flat_map(|i| self.optimizer.state_of(i).unwrap().0).map(|(_, a)| numbers(&a));
        values.chain(states).collect::<Vec<_>>().join("\n")
    }
}

/// Runs `steps` steps in all, spread over instruction sets, kinds of evidence, with and without interaction, errors and left-out steps.
fn adversarial(steps: usize) {
    let _guard = ONE_AT_A_TIME.lock();
    let isas = Isa::for_tests();
    let (mut taken, mut refused, mut left_out) = (0u64, 0u64, 0u64);
    for isa in &isas {
        set_isa(Some(isa.name())).unwrap();
        for (k, (evidence, interaction, on_nonfinite)) in [
            (Precision::Int8, 0.0, NonFinite::Error),
            (Precision::Exact, 0.0, NonFinite::Skip),
            (Precision::Int8, 0.7, NonFinite::Skip),
            (Precision::Exact, 0.7, NonFinite::Error),
        ]
        .into_iter()
        .enumerate()
        {
            let mut trial = Trial::new(on_nonfinite, Rates { evidence, interaction, ..Rates::default() }, k as u64);
            for t in 0..steps.div_ceil(4 * isas.len()) {
                let before = (t % 97 == 0).then(|| trial.everything());
                let skipped = trial.optimizer.skipped();
                match trial.step() {
                    Ok(()) if trial.optimizer.skipped() == skipped => {
                        taken += 1;
                        if t % 7 == 0 {
                            trial.check(&format!("{} {k} {t}", isa.name()));
                        }
                        continue;
                    }
                    Ok(()) => left_out += 1,
                    Err(RbeError::NonFinite(_)) => refused += 1,
                    Err(e) => panic!("{e}"),
                }
                assert!(before.is_none_or(|before| before == trial.everything()), "{} {k} {t}: a step that was not taken", isa.name());
            }
            trial.check(&format!("{} {k}", isa.name()));
        }
    }
    set_isa(None).unwrap();
    println!("{taken} steps taken, {refused} refused, {left_out} left out on {} instruction sets: every number in its domain", isas.len());
    assert!(taken > 0 && refused > 0 && left_out > 0);
}

#[test]
fn adversarial_steps_leave_every_number_in_its_domain() {
    adversarial(4_000);
}

#[test]
#[ignore = "minutes: make test-steps"]
fn a_million_adversarial_steps_leave_every_number_in_its_domain() {
    adversarial(1_000_000);
}
