//! Operations of several outputs: one node, one run of its rule in a backward pass, a gradient or none for each output.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rbe_core::array::{Array, map, zip};
use rbe_core::gradcheck::{Tolerance, gradcheck};
use rbe_core::gradient::Gradient;
use rbe_core::tape::{
    Arrays, BackwardOptions, BackwardRule, Cx, Grads, Saves, backward, checkpoint, dense, grad, record, set_debug_mode, with_grad,
};
use rbe_core::{RBETensor, RbeError, Result};

/// What a rule was called with, and how often the tape told it to free.
#[derive(Default)]
struct Log {
    reached: Mutex<Vec<[bool; 3]>>,
    freed: AtomicUsize,
}

/// `sin x`, `cos x` and the signs of x as integers. The rule reads the first two, and notes what reaches it.
#[derive(Default)]
struct Waves {
    seen: Arc<Log>,
}

impl BackwardRule for Waves {
    fn name(&self) -> &str {
        "waves"
    }

    fn saves(&self) -> Saves {
        Saves::OUTPUT.and(Saves::output(1))
    }

    fn free(&self) {
        self.seen.freed.fetch_add(1, Ordering::Relaxed);
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        self.seen.reached.lock().unwrap().push([0, 1, 2].map(|k| cx.dy_of(k).is_some()));
        let part = |dy: Option<&Array>, slope: Result<Array>| -> Result<Option<Array>> {
            dy.map(|dy| zip("waves", dy, &slope?, |d: f64, s: f64| d * s)).transpose()
        };
        let sine = part(cx.dy_of(0), cx.output_at(1).cloned())?;
        let cosine = part(cx.dy_of(1), cx.output_at(0).map(|sine| map(sine, |s: f64| -s)))?;
        let sum = match (sine, cosine) {
            (Some(a), Some(b)) => Some(zip("waves", &a, &b, |a: f64, b: f64| a + b)?),
            (a, b) => a.or(b),
        };
        Ok([sum.and_then(dense)].into_iter().collect())
    }
}

fn waves_of(x: &RBETensor, rule: Waves) -> Result<[RBETensor; 3]> {
    let a = x.array("waves")?;
    let outputs: Arrays = [map(a, f64::sin), map(a, f64::cos), map(a, |v: f64| v.signum() as i64)].into_iter().collect();
    let found: Vec<RBETensor> = record(Arc::new(rule), &[x], outputs)?.into_iter().collect();
    found.try_into().map_err(|_| RbeError::graph("waves", "three results", "others"))
}

fn waves(x: &RBETensor) -> Result<[RBETensor; 3]> {
    waves_of(x, Waves::default())
}

fn leaf(data: &[f64]) -> RBETensor {
    RBETensor::new(data, &[data.len()]).unwrap().requiring_grad().unwrap()
}

fn dense_of(gradient: Option<Gradient>) -> Vec<f64> {
    match gradient {
        Some(Gradient::Dense(g)) => g.to_vec::<f64>().unwrap(),
        _ => panic!("no dense gradient"),
    }
}

fn total(x: &RBETensor) -> Result<RBETensor> {
    x.sum(None, false)
}

/// What becomes of the outputs of [`waves`].
type Use = fn(&[RBETensor; 3]) -> Result<RBETensor>;

const X: [f64; 3] = [0.3, -1.2, 2.0];

fn sines() -> Vec<f64> {
    X.iter().map(|v| v.sin()).collect()
}

fn cosines() -> Vec<f64> {
    X.iter().map(|v| v.cos()).collect()
}

#[test]
fn gradients_follow_differences_whichever_outputs_are_used() {
    let uses: [Use; 4] = [|y| Ok(y[0].clone()), |y| Ok(y[1].clone()), |y| y[0].mul(&y[1]), |y| y[1].mul(&y[0])?.add(&y[0])?.mul(&y[1])];
    for used in uses {
        gradcheck(|x| used(&waves(&x[0].square()?)?), &[leaf(&X)], Tolerance::default()).unwrap();
    }
}

