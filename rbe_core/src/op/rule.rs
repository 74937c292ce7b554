//! What an operation is: its row in the table, its forward function and its rule.

use std::borrow::Cow;
use std::sync::Arc;

use super::fused::Elementwise;
use crate::array::{Array, broadcast_count};
use crate::dtype::DType;
use crate::error::{RbeError, Result};
use crate::packed::PackedTensor;
use crate::tape::{Arrays, BackwardRule, RBETensor, Saves, Value};
pub use crate::tape::{Cx, Grads, dense};

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

impl Rule {
    /// The rule of an operation of this crate.
    pub(crate) const fn new(name: &'static str, arity: (usize, usize), saves: Saves) -> Rule {
        Rule { name: Cow::Borrowed(name), arity, saves }
    }
}

/// Inputs of a forward call.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    tensors: &'a [&'a RBETensor],
    name: &'a str,
}

impl<'a> Inputs<'a> {
    pub(super) fn new(tensors: &'a [&'a RBETensor], name: &'a str) -> Inputs<'a> {
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

    /// Input `i` and its place on the tape.
    pub(super) fn tensor(&self, i: usize) -> &'a RBETensor {
        self.tensors[i]
    }

    /// Input `i`, dense or packed.
    pub fn value(&self, i: usize) -> &'a Value {
        self.tensors[i].value()
    }

    /// Shape of input `i`; that of a number if there are fewer.
    pub fn shape(&self, i: usize) -> &'a [usize] {
        self.tensors.get(i).map_or(&[], |t| t.shape())
    }

    /// Number of elements of input `i`.
    pub fn elements(&self, i: usize) -> u64 {
        self.tensors.get(i).map_or(0, |t| t.numel() as u64)
    }

    /// Number of elements of all inputs.
    pub fn all_elements(&self) -> u64 {
        self.tensors.iter().fold(0, |sum, t| sum.saturating_add(t.numel() as u64))
    }

    /// Number of elements of the shape that the inputs broadcast to.
    pub fn broadcast_elements(&self) -> u64 {
        broadcast_count(self.tensors.iter().map(|t| t.shape()))
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

/// Results of a forward call, with by-products that backward wants (statistics, masks).
pub struct Output {
    /// The results, most often one.
    pub values: Arrays,
    /// By-products, read back with [`Cx::kept`].
    pub kept: Vec<Array>,
}

impl Output {
    /// One result, with by-products.
    pub fn keeping<const N: usize>(value: Array, kept: [Array; N]) -> Output {
        Output { values: Arrays::from_buf([value]), kept: Vec::from(kept) }
    }

    /// Several results.
    pub fn several<const N: usize>(values: [Array; N]) -> Output {
        Output { values: values.into_iter().collect(), kept: Vec::new() }
    }
}

impl From<Array> for Output {
    fn from(value: Array) -> Output {
        Output::keeping(value, [])
    }
}

/// Cost of `count` multiply-adds of a product: vector instructions do some 16 in the time that an element takes elsewhere.
pub(super) const fn multiply_adds(count: u64) -> u64 {
    count / 16
}

/// Cost of `x Wᵀ` of inputs x (…, in) and W (out, in).
pub(super) fn linear_cost(x: Inputs<'_>) -> u64 {
    let rows = x.shape(1).first().map_or(1, |n| *n as u64);
    x.elements(0).saturating_add(multiply_adds(x.elements(0).saturating_mul(rows)))
}

/// A differentiable operation. Its fields are its attributes (axes, flags); tensors come as inputs.
///
/// A rule returns the gradient of each input in the input's broadcast shape or its own; the engine accumulates,
/// sums out broadcast axes, converts dtypes and frees.
pub trait Op: BackwardRule {
    /// Row of the rule table.
    fn rule(&self) -> &Rule;

    /// What it is, for those who read the operations of a scripted function.
    fn describe(&self) -> String {
        self.rule().name.to_string()
    }

    /// Whether the result may lie in the memory of an input, as a view of it.
    fn is_view(&self) -> bool {
        false
    }

    /// The function of single elements, if it is one: what [`super::Fused`] joins.
    fn elementwise(self: Arc<Self>) -> Option<Arc<dyn Elementwise>> {
        None
    }

    /// Whether [`Op::forward`] takes arrays of this type as they are. What it does not take is converted to its wide type, and the
    /// results back to that of the operands.
    fn takes(&self, dtype: DType) -> bool {
        !dtype.is_narrow()
    }

    /// Whether integers of the result keep the wide type, as sums and products do.
    fn widens_integers(&self) -> bool {
        false
    }

    /// What the forward pass costs, as [`long_work`](crate::parallel::long_work) counts it, for inputs that nothing has checked yet: by
    /// default their elements.
    fn cost(&self, inputs: Inputs<'_>) -> u64 {
        if self.is_view() { 0 } else { inputs.all_elements() }
    }

    /// The results of the operation on `inputs`.
    ///
    /// # Errors
    /// Whatever is wrong with the inputs; nothing has changed.
    fn forward(&self, inputs: Inputs<'_>) -> Result<Output>;

    /// Gradients of the inputs.
    ///
    /// # Errors
    /// `Graph` if something was not saved.
    fn backward(&self, cx: &Cx<'_>) -> Result<Grads>;
}

/// On the tape an operation is its rule.
impl<O: Op> BackwardRule for O {
    fn name(&self) -> &str {
        &self.rule().name
    }

    fn saves(&self) -> Saves {
        self.rule().saves
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        Op::backward(self, cx)
    }
}
