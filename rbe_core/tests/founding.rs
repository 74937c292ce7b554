//! The examples of the engine's design document.

use std::sync::Arc;

mod common;

use rbe_core::array::{Array, map, zip};
use rbe_core::gradient::Gradient;
use rbe_core::nn::{Code, Layer, RBELinear, RBEModel, Relu};
use rbe_core::op::MatmulPrecision;
use rbe_core::optim::Rates;
use rbe_core::packed::{BITS, CYCLE_BITS, Cycle, Family, PackedTensor, levels};
use rbe_core::{
    AutoDifferentiable, CheckpointStrategy, ComputationGraph, HybridOptimizer, RBEAutoDiff, RBEGradient, RBEOperation, RBETensor, RbeError,
    Result, mse_loss,
};

fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * 0.37).sin()).collect()
}

#[test]
fn a_model_is_made_statement_by_statement() -> Result<()> {
    let mut model = RBEModel::new();
    model.add_layer(RBELinear::new(64, 32)?);
    model.add_layer(Relu);
    model.add_layer(RBELinear::new(32, 8)?);
    let output = model.forward(&RBETensor::new(&numbers(128), &[2, 64])?)?;
    assert_eq!(output.shape(), [2, 8]);
    Ok(())
}

fn dense(gradient: Option<&Gradient>) -> Vec<f32> {
    match gradient {
        Some(Gradient::Dense(array)) => array.to_vec().unwrap(),
        _ => panic!("no dense gradient"),
    }
}

#[test]
fn gradients_of_a_model_are_computed_and_applied() -> Result<()> {
    let mut model = RBEModel::new();
    model.add_layer(RBELinear::new(64, 8)?);
    let (x, target) = (RBETensor::new(&numbers(128), &[2, 64])?, RBETensor::new(&numbers(16), &[2, 8])?);
    let found = model.compute_gradients(&mse_loss(&model.forward(&x)?, &target)?)?;
    let parameters = model.parameters();
    assert_eq!(found.len(), parameters.len());
    assert!(parameters.iter().all(|p| p.grad().is_none()));
    model.apply_gradients(found)?;
    let applied = dense(parameters[1].grad().as_ref());
    parameters.iter().try_for_each(|p| p.set_grad(None))?;
    mse_loss(&model.forward(&x)?, &target)?.backward()?;
    assert_eq!(applied, dense(parameters[1].grad().as_ref()));
    assert!(matches!(parameters[0].grad(), Some(Gradient::Packed(_))));
    assert!(model.apply_gradients(Vec::new()).is_err());
    Ok(())
}

#[test]
fn an_engine_keeps_graph_gradients_and_schedule() -> Result<()> {
    let x = RBETensor::new(&[3.0f32, -1.0], &[2])?.requiring_grad()?;
    let mut engine = RBEAutoDiff::new();
    engine.computation_graph.register(Arc::new(|x: &RBETensor| x.mul(x)));
    let y = engine.forward(&x)?.sum(None, false)?;
    engine.backward(&y, &[&x])?;
    assert_eq!(dense(engine.gradient_cache[0].as_ref()), [6.0, -2.0]);
    assert_eq!(engine.backward_scheduler.as_ref().map(|s| s.len()), Some(2));
    assert!(x.grad().is_none());
    engine.apply(&[&x])?;
    assert_eq!(dense(x.grad().as_ref()), [6.0, -2.0]);
    assert!(engine.apply(&[]).is_err());
    Ok(())
}

#[test]
fn operations_are_registered_by_one_function() -> Result<()> {
    let mut graph = ComputationGraph::new();
    graph.register_operation("cube", |input, grad| match grad {
        None => Ok(map(input, |v: f64| v * v * v)),
        Some(grad) => zip("cube", input, grad, |v: f64, g: f64| 3.0 * v * v * g),
    });
    graph.register_operation("double", |input, grad| Ok(map(grad.unwrap_or(input), |v: f64| 2.0 * v)));
    graph.enable_checkpointing(CheckpointStrategy::Adaptive);
    let x = common::leaf(&[3.0, -1.0], &[2])?;
    let y = graph.execute(&x)?;
    assert_eq!(y.array("test")?.to_vec::<f64>()?, [54.0, -2.0]);
    y.sum(None, false)?.backward()?;
    assert_eq!(common::gradient(&x)?, [54.0, 6.0]);
    let mut wrong = ComputationGraph::new();
    wrong.register_operation("wrong", |input, grad| grad.map_or_else(|| Ok(input.clone()), |_| Array::from_slice(&[1.0], &[1])));
    let error = wrong.execute(&x)?.sum(None, false)?.backward().unwrap_err();
    assert!(matches!(&error, RbeError::Shape(_)) && error.to_string().contains("wrong"), "{error}");
    Ok(())
}

