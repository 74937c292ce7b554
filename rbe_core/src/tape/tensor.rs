//! The tensor: a value and its place on the tape.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use super::held::Reference;
use super::node::Edge;
use super::slot::LazySlot;
use super::value::Value;
use super::view::{Rewritten, ViewOf};
use super::waiting::Waiting;
use crate::array::{Array, broadcast_count};
use crate::dtype::{DType, Element};
use crate::error::{RbeError, Result};
use crate::memory;
use crate::packed::PackedTensor;
use crate::parallel;

/// A dense or packed tensor. Cloning gives another handle of the same tensor: same value, same gradient.
#[derive(Clone)]
pub struct RBETensor(Arc<Inner>);

struct Inner {
    id: u64,
    state: State,
    view: Option<ViewOf>,
    rewritten: Rewritten, // the later place on the tape that recorded changes in place moved the tensor to
}

/// Whether there are values.
enum State {
    Made(Made),
    /// They are computed when they are first asked for.
    Late(OnceLock<Made>, Box<dyn Waiting>),
}

/// A value and its place on the tape.
struct Made {
    value: Value,
    tape: Tape,
}

/// Where a tensor was made: by the program, or by a recorded operation.
pub(super) enum Tape {
    Leaf { requires_grad: AtomicBool, slot: LazySlot },
    Recorded(Edge),
}

/// A handle that keeps no tensor alive.
pub struct WeakTensor(Weak<Inner>);

impl WeakTensor {
    /// The tensor, if somebody holds it still.
    pub fn upgrade(&self) -> Option<RBETensor> {
        self.0.upgrade().map(RBETensor)
    }

    pub(super) fn is_alive(&self) -> bool {
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
            Tape::Recorded(edge) => &edge.port().slot,
        }
    }
}

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

impl RBETensor {
    fn make(value: Value, tape: Tape, view: Option<ViewOf>) -> RBETensor {
        RBETensor::of_state(State::Made(Made { value, tape }), view)
    }

    fn of_state(state: State, view: Option<ViewOf>) -> RBETensor {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        RBETensor(Arc::new(Inner { id, state, view, rewritten: Rewritten::default() }))
    }

    /// A tensor whose values come later.
    pub(crate) fn deferred(waiting: impl Waiting) -> RBETensor {
        RBETensor::of_state(State::Late(OnceLock::new(), Box::new(waiting)), None)
    }

    /// Values and place, if they have been computed.
    #[inline]
    fn known(&self) -> Option<&Made> {
        match &self.0.state {
            State::Made(made) => Some(made),
            State::Late(made, _) => made.get(),
        }
    }

    fn made(&self) -> &Made {
        match self.known() {
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
    pub(crate) fn waiting(&self) -> Option<&dyn Waiting> {
        match &self.0.state {
            State::Late(made, waiting) if made.get().is_none() => Some(&**waiting),
            _ => None,
        }
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
        let State::Late(made, waiting) = &self.0.state else { return Ok(()) };
        if made.get().is_some() {
            return Ok(());
        }
        waiting.compute(self, apart, &mut |array, edge| {
            let tape = edge.map_or_else(|| Tape::leaf(false), Tape::Recorded);
            made.get_or_init(|| Made { value: Value::Dense(array), tape });
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

    pub(super) fn address(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }

    /// Calls `visit` with what the tensor holds; nothing of one whose values are still to be computed, and not the place on the
    /// tape that a change in place moved it to.
    pub(super) fn each_reference<'a>(&'a self, visit: &mut dyn FnMut(Reference<'a>)) {
        match self.known().map(|made| &made.tape) {
            Some(Tape::Leaf { slot, .. }) => slot.made().into_iter().for_each(|slot| visit(Reference::Slot(slot))),
            Some(Tape::Recorded(edge)) => visit(Reference::Node(&edge.node)),
            None => {}
        }
        if let Some(view) = &self.0.view {
            visit(Reference::Tensor(&view.base));
        }
    }

    pub(super) fn leaf(value: Value, requires_grad: bool) -> RBETensor {
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
        RBETensor::unrecorded("tensor", &[], || Array::from_slice(data, shape))
    }

    /// What `work` computes of `inputs` for the operation `op`, which the tape does not record. It costs the elements of the shape that
    /// the inputs broadcast to.
    ///
    /// # Errors
    /// Those of `work`; `Memory` if the system refuses memory.
    pub(crate) fn unrecorded(op: &str, inputs: &[&RBETensor], work: impl FnOnce() -> Result<Array> + Send) -> Result<RBETensor> {
        let cost = broadcast_count(inputs.iter().map(|t| t.shape()));
        parallel::long_work(cost, || memory::guard(op, work)).map(RBETensor::from_array)
    }

    /// The result of an operation: the output `edge`, if that was recorded, and a view of the memory of `of`, if it shares that.
    pub(crate) fn result(edge: Option<Edge>, array: Array, of: Option<&RBETensor>) -> RBETensor {
        let tape = edge.map_or_else(|| Tape::leaf(false), Tape::Recorded);
        RBETensor::make(Value::Dense(array), tape, of.map(ViewOf::of))
    }

    pub(super) fn view(&self) -> Option<&ViewOf> {
        self.0.view.as_ref()
    }

    pub(super) fn rewritten(&self) -> &Rewritten {
        &self.0.rewritten
    }

    pub(super) fn tape(&self) -> &Tape {
        &self.made().tape
    }

    pub(super) fn lazy_slot(&self) -> &LazySlot {
        self.tape().slot()
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
        self.waiting().map_or_else(|| self.value().shape(), Waiting::shape)
    }

    /// Element type; packed tensors decode to float32.
    pub fn dtype(&self) -> DType {
        self.waiting().map_or_else(|| self.value().dtype(), Waiting::dtype)
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
}

impl std::fmt::Debug for RBETensor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.value() {
            Value::Dense(array) => write!(f, "RBETensor({} {:?})", array.dtype(), array.shape()),
            Value::Packed(packed) => write!(f, "RBETensor(packed {:?}, {} bytes)", packed.shape(), packed.nbytes()),
        }
    }
}
