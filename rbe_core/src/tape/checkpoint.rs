//! Stretches of the tape that are run again in backward instead of being remembered.

use std::collections::HashSet;
use std::sync::Arc;

use super::backward::grad_without_hooks;
use super::held::{Held, Holding};
use super::mode::{is_grad_enabled, recomputing, with_grad};
use super::node::{Arrays, Parent, next_id};
use super::record::record;
use super::rule::{BackwardRule, Cx, Grads, Saves};
use super::tensor::RBETensor;
use super::waiting::settle;
use crate::error::{RbeError, Result};
use crate::memory;
use crate::random;

const NAME: &str = "checkpoint";

/// A function of tensors that may be run more than once.
pub type Segment = Arc<dyn Fn(&[RBETensor]) -> Result<RBETensor> + Send + Sync>;

/// A moment of recording: what the tape and the generator of random numbers were like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    node: u64,
    random: (u64, u64),
}

impl Moment {
    pub(super) fn now() -> Result<Moment> {
        settle()?; // what was called before belongs before
        Ok(Moment { node: next_id(), random: random::state() })
    }
}

struct Checkpoint {
    run: Segment,
    held: Vec<Held>, // what `run` holds
    random: (u64, u64),
    packed: Vec<Option<RBETensor>>, // inputs of the segment that are packed leaves
    captured: Vec<RBETensor>,       // leaves the segment uses besides its inputs
}

impl BackwardRule for Checkpoint {
    fn name(&self) -> &str {
        NAME
    }

    fn saves(&self) -> Saves {
        Saves::INPUTS
    }

    fn holdings<'a>(&'a self, visit: &mut dyn FnMut(Holding<'a>)) {
        self.held.iter().for_each(|held| visit(Holding::Object(held)));
        self.captured.iter().chain(self.packed.iter().flatten()).for_each(|t| visit(Holding::Tensor(t)));
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let leaf = |(i, packed): (usize, &Option<RBETensor>)| match packed {
            Some(packed) => Ok(packed.clone()),
            None => {
                let leaf = RBETensor::from_array(cx.input(i)?.clone());
                leaf.set_requires_grad(cx.needs(i))?;
                Ok(leaf)
            }
        };
        let leaves = self.packed.iter().enumerate().map(leaf).collect::<Result<Vec<_>>>()?;
        let now = random::state();
        random::set_state(self.random);
        let again = memory::guard(NAME, || recomputing(|| with_grad(true, || (self.run)(&leaves))));
        random::set_state(now);
        let y = again?;
        let targets: Vec<&RBETensor> = leaves.iter().chain(&self.captured).collect();
        Ok(grad_without_hooks(&[&y], &targets, &[Some(cx.dy().clone())])?.into())
    }
}

/// A segment with the objects of another language that it holds.
pub(super) struct Stretch {
    pub(super) run: Segment,
    pub(super) held: Vec<Held>,
}

/// Replaces what was recorded from `start` to `end` since `moment` by one node that runs it again in backward. The node
/// takes `inputs` in the place of `start`.
pub(super) fn seal(stretch: Stretch, start: &[&RBETensor], end: &RBETensor, inputs: &[&RBETensor], moment: Moment) -> Result<RBETensor> {
    if !end.requires_grad() {
        return Ok(end.clone());
    }
    let nodes: HashSet<u64> = start.iter().filter_map(|t| t.node().map(|n| n.id())).collect();
    let leaves: HashSet<u64> = start.iter().map(|t| t.id()).collect();
    let (mut seen, mut captured) = (HashSet::new(), Vec::new());
    let mut stack = vec![end.as_parent()];
    while let Some(parent) = stack.pop() {
        match parent {
            Parent::Leaf(leaf) if !leaves.contains(&leaf.id()) && !captured.iter().any(|c: &RBETensor| c.id() == leaf.id()) => {
                captured.push(leaf);
            }
            Parent::Node(edge) if !nodes.contains(&edge.node.id) && seen.insert(edge.node.id) => {
                let node = &edge.node;
                if node.id < moment.node {
                    return Err(RbeError::graph(
                        NAME,
                        "a function of its inputs and of leaves",
                        format!("one that uses an earlier result of {} (pass it as an input)", node.name()),
                    ));
                }
                stack.extend(node.parents().iter().rev().cloned());
            }
            _ => {}
        }
    }
    let packed = inputs.iter().map(|t| t.is_packed().then(|| (*t).clone())).collect();
    let parents: Vec<RBETensor> = inputs.iter().map(|t| (*t).clone()).chain(captured.iter().cloned()).collect();
    let Stretch { run, held } = stretch;
    let rule = Arc::new(Checkpoint { run, held, random: moment.random, packed, captured });
    let outputs = Arrays::from_buf([end.array(NAME)?.clone()]);
    let mut recorded = record(rule, &parents.iter().collect::<Vec<_>>(), outputs)?;
    Ok(recorded.swap_remove(0))
}

