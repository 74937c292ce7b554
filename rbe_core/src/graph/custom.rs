//! Operations defined by two functions.

use std::borrow::Cow;
use std::sync::Arc;

use super::engine::{BackwardOptions, grad};
use super::mode::with_grad;
use super::node::apply;
use crate::array::Array;
use crate::error::{RbeError, Result};
use crate::graph::Gradient;
use crate::op::{Cx, Grads, Inputs, Op, Output, Rule, Saves, dense};
use crate::random;
use crate::tensor::RBETensor;

/// Forward function of a user-defined operation: arrays in, array out.
pub type Forward = Arc<dyn Fn(&[&Array]) -> Result<Array> + Send + Sync>;

/// Backward function: upstream gradient, output and inputs in, a gradient (or none) for every input out.
pub type Backward = Arc<dyn Fn(&Array, &Array, &[&Array]) -> Result<Vec<Option<Array>>> + Send + Sync>;

/// A user-defined operation.
#[derive(Clone)]
pub struct Operation {
    rule: Rule,
    forward: Forward,
    backward: Backward,
}

impl Operation {
    /// Operation `name` of two functions; it saves its inputs and its output.
    pub fn new(name: impl Into<Cow<'static, str>>, forward: Forward, backward: Backward) -> Operation {
        let rule = Rule { name: name.into(), arity: (1, usize::MAX), saves: Saves::INPUTS.and(Saves::OUTPUT) };
        Operation { rule, forward, backward }
    }

    /// Runs the operation and records it.
    ///
    /// # Errors
    /// Those of the forward function; `DType` for a packed input.
    pub fn apply(&self, inputs: &[&RBETensor]) -> Result<RBETensor> {
        apply(self.clone(), inputs)
    }

    /// Name in errors and in the graph.
    pub fn name(&self) -> &str {
        &self.rule.name
    }
}

impl Op for Operation {
    fn rule(&self) -> &Rule {
        &self.rule
    }

    fn forward(&self, inputs: Inputs<'_>) -> Result<Output> {
        Ok((self.forward)(&inputs.arrays()?)?.into())
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let inputs = (0..cx.arity()).map(|i| cx.input(i)).collect::<Result<Vec<_>>>()?;
        let found = (self.backward)(cx.dy(), cx.output()?, &inputs)?;
        for (i, g) in found.iter().enumerate() {
            if let Some(g) = g.as_ref().filter(|g| i < cx.arity() && g.shape() != cx.shape(i)) {
                return Err(RbeError::shape(
                    self.rule.name.clone(),
                    format!("a gradient {:?} of input {i}", cx.shape(i)),
                    format!("{:?}", g.shape()),
                ));
            }
        }
        Ok(found.into_iter().map(|g| g.and_then(dense)).collect())
    }
}

type Segment = Arc<dyn Fn(&[RBETensor]) -> Result<RBETensor> + Send + Sync>;

/// A run that is repeated in backward instead of being remembered.
struct Checkpoint {
    rule: Rule,
    run: Segment,
    random: (u64, u64),
}

impl Op for Checkpoint {
    fn rule(&self) -> &Rule {
        &self.rule
    }

    fn forward(&self, inputs: Inputs<'_>) -> Result<Output> {
        let leaves: Vec<RBETensor> = inputs.arrays()?.into_iter().map(|a| RBETensor::from_array(a.clone())).collect();
        let y = with_grad(false, || (self.run)(&leaves))?;
        Ok(y.array("checkpoint")?.clone().into())
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let leaves = (0..cx.arity()).map(|i| Ok(RBETensor::from_array(cx.input(i)?.clone()))).collect::<Result<Vec<_>>>()?;
        for (i, leaf) in leaves.iter().enumerate() {
            leaf.set_requires_grad(cx.needs(i))?;
        }
        let now = random::state();
        random::set_state(self.random);
        let again = with_grad(true, || (self.run)(&leaves));
        random::set_state(now);
        let y = again?;
        let targets: Vec<&RBETensor> = leaves.iter().collect();
        let found = grad(&[&y], &targets, &[Some(cx.dy().clone())], BackwardOptions::default())?;
        Ok(found.into_iter().map(|g| if let Some(Gradient::Dense(g)) = g { dense(g) } else { None }).collect())
    }
}

/// Runs `run` on dense `inputs` without keeping what backward needs; backward runs it again, with the same random numbers.
/// Gradients flow to `inputs` only: whatever else `run` depends on must be among them.
///
/// # Errors
/// Those of `run`; `DType` for a packed input.
pub fn checkpoint(run: impl Fn(&[RBETensor]) -> Result<RBETensor> + Send + Sync + 'static, inputs: &[&RBETensor]) -> Result<RBETensor> {
    let rule = Rule { name: Cow::Borrowed("checkpoint"), arity: (1, usize::MAX), saves: Saves::INPUTS };
    apply(Checkpoint { rule, run: Arc::new(run), random: random::state() }, inputs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck::{Tolerance, gradcheck};

    fn cube() -> Operation {
        let forward: Forward = Arc::new(|x| Ok(crate::array::map(x[0], |v: f64| v * v * v)));
        let backward: Backward =
            Arc::new(|dy, _, x| Ok(vec![Some(crate::array::zip("cube", dy, x[0], |d: f64, v: f64| 3.0 * d * v * v)?)]));
        Operation::new("cube", forward, backward)
    }

    fn leaf() -> RBETensor {
        RBETensor::new(&[0.5, -1.5, 2.0], &[3]).unwrap().requiring_grad().unwrap()
    }

    #[test]
    fn a_user_defined_operation_is_differentiated() {
        let op = cube();
        gradcheck(|x| op.apply(&[&x[0]])?.mul(&x[0]), &[leaf()], Tolerance::default()).unwrap();
        let short = Operation::new("short", Arc::new(|x| Ok(x[0].clone())), Arc::new(|_, _, _| Ok(vec![])));
        let error = short.apply(&[&leaf()]).unwrap().sum(None, false).unwrap().backward().unwrap_err();
        assert!(error.to_string().contains("short: expected 1 gradients"), "{error}");
    }

    #[test]
    fn a_checkpoint_gives_the_same_gradients_with_the_same_random_numbers() {
        gradcheck(|x| checkpoint(|x| x[0].sin()?.mul(&x[1]), &[&x[0], &x[1]]), &[leaf(), leaf()], Tolerance::default()).unwrap();
        let gradient = |wrapped: bool| {
            random::manual_seed(5);
            let x = RBETensor::new(&[1.0f32; 200], &[200]).unwrap().requiring_grad().unwrap();
            let y = if wrapped { checkpoint(|x| x[0].dropout(0.5, true), &[&x]) } else { x.dropout(0.5, true) };
            y.unwrap().sum(None, false).unwrap().backward().unwrap();
            match x.grad() {
                Some(Gradient::Dense(g)) => g.to_vec::<f32>().unwrap(),
                _ => panic!(),
            }
        };
        assert_eq!(gradient(true), gradient(false));
    }
}
