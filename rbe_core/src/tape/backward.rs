//! Backward passes as callers ask for them: to all leaves, to some tensors, or with the gradients returned.

use super::pass::{Pass, Want};
use super::tensor::RBETensor;
use crate::array::Array;
use crate::error::{RbeError, Result};
use crate::gradient::Gradient;
use crate::memory;

/// How a backward pass treats the graph.
#[derive(Debug, Clone, Copy, Default)]
pub struct BackwardOptions {
    /// Keep what the nodes saved, so that another pass may follow.
    pub retain_graph: bool,
}

/// Adds the gradients of `roots`, weighted by `gradients` (ones for a scalar root), to the leaves they depend on.
///
/// # Errors
/// `Graph` if a root has no graph, is not a scalar and comes without gradient, or the graph was freed or changed;
/// `Shape`, `DType` for a gradient that does not fit its root; `Memory` if the system refuses it. No gradient has changed then,
/// but what the graph saved is used up as far as the pass came.
pub fn backward(roots: &[&RBETensor], gradients: &[Option<Array>], options: BackwardOptions) -> Result<()> {
    memory::guard("backward", || Pass::new(roots, gradients, options, Want::Leaves)?.run().map(|_| ()))
}

/// As [`backward`], for `inputs` alone, leaves or results: only operations between them and the roots run.
///
/// # Errors
/// As [`backward`]; `Graph` without inputs, or for one that requires no gradient.
pub fn backward_into(roots: &[&RBETensor], gradients: &[Option<Array>], inputs: &[&RBETensor], options: BackwardOptions) -> Result<()> {
    const OP: &str = "backward";
    if inputs.is_empty() {
        return Err(RbeError::graph(OP, "at least one tensor in inputs", "none"));
    }
    if let Some(i) = inputs.iter().position(|t| !t.requires_grad()) {
        return Err(RbeError::graph(OP, "inputs that require grad", format!("one that does not, at position {i}")));
    }
    memory::guard(OP, || Pass::new(roots, gradients, options, Want::Added(inputs))?.run().map(|_| ()))
}

/// Gradients of `roots` with respect to `targets`, leaves or not; no `.grad` is touched. `None` where a root does not
/// depend on a target.
///
/// # Errors
/// As [`backward`].
pub fn grad(
    roots: &[&RBETensor],
    targets: &[&RBETensor],
    gradients: &[Option<Array>],
    options: BackwardOptions,
) -> Result<Vec<Option<Gradient>>> {
    memory::guard("grad", || Pass::new(roots, gradients, options, Want::Returned(targets))?.run())
}

