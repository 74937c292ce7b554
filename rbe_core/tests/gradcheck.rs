//! Walks the rule table: every rule has a float64 gradient check, and every check names a rule.

mod common;

use std::collections::BTreeMap;

use common::numbers;
use rbe_core::array::{Array, SliceSpec};
use rbe_core::gradcheck::{Tolerance, gradcheck};
use rbe_core::op::{AttentionOptions, Cell, CrossEntropyOptions, Picks, Reduction, Running, Windows, mse_loss, table::rules};
use rbe_core::packed::{Cycle, Family};
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

    fn unary(&mut self, rule: &'static str, x: RBETensor, f: fn(&RBETensor) -> Result<RBETensor>) {
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
    networks(&mut c);
    windows(&mut c);
    attention(&mut c);
    recurrent(&mut c);
    c
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
    c.binary("copysign", |a, b| a.copysign(&b.neg()?));
    for (name, f) in [("floor_divide", RBETensor::floor_divide as fn(&_, &_) -> _), ("trunc_divide", RBETensor::trunc_divide)] {
        c.add(name, vec![t(1, &[3, 4]), positive(2, &[4])], move |x| f(&x[0], &x[1]));
    }
    let mask = RBETensor::new(&[1u8, 0, 0, 1], &[4]).unwrap();
    c.add("clamp_between", vec![t(1, &[3, 4]), t(2, &[4]), positive(3, &[])], |x| x[0].clamp_between(&x[1], &x[2]));
    c.add("where", vec![t(1, &[3, 4]), t(2, &[4])], move |x| mask.where_(&x[0], &x[1]));
    let x = || t(5, &[2, 7]);
    c.unary("neg", x(), RBETensor::neg);
    c.unary("exp", x(), RBETensor::exp);
    c.unary("expm1", x(), RBETensor::expm1);
    c.unary("log", positive(1, &[5]), RBETensor::log);
    c.unary("log2", positive(1, &[5]), RBETensor::log2);
    c.unary("log10", positive(1, &[5]), RBETensor::log10);
    c.unary("log1p", positive(1, &[5]), RBETensor::log1p);
    c.unary("sqrt", positive(1, &[5]), RBETensor::sqrt);
    c.unary("square", x(), RBETensor::square);
    c.unary("reciprocal", positive(1, &[5]), RBETensor::reciprocal);
    c.unary("abs", x(), RBETensor::abs);
    for (name, f) in
        [("sign", RBETensor::sign as fn(&_) -> _), ("floor", RBETensor::floor), ("ceil", RBETensor::ceil), ("trunc", RBETensor::trunc)]
    {
        c.unary(name, x(), f);
    }
    c.unary("round", x(), RBETensor::round);
    c.unary("sin", x(), RBETensor::sin);
    c.unary("cos", x(), RBETensor::cos);
    c.unary("tanh", x(), RBETensor::tanh);
    c.unary("sigmoid", x(), RBETensor::sigmoid);
    c.unary("relu", x(), RBETensor::relu);
    c.unary("leaky_relu", x(), |x| x.leaky_relu(0.1));
    c.unary("elu", x(), |x| x.elu(0.7));
    c.unary("gelu", x(), RBETensor::gelu);
    c.unary("gelu_tanh", x(), RBETensor::gelu_tanh);
    c.unary("silu", x(), RBETensor::silu);
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
    c.0.entry("cast")
        .or_default()
        .push(Box::new(move || gradcheck(|x| x[0].cast(DType::F32)?.square()?.cast(DType::F64), std::slice::from_ref(&exact), coarse)));
    // The mask is drawn anew in every call unless the generator is put back.
    c.add("dropout", vec![t(1, &[40])], |x| {
        rbe_core::random::manual_seed(3);
        x[0].dropout(0.3, true)
    });
}