/// `a b` of two inputs.
struct Product;

impl AutoDifferentiable for Product {
    fn name(&self) -> std::borrow::Cow<'static, str> {
        "product".into()
    }

    fn forward(&self, inputs: &[&Array]) -> Result<Array> {
        zip("product", inputs[0], inputs[1], |a: f64, b: f64| a * b)
    }

    fn backward(&self, upstream: &Array, _: &Array, inputs: &[&Array]) -> Result<Vec<Option<Array>>> {
        let times = |other: &Array| zip("product", upstream, other, |d: f64, v: f64| d * v);
        Ok(vec![Some(times(inputs[1])?), Some(times(inputs[0])?)])
    }
}

/// `sin x` of one.
struct Sine;

impl AutoDifferentiable for Sine {
    fn name(&self) -> std::borrow::Cow<'static, str> {
        "own sine".into()
    }

    fn forward(&self, inputs: &[&Array]) -> Result<Array> {
        Ok(map(inputs[0], f64::sin))
    }

    fn backward(&self, upstream: &Array, _: &Array, inputs: &[&Array]) -> Result<Vec<Option<Array>>> {
        Ok(vec![Some(zip("own sine", upstream, inputs[0], |d: f64, v: f64| d * v.cos())?)])
    }
}

#[test]
fn a_type_says_how_it_is_differentiated() -> Result<()> {
    let (a, b) = (common::leaf(&[3.0, -1.0], &[2])?, common::leaf(&[0.5, 4.0], &[2])?);
    let y = Product.register_backward().apply(&[&a, &b])?;
    y.sum(None, false)?.backward()?;
    assert_eq!((common::gradient(&a)?, common::gradient(&b)?), (vec![0.5, 4.0], vec![3.0, -1.0]));
    let mut graph = ComputationGraph::new();
    graph.register_differentiable(Sine);
    let x = common::leaf(&[0.3], &[1])?;
    graph.execute(&x)?.backward()?;
    assert_eq!(common::gradient(&x)?, [0.3f64.cos()]);
    Ok(())
}

#[test]
fn a_pass_and_a_step_say_what_they_do() -> Result<()> {
    let layer = common::packed(1, [8, 64], 0.5, None);
    let w = RBETensor::from_packed(layer, true);
    let (x, b) = (RBETensor::new(&numbers(128), &[2, 64])?, RBETensor::new(&numbers(8), &[8])?.requiring_grad()?);
    let m = RBETensor::new(&numbers(24), &[8, 3])?.requiring_grad()?;
    let loss = x.packed_matmul(&w)?.add(&b)?.matmul(&m)?.sin()?.sum(None, false)?;
    let mut engine = RBEAutoDiff::new();
    engine.backward(&loss, &[&w])?;
    let other = |name: &str| RBEOperation::Other(name.to_owned());
    let found = engine.backward_scheduler.map(|s| s.operations());
    assert_eq!(
        found.as_deref(),
        Some(&[other("sum"), other("sin"), RBEOperation::MatMul, RBEOperation::Add, RBEOperation::PackedForward][..])
    );
    let optimizer = HybridOptimizer::new(vec![w, b], Rates::default())?;
    let step = [RBEOperation::HybridOptimize, RBEOperation::StateTransition, RBEOperation::RiemannianUpdate];
    assert_eq!(optimizer.operations(), step);
    Ok(())
}

/// A layer whose weight is given.
struct Given(RBETensor);

impl Layer for Given {
    fn forward(&self, x: &RBETensor) -> Result<RBETensor> {
        x.packed_matmul(&self.0)
    }

    fn parameters(&self) -> Vec<RBETensor> {
        vec![self.0.clone()]
    }
}

#[test]
fn a_model_is_stepped_with_the_gradients_of_its_loss() -> Result<()> {
    let run = |by_name: bool| -> Result<Vec<f64>> {
        let mut model = RBEModel::new();
        model.add_layer(Given(RBETensor::from_packed(common::packed(1, [8, 64], 0.6, None), true)));
        let optimizer = HybridOptimizer::new(model.parameters(), Rates::default())?;
        let x = RBETensor::new(&common::numbers::<f32>(2, 256), &[4, 64])?;
        let target = RBETensor::new(&common::numbers::<f32>(3, 32), &[4, 8])?;
        let step = |_| {
            if by_name {
                return optimizer.step_with_autodiff(&mut model, |model| mse_loss(&model.forward(&x)?, &target))?.item();
            }
            let loss = mse_loss(&model.forward(&x)?, &target)?;
            model.apply_gradients(model.compute_gradients(&loss)?)?;
            optimizer.step()?;
            loss.item()
        };
        (0..40).map(step).collect()
    };
    let losses = run(true)?;
    assert!(losses[39] < 0.5 * losses[0], "{losses:?}");
    assert_eq!(losses, run(false)?);
    Ok(())
}

