//! The walk back over the tape.

use std::sync::atomic::Ordering;

use smallvec::SmallVec;

use super::cache::Gradient;
use super::mode::GradMode;
use super::node::{Node, Parent};
use super::scheduler::BackwardScheduler;
use crate::array::{Array, map_into, sum_to, zip};
use crate::dispatch_float;
use crate::dtype::DType;
use crate::error::{RbeError, Result};
use crate::op::Grads;
use crate::parallel;
use crate::tensor::RBETensor;

/// Elements of a level's gradients from which its nodes run side by side.
const PARALLEL_LEVEL: usize = 1 << 15;

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
/// `Shape`, `DType` for a gradient that does not fit its root. The leaves are unchanged then.
pub fn backward(roots: &[&RBETensor], gradients: &[Option<Array>], options: BackwardOptions) -> Result<()> {
    Pass::new(roots, gradients, options, &[])?.run().map(|_| ())
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
    Pass::new(roots, gradients, options, targets)?.run()
}

/// As [`grad`] for a pass within another one, which runs the hooks of the leaves itself.
pub(super) fn grad_without_hooks(
    roots: &[&RBETensor],
    targets: &[&RBETensor],
    gradients: &[Option<Array>],
) -> Result<Vec<Option<Gradient>>> {
    let mut pass = Pass::new(roots, gradients, BackwardOptions::default(), targets)?;
    pass.leaf_hooks = false;
    pass.run()
}

struct Pass<'a> {
    schedule: BackwardScheduler,
    targets: &'a [&'a RBETensor],
    captured: Vec<Option<Gradient>>,
    of_node: Vec<Option<Gradient>>, // by position in the schedule
    of_leaf: Vec<Option<Gradient>>,
    ready: Vec<(RBETensor, Gradient)>,
    options: BackwardOptions,
    leaf_hooks: bool,
}

impl<'a> Pass<'a> {
    fn new(roots: &[&RBETensor], gradients: &[Option<Array>], options: BackwardOptions, targets: &'a [&'a RBETensor]) -> Result<Pass<'a>> {
        const OP: &str = "backward";
        if gradients.len() != roots.len() {
            return Err(RbeError::graph(OP, format!("{} gradients", roots.len()), gradients.len()));
        }
        let mut seeds = Vec::with_capacity(roots.len());
        for (root, gradient) in roots.iter().zip(gradients) {
            if !root.requires_grad() {
                return Err(RbeError::graph(OP, "a tensor that requires grad", "one that does not and has no grad_fn"));
            }
            let value = root.array(OP)?;
            seeds.push(match gradient {
                Some(g) if g.shape() != value.shape() => {
                    return Err(RbeError::shape(OP, format!("a gradient of shape {:?}", value.shape()), format!("{:?}", g.shape())));
                }
                Some(g) if g.dtype() != value.dtype() => return Err(RbeError::dtype(OP, value.dtype(), g.dtype())),
                Some(g) => g.clone(),
                None if value.numel() == 1 => Array::full(value.dtype(), value.shape(), 1.0),
                None => {
                    return Err(RbeError::graph(
                        OP,
                        "a gradient argument for a tensor of more than one element",
                        format!("none for shape {:?}", value.shape()),
                    ));
                }
            });
        }
        let schedule = BackwardScheduler::new(roots)?;
        let mut pass = Pass {
            targets,
            captured: vec![None; targets.len()],
            of_node: vec![None; schedule.nodes.len()],
            of_leaf: vec![None; schedule.leaves.len()],
            ready: Vec::new(),
            schedule,
            options,
            leaf_hooks: true,
        };
        for (root, seed) in roots.iter().zip(seeds) {
            pass.deliver(&root.as_parent(), Some(Gradient::Dense(seed)))?;
        }
        Ok(pass)
    }

    fn run(mut self) -> Result<Vec<Option<Gradient>>> {
        let _mode = GradMode::set(false);
        let mut start = 0;
        while start < self.schedule.nodes.len() {
            let depth = self.schedule.nodes[start].depth;
            let end = start + self.schedule.nodes[start..].iter().take_while(|n| n.depth == depth).count();
            self.level(start, end)?;
            start = end;
        }
        if self.targets.is_empty() {
            for (leaf, gradient) in std::mem::take(&mut self.ready) {
                leaf.accumulate_grad(gradient)?;
            }
        }
        if !self.options.retain_graph {
            self.schedule.nodes.iter().for_each(|node| node.free());
        }
        Ok(self.captured)
    }

    /// Runs the nodes `start..end` of one depth, whose gradients are complete.
    fn level(&mut self, start: usize, end: usize) -> Result<()> {
        let mut work: SmallVec<[(usize, Array); 1]> = SmallVec::new();
        for i in start..end {
            let node = self.schedule.nodes[i].clone();
            let Some(gradient) = self.of_node[i].take() else {
                // No gradient reached this node; its leaves need not wait for it.
                node.parents.iter().try_for_each(|parent| self.deliver(parent, None))?;
                continue;
            };
            let gradient = match node.slot.made() {
                Some(slot) => slot.run_hooks(gradient)?,
                None => gradient,
            };
            self.captured_by_node(i, &gradient);
            if let Some(slot) = node.slot.made().filter(|s| s.retain.load(Ordering::Relaxed) && self.targets.is_empty()) {
                collect(&mut slot.grad.lock(), gradient.clone())?;
            }
            let Gradient::Dense(dy) = gradient else {
                return Err(RbeError::graph(node.name().to_owned(), "a dense gradient", "a packed one from a hook"));
            };
            if dy.shape() != node.shape.as_slice() || dy.dtype() != node.dtype {
                let expected = format!("a gradient of {} {:?} for its result", node.dtype, node.shape.as_slice());
                return Err(RbeError::shape(node.name().to_owned(), expected, format!("{} {:?} from a hook", dy.dtype(), dy.shape())));
            }
            work.push((i, dy));
        }
        let retain = self.options.retain_graph;
        let run = |(i, dy): &(usize, Array)| -> Result<Grads> {
            let node = &self.schedule.nodes[*i];
            node.backward(dy, &node.needs, retain)
        };
        let elements: usize = work.iter().map(|(_, dy)| dy.numel()).sum();
        let results: SmallVec<[Result<Grads>; 1]> = if work.len() > 1 && elements >= PARALLEL_LEVEL {
            parallel::map(work.len(), |k| run(&work[k])).into()
        } else {
            work.iter().map(run).collect()
        };
        let positions: SmallVec<[usize; 4]> = work.iter().map(|(i, _)| *i).collect();
        drop(work); // upstream gradients go back to the pool before the next level
        for (i, grads) in positions.into_iter().zip(results) {
            let node = self.schedule.nodes[i].clone();
            for (k, gradient) in grads?.into_iter().enumerate() {
                let gradient = if node.needs[k] { gradient.map(|g| fit(g, &node, k)).transpose()? } else { None };
                self.deliver(&node.parents[k], gradient)?;
            }
        }
        Ok(())
    }

    fn captured_by_node(&mut self, i: usize, gradient: &Gradient) {
        let id = self.schedule.nodes[i].id;
        for (target, slot) in self.targets.iter().zip(&mut self.captured) {
            if target.node().is_some_and(|n| n.id == id) {
                *slot = Some(gradient.clone());
            }
        }
    }

    /// Adds a gradient to what its receiver has; a leaf that awaits no more is finished.
    fn deliver(&mut self, parent: &Parent, gradient: Option<Gradient>) -> Result<()> {
        match parent {
            Parent::Constant => Ok(()),
            Parent::Node(node) => match (gradient, self.schedule.position(node)) {
                (Some(gradient), Some(at)) => collect(&mut self.of_node[at], gradient),
                _ => Ok(()),
            },
            Parent::Leaf(leaf) => {
                let Some(at) = self.schedule.leaf_position(leaf) else { return Ok(()) };
                if let Some(gradient) = gradient {
                    collect(&mut self.of_leaf[at], gradient)?;
                }
                let awaited = &mut self.schedule.leaves[at].1;
                *awaited -= 1;
                if *awaited == 0 { self.finish(at) } else { Ok(()) }
            }
        }
    }

    fn finish(&mut self, at: usize) -> Result<()> {
        let Some(gradient) = self.of_leaf[at].take() else { return Ok(()) };
        let leaf = self.schedule.leaves[at].0.clone();
        let slot = leaf.made_slot();
        let gradient = match slot.filter(|_| self.leaf_hooks) {
            Some(slot) => slot.run_hooks(gradient)?,
            None => gradient,
        };
        if !self.targets.is_empty() {
            for (target, slot) in self.targets.iter().zip(&mut self.captured) {
                if target.id() == leaf.id() {
                    *slot = Some(gradient.clone());
                }
            }
            return Ok(());
        }
        let receiver = slot.and_then(|slot| slot.on_ready.lock().clone());
        match receiver {
            Some(receive) => receive(&leaf, gradient),
            None => {
                self.ready.push((leaf, gradient));
                Ok(())
            }
        }
    }
}

