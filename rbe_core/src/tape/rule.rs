//! How an operation is differentiated: what its node saves, and the rule that backward calls.

use smallvec::SmallVec;

use super::held::Holding;
use super::node::{Form, Parent, Port};
use super::value::Value;
use crate::array::Array;
use crate::dtype::DType;
use crate::error::{RbeError, Result};
use crate::gradient::Gradient;
use crate::packed::PackedTensor;

/// What a rule reads again in backward: the tape keeps nothing else alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saves(u32); // inputs in the lowest byte, outputs in the next one; of those that may be rounded again in the upper half

impl Saves {
    /// Nothing.
    pub const NOTHING: Saves = Saves(0);
    /// Every input.
    pub const INPUTS: Saves = Saves(0xff);
    /// The first output.
    pub const OUTPUT: Saves = Saves::output(0);

    /// Input `i` (below 7).
    pub const fn input(i: usize) -> Saves {
        Saves(1 << i)
    }

    /// Output `k` (below 8).
    pub const fn output(k: usize) -> Saves {
        Saves(0x100 << k)
    }

    /// The same, which may be rounded to int8 where a product rounds the first output: gradients need its values roughly.
    pub const fn roughly(self) -> Saves {
        Saves(self.0 | self.0 << 16)
    }

    /// Both.
    pub const fn and(self, other: Saves) -> Saves {
        Saves(self.0 | other.0)
    }

    /// Those that may be rounded.
    pub(super) const fn rough(self) -> Saves {
        Saves(self.0 >> 16)
    }

    pub(super) const fn has_inputs(self) -> bool {
        self.0 & 0xff != 0
    }

    pub(super) const fn has_input(self, i: usize) -> bool {
        self.0 & (1 << (if i < 8 { i } else { 7 })) != 0
    }

    pub(crate) const fn has_output(self, k: usize) -> bool {
        k < 8 && self.0 & (0x100 << k) != 0
    }
}

/// Gradients a rule returns, one for every input; `None` where none was asked for or none exists.
pub type Grads = SmallVec<[Option<Gradient>; 3]>;

/// `Some` dense gradient.
pub fn dense(array: Array) -> Option<Gradient> {
    Some(Gradient::Dense(array))
}

/// The rule by which backward goes through a recorded operation.
///
/// It returns the gradient of each input in the input's shape or in one that broadcasts from it; the engine accumulates, sums over
/// broadcast axes, converts dtypes and frees.
pub trait BackwardRule: Send + Sync + 'static {
    /// Name of the operation in errors, `grad_fn` and profiles.
    fn name(&self) -> &str;

    /// What [`BackwardRule::backward`] reads of the operation's inputs and outputs.
    fn saves(&self) -> Saves {
        Saves::NOTHING
    }

    /// Calls `visit` with the objects of another language and the tensors that the rule holds.
    fn holdings<'a>(&'a self, _visit: &mut dyn FnMut(Holding<'a>)) {}

    /// Whether backward calls this rule even if none of its outputs received a gradient.
    fn runs_without_gradient(&self) -> bool {
        false
    }

    /// Called when the tape frees what it saved for this rule: it will not run again.
    fn free(&self) {}

    /// Gradients of the inputs, given those of the outputs.
    ///
    /// # Errors
    /// `Graph` if something was not saved; errors of user-defined operations.
    fn backward(&self, cx: &Cx<'_>) -> Result<Grads>;
}

/// What a rule sees in backward.
pub struct Cx<'a> {
    pub(super) name: &'a str,
    pub(super) dys: &'a [Option<Array>],
    pub(super) ports: &'a [Port],
    pub(super) parents: &'a [Parent],
    pub(super) forms: &'a [Form], // of the inputs
    pub(super) inputs: &'a [Option<(Value, u64)>],
    pub(super) outputs: &'a [Option<(Array, u64)>],
    pub(super) kept: &'a [Array],
}

