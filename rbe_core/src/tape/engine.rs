//! The walk back over the tape.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use smallvec::SmallVec;

use super::cache::Gradient;
use super::deferred::settle;
use super::mode::GradMode;
use super::node::{Node, Parent};
use super::scheduler::BackwardScheduler;
use crate::array::{Array, map_into, sum_to, zip};
use crate::dispatch_float;
use crate::dtype::DType;
use crate::error::{RbeError, Result};
use crate::memory;
use crate::op::Grads;
use crate::parallel;
use crate::tensor::{RBETensor, Slot};

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

/// Which gradients a pass is for.
#[derive(Clone, Copy)]
enum Want<'a> {
    /// Those of all leaves, added to what they have.
    Leaves,
    /// Those of these tensors, added to what they have.
    Added(&'a [&'a RBETensor]),
    /// Those of these tensors, returned.
    Returned(&'a [&'a RBETensor]),
}

/// What a pass does with a node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Nothing: no wanted tensor lies behind it.
    Skip,
    /// Its hooks run and its gradient is taken; nothing behind it is wanted.
    Take,
    /// It runs.
    Run,
}

/// Where a gradient is kept when the pass is over, and whether its memory must be nobody else's.
struct Receiver {
    slot: Slot,
    owns: bool,
}

impl Receiver {
    fn tensor(tensor: &RBETensor) -> Receiver {
        Receiver { slot: tensor.slot(), owns: true }
    }
}

/// What becomes of a gradient.
enum Kept {
    /// It is added to the one that is there, in the memory of that: whoever holds it sees the sum.
    Added(Array),
    /// It takes the place of the one that is there, if any.
    Put(Gradient),
}

/// Adds finished gradients to what their receivers have: first what may fail, then all changes.
fn keep(mut ready: Vec<(Receiver, Gradient)>) -> Result<()> {
    ready.sort_unstable_by_key(|(receiver, _)| std::ptr::from_ref(&*receiver.slot).addr()); // passes on several threads lock in one order
    let (receivers, gradients): (Vec<_>, Vec<_>) = ready.into_iter().unzip();
    let mut slots = memory::collect(receivers.iter().map(|receiver| receiver.slot.grad.lock()));
    let mut kept = memory::with_capacity(slots.len());
    for ((receiver, slot), gradient) in receivers.iter().zip(&slots).zip(gradients) {
        // A leaf owns its gradient: what other tensors share is copied, so that changing one grad never changes another.
        let own = match (receiver.owns, gradient) {
            (true, Gradient::Dense(new)) if !new.is_unique() || !new.is_contiguous() => Gradient::Dense(new.copy()),
            (_, other) => other,
        };
        kept.push(match (&**slot, own) {
            (None, own) => Kept::Put(own),
            (Some(Gradient::Dense(old)), Gradient::Dense(new))
                if old.is_contiguous() && new.is_contiguous() && (old.dtype(), old.shape()) == (new.dtype(), new.shape()) =>
            {
                Kept::Added(if old.same_storage(&new) { new.copy() } else { new })
            }
            (Some(old), own) => Kept::Put(add(old.clone(), own)?),
        });
    }
    let mut before = memory::with_capacity(slots.len());
    for (slot, kept) in slots.iter_mut().zip(kept) {
        match (&**slot, kept) {
            (Some(Gradient::Dense(old)), Kept::Added(new)) => {
                dispatch_float!("backward", old.dtype(), T => map_into(old, &new, |a: T, b: T| a + b))?;
            }
            (_, Kept::Added(new)) => before.push(slot.replace(Gradient::Dense(new))),
            (_, Kept::Put(sum)) => before.push(slot.replace(sum)),
        }
    }
    drop(slots);
    drop(before); // outside the locks
    Ok(())
}

struct Pass<'a> {
    schedule: BackwardScheduler,
    roles: Vec<Role>, // by position in the schedule; empty if all nodes run
    want: Want<'a>,
    captured: Vec<Option<Gradient>>,
    of_node: Vec<Option<Gradient>>, // by position in the schedule
    of_leaf: Vec<Option<Gradient>>,
    ready: Vec<(Receiver, Gradient)>,
    options: BackwardOptions,
    leaf_hooks: bool,
}