/// Runs `run` on `inputs` without keeping what backward needs; backward runs it again, with the same random numbers.
/// Gradients flow to `inputs` and to the leaves, dense or packed, that `run` uses besides.
///
/// # Errors
/// Those of `run`; `Graph` if it uses the result of an earlier operation that is not among `inputs`.
pub fn checkpoint(run: impl Fn(&[RBETensor]) -> Result<RBETensor> + Send + Sync + 'static, inputs: &[&RBETensor]) -> Result<RBETensor> {
    checkpoint_holding(run, Vec::new(), inputs)
}

/// As [`checkpoint`]; `held` are the objects of another language that `run` holds.
///
/// # Errors
/// As [`checkpoint`].
pub fn checkpoint_holding(
    run: impl Fn(&[RBETensor]) -> Result<RBETensor> + Send + Sync + 'static,
    held: Vec<Held>,
    inputs: &[&RBETensor],
) -> Result<RBETensor> {
    let moment = Moment::now()?;
    let given: Vec<RBETensor> = inputs.iter().map(|t| (*t).clone()).collect();
    let end = run(&given)?;
    if !is_grad_enabled() || inputs.iter().any(|t| t.id() == end.id()) {
        return Ok(end);
    }
    seal(Stretch { run: Arc::new(run), held }, inputs, &end, inputs, moment)
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;
    use crate::gradcheck::{Tolerance, gradcheck};
    use crate::gradient::Gradient;

    fn leaf() -> RBETensor {
        RBETensor::new(&[0.5, -1.5, 2.0], &[3]).unwrap().requiring_grad().unwrap()
    }

    fn dense_grad(t: &RBETensor) -> Vec<f32> {
        match t.grad() {
            Some(Gradient::Dense(g)) => g.to_vec::<f32>().unwrap(),
            _ => panic!("no dense gradient"),
        }
    }

    #[test]
    fn gradients_are_those_of_the_plain_run_with_the_same_random_numbers() {
        gradcheck(|x| checkpoint(|x| x[0].sin()?.mul(&x[1]), &[&x[0], &x[1]]), &[leaf(), leaf()], Tolerance::default()).unwrap();
        let gradient = |wrapped: bool| {
            random::manual_seed(5);
            let x = RBETensor::new(&[1.0f32; 200], &[200]).unwrap().requiring_grad().unwrap();
            let y = if wrapped { checkpoint(|x| x[0].dropout(0.5, true), &[&x]) } else { x.dropout(0.5, true) };
            y.unwrap().sum(None, false).unwrap().backward().unwrap();
            dense_grad(&x)
        };
        assert_eq!(gradient(true), gradient(false));
    }

    #[test]
    fn parameters_receive_their_gradients_once() {
        let numbers = |n: usize| (0..n).map(|i| (i as f32).sin()).collect::<Vec<f32>>();
        let x = RBETensor::new(&numbers(3 * 70), &[3, 70]).unwrap();
        let run = |wrapped: bool| {
            let w = RBETensor::from_packed(
                crate::packed::PackedTensor::random(&[5, 70], None, random::Generator::new(1).stream()).unwrap(),
                true,
            );
            let b = RBETensor::new(&numbers(5), &[5]).unwrap().requiring_grad().unwrap();
            let calls = Arc::new(Mutex::new(0));
            let count = calls.clone();
            b.slot().add_hook(Arc::new(move |_| {
                *count.lock() += 1;
                Ok(None)
            }));
            let (w2, b2) = (w.clone(), b.clone());
            let layer = move |x: &[RBETensor]| x[0].packed_linear(&w2, Some(&b2))?.tanh();
            let y = if wrapped { checkpoint(layer, &[&x]) } else { layer(std::slice::from_ref(&x)) };
            y.unwrap().sum(None, false).unwrap().backward().unwrap();
            let Some(Gradient::Packed(cache)) = w.grad() else { panic!("no packed gradient") };
            let calls = *calls.lock();
            (cache.hi().unwrap().to_vec::<f32>().unwrap(), dense_grad(&b), calls)
        };
        assert_eq!(run(true), run(false));
    }

    #[test]
    fn an_earlier_result_must_be_an_input() {
        let x = leaf();
        let early = x.sin().unwrap();
        let error = checkpoint(move |x| x[0].mul(&early), &[&x]).unwrap_err().to_string();
        assert!(error.contains("sin"), "{error}");
    }
}