#[test]
fn the_rule_runs_once_a_pass_and_is_told_which_outputs_were_reached() -> Result<()> {
    let seen = Arc::new(Log::default());
    let x = leaf(&X);
    let [sine, cosine, signs] = waves_of(&x, Waves { seen: seen.clone() })?;
    let retain = BackwardOptions { retain_graph: true };
    backward(&[&total(&sine.mul(&cosine)?)?], &[None], retain)?;
    backward(&[&total(&cosine)?], &[None], retain)?;
    total(&sine.add(&signs)?)?.backward()?;
    assert_eq!(*seen.reached.lock().unwrap(), [[true, true, false], [false, true, false], [true, false, false]]);
    assert_eq!(seen.freed.load(Ordering::Relaxed), 1);
    Ok(())
}

#[test]
fn outputs_share_a_node_and_integers_are_constants() -> Result<()> {
    let [sine, cosine, signs] = waves(&leaf(&X))?;
    let (a, b) = (sine.edge().unwrap(), cosine.edge().unwrap());
    assert!(Arc::ptr_eq(a.node(), b.node()));
    assert_eq!((a.output(), b.output(), a.node().outputs(), a.node().name()), (0, 1, 3, "waves"));
    assert!(signs.is_leaf() && !signs.requires_grad());
    let [sine, cosine, _] = with_grad(false, || waves(&leaf(&X)))?;
    assert!(!sine.requires_grad() && !cosine.requires_grad());
    Ok(())
}

#[test]
fn every_output_has_hooks_and_a_gradient_of_its_own() -> Result<()> {
    let x = leaf(&X);
    let [sine, cosine, _] = waves(&x)?;
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    cosine.slot().add_hook(Arc::new(move |g| {
        count.fetch_add(1, Ordering::Relaxed);
        let Gradient::Dense(g) = g else { return Ok(None) };
        Ok(dense(map(g, |v: f64| 10.0 * v)))
    }));
    sine.retain_grad()?;
    cosine.retain_grad()?;
    total(&sine.add(&sine)?.add(&cosine)?)?.backward()?;
    assert_eq!((dense_of(sine.grad()), dense_of(cosine.grad())), (vec![2.0; 3], vec![10.0; 3]));
    let expected: Vec<f64> = sines().iter().zip(cosines()).map(|(s, c)| 2.0 * c + -s * 10.0).collect();
    assert_eq!((dense_of(x.grad()), calls.load(Ordering::Relaxed)), (expected, 1));
    // A hook of an output that no gradient reaches is not called.
    let [sine, cosine, _] = waves(&x)?;
    let count = calls.clone();
    cosine.slot().add_hook(Arc::new(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(None)
    }));
    total(&sine)?.backward()?;
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    Ok(())
}

#[test]
fn gradients_are_returned_for_each_output() -> Result<()> {
    let x = leaf(&X);
    let [sine, cosine, _] = waves(&x)?;
    let y = total(&sine.mul(&cosine)?)?;
    let found = grad(&[&y], &[&cosine, &sine, &x], &[None], BackwardOptions { retain_graph: true })?;
    let [by_cosine, by_sine, by_x]: [Option<Gradient>; 3] = found.try_into().map_err(|_| RbeError::graph("grad", "three", "others"))?;
    assert_eq!((dense_of(by_cosine), dense_of(by_sine)), (sines(), cosines()));
    let expected: Vec<f64> = sines().iter().zip(cosines()).map(|(s, c)| c * c + -s * s).collect();
    assert_eq!(dense_of(by_x), expected);
    let found = grad(&[&total(&sine)?], &[&cosine, &sine], &[None], BackwardOptions::default())?;
    assert!(found[0].is_none() && found[1].is_some());
    Ok(())
}

#[test]
fn several_outputs_may_be_roots_of_one_pass() -> Result<()> {
    let x = leaf(&X);
    let [sine, cosine, _] = waves(&x)?;
    let ones = Array::full(rbe_core::DType::F64, &[3], 1.0);
    backward(&[&sine, &cosine], &[Some(ones.clone()), Some(ones)], BackwardOptions::default())?;
    let expected: Vec<f64> = sines().iter().zip(cosines()).map(|(s, c)| c + -s).collect();
    assert_eq!(dense_of(x.grad()), expected);
    Ok(())
}

