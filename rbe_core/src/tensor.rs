//! The tensor: a value and its place on the tape.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use crate::array::Array;
use crate::dtype::{DType, Element};
use crate::error::{RbeError, Result};
use crate::memory;
use crate::packed::PackedTensor;
use crate::tape::{self, BackwardOptions, GradSlot, Gradient, LazySlot, Node, Parent, Reference, Rewritten, Waiting};

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
    made: OnceLock<Made>,
    waiting: Option<Box<Waiting>>, // the operation that makes it when it is first asked for
    view: Option<View>,
    rewritten: Rewritten, // the later place on the tape that recorded changes in place moved the tensor to
}

/// A value and its place on the tape.
struct Made {
    value: Value,
    tape: Tape,
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
            SlotOf::Leaf(tensor) => tensor.made().tape.slot().get(),
            SlotOf::Node(node) => node.slot.get(),
        }
    }
}

/// A slot that is kept by others, or not at all.
pub struct WeakSlot(WeakSlotOf);

enum WeakSlotOf {
    Leaf(WeakTensor),
    Node(Weak<Node>),
}

impl Slot {
    /// A handle that keeps neither gradient nor hooks.
    pub fn downgrade(&self) -> WeakSlot {
        WeakSlot(match &self.0 {
            SlotOf::Leaf(tensor) => WeakSlotOf::Leaf(tensor.downgrade()),
            SlotOf::Node(node) => WeakSlotOf::Node(Arc::downgrade(node)),
        })
    }
}

impl WeakSlot {
    /// The slot, if somebody keeps it still.
    pub fn upgrade(&self) -> Option<Slot> {
        match &self.0 {
            WeakSlotOf::Leaf(tensor) => tensor.upgrade().map(SlotOf::Leaf),
            WeakSlotOf::Node(node) => node.upgrade().map(SlotOf::Node),
        }
        .map(Slot)
    }
}

/// A handle that keeps no tensor alive.
pub struct WeakTensor(Weak<Inner>);

impl WeakTensor {
    /// The tensor, if somebody holds it still.
    pub fn upgrade(&self) -> Option<RBETensor> {
        self.0.upgrade().map(RBETensor)
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.0.strong_count() > 0
    }
}