/// Adds `new` to what `slot` holds.
pub(crate) fn collect(slot: &mut Option<Gradient>, new: Gradient) -> Result<()> {
    *slot = Some(match slot.take() {
        Some(old) => add(old, new)?,
        None => new,
    });
    Ok(())
}

/// Sum of two gradients of one tensor, in the memory of the first where nobody else sees it.
fn add(old: Gradient, new: Gradient) -> Result<Gradient> {
    match (old, new) {
        (Gradient::Dense(a), Gradient::Dense(b)) => Ok(Gradient::Dense(if a.is_unique() && a.is_contiguous() && a.dtype() == b.dtype() {
            dispatch_float!("backward", a.dtype(), T => map_into(&a, &b, |x: T, y: T| x + y))?;
            a
        } else {
            dispatch_float!("backward", a.dtype(), T => zip("backward", &a, &b, |x: T, y: T| x + y))?
        })),
        (Gradient::Packed(mut a), Gradient::Packed(b)) => {
            a.append(b)?;
            Ok(Gradient::Packed(a))
        }
        _ => Err(RbeError::graph("backward", "gradients of one kind for a tensor", "a dense and a packed one")),
    }
}

/// The gradient in the shape and dtype of input `k`: broadcast axes summed, promotion undone.
fn fit(gradient: Gradient, node: &Node, k: usize) -> Result<Gradient> {
    match gradient {
        Gradient::Dense(array) => {
            let array = sum_to(&array, &node.input_shapes[k])?;
            let dtype: DType = node.input_dtypes[k];
            Ok(Gradient::Dense(if array.dtype() == dtype { array } else { array.cast(dtype) }))
        }
        packed => Ok(packed),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::graph::with_grad;

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
    fn nothing_is_recorded_without_grad_mode() {
        let x = leaf(&[1.0]);
        let y = with_grad(false, || x.mul(&x)).unwrap();
        assert!(y.is_leaf() && !y.requires_grad());
        assert!(matches!(y.backward(), Err(RbeError::Graph(_))));
    }
}