/// As [`grad`] for a pass within another one, which runs the hooks of the leaves itself.
pub(super) fn grad_without_hooks(
    roots: &[&RBETensor],
    targets: &[&RBETensor],
    gradients: &[Option<Array>],
) -> Result<Vec<Option<Gradient>>> {
    let mut pass = Pass::new(roots, gradients, BackwardOptions::default(), Want::Returned(targets))?;
    pass.leaf_hooks = false;
    pass.run()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::array::map_into;
    use crate::tape::with_grad;

    fn leaf(values: &[f64]) -> RBETensor {
        RBETensor::new(values, &[values.len()]).unwrap().requiring_grad().unwrap()
    }

    fn grad_of(t: &RBETensor) -> Vec<f64> {
        match t.grad() {
            Some(Gradient::Dense(g)) => g.to_vec::<f64>().unwrap(),
            _ => panic!("no dense gradient"),
        }
    }

    #[test]
    fn a_square_and_a_diamond_count_every_path() {
        let x = leaf(&[3.0]);
        let square = x.mul(&x).unwrap();
        let sum = square.add(&square).unwrap();
        sum.mul(&square).unwrap().backward().unwrap(); // 2 x^4
        assert_eq!(grad_of(&x), [8.0 * 27.0]);
    }

    #[test]
    fn leaves_never_share_a_gradient() {
        let (x, y) = (leaf(&[1.0]), leaf(&[2.0]));
        x.add(&y).unwrap().backward().unwrap();
        let (Some(Gradient::Dense(a)), Some(Gradient::Dense(b))) = (x.grad(), y.grad()) else { panic!() };
        assert!(!a.same_storage(&b));
    }

    #[test]
    fn a_hundred_thousand_operations_neither_overflow_nor_recurse() {
        let x = leaf(&[1.0]);
        let mut y = x.add(&x).unwrap();
        for _ in 0..100_000 {
            y = y.add(&x).unwrap();
        }
        y.backward().unwrap();
        assert_eq!(grad_of(&x), [100_002.0]);
    }

    #[test]
    fn the_second_backward_and_a_changed_input_are_clear_errors() {
        let x = leaf(&[2.0]);
        let y = x.mul(&x).unwrap();
        let before = y.item().unwrap();
        map_into(x.array("test").unwrap(), &Array::scalar(5.0f64), |_, v: f64| v).unwrap();
        let error = y.backward().unwrap_err().to_string();
        assert!(error.contains("mul") && error.contains("in place"), "{error}");
        assert!(x.grad().is_none());
        assert_eq!(before, 4.0);

        let z = x.mul(&x).unwrap();
        backward(&[&z], &[None], BackwardOptions { retain_graph: true }).unwrap();
        z.backward().unwrap();
        assert_eq!(grad_of(&x), [20.0]);
        let error = z.backward().unwrap_err().to_string();
        assert!(error.contains("retain_graph"), "{error}");
        assert_eq!(grad_of(&x), [20.0]);
    }

    #[test]
    fn hooks_replace_and_receivers_take_over() {
        let x = leaf(&[2.0]);
        let y = x.mul(&x).unwrap();
        y.retain_grad().unwrap();
        y.slot().add_hook(Arc::new(|_| Ok(Some(Gradient::Dense(Array::from_slice(&[10.0f64], &[1])?)))));
        y.backward().unwrap();
        assert_eq!((grad_of(&x), grad_of(&y)), (vec![40.0], vec![10.0]));

        let z = leaf(&[3.0]);
        let seen = Arc::new(parking_lot::Mutex::new(Vec::new()));
        let into = seen.clone();
        z.slot().set_on_ready(Some(Arc::new(move |_, g| {
            if let Gradient::Dense(g) = g {
                into.lock().push(g.item()?);
            }
            Ok(())
        })));
        z.mul(&z).unwrap().backward().unwrap();
        assert!(z.grad().is_none());
        assert_eq!(*seen.lock(), [6.0]); // once, with both uses
    }

    #[test]
    fn grad_leaves_the_leaves_alone() {
        let x = leaf(&[3.0]);
        let inner = x.mul(&x).unwrap();
        let y = inner.mul(&x).unwrap();
        let unrelated = leaf(&[1.0]);
        let found = grad(&[&y], &[&x, &inner, &unrelated], &[None], BackwardOptions::default()).unwrap();
        let value = |g: &Option<Gradient>| match g {
            Some(Gradient::Dense(a)) => Some(a.item().unwrap()),
            _ => None,
        };
        assert_eq!(found.iter().map(value).collect::<Vec<_>>(), [Some(27.0), Some(3.0), None]);
        assert!(x.grad().is_none());
    }

    #[test]
    fn only_what_lies_between_the_roots_and_the_inputs_runs() {
        let (x, w) = (leaf(&[3.0]), leaf(&[5.0]));
        let calls = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = calls.clone();
        w.slot().add_hook(Arc::new(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(None)
        }));
        let inner = x.mul(&x).unwrap();
        let y = inner.mul(&w).unwrap();
        let retain = BackwardOptions { retain_graph: true };
        backward_into(&[&y], &[None], &[&inner], retain).unwrap();
        assert_eq!((grad_of(&inner), x.grad().is_none(), w.grad().is_none()), (vec![5.0], true, true));
        backward_into(&[&y], &[None], &[&x, &x], retain).unwrap();
        assert_eq!((grad_of(&x), grad_of(&inner)), (vec![30.0], vec![5.0]));
        assert_eq!(calls.load(Ordering::Relaxed), 0);
        // Freed are the operations that ran.
        backward_into(&[&y], &[None], &[&inner], BackwardOptions::default()).unwrap();
        inner.backward().unwrap();
        assert!(backward_into(&[&y], &[None], &[&w], retain).is_err());
        assert!(matches!(backward_into(&[&y], &[None], &[], retain), Err(RbeError::Graph(_))));
    }

    #[test]
    fn a_second_pass_adds_to_the_same_memory() {
        let x = leaf(&[3.0]);
        x.mul(&x).unwrap().backward().unwrap();
        let Some(Gradient::Dense(held)) = x.grad() else { panic!() };
        x.mul(&x).unwrap().backward().unwrap();
        assert_eq!(held.to_vec::<f64>().unwrap(), [12.0]);
    }

    #[test]
    fn nothing_is_recorded_without_grad_mode() {
        let x = leaf(&[1.0]);
        let y = with_grad(false, || x.mul(&x)).unwrap();
        assert!(y.is_leaf() && !y.requires_grad());
        assert!(matches!(y.backward(), Err(RbeError::Graph(_))));
    }
}
