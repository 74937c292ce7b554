//! The tensor: a value and its place on the tape.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::array::Array;
use crate::dtype::{DType, Element};
use crate::error::{RbeError, Result};
use crate::graph::{self, BackwardOptions, GradSlot, Gradient, LazySlot, Node, Parent};
use crate::packed::PackedTensor;

/// What a tensor holds.
#[derive(Clone)]
pub enum Value {
    /// A dense array.
    Dense(Array),
    /// Packed128 blocks.
    Packed(PackedTensor),
}

impl Value {
    /// Logical shape.
    pub fn shape(&self) -> &[usize] {
        match self {
            Value::Dense(array) => array.shape(),
            Value::Packed(packed) => packed.shape(),
        }
    }

    /// Element type; packed tensors decode to float32.
    pub fn dtype(&self) -> DType {
        match self {
            Value::Dense(array) => array.dtype(),
            Value::Packed(_) => DType::F32,
        }
    }

    /// Count of in-place changes.
    pub fn version(&self) -> u64 {
        match self {
            Value::Dense(array) => array.version(),
            Value::Packed(packed) => packed.version(),
        }
    }
}

/// A dense or packed tensor. Cloning gives another handle of the same tensor: same value, same gradient.
#[derive(Clone)]
pub struct RBETensor(Arc<Inner>);

struct Inner {
    id: u64,
    value: Value,
    tape: Tape,
}

enum Tape {
    Leaf { requires_grad: AtomicBool, slot: LazySlot },
    Recorded(Arc<Node>),
}

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

impl RBETensor {
    fn leaf(value: Value, requires_grad: bool) -> RBETensor {
        let tape = Tape::Leaf { requires_grad: AtomicBool::new(requires_grad), slot: LazySlot::default() };
        RBETensor(Arc::new(Inner { id: NEXT_ID.fetch_add(1, Ordering::Relaxed), value, tape }))
    }

    /// A leaf that holds `array` and wants no gradient.
    pub fn from_array(array: Array) -> RBETensor {
        RBETensor::leaf(Value::Dense(array), false)
    }

    /// A leaf that holds `packed`.
    pub fn from_packed(packed: PackedTensor, requires_grad: bool) -> RBETensor {
        RBETensor::leaf(Value::Packed(packed), requires_grad)
    }

    /// A leaf of a copy of `data`.
    ///
    /// # Errors
    /// `Shape` if `shape` does not hold `data.len()` elements.
    pub fn new<T: Element>(data: &[T], shape: &[usize]) -> Result<RBETensor> {
        Ok(RBETensor::from_array(Array::from_slice(data, shape)?))
    }

    pub(crate) fn recorded(array: Array, node: Arc<Node>) -> RBETensor {
        RBETensor(Arc::new(Inner { id: NEXT_ID.fetch_add(1, Ordering::Relaxed), value: Value::Dense(array), tape: Tape::Recorded(node) }))
    }

    /// Number of this tensor, unique in the process.
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// The value.
    pub fn value(&self) -> &Value {
        &self.0.value
    }

    /// The array of a dense tensor.
    ///
    /// # Errors
    /// `DType` of `op` for a packed tensor.
    pub fn array(&self, op: &'static str) -> Result<&Array> {
        match &self.0.value {
            Value::Dense(array) => Ok(array),
            Value::Packed(_) => Err(RbeError::dtype(op, "a dense tensor", "a packed one (use to_dense)")),
        }
    }

    /// The blocks of a packed tensor.
    ///
    /// # Errors
    /// `DType` of `op` for a dense tensor.
    pub fn packed(&self, op: &'static str) -> Result<&PackedTensor> {
        match &self.0.value {
            Value::Packed(packed) => Ok(packed),
            Value::Dense(array) => Err(RbeError::dtype(op, "a packed tensor", format!("a dense one of {}", array.dtype()))),
        }
    }

    /// Whether the tensor is packed.
    pub fn is_packed(&self) -> bool {
        matches!(self.0.value, Value::Packed(_))
    }

    /// Logical shape.
    pub fn shape(&self) -> &[usize] {
        self.0.value.shape()
    }

    /// Element type; packed tensors decode to float32.
    pub fn dtype(&self) -> DType {
        self.0.value.dtype()
    }

    /// Number of elements.
    pub fn numel(&self) -> usize {
        self.shape().iter().fold(1, |n, len| n.wrapping_mul(*len)) // as `Array::numel`
    }

    /// The only element.
    ///
    /// # Errors
    /// `Shape` unless there is exactly one; `DType` for a packed tensor.
    pub fn item(&self) -> Result<f64> {
        crate::graph::note_read(self, "item");
        self.array("item")?.item()
    }

    /// Whether this is not the result of a recorded operation.
    pub fn is_leaf(&self) -> bool {
        matches!(self.0.tape, Tape::Leaf { .. })
    }

    /// Whether operations on this tensor are recorded.
    pub fn requires_grad(&self) -> bool {
        match &self.0.tape {
            Tape::Leaf { requires_grad, .. } => requires_grad.load(Ordering::Relaxed),
            Tape::Recorded(_) => true,
        }
    }

