//! The tape: what other engines got wrong.

mod common;

use common::{gradient, leaf};
use rbe_core::array::{Array, map_into};
use rbe_core::tape::{BackwardOptions, backward, grad, is_grad_enabled, with_grad};
use rbe_core::{RBETensor, RbeError, Result};

fn total(x: &RBETensor) -> Result<RBETensor> {
    x.sum(None, false)
}

#[test]
fn a_square_adds_both_uses() -> Result<()> {
    let x = leaf(&[3.0, -2.0], &[2])?;
    total(&x.mul(&x)?)?.backward()?;
    assert_eq!(gradient(&x)?, [6.0, -4.0]);
    Ok(())
}

#[test]
fn diamonds_add_every_path() -> Result<()> {
    // Twenty diamonds in a row: 2^20 paths, walked once each node.
    let x = leaf(&[1.0], &[1])?;
    let mut y = x.clone();
    for _ in 0..20 {
        y = y.add(&y)?;
    }
    total(&y)?.backward()?;
    assert_eq!(gradient(&x)?, [(1u64 << 20) as f64]);
    Ok(())
}

#[test]
fn branches_of_different_depth_meet() -> Result<()> {
    // x³ + 2x + x: the short branch must wait for the long one.
    let x = leaf(&[2.0], &[1])?;
    let y = x.mul(&x)?.mul(&x)?.add(&x.add(&x)?)?.add(&x)?;
    total(&y)?.backward()?;
    assert_eq!(gradient(&x)?, [15.0]);
    Ok(())
}

#[test]
fn unused_branches_and_detached_tensors_get_nothing() -> Result<()> {
    let (x, unused) = (leaf(&[2.0], &[1])?, leaf(&[5.0], &[1])?);
    let _dead = x.mul(&unused)?;
    total(&x.mul(&x.detach())?)?.backward()?;
    assert_eq!(gradient(&x)?, [2.0]);
    assert!(unused.grad().is_none());
    Ok(())
}

#[test]
fn a_hundred_thousand_operations_do_not_overflow_the_stack() -> Result<()> {
    let (x, one) = (leaf(&[0.5], &[1])?, RBETensor::new(&[1.0], &[1])?);
    let mut y = x.clone();
    for _ in 0..100_000 {
        y = y.mul(&one)?;
    }
    total(&y)?.backward()?;
    assert_eq!(gradient(&x)?, [1.0]);
    drop(y); // dropping the chain must not recurse either
    Ok(())
}

#[test]
fn a_dropped_chain_without_backward_does_not_overflow_either() -> Result<()> {
    let x = leaf(&[0.5], &[1])?;
    let mut y = x.clone();
    for _ in 0..100_000 {
        y = y.neg()?;
    }
    drop(y);
    assert!(x.grad().is_none());
    Ok(())
}

#[test]
fn backward_twice_is_refused_unless_the_graph_is_kept() -> Result<()> {
    let x = leaf(&[3.0], &[1])?;
    let y = total(&x.mul(&x)?)?;
    backward(&[&y], &[None], BackwardOptions { retain_graph: true })?;
    y.backward()?;
    assert_eq!(gradient(&x)?, [12.0]);
    assert!(matches!(y.backward(), Err(RbeError::Graph(_))));
    assert_eq!(gradient(&x)?, [12.0], "the refused pass changed a gradient");
    Ok(())
}

#[test]
fn a_saved_tensor_that_was_changed_is_refused() -> Result<()> {
    let x = leaf(&[3.0], &[1])?;
    let factor = RBETensor::new(&[2.0], &[1])?;
    let y = total(&x.mul(&factor)?)?;
    map_into(factor.array("test")?, &Array::from_slice(&[7.0], &[1])?, |_: f64, new| new)?;
    assert!(matches!(y.backward(), Err(RbeError::Graph(_))));
    assert!(x.grad().is_none());
    Ok(())
}

#[test]
fn nothing_is_recorded_without_grad_mode() -> Result<()> {
    let x = leaf(&[3.0], &[1])?;
    let y = with_grad(false, || x.mul(&x))?;
    assert!(is_grad_enabled() && !y.requires_grad() && y.is_leaf());
    assert!(matches!(y.backward(), Err(RbeError::Graph(_))));
    Ok(())
}

#[test]
fn broadcast_inputs_get_gradients_of_their_own_shape() -> Result<()> {
    let (row, column) = (leaf(&[1.0, 2.0, 3.0], &[3])?, leaf(&[10.0, 20.0], &[2, 1])?);
    total(&row.mul(&column)?)?.backward()?;
    assert_eq!(gradient(&row)?, [30.0; 3]);
    assert_eq!(gradient(&column)?, [6.0; 2]);
    Ok(())
}

#[test]
fn gradients_of_leaves_are_their_own() -> Result<()> {
    // One upstream array reaches both leaves; changing the gradient of one must not change the other's.
    let (a, b) = (leaf(&[1.0], &[1])?, leaf(&[2.0], &[1])?);
    let y = total(&a.add(&b)?)?;
    y.backward()?;
    let Some(rbe_core::gradient::Gradient::Dense(of_a)) = a.grad() else { panic!("no gradient") };
    map_into(&of_a, &Array::from_slice(&[9.0], &[1])?, |_: f64, new| new)?;
    assert_eq!(gradient(&b)?, [1.0]);
    Ok(())
}

#[test]
fn grad_leaves_the_leaves_alone() -> Result<()> {
    let (x, other) = (leaf(&[3.0], &[1])?, leaf(&[1.0], &[1])?);
    let y = total(&x.mul(&x)?)?;
    let found = grad(&[&y], &[&x, &other], &[None], BackwardOptions::default())?;
    assert!(found[0].is_some() && found[1].is_none());
    assert!(x.grad().is_none());
    Ok(())
}

#[test]
fn slopes_at_kinks_are_pinned() -> Result<()> {
    for f in [RBETensor::relu, RBETensor::abs] {
        let x = leaf(&[0.0], &[1])?;
        total(&f(&x)?)?.backward()?;
        assert_eq!(gradient(&x)?, [0.0]);
    }
    Ok(())
}

#[test]
fn shapes_and_kinds_that_do_not_fit_are_named() -> Result<()> {
    let (a, b) = (leaf(&[1.0, 2.0], &[2])?, leaf(&[1.0, 2.0, 3.0], &[3])?);
    let Err(RbeError::Shape(detail)) = a.add(&b) else { panic!("shapes that do not broadcast were taken") };
    assert_eq!(detail.op, "add");
    assert!(detail.expected.contains("[2]") && detail.got.contains("[3]"), "{detail}");
    assert!(matches!(a.packed_matmul(&b), Err(RbeError::DType(_))));
    assert!(matches!(RBETensor::new(&[1i64], &[1])?.requiring_grad(), Err(RbeError::DType(_))));
    Ok(())
}