impl<'a> Cx<'a> {
    /// Gradient of the loss with respect to the output of an operation that has one; same shape and dtype as the output, any
    /// strides.
    ///
    /// # Panics
    /// For an operation of several outputs, if no gradient reached the first: its rule asks [`Cx::dy_of`].
    pub fn dy(&self) -> &'a Array {
        match self.dy_of(0) {
            Some(dy) => dy,
            None => panic!("{}: a rule that may run without the gradient of its first output asks for dy_of(0)", self.name),
        }
    }

    /// Gradient of the loss with respect to output `k`; `None` if none reached it, which stands for zeros.
    pub fn dy_of(&self, k: usize) -> Option<&'a Array> {
        self.dys.get(k).and_then(Option::as_ref)
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.ports.len()
    }

    /// Element type of output `k`.
    pub fn dtype_of(&self, k: usize) -> DType {
        self.ports[k].form.dtype
    }

    /// Whether input `i` wants a gradient.
    pub fn needs(&self, i: usize) -> bool {
        self.parents.get(i).is_some_and(Parent::wants_gradient)
    }

    /// Number of inputs of the forward call.
    pub fn arity(&self) -> usize {
        self.forms.len()
    }

    /// Shape of input `i`, known whether or not it was saved.
    pub fn shape(&self, i: usize) -> &'a [usize] {
        &self.forms[i].shape
    }

    fn missing(&self, what: &str) -> RbeError {
        RbeError::graph(self.name.to_owned(), format!("its rule to save {what}"), "a rule that does not")
    }

    /// Saved input `i`, dense or packed.
    ///
    /// # Errors
    /// `Graph` if the rule does not save it.
    pub fn value(&self, i: usize) -> Result<&'a Value> {
        self.inputs.get(i).and_then(Option::as_ref).map(|(value, _)| value).ok_or_else(|| self.missing("that input"))
    }

    /// Saved dense input `i`.
    ///
    /// # Errors
    /// `Graph` if the rule does not save it.
    pub fn input(&self, i: usize) -> Result<&'a Array> {
        match self.inputs.get(i) {
            Some(Some((Value::Dense(array), _))) => Ok(array),
            _ => Err(self.missing("that dense input")),
        }
    }

    /// Saved packed input `i`.
    ///
    /// # Errors
    /// `Graph` if the rule does not save it.
    pub fn packed(&self, i: usize) -> Result<&'a PackedTensor> {
        match self.inputs.get(i) {
            Some(Some((Value::Packed(packed), _))) => Ok(packed),
            _ => Err(self.missing("that packed input")),
        }
    }

    /// The first output, saved.
    ///
    /// # Errors
    /// `Graph` if the rule does not save it.
    pub fn output(&self) -> Result<&'a Array> {
        self.output_at(0)
    }

    /// Saved output `k`.
    ///
    /// # Errors
    /// `Graph` if the rule does not save it.
    pub fn output_at(&self, k: usize) -> Result<&'a Array> {
        match self.outputs.get(k) {
            Some(Some((array, _))) => Ok(array),
            _ => Err(self.missing("that output")),
        }
    }

    /// By-product `i` of the forward call.
    ///
    /// # Errors
    /// `Graph` if there is none.
    pub fn kept(&self, i: usize) -> Result<&'a Array> {
        self.kept.get(i).ok_or_else(|| self.missing("that by-product"))
    }

    /// Gradients of one input.
    pub fn one(&self, d0: impl FnOnce() -> Result<Array>) -> Result<Grads> {
        let mut grads = Grads::new();
        grads.push(if self.needs(0) { dense(d0()?) } else { None });
        Ok(grads)
    }

    /// Gradients of two inputs; what is not needed is not computed.
    pub fn two(&self, d0: impl FnOnce() -> Result<Array>, d1: impl FnOnce() -> Result<Array>) -> Result<Grads> {
        let mut grads = Grads::new();
        grads.push(if self.needs(0) { dense(d0()?) } else { None });
        grads.push(if self.needs(1) { dense(d1()?) } else { None });
        Ok(grads)
    }
}
