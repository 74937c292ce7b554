//! A backward pass: gradients go from the roots to the leaves, one level of nodes after another.

use std::collections::HashSet;
use std::sync::Arc;

use smallvec::SmallVec;

use super::backward::BackwardOptions;
use super::mode::GradMode;
use super::node::{Edge, Node, Parent};
use super::receive::{Receiver, keep};
use super::rule::Grads;
use super::scheduler::BackwardScheduler;
use super::slot::GradSlot;
use super::tensor::RBETensor;
use super::waiting::settle;
use crate::array::{Array, sum_to};
use crate::dtype::DType;
use crate::error::{RbeError, Result};
use crate::gradient::Gradient;
use crate::memory;
use crate::parallel;

/// Elements of a level's gradients from which its nodes run side by side.
const PARALLEL_LEVEL: usize = 1 << 15;

/// Which gradients a pass is for.
#[derive(Clone, Copy)]
pub(super) enum Want<'a> {
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

/// What reaches a node: a gradient for each output, or none at all.
type Upstream = SmallVec<[Option<Gradient>; 1]>;

/// Gradients of a node's outputs as its rule sees them.
type Dys = SmallVec<[Option<Array>; 1]>;

pub(super) struct Pass<'a> {
    schedule: BackwardScheduler,
    roles: Vec<Role>, // by position in the schedule; empty if all nodes run
    want: Want<'a>,
    captured: Vec<Option<Gradient>>,
    of_node: Vec<Upstream>, // by position in the schedule
    of_leaf: Vec<Option<Gradient>>,
    ready: Vec<(Receiver, Gradient)>,
    options: BackwardOptions,
    pub(super) leaf_hooks: bool, // whether the hooks of leaves run
}

impl<'a> Pass<'a> {
    pub(super) fn new(roots: &[&RBETensor], gradients: &[Option<Array>], options: BackwardOptions, want: Want<'a>) -> Result<Pass<'a>> {
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
            of_node: memory::filled(Upstream::new(), schedule.nodes.len()),
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

    pub(super) fn run(mut self) -> Result<Vec<Option<Gradient>>> {
        let _mode = GradMode::set(false);
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
        let mut work: SmallVec<[(usize, Dys); 1]> = SmallVec::new();
        for i in start..end {
            let node = self.schedule.nodes[i].clone();
            let (role, upstream) = (self.role(i), std::mem::take(&mut self.of_node[i]));
            let late = role == Role::Run && node.rule.runs_without_gradient();
            if role == Role::Skip || upstream.is_empty() && !late {
                // No gradient is to pass this node; its leaves need not wait for it.
                node.parents.iter().try_for_each(|parent| self.deliver(parent, None))?;
                continue;
            }
            let mut dys: Dys = (0..node.outputs()).map(|_| None).collect();
            for (k, gradient) in upstream.into_iter().enumerate() {
                if let Some(gradient) = gradient {
                    dys[k] = self.finished(&node, k, gradient, role)?;
                }
            }
            if role == Role::Take {
                node.parents.iter().try_for_each(|parent| self.deliver(parent, None))?;
                continue;
            }
            work.push((i, dys));
        }
        let retain = self.options.retain_graph;
        let run = |(i, dys): &(usize, Dys)| self.schedule.nodes[*i].backward(dys, retain);
        let elements: usize = work.iter().flat_map(|(_, dys)| dys.iter().flatten()).map(Array::numel).sum();
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
                let gradient = if node.parents[k].wants_gradient() { gradient.map(|g| fit(g, &node, k)).transpose()? } else { None };
                self.deliver(&node.parents[k], gradient)?;
            }
        }
        Ok(())
    }

    /// Runs the hooks of output `k` of a node on its finished gradient and keeps that where it is wanted. What the rule of a node
    /// that runs sees of it.
    fn finished(&mut self, node: &Arc<Node>, k: usize, gradient: Gradient, role: Role) -> Result<Option<Array>> {
        let port = &node.ports[k];
        let slot = port.slot.made();
        let gradient = match slot {
            Some(slot) => slot.run_hooks(gradient)?,
            None => gradient,
        };
        self.hand_over(node, k, &gradient);
        if slot.is_some_and(GradSlot::retains) && matches!(self.want, Want::Leaves) {
            self.ready.push((Receiver::result(Edge { node: node.clone(), output: k as u32 }), gradient.clone()));
        }
        let dy = match gradient {
            _ if role == Role::Take => return Ok(None),
            Gradient::Dense(dy) => dy,
            Gradient::Packed(_) => return Err(RbeError::graph(node.name().to_owned(), "a dense gradient", "a packed one from a hook")),
        };
        if dy.shape() != port.form.shape.as_slice() || dy.dtype() != port.form.dtype {
            let expected = format!("a gradient of {} {:?} for its result", port.form.dtype, port.form.shape.as_slice());
            return Err(RbeError::shape(node.name().to_owned(), expected, format!("{} {:?} from a hook", dy.dtype(), dy.shape())));
        }
        Ok(Some(dy))
    }

    /// Hands over the finished gradient of a result, if it is wanted.
    fn hand_over(&mut self, node: &Node, k: usize, gradient: &Gradient) {
        let is_of = |target: &RBETensor| target.edge().is_some_and(|edge| edge.is(node, k));
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
            Parent::Node(edge) => match (gradient, self.schedule.position(&edge.node)) {
                (Some(gradient), Some(at)) => {
                    let upstream = &mut self.of_node[at];
                    upstream.resize_with(edge.node.outputs(), || None); // at the first gradient
                    collect(&mut upstream[edge.output()], gradient)
                }
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
            Parent::Node(edge) => schedule.position(&edge.node).is_some_and(|at| roles[at] != Role::Skip),
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
        Some(old) => old.add(new)?,
        None => new,
    });
    Ok(())
}

/// The gradient in the shape and dtype of input `k`: broadcast axes summed, promotion undone.
fn fit(gradient: Gradient, node: &Node, k: usize) -> Result<Gradient> {
    match gradient {
        Gradient::Dense(array) => {
            let array = sum_to(&array, &node.inputs[k].shape)?;
            let dtype: DType = node.inputs[k].dtype;
            Ok(Gradient::Dense(if array.dtype() == dtype { array } else { array.cast(dtype) }))
        }
        packed => Ok(packed),
    }
}