#[test]
fn an_output_that_was_overwritten_is_refused_where_the_rule_reads_it() -> Result<()> {
    let x = leaf(&X);
    let [sine, cosine, _] = waves(&x)?;
    cosine.assign(&RBETensor::new(&[0.0], &[1])?)?;
    let error = total(&sine)?.backward().unwrap_err().to_string();
    assert!(error.contains("waves") && error.contains("output 1") && error.contains("in place"), "{error}");
    assert!(x.grad().is_none());
    Ok(())
}

/// `2 x` and `3 x`; the rule reads nothing.
struct Multiples;

impl BackwardRule for Multiples {
    fn name(&self) -> &str {
        "multiples"
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let times = |k: usize, by: f64| cx.dy_of(k).map(|dy| map(dy, |d: f64| by * d));
        let sum = match (times(0, 2.0), times(1, 3.0)) {
            (Some(a), Some(b)) => Some(zip("multiples", &a, &b, |a: f64, b: f64| a + b)?),
            (a, b) => a.or(b),
        };
        Ok([sum.and_then(dense)].into_iter().collect())
    }
}

#[test]
fn overwriting_one_output_leaves_the_gradient_of_the_other() -> Result<()> {
    let x = leaf(&X);
    let a = x.array("multiples")?;
    let outputs: Arrays = [map(a, |v: f64| 2.0 * v), map(a, |v: f64| 3.0 * v)].into_iter().collect();
    let found = record(Arc::new(Multiples), &[&x], outputs)?;
    let (double, triple) = (&found[0], &found[1]);
    double.narrow(0, 0, 1)?.assign(&RBETensor::new(&[7.0], &[1])?)?;
    total(&double.add(triple)?)?.backward()?;
    assert_eq!(double.array("test")?.to_vec::<f64>()?[0], 7.0);
    assert_eq!(dense_of(x.grad()), [3.0, 5.0, 5.0]);
    Ok(())
}

#[test]
fn a_used_up_node_says_so_and_a_checkpoint_computes_it_again() -> Result<()> {
    let x = leaf(&X);
    let [sine, cosine, _] = waves(&x)?;
    total(&sine)?.backward()?;
    let error = total(&cosine)?.backward().unwrap_err().to_string();
    assert!(error.contains("retain_graph"), "{error}");

    let product = |x: &RBETensor| {
        let [sine, cosine, _] = waves(x)?;
        sine.mul(&cosine)?.add(&cosine)
    };
    let (plain, again) = (leaf(&X), leaf(&X));
    total(&product(&plain)?)?.backward()?;
    total(&checkpoint(move |x| product(&x[0]), &[&again])?)?.backward()?;
    assert_eq!(dense_of(plain.grad()), dense_of(again.grad()));
    Ok(())
}

#[test]
fn outputs_that_lie_in_an_inputs_memory_are_copied() -> Result<()> {
    let x = leaf(&X);
    let same = x.array("multiples")?.clone();
    let found = record(Arc::new(Multiples), &[&x], [same.clone(), same].into_iter().collect())?;
    let memory = |t: &RBETensor| t.array("test").unwrap().clone();
    assert!(!memory(&found[0]).same_storage(&memory(&x)) && !memory(&found[1]).same_storage(&memory(&x)));
    assert!(!memory(&found[0]).same_storage(&memory(&found[1])));
    Ok(())
}

#[test]
fn debug_mode_names_the_operation_whose_second_output_has_nan() -> Result<()> {
    set_debug_mode(true, None);
    let x = leaf(&[f64::INFINITY, 1.0]);
    let result = waves(&x).and_then(|[_, cosine, _]| total(&cosine)?.backward());
    set_debug_mode(false, None);
    let error = result.unwrap_err().to_string();
    assert!(error.contains("waves"), "{error}");
    Ok(())
}
