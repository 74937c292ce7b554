//! What an operation is to the tape.

use std::borrow::Cow;
use std::sync::Arc;

use smallvec::SmallVec;

use super::fused::Elementwise;
use crate::array::Array;
use crate::error::{RbeError, Result};
use crate::packed::PackedTensor;
use crate::tape::{Gradient, Holding};
use crate::tensor::{RBETensor, Value};

/// What a backward rule reads again: the tape keeps nothing else alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saves(u8);

impl Saves {
    /// Nothing.
    pub const NOTHING: Saves = Saves(0);
    /// Every input.
    pub const INPUTS: Saves = Saves(0x7f);
    /// The output.
    pub const OUTPUT: Saves = Saves(0x80);

    /// Input `i` (below 7).
    pub const fn input(i: usize) -> Saves {
        Saves(1 << i)
    }

    /// Both.
    pub const fn and(self, other: Saves) -> Saves {
        Saves(self.0 | other.0)
    }

    pub(crate) const fn has_input(self, i: usize) -> bool {
        self.0 & (1 << (if i < 7 { i } else { 6 })) != 0
    }

    pub(crate) const fn has_output(self) -> bool {
        self.0 & 0x80 != 0
    }
}

/// Row of the rule table: how the tape treats an operation.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Name in errors, `grad_fn` and profiles.
    pub name: Cow<'static, str>,
    /// Fewest and most inputs.
    pub arity: (usize, usize),
    /// What backward reads.
    pub saves: Saves,
}

/// Inputs of a forward call.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    tensors: &'a [&'a RBETensor],
    name: &'a str,
}

impl<'a> Inputs<'a> {
    pub(crate) fn new(tensors: &'a [&'a RBETensor], name: &'a str) -> Inputs<'a> {
        Inputs { tensors, name }
    }

    /// Number of inputs.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// Input `i`, dense or packed.
    pub fn value(&self, i: usize) -> &'a Value {
        self.tensors[i].value()
    }

    /// Input `i`, which must be dense.
    ///
    /// # Errors
    /// `DType` for a packed tensor.
    pub fn array(&self, i: usize) -> Result<&'a Array> {
        match self.value(i) {
            Value::Dense(array) => Ok(array),
            Value::Packed(_) => Err(RbeError::dtype(
                self.name.to_owned(),
                format!("a dense tensor as input {i}"),
                "a packed one (use packed_matmul or to_dense)",
            )),
        }
    }

    /// Input `i`, which must be packed.
    ///
    /// # Errors
    /// `DType` for a dense tensor.
    pub fn packed(&self, i: usize) -> Result<&'a PackedTensor> {
        match self.value(i) {
            Value::Packed(packed) => Ok(packed),
            Value::Dense(_) => Err(RbeError::dtype(self.name.to_owned(), format!("a packed tensor as input {i}"), "a dense one")),
        }
    }

    /// Input `i`, if there are so many, which must be dense.
    ///
    /// # Errors
    /// `DType` for a packed tensor.
    pub fn optional(&self, i: usize) -> Result<Option<&'a Array>> {
        if i < self.len() { self.array(i).map(Some) } else { Ok(None) }
    }

    /// All inputs, which must be dense.
    ///
    /// # Errors
    /// `DType` for a packed tensor.
    pub fn arrays(&self) -> Result<Vec<&'a Array>> {
        (0..self.len()).map(|i| self.array(i)).collect()
    }
}

/// Result of a forward call, with by-products that backward wants (statistics, masks).
pub struct Output {
    /// The result.
    pub value: Array,
    /// By-products, read back with [`Cx::kept`].
    pub kept: SmallVec<[Array; 2]>,
}

impl From<Array> for Output {
    fn from(value: Array) -> Output {
        Output { value, kept: SmallVec::new() }
    }
}

/// Gradients a rule returns, one for every input; `None` where none was asked for or none exists.
pub type Grads = SmallVec<[Option<Gradient>; 3]>;

/// `Some` dense gradient.
pub fn dense(array: Array) -> Option<Gradient> {
    Some(Gradient::Dense(array))
}

