//! Whole training runs.

mod common;

use common::network::{CLASSES, batch, bits, loss, model, train};
use rbe_core::gradient::Gradient;
use rbe_core::nn::{RBELinear, RBEModel};
use rbe_core::op::mse_loss;
use rbe_core::optim::{HybridOptimizer, NonFinite, Rates};
use rbe_core::{RBETensor, RbeError, Result, parallel, random};

#[test]
fn losses_and_parameters_are_bit_equal_for_any_thread_count() -> Result<()> {
    let before = parallel::num_threads();
    let mut runs = Vec::new();
    for threads in [1, 2, 4, 8] {
        parallel::set_num_threads(threads)?;
        runs.push(in_turn(|| train(3, 50))?);
    }
    parallel::set_num_threads(before)?;
    assert!(runs.windows(2).all(|pair| pair[0] == pair[1]));
    Ok(())
}

/// The generator of random numbers belongs to the process: seeded runs of this file take turns.
fn in_turn<R>(run: impl FnOnce() -> R) -> R {
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    run()
}

#[test]
fn a_packed_network_learns() -> Result<()> {
    let (losses, _) = in_turn(|| train(1, 300))?;
    let last = losses[290..].iter().map(|b| f64::from_bits(*b)).sum::<f64>() / 10.0;
    let chance = (CLASSES as f64).ln();
    assert!(last < 0.5 * chance, "{last:.3} nats after 300 steps, {chance:.3} by chance");
    Ok(())
}

#[test]
fn a_step_leaves_the_gradients_it_used_as_they_were() -> Result<()> {
    in_turn(|| {
        random::manual_seed(0);
        let model = model()?;
        let optimizer = HybridOptimizer::new(model.parameters(), Rates::default())?;
        loss(&model, &batch(32)?)?.backward()?;
        let dense = |p: &RBETensor| match p.grad() {
            Some(Gradient::Dense(g)) => Some(g.to_vec::<f32>()),
            _ => None,
        };
        let before = model.parameters().iter().filter_map(dense).collect::<Result<Vec<_>>>()?;
        optimizer.step()?;
        assert!(!before.is_empty());
        assert_eq!(before, model.parameters().iter().filter_map(dense).collect::<Result<Vec<_>>>()?);
        assert_eq!(optimizer.steps(), 1);
        Ok(())
    })
}

#[test]
fn a_gradient_that_is_not_finite_reaches_no_parameter() -> Result<()> {
    in_turn(|| {
        random::manual_seed(0);
        let model = model()?;
        let groups = |action| HybridOptimizer::with_groups(vec![(model.parameters(), Rates::default())], action, false, 0);
        let (x, y) = batch(8)?;
        let poison = RBETensor::new(&[f32::NAN], &[1])?;
        let start = bits(&model)?;
        for action in [NonFinite::Error, NonFinite::Skip] {
            let optimizer = groups(action)?;
            let bad = loss(&model, &(x.clone(), y.clone()))?.mul(&poison)?.sum(None, false)?;
            let outcome = optimizer.step_on(&bad);
            match action {
                NonFinite::Error => assert!(matches!(outcome, Err(RbeError::NonFinite(_)))),
                NonFinite::Skip => assert!(outcome.is_ok() && optimizer.skipped() == 1),
            }
            assert_eq!(start, bits(&model)?);
        }
        Ok(())
    })
}

#[test]
fn the_names_of_a_rust_program() -> Result<()> {
    in_turn(|| {
        random::manual_seed(0);
        let model = RBEModel::new().with_layer(RBELinear::new(768, 3072)?).with_layer(RBELinear::new(3072, 768)?);
        // One pattern, fitted with small rates: at the usual ones all bits that agree on it flip at once and overshoot.
        let optimizer = HybridOptimizer::new(model.parameters(), Rates { lr_hi: 0.002, lr_lo: 0.002, ..Rates::default() })?;
        let x = RBETensor::new(&[0.5f32; 2 * 768], &[2, 768])?;
        let target = RBETensor::new(&[0.0f32; 2 * 768], &[2, 768])?;
        let measure = || mse_loss(&model.forward(&x)?, &target);
        let first = measure()?;
        optimizer.step_on(&first)?;
        for _ in 0..10 {
            optimizer.step_on(&measure()?)?;
        }
        let (first, last) = (first.item()?, measure()?.item()?);
        assert!(last < first, "{first} to {last}");
        assert_eq!(model.parameters()[0].packed("test")?.nbytes(), 768 * 3072 / 4);
        Ok(())
    })
}
