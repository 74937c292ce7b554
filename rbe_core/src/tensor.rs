//! The tensor: a value and its place on the tape.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::array::Array;
use crate::dtype::{DType, Element};
use crate::error::{RbeError, Result};
use crate::graph::{self, BackwardOptions, GradSlot, Gradient, LazySlot, Node, Parent, Rewritten};
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
    view: Option<View>,
    rewritten: Rewritten, // the later place on the tape that recorded changes in place moved the tensor to
}

/// The tensor whose memory a view shows, never a view itself, and the recorded changes it had seen when the view was made.
struct View {
    base: RBETensor,
    since: u64,
}

enum Tape {
    Leaf { requires_grad: AtomicBool, slot: LazySlot },
    Recorded(Arc<Node>),
}

/// Gradient and hooks of a tensor, kept where they are while this is held.
pub struct Slot(SlotOf);

enum SlotOf {
    Leaf(RBETensor),
    Node(Arc<Node>),
}

impl From<Arc<Node>> for Slot {
    fn from(node: Arc<Node>) -> Slot {
        Slot(SlotOf::Node(node))
    }
}

impl std::ops::Deref for Slot {
    type Target = GradSlot;

    fn deref(&self) -> &GradSlot {
        match &self.0 {
            SlotOf::Leaf(tensor) => tensor.0.tape.slot().get(),
            SlotOf::Node(node) => node.slot.get(),
        }
    }
}

impl Tape {
    fn slot(&self) -> &LazySlot {
        match self {
            Tape::Leaf { slot, .. } => slot,
            Tape::Recorded(node) => &node.slot,
        }
    }
}

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

impl RBETensor {
    fn make(value: Value, tape: Tape, view: Option<View>) -> RBETensor {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        RBETensor(Arc::new(Inner { id, value, tape, view, rewritten: Rewritten::default() }))
    }

    fn leaf(value: Value, requires_grad: bool) -> RBETensor {
        RBETensor::make(value, Tape::Leaf { requires_grad: AtomicBool::new(requires_grad), slot: LazySlot::default() }, None)
    }

    /// A leaf that holds `array` and wants no gradient.
    pub fn from_array(array: Array) -> RBETensor {
        RBETensor::leaf(Value::Dense(array), false)
    }

    /// As [`RBETensor::from_array`], of an array that depends on no tensor.
    pub(crate) fn constant(array: Array) -> RBETensor {
        let constant = RBETensor::from_array(array);
        graph::note_constant(&constant);
        constant
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

    /// The result of an operation: recorded as `node`, if it was, and a view of the memory of `of`, if it shares that.
    pub(crate) fn result(array: Array, node: Option<Arc<Node>>, of: Option<&RBETensor>) -> RBETensor {
        let tape = match node {
            Some(node) => Tape::Recorded(node),
            None => Tape::Leaf { requires_grad: AtomicBool::new(false), slot: LazySlot::default() },
        };
        let view = of.map(|of| View { base: of.base().clone(), since: of.base().0.rewritten.times() });
        RBETensor::make(Value::Dense(array), tape, view)
    }

    /// The tensor whose memory this one shows: that which it is a view of, or itself.
    pub(crate) fn base(&self) -> &RBETensor {
        self.0.view.as_ref().map_or(self, |view| &view.base)
    }

    /// Moves this tensor, which is no view, to the place on the tape after a change in place.
    pub(crate) fn move_to(&self, node: Option<Arc<Node>>) {
        if let (Some(node), Some(before)) = (&node, self.made_slot())
            && before.retain.swap(false, Ordering::Relaxed)
        {
            node.slot.get().retain.store(true, Ordering::Relaxed); // the gradient that is kept is that of the new values
        }
        self.0.rewritten.add(node);
    }

    /// Moves a view to where the last recorded change of its base put it.
    pub(crate) fn catch_up(&self) {
        let Some(View { base, since }) = &self.0.view else { return };
        let times = base.0.rewritten.times();
        let own_leaf = || matches!(&self.0.tape, Tape::Leaf { requires_grad, .. } if requires_grad.load(Ordering::Relaxed));
        if times == (*since).max(self.0.rewritten.times()) || own_leaf() {
            return;
        }
        if let Value::Dense(array) = &self.0.value {
            self.0.rewritten.set(times, graph::shown(self, base, array));
        }
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
        matches!(self.0.tape, Tape::Leaf { .. }) && !self.is_rewritten()
    }

    /// Whether a recorded change in place moved this tensor to another place on the tape.
    fn is_rewritten(&self) -> bool {
        self.catch_up();
        self.0.rewritten.is_recorded()
    }

    /// Whether operations on this tensor are recorded.
    pub fn requires_grad(&self) -> bool {
        match &self.0.tape {
            Tape::Leaf { requires_grad, .. } => requires_grad.load(Ordering::Relaxed) || self.is_rewritten(),
            Tape::Recorded(_) => true,
        }
    }

    /// Makes a leaf want a gradient, or no longer.
    ///
    /// # Errors
    /// `DType` for integers and bools; `Graph` for a tensor that is not a leaf.
    pub fn set_requires_grad(&self, value: bool) -> Result<()> {
        match &self.0.tape {
            Tape::Leaf { requires_grad, .. } if !self.is_rewritten() => {
                if value && !self.dtype().is_float() {
                    return Err(RbeError::dtype("requires_grad", "float32, float64 or packed", self.dtype()));
                }
                requires_grad.store(value, Ordering::Relaxed);
                Ok(())
            }
            _ if value => Ok(()),
            _ => Err(RbeError::graph("requires_grad", "a leaf (use detach)", "the result of a recorded operation")),
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
    pub fn node(&self) -> Option<Arc<Node>> {
        self.catch_up();
        self.0.rewritten.node().or_else(|| match &self.0.tape {
            Tape::Leaf { .. } => None,
            Tape::Recorded(node) => Some(node.clone()),
        })
    }

    /// Where gradient and hooks live.
    pub fn slot(&self) -> Slot {
        Slot(self.node().map_or_else(|| SlotOf::Leaf(self.clone()), SlotOf::Node))
    }

    /// The slot, if somebody asked for it.
    pub(crate) fn made_slot(&self) -> Option<Slot> {
        match self.node() {
            Some(node) => node.slot.made().is_some().then(|| Slot(SlotOf::Node(node))),
            None => self.0.tape.slot().made().map(|_| Slot(SlotOf::Leaf(self.clone()))),
        }
    }

    pub(crate) fn as_parent(&self) -> Parent {
        match (self.node(), &self.0.tape) {
            (Some(node), _) => Parent::Node(node),
            (None, Tape::Leaf { requires_grad, .. }) if requires_grad.load(Ordering::Relaxed) => Parent::Leaf(self.clone()),
            _ => Parent::Constant,
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