/// What a backward rule sees.
pub struct Cx<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) dy: &'a Array,
    pub(crate) needs: &'a [bool],
    pub(crate) shapes: &'a [crate::array::Dims],
    pub(crate) inputs: &'a [Option<Value>],
    pub(crate) output: Option<&'a Array>,
    pub(crate) kept: &'a [Array],
}

impl<'a> Cx<'a> {
    /// Gradient of the loss with respect to the output; same shape and dtype as the output, any strides.
    pub fn dy(&self) -> &'a Array {
        self.dy
    }

    /// Whether input `i` wants a gradient.
    pub fn needs(&self, i: usize) -> bool {
        self.needs.get(i).copied().unwrap_or(false)
    }

    /// Number of inputs of the forward call.
    pub fn arity(&self) -> usize {
        self.shapes.len()
    }

    /// Shape of input `i`, known whether or not it was saved.
    pub fn shape(&self, i: usize) -> &'a [usize] {
        &self.shapes[i]
    }

    fn missing(&self, what: &str) -> RbeError {
        RbeError::graph(self.rule.name.clone(), format!("its rule to save {what}"), "a rule that does not")
    }

    /// Saved input `i`, dense or packed.
    ///
    /// # Errors
    /// `Graph` if the rule does not save it.
    pub fn value(&self, i: usize) -> Result<&'a Value> {
        self.inputs.get(i).and_then(Option::as_ref).ok_or_else(|| self.missing("that input"))
    }

    /// Saved dense input `i`.
    ///
    /// # Errors
    /// `Graph` if the rule does not save it.
    pub fn input(&self, i: usize) -> Result<&'a Array> {
        match self.inputs.get(i) {
            Some(Some(Value::Dense(array))) => Ok(array),
            _ => Err(self.missing("that dense input")),
        }
    }

    /// Saved packed input `i`.
    ///
    /// # Errors
    /// `Graph` if the rule does not save it.
    pub fn packed(&self, i: usize) -> Result<&'a PackedTensor> {
        match self.inputs.get(i) {
            Some(Some(Value::Packed(packed))) => Ok(packed),
            _ => Err(self.missing("that packed input")),
        }
    }

    /// Saved output.
    ///
    /// # Errors
    /// `Graph` if the rule does not save it.
    pub fn output(&self) -> Result<&'a Array> {
        self.output.ok_or_else(|| self.missing("its output"))
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

/// A differentiable operation. Its fields are its attributes (axes, flags); tensors come as inputs.
///
/// A rule returns the gradient of each input in the input's broadcast shape or its own; the engine accumulates,
/// sums out broadcast axes, converts dtypes and frees.
pub trait Op: Send + Sync + 'static {
    /// Row of the rule table.
    fn rule(&self) -> &Rule;

    /// What it is, for those who read the operations of a scripted function.
    fn describe(&self) -> String {
        self.rule().name.to_string()
    }

    /// Calls `visit` with the objects of another language and the tensors that the operation holds.
    fn holdings<'a>(&'a self, _visit: &mut dyn FnMut(Holding<'a>)) {}

    /// Whether backward calls this operation even if no gradient reached its result, with zeros in its place.
    fn runs_without_gradient(&self) -> bool {
        false
    }

    /// Whether the result may lie in the memory of an input, as a view of it.
    fn is_view(&self) -> bool {
        false
    }

    /// Called when a backward pass that is to reach this operation begins.
    fn begin_pass(&self) {}

    /// Called when the tape frees what it saved for this operation: it will not run again.
    fn free(&self) {}

    /// The function of single elements, if it is one: what [`super::Fused`] joins.
    fn elementwise(self: Arc<Self>) -> Option<Arc<dyn Elementwise>> {
        None
    }

    /// The result of the operation on `inputs`.
    ///
    /// # Errors
    /// Whatever is wrong with the inputs; nothing has changed.
    fn forward(&self, inputs: Inputs<'_>) -> Result<Output>;

    /// Gradients of the inputs.
    ///
    /// # Errors
    /// `Graph` if something was not saved; errors of user-defined operations.
    fn backward(&self, cx: &Cx<'_>) -> Result<Grads>;
}
