//! The examples of the engine's design document.

use std::sync::Arc;

use rbe_core::gradient::Gradient;
use rbe_core::nn::{RBELinear, RBEModel, Relu};
use rbe_core::{RBEAutoDiff, RBETensor, Result, mse_loss};

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
    engine.computation_graph = engine.computation_graph.register(Arc::new(|x: &RBETensor| x.mul(x)));
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