fn both(t: &RBETensor) -> Result<RBEGradient> {
    match t.grad() {
        Some(Gradient::Packed(cache)) => cache.read(),
        _ => Err(RbeError::graph("test", "a packed gradient", "none")),
    }
}

/// The weights (rows, cols) of bits and points, in float64.
fn weights(hi: &[u64], lo: &[f64], [rows, cols]: [usize; 2], scale: f64) -> Vec<f64> {
    let blocks = cols.div_ceil(BITS);
    let one = |i: usize| {
        let at = i / cols * blocks + i % cols / BITS;
        levels([lo[2 * at], lo[2 * at + 1]], scale)[(hi[at] >> (i % cols % BITS) & 1) as usize]
    };
    (0..rows * cols).map(one).collect()
}

/// A packed tensor as bits and points in float64.
struct Wide {
    hi: Vec<u64>,
    lo: Vec<f64>,
    shape: [usize; 2],
    scale: f64,
}

impl Wide {
    fn of(w: &PackedTensor) -> Wide {
        let lo = w.lo().into_iter().map(f64::from).collect();
        Wide { hi: w.hi(), lo, shape: [w.rows(), w.cols()], scale: f64::from(w.scale()) }
    }

    fn weights(&self) -> Vec<f64> {
        weights(&self.hi, &self.lo, self.shape, self.scale)
    }
}

/// `Σ up ∘ (A Bᵀ)`.
fn loss(a: &Wide, b: &Wide, up: &[f32]) -> f64 {
    let ([m, k], n, x, y) = (a.shape, b.shape[0], a.weights(), b.weights());
    let entry = |i: usize| (0..k).map(|c| x[i / n * k + c] * y[i % n * k + c]).sum::<f64>() * f64::from(up[i]);
    (0..m * n).map(entry).sum()
}

#[test]
fn the_product_of_two_packed_tensors_has_gradients_for_both() -> Result<()> {
    let (m, n, k) = (5, 7, 70);
    let (a, b) = (common::packed(1, [m, k], 0.6, None), common::packed(2, [n, k], 0.6, None));
    let (ta, tb) = (RBETensor::from_packed(a.clone(), true), RBETensor::from_packed(b.clone(), true));
    let up: Vec<f32> = common::numbers(3, m * n);
    let before = MatmulPrecision::replace_of_thread(Some(MatmulPrecision::Float32));
    let y = ta.packed_matmul(&tb)?;
    assert_eq!(y.shape(), [m, n]);
    y.mul(&RBETensor::new(&up, &[m, n])?)?.sum(None, false)?.backward()?;
    MatmulPrecision::replace_of_thread(before);
    let wide = [Wide::of(&a), Wide::of(&b)];
    let at = |which: usize, change: &dyn Fn(&mut Wide)| {
        let mut pair = [Wide::of(&a), Wide::of(&b)];
        change(&mut pair[which]);
        loss(&pair[0], &pair[1], &up)
    };
    let whole = loss(&wide[0], &wide[1], &up);
    let by_rows = y.mul(&RBETensor::new(&up, &[m, n])?)?.sum(None, false)?.item()?;
    assert!((by_rows - whole).abs() < 1e-5, "{by_rows} {whole}");
    for (which, t) in [&ta, &tb].into_iter().enumerate() {
        let gradient = both(t)?;
        let (hi, lo) = (gradient.hi.to_vec::<f32>()?, gradient.lo.to_vec::<f32>()?);
        let interaction = gradient.interaction.to_vec::<f32>()?;
        let close = |found: f32, want: f64| (f64::from(found) - want).abs() < 1e-5 * (1.0 + want.abs());
        let step = 1e-6;
        for (i, found) in lo.iter().enumerate() {
            let end = |h: f64| at(which, &|w| w.lo[i] += h);
            let want = (end(step) - end(-step)) / (2.0 * step);
            assert!(close(*found, want), "lo {i} of {which}: {found} {want}");
        }
        let blocks = k.div_ceil(BITS);
        for (i, found) in hi.iter().enumerate() {
            if i / BITS % blocks * BITS + i % BITS >= k {
                assert_eq!((*found, interaction[2 * i], interaction[2 * i + 1]), (0.0, 0.0, 0.0));
                continue;
            }
            let (block, bit) = (i / BITS, i % BITS);
            let want = at(which, &|w| w.hi[block] ^= 1 << bit) - whole; // the product is linear in each weight
            assert!(close(*found, want), "hi {i} of {which}: {found} {want}");
            if i % 37 == 0 {
                let flipped = |h: f64| at(which, &|w| (w.hi[block], w.lo[2 * block]) = (w.hi[block] ^ 1 << bit, w.lo[2 * block] + h));
                let plain = |h: f64| at(which, &|w| w.lo[2 * block] += h);
                let mixed = (flipped(step) - plain(step) - flipped(-step) + plain(-step)) / (2.0 * step);
                assert!(close(interaction[2 * i], mixed), "interaction {i} of {which}: {} {mixed}", interaction[2 * i]);
            }
        }
    }
    assert!(matches!(RBETensor::new(&[1.0f32], &[1, 1])?.decode(), Err(RbeError::DType(_))));
    assert!(matches!(ta.packed_matmul(&RBETensor::from_packed(common::packed(1, [2, 64], 0.5, None), true)), Err(RbeError::Shape(_))));
    Ok(())
}