fn axes(c: &mut Cases) {
    for axes in [None, Some(vec![0]), Some(vec![-1]), Some(vec![0, 2])] {
        for keep in [false, true] {
            let a = axes.clone();
            c.add("sum", vec![t(1, &[2, 3, 4])], move |x| x[0].sum(a.as_deref(), keep));
            let a = axes.clone();
            c.add("mean", vec![t(1, &[2, 3, 4])], move |x| x[0].mean(a.as_deref(), keep));
            let a = axes.clone();
            c.add("var", vec![t(1, &[2, 3, 4])], move |x| x[0].var(a.as_deref(), 1.0, keep));
            let a = axes.clone();
            c.add("std", vec![t(1, &[2, 3, 4])], move |x| x[0].std(a.as_deref(), 0.0, keep));
            let a = axes.clone();
            c.add("logsumexp", vec![t(1, &[2, 3, 4])], move |x| x[0].logsumexp(a.as_deref(), keep));
            let a = axes.clone();
            c.add("max", vec![t(1, &[2, 3, 4])], move |x| x[0].max(a.as_deref(), keep));
            let a = axes.clone();
            c.add("min", vec![t(1, &[2, 3, 4])], move |x| x[0].min(a.as_deref(), keep));
        }
    }
    for axes in [None, Some(vec![1]), Some(vec![0, 2])] {
        for keep in [false, true] {
            let a = axes.clone();
            for p in [0.5, 1.0, 1.5, 2.0, 3.0, -1.0] {
                let a = a.clone();
                c.add("norm", vec![t(1, &[2, 3, 4])], move |x| x[0].norm(p, a.as_deref(), keep));
            }
            let a = axes.clone();
            c.add("prod", vec![t(1, &[2, 3, 2])], move |x| x[0].prod(a.as_deref(), keep));
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

fn networks(c: &mut Cases) {
    for (a, b) in [
        (vec![3, 4], vec![4, 2]),
        (vec![2, 3, 4], vec![4, 5]),
        (vec![2, 1, 3, 4], vec![3, 4, 2]),
        (vec![4], vec![4]),
        (vec![4], vec![4, 3]),
        (vec![2, 3, 4], vec![4]),
    ] {
        c.add("matmul", vec![t(1, &a), t(2, &b)], |x| x[0].matmul(&x[1]));
    }
    c.add("matmul", vec![t(1, &[4, 3]), t(2, &[2, 4])], |x| x[0].transpose(0, 1)?.matmul(&x[1].transpose(0, 1)?));
    c.add("linear", vec![t(1, &[2, 3, 4]), t(2, &[5, 4]), t(3, &[5])], |x| x[0].linear(&x[1], Some(&x[2])));
    c.add("linear", vec![t(1, &[3, 4]), t(2, &[5, 4])], |x| x[0].linear(&x[1], None));

    let (rows, cols) = (5, 70); // a partial block of 6 weights
    let hi: Vec<u64> =
        (0..rows as u64 * 2).map(|i| (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) & if i % 2 == 1 { 63 } else { u64::MAX }).collect();
    let z = || {
        let small: Vec<f64> = numbers(9, rows * 2 * 2).into_iter().map(|v: f64| v * 0.65).collect();
        RBETensor::new(&small, &[rows, 2, 2]).unwrap().requiring_grad().unwrap()
    };
    let words = hi.clone();
    c.add("two_level_linear", vec![t(1, &[2, 3, cols]), z(), t(3, &[rows])], move |x| {
        x[0].two_level_linear(&words, &x[1], 0.2, Some(&x[2]))
    });
    c.add("two_level_linear", vec![t(1, &[3, cols]), z()], move |x| x[0].two_level_linear(&hi, &x[1], 0.2, None));
    // The packed tensor itself is no float64 input; x and bias are, and hi, lo, interaction have tests of their own.
    let lo: Vec<f32> = numbers(8, rows * 2 * 2).into_iter().map(|v: f32| v * 0.6).collect();
    let bits: Vec<u64> = (0..rows as u64 * 2).map(|i| if i % 2 == 1 { i } else { !i << 3 }).collect();
    let w = RBETensor::from_packed(rbe_core::packed::PackedTensor::new(&[rows, cols], &bits, &lo, None).unwrap(), true);
    c.add("packed_linear", vec![t(1, &[2, 3, cols]), t(3, &[rows])], move |x| x[0].packed_linear(&w, Some(&x[1])));

    for family in Family::ALL {
        for phase in 0..2 {
            let hi: Vec<u64> = (0..3).map(|i| Cycle { family, phase, frequency: 28 + 3 * i }.bits()).collect();
            let point = || RBETensor::new(&[0.3, 0.2, -0.5, 0.4, 0.1, -0.6], &[3, 2]).unwrap().requiring_grad().unwrap();
            c.add("rbe_activation", vec![t(1, &[4, 3]), point()], move |x| x[0].rbe_activation(&hi, &x[1]));
        }
    }
    let shared = vec![Cycle::initial(Family::Circular).bits()];
    c.add("rbe_activation", vec![t(1, &[4, 3]), positive(1, &[1, 2])], move |x| {
        x[0].rbe_activation(&shared, &x[1].mul(&RBETensor::new(&[0.3], &[])?)?)
    });

    for affine in 0..2 {
        c.add("rms_norm", vec![t(1, &[2, 3, 4]), positive(2, &[3, 4])], move |x| {
            x[0].rms_norm(&[3, 4], (affine > 0).then_some(&x[1]), 1e-5)?.add(&x[1])
        });
    }
    for affine in 0..3 {
        c.add("layer_norm", vec![t(1, &[2, 3, 4]), positive(2, &[3, 4]), t(3, &[3, 4])], move |x| {
            let y = x[0].layer_norm(&[3, 4], (affine > 0).then_some(&x[1]), (affine > 1).then_some(&x[2]), 1e-5)?;
            // Keep every input on the tape, so that each is checked.
            y.add(&x[1].mul(&x[2])?)
        });
        for shape in [vec![6, 3], vec![3, 3, 2]] {
            for training in [true, false] {
                c.add("batch_norm", vec![t(1, &shape), positive(2, &[3]), t(3, &[3])], move |x| {
                    let running =
                        Running { mean: Array::full(DType::F64, &[3], 0.1), var: Array::full(DType::F64, &[3], 0.7), momentum: 0.1 };
                    let y = x[0].batch_norm(Some(running), (affine > 0).then_some(&x[1]), (affine > 1).then_some(&x[2]), training, 1e-5)?;
                    y.square()?.sum(None, false)?.add(&x[1].mul(&x[2])?.sum(None, false)?)
                });
            }
        }
    }
    c.add("mse_loss", vec![t(1, &[3, 4]), t(2, &[3, 4])], |x| mse_loss(&x[0], &x[1]));
    for reduction in [Reduction::Mean, Reduction::Sum, Reduction::Elements] {
        for label_smoothing in [0.0, 0.1] {
            for weight in [None, Some(vec![0.5, 1.0, 2.0, 0.25])] {
                let options = CrossEntropyOptions { label_smoothing, ignore_index: 1, weight, reduction };
                c.add("cross_entropy", vec![t(1, &[5, 4])], move |x| x[0].cross_entropy(&ints(&[0, 3, 1, 2, 3], &[5]), options.clone()));
            }
        }
        let options = CrossEntropyOptions { reduction, ..Default::default() };
        c.add("cross_entropy", vec![t(1, &[2, 4, 3])], move |x| x[0].cross_entropy(&ints(&[0, 3, 1, 2, 3, 0], &[2, 3]), options.clone()));
    }
}

fn windows(c: &mut Cases) {
    let slide = |kernel: &[usize], stride: &[usize], padding: &[(usize, usize)], dilation: &[usize]| {
        Windows::new("test", kernel, stride, padding, dilation).unwrap()
    };
    let planes = [
        slide(&[3, 3], &[1, 1], &[(1, 1), (1, 1)], &[1, 1]),
        slide(&[2, 3], &[2, 1], &[(1, 0), (0, 2)], &[1, 2]),
        slide(&[1, 5], &[3, 2], &[(0, 0), (2, 2)], &[1, 1]),
        slide(&[2, 2], &[2, 2], &[(0, 0), (0, 0)], &[2, 1]),
    ];
    let line = slide(&[3], &[2], &[(1, 1)], &[2]);
    for w in planes.clone() {
        c.add("unfold", vec![t(1, &[2, 2, 5, 6])], move |x| x[0].unfold(&w));
    }
    let w = line.clone();
    c.add("unfold", vec![t(1, &[2, 2, 9])], move |x| x[0].unfold(&w));

    for (w, kernel) in planes.clone().into_iter().zip([[3, 3], [2, 3], [1, 5], [2, 2]]) {
        for groups in [1, 2] {
            let (filters, w) = (t(2, &[6, 4 / groups, kernel[0], kernel[1]]), w.clone());
            c.add("conv", vec![t(1, &[3, 4, 5, 6]), filters, t(3, &[6])], move |x| x[0].conv(&x[1], Some(&x[2]), &w, groups));
        }
    }
    let w = line.clone();
    c.add("conv", vec![t(1, &[2, 4, 9]), t(2, &[4, 1, 3])], move |x| x[0].conv(&x[1], None, &w, 4));
    // Packed filters are no float64 input; x and bias are, and the filters' gradients have tests of their own.
    for groups in [1, 2] {
        let filters = rbe_core::packed::PackedTensor::random(&[6, 4 / groups, 3, 3], None, rbe_core::random::stream()).unwrap();
        let (filters, w) = (RBETensor::from_packed(filters, true), planes[0].clone());
        c.add("conv", vec![t(1, &[2, 4, 5, 6]), t(3, &[6])], move |x| x[0].conv(&filters, Some(&x[1]), &w, groups));
    }

    for w in [planes[0].clone(), planes[3].clone(), slide(&[3, 2], &[2, 3], &[(1, 1), (0, 0)], &[1, 2])] {
        for ceil in [false, true] {
            let w = w.clone();
            let again = w.clone();
            c.add("max_pool", vec![t(1, &[2, 2, 5, 6])], move |x| x[0].max_pool(&w, ceil));
            c.add("max_pool", vec![t(1, &[2, 2, 5, 6])], move |x| {
                let [values, places] = x[0].max_pool_with_indices(&again, ceil)?;
                values.mul(&places)
            });
        }
    }
    let w = line;
    c.add("max_pool", vec![t(1, &[2, 9])], move |x| x[0].max_pool(&w, false));
    let means = slide(&[3, 2], &[2, 1], &[(1, 1), (1, 1)], &[1, 1]);
    for (ceil, count_padding, divisor) in [(false, true, None), (true, false, None), (true, true, Some(5)), (true, true, None)] {
        let w = means.clone();
        c.add("avg_pool", vec![t(1, &[2, 2, 6, 5])], move |x| x[0].avg_pool(&w, ceil, count_padding, divisor));
    }
    let w = slide(&[2], &[2], &[(1, 1)], &[1]);
    c.add("avg_pool", vec![t(1, &[2, 7])], move |x| x[0].avg_pool(&w, false, false, None));
    for parts in [vec![Some(3), Some(2)], vec![None, Some(7)], vec![Some(4)]] {
        c.add("adaptive_avg_pool", vec![t(1, &[2, 3, 5, 6])], move |x| x[0].adaptive_avg_pool(&parts));
    }
}

fn attention(c: &mut Cases) {
    const RULE: &str = "scaled_dot_product_attention";
    let causal = AttentionOptions { causal: true, ..Default::default() };
    // 70 queries or keys are two tiles; broadcast batches; fewer keys than queries and the reverse.
    for (l, s) in [(3, 5), (70, 4), (4, 70), (66, 66)] {
        for options in [AttentionOptions::default(), causal, AttentionOptions { scale: Some(1.5), ..causal }] {
            let few = if l * s > 1000 { 1 } else { 2 };
            c.add(RULE, vec![t(1, &[few, 1, l, 2]), t(2, &[few, s, 2]), t(3, &[1, few, s, 3])], move |x| {
                x[0].attention(&x[1], &x[2], None, options)
            });
        }
    }
    let seen = |n: usize| RBETensor::new(&(0..n).map(|i| u8::from(i % 3 != 1)).collect::<Vec<_>>(), &[n]).unwrap();
    c.add(RULE, vec![t(1, &[2, 3, 4]), t(2, &[2, 5, 4]), t(3, &[2, 5, 4])], move |x| x[0].attention(&x[1], &x[2], Some(&seen(5)), causal));
    c.add(RULE, vec![t(1, &[2, 3, 4]), t(2, &[2, 5, 4]), t(3, &[2, 5, 4]), t(4, &[2, 3, 1])], |x| {
        x[0].attention(&x[1], &x[2], Some(&x[3]), AttentionOptions::default())
    });
    c.add(RULE, vec![t(1, &[3, 4]), t(2, &[5, 4]), t(3, &[5, 4]), t(4, &[3, 5])], move |x| {
        rbe_core::random::manual_seed(3); // the same elements are dropped in every call
        x[0].attention(&x[1], &x[2], Some(&x[3]), AttentionOptions { dropout: 0.4, ..causal })
    });
    c.add("self_attention", vec![t(1, &[2, 4, 18])], move |x| x[0].self_attention(2, None, causal));
    c.add("self_attention", vec![t(1, &[67, 12])], |x| x[0].self_attention(2, None, AttentionOptions::default()));
    c.add("self_attention", vec![t(1, &[2, 3, 12]), t(2, &[2, 1, 3, 3])], |x| {
        x[0].self_attention(2, Some(&x[1]), AttentionOptions::default())
    });
}

fn recurrent(c: &mut Cases) {
    let (steps, n, h) = (3, 2, 4);
    for cell in [Cell::Tanh, Cell::Relu, Cell::Lstm, Cell::Gru] {
        let rows = cell.gates() * h;
        for (reverse, uses) in [(false, 0), (true, 1), (false, 2), (true, 3)] {
            let inputs = || vec![t(1, &[steps, n, rows]), t(2, &[rows, h]), t(3, &[n, h]), t(4, &[rows]), t(5, &[n, h])];
            let run = move |x: &[RBETensor], bias: bool, weight: &RBETensor| {
                let cells = (cell == Cell::Lstm).then_some(&x[4]);
                let (y, last, cells) = x[0].recurrent(cell, weight, bias.then_some(&x[3]), (&x[2], cells), reverse)?;
                let y = match uses {
                    0 => y,
                    1 => y.mul(&last)?,
                    2 => last.unsqueeze(0)?,
                    _ => cells.unwrap_or(last).unsqueeze(0)?.square()?,
                };
                // Every input stays on the tape, so that each is checked.
                y.add(&x[4].mul(&x[3].sum(None, false)?)?)?.add(&x[1].sum(None, false)?)
            };
            c.add("recurrent", inputs(), move |x| run(x, true, &x[1]));
            c.add("recurrent", inputs(), move |x| run(x, false, &x[1]));
            let bits: Vec<u64> = (0..rows as u64).map(|i| (i * 7) & 15).collect();
            let lo: Vec<f32> = numbers(8, rows * 2).into_iter().map(|v: f32| v * 0.6).collect();
            let w = RBETensor::from_packed(rbe_core::packed::PackedTensor::new(&[rows, h], &bits, &lo, None).unwrap(), false);
            c.add("recurrent", inputs(), move |x| run(x, true, &w));
        }
    }
}

/// Rules whose inputs exist in float32 only; the named test stands in for a float64 check.
const CHECKED_ELSEWHERE: [(&str, &str); 2] = [
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