    /// Makes a leaf want a gradient, or no longer.
    ///
    /// # Errors
    /// `DType` for integers and bools; `Graph` for a tensor that is not a leaf.
    pub fn set_requires_grad(&self, value: bool) -> Result<()> {
        match &self.0.tape {
            Tape::Leaf { requires_grad, .. } => {
                if value && !self.dtype().is_float() {
                    return Err(RbeError::dtype("requires_grad", "float32, float64 or packed", self.dtype()));
                }
                requires_grad.store(value, Ordering::Relaxed);
                Ok(())
            }
            Tape::Recorded(_) if value => Ok(()),
            Tape::Recorded(_) => Err(RbeError::graph("requires_grad", "a leaf (use detach)", "the result of a recorded operation")),
        }
    }

    /// This leaf, wanting a gradient.
    ///
    /// # Errors
    /// As [`RBETensor::set_requires_grad`].
    pub fn requiring_grad(self) -> Result<RBETensor> {
        self.set_requires_grad(true)?;
        Ok(self)
    }

    /// The recorded operation this is the result of.
    pub fn node(&self) -> Option<&Arc<Node>> {
        match &self.0.tape {
            Tape::Leaf { .. } => None,
            Tape::Recorded(node) => Some(node),
        }
    }

    /// Where gradient and hooks live.
    pub fn slot(&self) -> &GradSlot {
        match &self.0.tape {
            Tape::Leaf { slot, .. } => slot.get(),
            Tape::Recorded(node) => node.slot.get(),
        }
    }

    /// The slot, if somebody asked for it.
    pub(crate) fn made_slot(&self) -> Option<&GradSlot> {
        match &self.0.tape {
            Tape::Leaf { slot, .. } => slot.made(),
            Tape::Recorded(node) => node.slot.made(),
        }
    }

    pub(crate) fn as_parent(&self) -> Parent {
        match &self.0.tape {
            Tape::Leaf { requires_grad, .. } if !requires_grad.load(Ordering::Relaxed) => Parent::Constant,
            Tape::Leaf { .. } => Parent::Leaf(self.clone()),
            Tape::Recorded(node) => Parent::Node(node.clone()),
        }
    }

    /// The gradient, if backward has left one here.
    pub fn grad(&self) -> Option<Gradient> {
        self.made_slot()?.grad.lock().clone()
    }

    /// Sets or removes the gradient.
    ///
    /// # Errors
    /// `Shape` or `DType` if it does not fit this tensor.
    pub fn set_grad(&self, gradient: Option<Gradient>) -> Result<()> {
        match (&gradient, self.value()) {
            (Some(Gradient::Dense(g)), Value::Dense(a)) if g.shape() != a.shape() => {
                return Err(RbeError::shape("grad", format!("{:?}", a.shape()), format!("{:?}", g.shape())));
            }
            (Some(Gradient::Dense(g)), Value::Dense(a)) if g.dtype() != a.dtype() => {
                return Err(RbeError::dtype("grad", a.dtype(), g.dtype()));
            }
            (Some(Gradient::Dense(_)), Value::Packed(_)) | (Some(Gradient::Packed(_)), Value::Dense(_)) => {
                return Err(RbeError::dtype("grad", "a gradient of the tensor's kind", "a dense for a packed tensor or the reverse"));
            }
            (Some(Gradient::Packed(g)), Value::Packed(p)) if !g.weight().same_storage(p) => {
                return Err(RbeError::graph("grad", "a gradient of this packed tensor", "one of another"));
            }
            _ => {}
        }
        let before = match gradient {
            Some(gradient) => self.slot().grad.lock().replace(gradient),
            None => self.made_slot().and_then(|slot| slot.grad.lock().take()),
        };
        drop(before); // outside the lock
        Ok(())
    }

    /// Keeps the gradient of a tensor that is not a leaf.
    ///
    /// # Errors
    /// `Graph` if the tensor requires no gradient.
    pub fn retain_grad(&self) -> Result<()> {
        if !self.requires_grad() {
            return Err(RbeError::graph("retain_grad", "a tensor that requires grad", "one that does not"));
        }
        self.slot().retain.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// The same value off the tape.
    pub fn detach(&self) -> RBETensor {
        RBETensor::leaf(self.0.value.clone(), false)
    }

    /// Adds the gradient of this scalar to the leaves it depends on.
    ///
    /// # Errors
    /// As [`graph::backward`].
    pub fn backward(&self) -> Result<()> {
        graph::backward(&[self], &[None], BackwardOptions::default())
    }
}

impl std::fmt::Debug for RBETensor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.value() {
            Value::Dense(array) => write!(f, "RBETensor({} {:?})", array.dtype(), array.shape()),
            Value::Packed(packed) => write!(f, "RBETensor(packed {:?}, {} bytes)", packed.shape(), packed.nbytes()),
        }
    }
}