#[test]
fn a_weight_of_cycle_states_has_the_gradients_of_its_blocks() -> Result<()> {
    let layer = RBELinear::with_code(70, 3, Code::Cycle)?;
    let w = layer.weight().packed("test")?.clone();
    assert_eq!(w.shape(), [6, CYCLE_BITS]);
    let x = common::numbers::<f32>(1, 4 * 70);
    let up = common::numbers::<f32>(2, 4 * 3);
    let y = layer.forward(&RBETensor::new(&x, &[4, 70])?)?;
    y.mul(&RBETensor::new(&up, &[4, 3])?)?.sum(None, false)?.backward()?;
    let gradient = both(layer.weight())?;
    let (hi, lo) = (gradient.hi.to_vec::<f32>()?, gradient.lo.to_vec::<f32>()?);
    // The same loss in float64 of any states and points.
    let wide: Vec<f64> = x.iter().map(|v| f64::from(*v)).collect();
    let (wide, up) = (RBETensor::new(&wide, &[4, 70])?, RBETensor::new(&up.iter().map(|v| f64::from(*v)).collect::<Vec<_>>(), &[4, 3])?);
    let loss = |hi: &[u64], z: &[f64]| -> Result<f64> {
        let y = wide.cycle_linear_of(hi, &RBETensor::new(z, &[6, 2])?, f64::from(w.scale()), None)?;
        y.mul(&up)?.sum(None, false)?.item()
    };
    let (states, z) = (w.hi(), w.lo().into_iter().map(f64::from).collect::<Vec<_>>());
    let before = loss(&states, &z)?;
    let close = |found: f32, want: f64| (f64::from(found) - want).abs() < 1e-4 * (1.0 + want.abs());
    for (i, found) in lo.iter().enumerate() {
        let end = |h: f64| loss(&states, &z.iter().enumerate().map(|(k, v)| if k == i { v + h } else { *v }).collect::<Vec<_>>());
        let want = (end(1e-6)? - end(-1e-6)?) / 2e-6;
        assert!(close(*found, want), "lo {i}: {found} {want}");
    }
    for (i, found) in hi.iter().enumerate() {
        let (block, bit) = (i / BITS, i % BITS);
        let mut flipped = states.clone();
        flipped[block] ^= 1 << bit;
        match Cycle::from_bits(flipped[block]) {
            _ if bit >= CYCLE_BITS => assert_eq!(*found, 0.0),
            Some(state) if !matches!(state.family, Family::Hyperbolic | Family::Exp) => {
                let want = loss(&flipped, &z)? - before;
                assert!(close(*found, want), "hi {i}: {found} {want}");
            }
            _ => assert_eq!(*found, f32::INFINITY),
        }
    }
    let error = RBETensor::new(&x, &[1, 280])?.cycle_linear(layer.weight(), None).unwrap_err();
    assert!(matches!(&error, RbeError::Shape(_)) && error.to_string().starts_with("cycle_linear"), "{error}");
    assert!(matches!(layer.forward(&RBETensor::new(&x, &[2, 140])?), Err(RbeError::Shape(_))));
    assert!(RBETensor::new(&x, &[4, 70])?.cycle_linear(&RBETensor::new(&x, &[4, 70])?, None).is_err());
    Ok(())
}