impl Tape {
    fn leaf(requires_grad: bool) -> Tape {
        Tape::Leaf { requires_grad: AtomicBool::new(requires_grad), slot: LazySlot::default() }
    }

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
        RBETensor::new_inner(OnceLock::from(Made { value, tape }), None, view)
    }

    fn new_inner(made: OnceLock<Made>, waiting: Option<Box<Waiting>>, view: Option<View>) -> RBETensor {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        RBETensor(Arc::new(Inner { id, made, waiting, view, rewritten: Rewritten::default() }))
    }

    /// A tensor whose values come later.
    pub(crate) fn deferred(waiting: Waiting) -> RBETensor {
        RBETensor::new_inner(OnceLock::new(), Some(Box::new(waiting)), None)
    }

    fn made(&self) -> &Made {
        match self.0.made.get() {
            Some(made) => made,
            None => self.made_late(),
        }
    }

    /// As [`RBETensor::made`], where no error can be returned: what takes tensors from outside resolves them first. A guard makes
    /// the error that of the operation.
    #[cold]
    fn made_late(&self) -> &Made {
        if let Err(error) = self.resolve() {
            memory::unwind(error);
        }
        self.made()
    }

    /// What is known of a tensor that has no values yet.
    pub(crate) fn waiting(&self) -> Option<&Waiting> {
        if self.0.made.get().is_some() { None } else { self.0.waiting.as_deref() }
    }

    /// Computes the values, if that waits.
    ///
    /// # Errors
    /// Those of the operations.
    pub fn resolve(&self) -> Result<()> {
        self.compute(false)
    }

    /// As [`RBETensor::resolve`]; what is recorded is computed operation by operation.
    ///
    /// # Errors
    /// As [`RBETensor::resolve`].
    pub(crate) fn resolve_apart(&self) -> Result<()> {
        self.compute(true)
    }

    fn compute(&self, apart: bool) -> Result<()> {
        let Some(waiting) = self.waiting() else { return Ok(()) };
        waiting.run(self, apart, |array, node| {
            let tape = node.map_or_else(|| Tape::leaf(false), Tape::Recorded);
            self.0.made.get_or_init(|| Made { value: Value::Dense(array), tape });
        })
    }

    /// A handle that does not keep the tensor alive.
    pub fn downgrade(&self) -> WeakTensor {
        WeakTensor(Arc::downgrade(&self.0))
    }

    /// How many handles there are.
    pub(crate) fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }

    /// Calls `visit` with what the tensor holds; nothing of one whose values are still to be computed, and not the place on the
    /// tape that a change in place moved it to.
    pub(crate) fn each_reference<'a>(&'a self, visit: &mut dyn FnMut(Reference<'a>)) {
        match self.0.made.get().map(|made| &made.tape) {
            Some(Tape::Leaf { slot, .. }) => slot.made().into_iter().for_each(|slot| visit(Reference::Slot(slot))),
            Some(Tape::Recorded(node)) => visit(Reference::Node(node)),
            None => {}
        }
        if let Some(view) = &self.0.view {
            visit(Reference::Tensor(&view.base));
        }
    }

    fn leaf(value: Value, requires_grad: bool) -> RBETensor {
        RBETensor::make(value, Tape::leaf(requires_grad), None)
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
        RBETensor::unrecorded("tensor", || Array::from_slice(data, shape))
    }

    /// What `work` computes for the operation `op`, which the tape does not record.
    ///
    /// # Errors
    /// Those of `work`; `Memory` if the system refuses memory.
    pub(crate) fn unrecorded(op: &str, work: impl FnOnce() -> Result<Array>) -> Result<RBETensor> {
        memory::guard(op, work).map(RBETensor::from_array)
    }

    /// The result of an operation: recorded as `node`, if it was, and a view of the memory of `of`, if it shares that.
    pub(crate) fn result(array: Array, node: Option<Arc<Node>>, of: Option<&RBETensor>) -> RBETensor {
        let tape = node.map_or_else(|| Tape::leaf(false), Tape::Recorded);
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
        let own_leaf = || matches!(&self.made().tape, Tape::Leaf { requires_grad, .. } if requires_grad.load(Ordering::Relaxed));
        if times == (*since).max(self.0.rewritten.times()) || own_leaf() {
            return;
        }
        if let Value::Dense(array) = self.value() {
            self.0.rewritten.set(times, tape::shown(base, array));
        }
    }

    /// Number of this tensor, unique in the process.
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// The value.
    pub fn value(&self) -> &Value {
        &self.made().value
    }

    /// The array of a dense tensor.
    ///
    /// # Errors
    /// `DType` of `op` for a packed tensor.
    pub fn array(&self, op: &'static str) -> Result<&Array> {
        self.resolve()?;
        match self.value() {
            Value::Dense(array) => Ok(array),
            Value::Packed(_) => Err(RbeError::dtype(op, "a dense tensor", "a packed one (use to_dense)")),
        }
    }

    /// The blocks of a packed tensor.
    ///
    /// # Errors
    /// `DType` of `op` for a dense tensor.
    pub fn packed(&self, op: &'static str) -> Result<&PackedTensor> {
        self.resolve()?;
        match self.value() {
            Value::Packed(packed) => Ok(packed),
            Value::Dense(array) => Err(RbeError::dtype(op, "a packed tensor", format!("a dense one of {}", array.dtype()))),
        }
    }

    /// Whether the tensor is packed.
    pub fn is_packed(&self) -> bool {
        self.waiting().is_none() && matches!(self.value(), Value::Packed(_))
    }

    /// Logical shape.
    pub fn shape(&self) -> &[usize] {
        self.waiting().map_or_else(|| self.value().shape(), |waiting| &waiting.shape)
    }

    /// Element type; packed tensors decode to float32.
    pub fn dtype(&self) -> DType {
        self.waiting().map_or_else(|| self.value().dtype(), |waiting| waiting.dtype)
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
        self.array("item")?.item()
    }

    /// Whether this is not the result of a recorded operation.
    pub fn is_leaf(&self) -> bool {
        matches!(self.made().tape, Tape::Leaf { .. }) && !self.is_rewritten()
    }

    /// Whether a recorded change in place moved this tensor to another place on the tape.
    fn is_rewritten(&self) -> bool {
        self.catch_up();
        self.0.rewritten.is_recorded()
    }

    /// Whether operations on this tensor are recorded.
    pub fn requires_grad(&self) -> bool {
        if let Some(waiting) = self.waiting() {
            return waiting.requires_grad;
        }
        match &self.made().tape {
            Tape::Leaf { requires_grad, .. } => requires_grad.load(Ordering::Relaxed) || self.is_rewritten(),
            Tape::Recorded(_) => true,
        }
    }

    /// Makes a leaf want a gradient, or no longer.
    ///
    /// # Errors
    /// `DType` for integers and bools; `Graph` for a tensor that is not a leaf.
    pub fn set_requires_grad(&self, value: bool) -> Result<()> {
        tape::settle()?; // what was called before is not concerned
        match &self.made().tape {
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
        self.0.rewritten.node().or_else(|| match &self.made().tape {
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
            None => self.made().tape.slot().made().map(|_| Slot(SlotOf::Leaf(self.clone()))),
        }
    }

    pub(crate) fn as_parent(&self) -> Parent {
        match (self.node(), &self.made().tape) {
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
        RBETensor::leaf(self.value().clone(), false)
    }

    /// Adds the gradient of this scalar to the leaves it depends on.
    ///
    /// # Errors
    /// As [`tape::backward`].
    pub fn backward(&self) -> Result<()> {
        tape::backward(&[self], &[None], BackwardOptions::default())
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
