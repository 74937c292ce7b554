//! Walks the rule table: every rule has a float64 gradient check, and every check names a rule.

#[path = "../common/mod.rs"]
mod common;
mod networks;

use std::collections::BTreeMap;

use common::numbers;
use rbe_core::array::{Array, SliceSpec};
use rbe_core::gradcheck::{Tolerance, gradcheck};
use rbe_core::op::{Picks, table::rules};
use rbe_core::{DType, RBETensor, RbeError, Result};

fn t(seed: u64, shape: &[usize]) -> RBETensor {
    RBETensor::new(&numbers::<f64>(seed, shape.iter().product()), shape).unwrap().requiring_grad().unwrap()
}

/// Numbers in (0.3, 2.3).
fn positive(seed: u64, shape: &[usize]) -> RBETensor {
    let values: Vec<f64> = numbers(seed, shape.iter().product()).into_iter().map(|v: f64| v + 1.3).collect();
    RBETensor::new(&values, shape).unwrap().requiring_grad().unwrap()
}

fn ints(values: &[i64], shape: &[usize]) -> RBETensor {
    RBETensor::new(values, shape).unwrap()
}

type Case = Box<dyn Fn() -> Result<()>>;

struct Cases(BTreeMap<&'static str, Vec<Case>>);

impl Cases {
    fn add(&mut self, rule: &'static str, inputs: Vec<RBETensor>, f: impl Fn(&[RBETensor]) -> Result<RBETensor> + 'static) {
        let run = move || {
            gradcheck(&f, &inputs, Tolerance::default())?;
            // Fan-out: every input goes into the operation twice.
            gradcheck(|x| f(x)?.add(&f(x)?), &inputs, Tolerance::default())
        };
        self.0.entry(rule).or_default().push(Box::new(run));
    }

    fn unary(&mut self, rule: &'static str, x: RBETensor, f: impl Fn(&RBETensor) -> Result<RBETensor> + 'static) {
        self.add(rule, vec![x], move |x| f(&x[0]));
    }

    fn binary(&mut self, rule: &'static str, f: fn(&RBETensor, &RBETensor) -> Result<RBETensor>) {
        for (a, b) in [(vec![3, 4], vec![3, 4]), (vec![3, 1], vec![4]), (vec![], vec![2, 3]), (vec![0], vec![1])] {
            self.add(rule, vec![positive(1, &a), positive(2, &b)], move |x| f(&x[0], &x[1]));
        }
        // One tensor twice, and a view as operand.
        self.add(rule, vec![positive(3, &[3, 3])], move |x| f(&x[0], &x[0].transpose(0, 1)?));
    }
}

fn cases() -> Cases {
    let mut c = Cases(BTreeMap::new());
    elementwise(&mut c);
    axes(&mut c);
    places(&mut c);
    networks::products(&mut c);
    networks::layers(&mut c);
    networks::windows(&mut c);
    networks::attention(&mut c);
    networks::recurrent(&mut c);
    c
}

/// Rule and function of every row of `op/unary.rs` that is a method in Python; parameters are the defaults.
macro_rules! functions_of_python {
    ($($audience:ident $doc:tt $example:tt $in_place:tt $method:ident ($($parameter:ident = $default:tt),*) saves $saves:ident;)*) => {
        [$((stringify!($audience), stringify!($method), (|x| x.$method($($default),*)) as fn(&RBETensor) -> Result<RBETensor>)),*]
            .into_iter()
            .filter_map(|(audience, method, f)| (audience == "python").then_some((method, f)))
    };
}

fn elementwise(c: &mut Cases) {
    c.binary("add", |a, b| a.add(b));
    c.binary("sub", |a, b| a.sub(b));
    c.binary("mul", |a, b| a.mul(b));
    c.binary("div", |a, b| a.div(b));
    c.binary("pow", |a, b| a.pow(b));
    for (name, f) in [("maximum", RBETensor::maximum as fn(&_, &_) -> _), ("minimum", RBETensor::minimum)] {
        c.add(name, vec![t(1, &[3, 4]), t(2, &[4])], move |x| f(&x[0], &x[1]));
    }
    // Quotients that are no integers: there the remainders jump.
    c.binary("remainder", |a, b| a.remainder(&b.mul(&RBETensor::new(&[0.37], &[])?)?));
    c.binary("fmod", |a, b| a.neg()?.fmod(&b.mul(&RBETensor::new(&[0.37], &[])?)?));
    for (name, f) in [
        ("atan2", RBETensor::atan2 as fn(&_, &_) -> _),
        ("hypot", RBETensor::hypot),
        ("xlogy", RBETensor::xlogy),
        ("logaddexp", RBETensor::logaddexp),
        ("logaddexp2", RBETensor::logaddexp2),
    ] {
        c.binary(name, f);
    }
    c.binary("copysign", |a, b| a.copysign(&b.neg()?));
    for (name, f) in [("floor_divide", RBETensor::floor_divide as fn(&_, &_) -> _), ("trunc_divide", RBETensor::trunc_divide)] {
        c.add(name, vec![t(1, &[3, 4]), positive(2, &[4])], move |x| f(&x[0], &x[1]));
    }
    let mask = RBETensor::new(&[1u8, 0, 0, 1], &[4]).unwrap();
    c.add("clamp_between", vec![t(1, &[3, 4]), t(2, &[4]), positive(3, &[])], |x| x[0].clamp_between(&x[1], &x[2]));
    c.add("where", vec![t(1, &[3, 4]), t(2, &[4])], move |x| mask.where_(&x[0], &x[1]));
    for (rule, f) in rbe_core::for_each_unary!(functions_of_python) {
        let x = match rule {
            "log" | "log2" | "log10" | "log1p" | "sqrt" | "reciprocal" | "lgamma" | "digamma" => positive(1, &[5]),
            "acosh" => RBETensor::new(&[1.3, 1.8, 2.5, 4.0], &[4]).unwrap().requiring_grad().unwrap(),
            _ => t(5, &[2, 7]),
        };
        c.unary(rule, x, f);
    }
    let x = || t(5, &[2, 7]);
    c.unary("round", x(), RBETensor::round);
    c.unary("gelu", x(), RBETensor::gelu);
    c.unary("gelu_tanh", x(), RBETensor::gelu_tanh);
    c.unary("leaky_relu", x(), |x| x.leaky_relu(0.1));
    c.unary("elu", x(), |x| x.elu(0.7));
    c.unary("softplus", x(), |x| x.softplus(1.5));
    c.unary("powf", positive(1, &[5]), |x| x.powf(2.5));
    c.unary("powf", t(1, &[5]), |x| x.powf(2.0));
    c.unary("clamp", x(), |x| x.clamp(Some(-0.5), Some(0.4)));
    // Numbers and differences that float32 holds exactly: conversion there and back loses nothing.
    let exact: Vec<f64> = (0..6).map(|i| f64::from(i) / 8.0 - 0.3125).collect();
    let exact = RBETensor::new(&exact, &[2, 3]).unwrap().requiring_grad().unwrap();
    let coarse = Tolerance { eps: 1.0 / 1024.0, ..Tolerance::default() };
    let chain = |x: &[RBETensor]| {
        let y = x[0].mul(&x[1])?.tanh()?.add(&x[2])?;
        y.square()?.mul(&y)?.sigmoid()?.sub(&x[0])
    };
    let inputs = vec![t(1, &[3, 4]), t(2, &[3, 4]), t(3, &[1])];
    let (_, names) = rbe_core::tape::fuse_and_tell(|| chain(&inputs)).expect("a chain of recorded operations");
    assert!(names.iter().any(|name| name.starts_with("fused(")));
    c.add("fused", inputs, move |x| rbe_core::tape::fuse(|| chain(x)));
    let narrowed = |x: &[RBETensor]| x[0].cast(DType::F32)?.square()?.cast(DType::F64);
    c.0.entry("cast").or_default().push(Box::new(move || gradcheck(narrowed, std::slice::from_ref(&exact), coarse)));
    // The mask is drawn anew in every call unless the generator is put back.
    c.add("dropout", vec![t(1, &[40])], |x| {
        rbe_core::random::manual_seed(3);
        x[0].dropout(0.3, true)
    });
}

fn axes(c: &mut Cases) {
    let x = || t(1, &[2, 3, 4]);
    for axes in [None, Some(&[0][..]), Some(&[-1]), Some(&[0, 2])] {
        for keep in [false, true] {
            c.unary("sum", x(), move |x| x.sum(axes, keep));
            c.unary("mean", x(), move |x| x.mean(axes, keep));
            c.unary("var", x(), move |x| x.var(axes, 1.0, keep));
            c.unary("std", x(), move |x| x.std(axes, 0.0, keep));
            c.unary("logsumexp", x(), move |x| x.logsumexp(axes, keep));
            c.unary("max", x(), move |x| x.max(axes, keep));
            c.unary("min", x(), move |x| x.min(axes, keep));
        }
    }
    for axes in [None, Some(&[1][..]), Some(&[0, 2])] {
        for keep in [false, true] {
            for p in [0.5, 1.0, 1.5, 2.0, 3.0, -1.0] {
                c.unary("norm", x(), move |x| x.norm(p, axes, keep));
            }
            c.add("prod", vec![t(1, &[2, 3, 2])], move |x| x[0].prod(axes, keep));
        }
    }
    // One zero in a row leaves one nonzero derivative, two leave none.
    let zeros = || RBETensor::new(&[0.0, 2.0, -3.0, 0.0, 0.0, 1.5], &[2, 3]).unwrap().requiring_grad().unwrap();
    c.add("prod", vec![zeros()], |x| x[0].prod(Some(&[-1]), false));
    c.add("prod", vec![t(1, &[0, 3])], |x| x[0].prod(Some(&[0]), false));
    for axis in 0..3 {
        c.add("cumsum", vec![t(1, &[2, 3, 4])], move |x| x[0].cumsum(axis));
    }
    c.add("cumsum", vec![t(1, &[3, 4])], |x| x[0].transpose(0, 1)?.cumsum(-1)?.square());
    c.add("cumsum", vec![t(1, &[0])], |x| x[0].cumsum(0));
    for axis in [-1, 0] {
        c.add("softmax", vec![t(1, &[3, 5])], move |x| x[0].softmax(axis));
        c.add("log_softmax", vec![t(1, &[3, 5])], move |x| x[0].log_softmax(axis));
    }
}

fn places(c: &mut Cases) {
    c.add("reshape", vec![t(1, &[2, 6])], |x| x[0].transpose(0, 1)?.reshape(&[3, -1]));
    c.add("permute", vec![t(1, &[2, 3, 4])], |x| x[0].permute(&[2, 0, -2]));
    c.add("broadcast_to", vec![t(1, &[3, 1])], |x| x[0].broadcast_to(&[2, 3, 4]));
    c.add("slice", vec![t(1, &[5, 4])], |x| {
        x[0].slice(&[SliceSpec { start: 4, step: -2, len: 3 }, SliceSpec { start: 1, step: 1, len: 2 }])
    });
    c.add("concat", vec![t(1, &[2, 3]), t(2, &[2, 1])], |x| RBETensor::concat(&[&x[0], &x[1], &x[0]], 1));
    c.add("concat", vec![t(1, &[2, 3]), t(2, &[2, 3])], |x| RBETensor::stack(&[&x[0], &x[1]], -1));
    c.add("slice", vec![t(1, &[5, 2])], |x| {
        let parts = x[0].split(&[2, 3], 0)?;
        parts[0].sum(None, false)?.mul(&parts[1])
    });
    for (indices, front) in [
        (vec![(0, ints(&[1, 1, -1], &[3]))], false),
        (vec![(1, ints(&[0, 2, 2, 1], &[2, 2]))], false),
        (vec![(0, ints(&[0, 1], &[2, 1])), (2, ints(&[3, 3, 0], &[3]))], true),
    ] {
        c.add("index", vec![t(1, &[2, 3, 4])], move |x| {
            let picks: Vec<(usize, Array)> = indices.iter().map(|(axis, i)| (*axis, i.array("test").unwrap().clone())).collect();
            x[0].index(&Picks::new(x[0].shape(), &picks, front)?)
        });
    }
    c.add("gather", vec![t(1, &[3, 4])], |x| x[0].gather(1, &ints(&[0, 3, 3, -1, 2, 0], &[3, 2])));
    c.add("sort", vec![t(1, &[3, 4])], |x| Ok(x[0].sort(0, true)?.0));
    c.add("sort", vec![t(1, &[2, 3, 4])], |x| Ok(x[0].sort(1, false)?.0));
    c.add("topk", vec![t(1, &[3, 6])], |x| Ok(x[0].topk(2, -1, false)?.0));
    c.add("topk", vec![t(1, &[3, 4, 2])], |x| Ok(x[0].topk(2, 1, true)?.0));
    for keepdims in [false, true] {
        c.add("max_along", vec![t(1, &[3, 4, 2])], move |x| Ok(x[0].extreme_along(true, 1, keepdims)?.0));
        c.add("min_along", vec![t(1, &[3, 4])], move |x| Ok(x[0].extreme_along(false, -1, keepdims)?.0));
    }
    c.add("gather", vec![t(1, &[1, 4])], |x| x[0].take_along_axis(1, &ints(&[0, 3, 3, -1, 2, 0], &[3, 2])));
    c.add("scatter_add", vec![t(1, &[3, 4]), t(2, &[2, 3])], |x| x[0].scatter_add(-1, &ints(&[0, 0, -1, 2, 2, 2], &[2, 3]), &x[1]));
    c.add("clone", vec![t(1, &[3, 4])], |x| x[0].flip(Some(&[-1]))?.mul(&x[0].flip(None)?)?.mul(&x[0].copied()?));
    c.add("concat", vec![t(1, &[2, 3]), t(2, &[0])], |x| RBETensor::concat(&[&x[1], &x[0], &x[1]], 1)?.add(&x[1].sum(None, false)?));
    c.add("overwrite", vec![t(1, &[3, 4]), t(2, &[2, 1])], |x| {
        let base = x[0].square()?;
        base.transpose(0, 1)?.narrow(0, 1, 2)?.narrow(1, 1, 2)?.assign(&x[1])?;
        let columns = ints(&[0, -1, 0], &[3]).array("test")?.clone();
        base.assign_picks(&Picks::new(&[3, 4], &[(1, columns)], false)?, &x[1].square()?.sum(None, false)?)?;
        Ok(base)
    });
    c.add("overwrite", vec![t(1, &[3, 4]), t(2, &[4])], |x| {
        let base = x[0].transpose(0, 1)?.copied()?;
        let (row, wide) = (base.narrow(1, 2, 1)?, base.unsqueeze(0)?.broadcast_to(&[2, 4, 3])?);
        base.narrow(1, 1, 2)?.squeeze(None)?.assign(&x[1].unsqueeze(1)?)?;
        row.mul(&x[1].unsqueeze(1)?)?.add(&wide.mul(&wide)?)
    });
    c.add("broadcast_to", vec![t(1, &[2, 3])], |x| x[0].repeat(&[2, 1, 3]));
    c.add("where", vec![t(1, &[2, 3, 4])], |x| x[0].tril(1)?.add(&x[0].triu(-1)?.square()?));
    let holes = RBETensor::new(&[1u8, 0, 1], &[3, 1]).unwrap();
    c.add("where", vec![t(1, &[3, 4])], move |x| x[0].masked_fill(&holes, 2.5));
    c.add("embedding", vec![t(1, &[5, 3])], |x| x[0].embedding(&ints(&[4, 0, 4, 2], &[2, 2]), None));
}

/// Rules whose inputs exist in float32 only; the named test stands in for a float64 check.
const CHECKED_ELSEWHERE: [(&str, &str); 3] = [
    ("decode", "rbe_core/tests/founding.rs: the product of two packed tensors has gradients for both"),
    ("packed_activation", "rbe_core/tests/packed.rs: the packed activation follows its float64 twin"),
    ("packed_embedding", "rbe_core/tests/packed.rs: rows of a packed table are products with unit vectors"),
];

#[test]
fn every_rule_has_a_gradcheck_that_passes() {
    let cases = cases();
    let rules: Vec<&str> = rules().map(|r| r.name.as_ref()).collect();
    for name in cases.0.keys() {
        assert!(rules.contains(name), "{name} is not in the table");
    }
    let mut failures = Vec::new();
    for rule in rules {
        match cases.0.get(rule) {
            None if CHECKED_ELSEWHERE.iter().any(|(name, _)| *name == rule) => {}
            None => failures.push(format!("{rule}: no gradcheck")),
            Some(list) => {
                failures.extend(list.iter().enumerate().filter_map(|(i, run)| run().err().map(|e| format!("{rule} case {i}: {e}"))))
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_wrong_or_missing_gradient_fails() {
    let x = t(1, &[3]);
    // The gradient of a detached product is zero; the differences are not.
    let lost = gradcheck(|x| x[0].detach().square()?.add(&x[0].sub(&x[0])?), std::slice::from_ref(&x), Tolerance::default());
    assert!(matches!(lost, Err(RbeError::Value(_))), "{lost:?}");
}
