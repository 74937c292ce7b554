//! Operations defined by two functions.

use std::borrow::Cow;
use std::sync::Arc;

use super::node::Arrays;
use super::record::record;
use super::rule::{BackwardRule, Cx, Grads, Saves, dense};
use super::tensor::RBETensor;
use crate::array::Array;
use crate::error::{RbeError, Result};
use crate::memory;

/// Forward function of a user-defined operation: arrays in, array out.
pub type ForwardFn = Arc<dyn Fn(&[&Array]) -> Result<Array> + Send + Sync>;

/// Backward function: upstream gradient, output and inputs in, a gradient (or none) for every input out.
pub type BackwardFn = Arc<dyn Fn(&Array, &Array, &[&Array]) -> Result<Vec<Option<Array>>> + Send + Sync>;

/// A user-defined operation.
#[derive(Clone)]
pub struct Operation {
    name: Cow<'static, str>,
    forward: ForwardFn,
    backward: BackwardFn,
}

impl Operation {
    /// Operation `name` of two functions; it saves its inputs and its output.
    pub fn new(name: impl Into<Cow<'static, str>>, forward: ForwardFn, backward: BackwardFn) -> Operation {
        Operation { name: name.into(), forward, backward }
    }

    /// Runs the operation and records it.
    ///
    /// # Errors
    /// Those of the forward function; `DType` for a packed input.
    pub fn apply(&self, inputs: &[&RBETensor]) -> Result<RBETensor> {
        let result = memory::guard(&self.name, || {
            let arrays = inputs.iter().map(|t| t.array("custom")).collect::<Result<Vec<_>>>()?;
            (self.forward)(&arrays)
        })?;
        let mut recorded = record(Arc::new(self.clone()), inputs, Arrays::from_buf([result]))?;
        Ok(recorded.swap_remove(0))
    }

    /// Name in errors and in the graph.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A function of arrays that says how it is differentiated.
pub trait AutoDifferentiable: Send + Sync + 'static {
    /// Name in errors and in the graph.
    fn name(&self) -> Cow<'static, str>;

    /// The result for `inputs`.
    ///
    /// # Errors
    /// Whatever is wrong with the inputs.
    fn forward(&self, inputs: &[&Array]) -> Result<Array>;

    /// The gradient, or none, of every input, given that of the output, the output and the inputs.
    ///
    /// # Errors
    /// Those of its computations.
    fn backward(&self, upstream: &Array, output: &Array, inputs: &[&Array]) -> Result<Vec<Option<Array>>>;

    /// The operation that records `forward` on the tape with `backward` as its rule.
    fn register_backward(self) -> Operation
    where
        Self: Sized,
    {
        let rule = Arc::new(self);
        let run = rule.clone();
        Operation::new(
            rule.name(),
            Arc::new(move |inputs| run.forward(inputs)),
            Arc::new(move |upstream, output, inputs| rule.backward(upstream, output, inputs)),
        )
    }
}

impl AutoDifferentiable for Operation {
    fn name(&self) -> Cow<'static, str> {
        self.name.clone()
    }

    fn forward(&self, inputs: &[&Array]) -> Result<Array> {
        (self.forward)(inputs)
    }

    fn backward(&self, upstream: &Array, output: &Array, inputs: &[&Array]) -> Result<Vec<Option<Array>>> {
        (self.backward)(upstream, output, inputs)
    }

    fn register_backward(self) -> Operation {
        self
    }
}

impl BackwardRule for Operation {
    fn name(&self) -> &str {
        &self.name
    }

    fn saves(&self) -> Saves {
        Saves::INPUTS.and(Saves::OUTPUT)
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let inputs = (0..cx.arity()).map(|i| cx.input(i)).collect::<Result<Vec<_>>>()?;
        let found = (self.backward)(cx.dy(), cx.output()?, &inputs)?;
        for (i, g) in found.iter().enumerate() {
            if let Some(g) = g.as_ref().filter(|g| i < cx.arity() && g.shape() != cx.shape(i)) {
                return Err(RbeError::shape(
                    self.name.clone(),
                    format!("a gradient {:?} of input {i}", cx.shape(i)),
                    format!("{:?}", g.shape()),
                ));
            }
        }
        Ok(found.into_iter().map(|g| g.and_then(dense)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck::{Tolerance, gradcheck};

    fn cube() -> Operation {
        let forward: ForwardFn = Arc::new(|x| Ok(crate::array::map(x[0], |v: f64| v * v * v)));
        let backward: BackwardFn =
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
}