impl<'a> Pass<'a> {
    fn new(roots: &[&RBETensor], gradients: &[Option<Array>], options: BackwardOptions, want: Want<'a>) -> Result<Pass<'a>> {
        const OP: &str = "backward";
        settle()?; // what was called before reads gradients as they are
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
        let schedule = BackwardScheduler::reach(roots);
        let (roles, targets) = match want {
            Want::Leaves => (Vec::new(), 0),
            Want::Added(targets) => (roles(&schedule, targets), 0),
            Want::Returned(targets) => (roles(&schedule, targets), targets.len()),
        };
        let runs = |i: &usize| roles.is_empty() || roles[*i] == Role::Run;
        (0..schedule.nodes.len()).filter(runs).try_for_each(|i| schedule.nodes[i].check_saved())?;
        let mut pass = Pass {
            roles,
            want,
            captured: memory::filled(None, targets),
            of_node: memory::filled(None, schedule.nodes.len()),
            of_leaf: memory::filled(None, schedule.leaves.len()),
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
        (0..self.schedule.nodes.len()).filter(|i| self.role(*i) == Role::Run).for_each(|i| self.schedule.nodes[i].op.begin_pass());
        let mut start = 0;
        while start < self.schedule.nodes.len() {
            let depth = self.schedule.nodes[start].depth;
            let end = start + self.schedule.nodes[start..].iter().take_while(|n| n.depth == depth).count();
            self.level(start, end)?;
            start = end;
        }
        keep(std::mem::take(&mut self.ready))?;
        if !self.options.retain_graph {
            (0..self.schedule.nodes.len()).filter(|i| self.role(*i) == Role::Run).for_each(|i| self.schedule.nodes[i].free());
        }
        Ok(self.captured)
    }

    fn role(&self, i: usize) -> Role {
        self.roles.get(i).copied().unwrap_or(Role::Run)
    }

    /// Runs the nodes `start..end` of one depth, whose gradients are complete.
    fn level(&mut self, start: usize, end: usize) -> Result<()> {
        let mut work: SmallVec<[(usize, Array); 1]> = SmallVec::new();
        for i in start..end {
            let node = self.schedule.nodes[i].clone();
            let (role, gradient) = (self.role(i), self.of_node[i].take());
            let late =
                || (role == Role::Run && node.op.runs_without_gradient()).then(|| Gradient::Dense(Array::zeros(node.dtype, &node.shape)));
            let Some(gradient) = gradient.filter(|_| role != Role::Skip).or_else(late) else {
                // No gradient is to pass this node; its leaves need not wait for it.
                node.parents.iter().try_for_each(|parent| self.deliver(parent, None))?;
                continue;
            };
            let gradient = match node.slot.made() {
                Some(slot) => slot.run_hooks(gradient)?,
                None => gradient,
            };
            self.taken_from_node(&node, &gradient);
            if node.slot.made().is_some_and(|s| s.retain.load(Ordering::Relaxed) && matches!(self.want, Want::Leaves)) {
                self.ready.push((Receiver { slot: Slot::from(node.clone()), owns: false }, gradient.clone()));
            }
            if role == Role::Take {
                node.parents.iter().try_for_each(|parent| self.deliver(parent, None))?;
                continue;
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

    /// Hands over the finished gradient of a result, if it is wanted.
    fn taken_from_node(&mut self, node: &Arc<Node>, gradient: &Gradient) {
        let is_of = |target: &RBETensor| target.node().is_some_and(|n| n.id == node.id);
        match self.want {
            Want::Leaves => {}
            Want::Added(targets) => {
                let target = targets.iter().find(|t| is_of(t));
                self.ready.extend(target.map(|t| (Receiver::tensor(t), gradient.clone())));
            }
            Want::Returned(targets) => {
                let slots = targets.iter().zip(&mut self.captured).filter(|(t, _)| is_of(t));
                slots.for_each(|(_, slot)| *slot = Some(gradient.clone()));
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
        let is_leaf = |target: &&RBETensor| target.id() == leaf.id();
        if let Want::Added(targets) | Want::Returned(targets) = self.want
            && !targets.iter().any(is_leaf)
        {
            return Ok(());
        }
        let slot = leaf.made_slot();
        let gradient = match slot.as_ref().filter(|_| self.leaf_hooks) {
            Some(slot) => slot.run_hooks(gradient)?,
            None => gradient,
        };
        if let Want::Returned(targets) = self.want {
            let slots = targets.iter().zip(&mut self.captured).filter(|(t, _)| is_leaf(t));
            slots.for_each(|(_, slot)| *slot = Some(gradient.clone()));
            return Ok(());
        }
        let receiver = slot.and_then(|slot| slot.on_ready.lock().clone());
        match receiver {
            Some(receive) => receive(&leaf, gradient),
            None => {
                self.ready.push((Receiver::tensor(&leaf), gradient));
                Ok(())
            }
        }
    }
}

/// What a pass for `targets` does with every node.
fn roles(schedule: &BackwardScheduler, targets: &[&RBETensor]) -> Vec<Role> {
    let nodes: HashSet<u64> = targets.iter().filter_map(|t| t.node().map(|n| n.id)).collect();
    let leaves: HashSet<u64> = targets.iter().map(|t| t.id()).collect();
    let mut roles = memory::filled(Role::Skip, schedule.nodes.len());
    // Inputs come after what is made of them.
    for i in (0..schedule.nodes.len()).rev() {
        let node = &schedule.nodes[i];
        let wanted = |parent: &Parent| match parent {
            Parent::Constant => false,
            Parent::Leaf(leaf) => leaves.contains(&leaf.id()),
            Parent::Node(node) => schedule.position(node).is_some_and(|at| roles[at] != Role::Skip),
        };
        roles[i] = if node.parents.iter().any(wanted) {
            Role::Run
        } else if nodes.contains(&node.id) {
            Role::Take
        } else {
            Role::Skip
        };
    }
    roles
}

/// Adds `new` to what `slot` holds; nothing is left there if that fails.
fn collect(slot: &mut Option<Gradient>, new: Gradient) -> Result<()> {
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
    use super::*;
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
