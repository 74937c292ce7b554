//! Changes in place on the tape. A tensor whose elements are overwritten moves to a later place on the tape: its memory stays,
//! and gradients flow from then on to what was written and to what was left. Views of the same memory follow when next used.

use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::deferred::settle;
use super::mode::is_grad_enabled;
use super::node::{Node, record};
use crate::array::{Array, Dims, Strides, map_into, positions};
use crate::error::{RbeError, Result};
use crate::op::{Cx, Grads, Inputs, Op, Output, Picks, Rule, dense, table};
use crate::tensor::RBETensor;
use crate::{dispatch_all, dispatch_float};

/// How often a tensor was overwritten on the tape, and the node that it is the result of since. Few tensors ever are.
#[derive(Default)]
pub(crate) struct Rewritten(OnceLock<Box<Mutex<Latest>>>);

#[derive(Default)]
struct Latest {
    times: u64,
    node: Option<Arc<Node>>,
}

impl Rewritten {
    fn latest(&self) -> &Mutex<Latest> {
        self.0.get_or_init(Box::default)
    }

    pub(crate) fn times(&self) -> u64 {
        self.0.get().map_or(0, |latest| latest.lock().times)
    }

    pub(crate) fn node(&self) -> Option<Arc<Node>> {
        self.0.get().and_then(|latest| latest.lock().node.clone())
    }

    pub(crate) fn is_recorded(&self) -> bool {
        self.0.get().is_some_and(|latest| latest.lock().node.is_some())
    }

    /// Counts a change, recorded as `node` unless it was only captured.
    pub(crate) fn add(&self, node: Option<Arc<Node>>) {
        let mut latest = self.latest().lock();
        latest.times += 1;
        let before = node.and_then(|node| latest.node.replace(node));
        drop(latest);
        drop(before); // outside the lock: what it was made of may go with it
    }

    /// Follows the change number `times` of another tensor.
    pub(crate) fn set(&self, times: u64, node: Option<Arc<Node>>) {
        let before = std::mem::replace(&mut *self.latest().lock(), Latest { times, node });
        drop(before);
    }
}

/// Where a view lies in the memory of its base.
struct Part {
    base: Strides,
    shape: Dims,
    strides: Strides,
    shift: isize, // elements from the first of the base to the first of the view
}

impl Part {
    fn of(base: &Array, view: &Array) -> Part {
        let shift = view.offset() as isize - base.offset() as isize;
        Part {
            base: Strides::from_slice(base.strides()),
            shape: Dims::from_slice(view.shape()),
            strides: Strides::from_slice(view.strides()),
            shift,
        }
    }

    /// A copy of `a` laid out as the base is.
    fn copy(&self, a: &Array) -> Result<Array> {
        if a.is_contiguous() && a.strides() == self.base.as_slice() {
            return Ok(a.copy());
        }
        let whole = Array::zeros_strided(a.dtype(), a.shape(), &self.base)?;
        dispatch_all!(a.dtype(), T => map_into(&whole, a, |_: T, v: T| v))?;
        Ok(whole)
    }

    /// The view of an array laid out as the base is.
    fn within(&self, whole: &Array) -> Result<Array> {
        let first = if self.shape.contains(&0) { 0 } else { whole.offset() as isize + self.shift };
        Array::from_parts(whole.storage().clone(), whole.dtype(), &self.shape, &self.strides, first as usize)
    }
}

/// Elements of a base, a view of it or picked elements of a view, replaced. Inputs: base, values in the shape of what is replaced.
struct Overwrite {
    part: Part,
    picks: Option<Picks>,
}

impl Op for Overwrite {
    fn rule(&self) -> &Rule {
        &table::OVERWRITE
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let whole = self.part.copy(x.array(0)?)?;
        store(&self.part.within(&whole)?, self.picks.as_ref(), x.array(1)?)?;
        Ok(whole.into())
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let mut grads = Grads::new();
        if !cx.needs(0) && self.picks.is_none() && cx.dy().strides() == self.part.base.as_slice() {
            grads.push(None);
            grads.push(if cx.needs(1) { dense(self.part.within(cx.dy())?) } else { None });
            return Ok(grads);
        }
        // The values' gradient is taken out of the base's: what was overwritten has none.
        let whole = self.part.copy(cx.dy())?;
        let view = self.part.within(&whole)?;
        let taken = dispatch_float!("overwrite", whole.dtype(), T => match &self.picks {
            Some(picks) => picks.take_out::<T>(&view),
            None => {
                let taken = view.copy();
                map_into(&view, &Array::zeros(whole.dtype(), &[]), |_: T, v: T| v).map(|()| taken)
            }
        })?;
        grads.push(if cx.needs(0) { dense(whole) } else { None });
        grads.push(if cx.needs(1) { dense(taken) } else { None });
        Ok(grads)
    }
}

/// A view of a base that was overwritten since the view was made.
struct Shown(Part);

impl Op for Shown {
    fn rule(&self) -> &Rule {
        &table::VIEW
    }

    fn is_view(&self) -> bool {
        true
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let base = x.array(0)?;
        let whole = if base.strides() == self.0.base.as_slice() { base.clone() } else { self.0.copy(base)? };
        Ok(self.0.within(&whole)?.into())
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        cx.one(|| {
            let whole = Array::zeros_strided(cx.dy().dtype(), cx.shape(0), &self.0.base)?;
            let (places, dy) = (positions(&self.0.within(&whole)?), cx.dy().contiguous());
            dispatch_float!("view", dy.dtype(), T => {
                let mut out = whole.write_storage::<T>();
                places.iter().zip(dy.read::<T>().iter()).for_each(|(i, d)| out[*i] += *d); // a broadcast view adds up
                Ok(())
            })?;
            Ok(whole)
        })
    }
}

/// Writes `values` over a view or the picked elements of it.
fn store(view: &Array, picks: Option<&Picks>, values: &Array) -> Result<()> {
    match picks {
        Some(picks) => picks.put(view, values),
        None => dispatch_all!(view.dtype(), T => map_into(view, values, |_: T, v: T| v)),
    }
}

/// The node by which a view, which shows `array`, follows `base` after a change of that, if gradients flow to the base.
pub(crate) fn shown(base: &RBETensor, array: &Array) -> Option<Arc<Node>> {
    let own = base.array("view").ok()?;
    let op: Arc<dyn Op> = Arc::new(Shown(Part::of(own, array)));
    base.requires_grad().then(|| record(op, &[base], array, Default::default()))
}

impl RBETensor {
    /// The array, to change in place.
    ///
    /// # Errors
    /// `Graph` for a leaf that requires grad, or a view of one, while recording is on. `Value` for a broadcast view, several
    /// of whose elements are one.
    pub fn writable(&self, op: &'static str) -> Result<&Array> {
        settle()?; // what was called before reads the values as they are
        let array = self.array(op)?;
        if is_grad_enabled() && (self.is_leaf() && self.requires_grad() || self.base().is_leaf() && self.base().requires_grad()) {
            let what = if self.is_leaf() { "a leaf that requires grad" } else { "a view of a leaf that requires grad" };
            return Err(RbeError::graph(op, "a tensor that is no leaf of the tape (use no_grad() or the out-of-place form)", what));
        }
        if array.numel() > 0 && array.shape().iter().zip(array.strides()).any(|(n, stride)| *n > 1 && *stride == 0) {
            return Err(RbeError::value(op, "a place in memory for every element", "a broadcast view (use clone)"));
        }
        Ok(array)
    }

    /// Replaces the elements of `view`, which shows memory of this tensor, or the picked ones of them, by `values`, which are
    /// converted and broadcast. Gradients flow to the values and to the elements that are left. Of values written to one place
    /// the last counts.
    ///
    /// # Errors
    /// As [`RBETensor::writable`]; `Shape` if the values do not broadcast.
    pub fn overwrite(&self, op: &'static str, view: &Array, picks: Option<&Picks>, values: &RBETensor) -> Result<()> {
        let own = self.writable(op)?;
        if !own.same_storage(view) {
            return Err(RbeError::value(op, "a view of this tensor's memory", "one of other memory"));
        }
        let itself = |a: &Array| a.same_storage(view) && a.offset() == view.offset() && a.strides() == view.strides();
        if picks.is_none() && values.shape() == view.shape() && values.base().id() == self.base().id() && itself(values.array(op)?) {
            return Ok(()); // `x[0] += y` assigns the changed view to where it lies
        }
        let shape = picks.map_or_else(|| Dims::from_slice(view.shape()), |picks| picks.result(view.shape()));
        let recorded = is_grad_enabled() && own.dtype().is_float() && (self.requires_grad() || values.requires_grad());
        if !recorded {
            values.array(op)?.broadcast_strides(&shape)?;
            return store(view, picks, &values.array(op)?.cast(own.dtype()));
        }
        let values = values.cast(own.dtype())?.broadcast_to(&shape)?;
        let base = self.base();
        let memory = base.array(op)?;
        let over: Arc<dyn Op> = Arc::new(Overwrite { part: Part::of(memory, view), picks: picks.cloned() });
        let node = record(over, &[base, &values], memory, Default::default());
        store(view, picks, values.array(op)?)?;
        base.move_to(Some(node));
        Ok(())
    }

    /// Replaces every element by `values`, which broadcast.
    ///
    /// # Errors
    /// As [`RBETensor::overwrite`].
    pub fn assign(&self, values: &RBETensor) -> Result<()> {
        self.overwrite("assign", self.writable("assign")?, None, values)
    }

    /// Replaces the picked elements by `values`, which broadcast to the result of picking.
    ///
    /// # Errors
    /// As [`RBETensor::overwrite`].
    pub fn assign_picks(&self, picks: &Picks, values: &RBETensor) -> Result<()> {
        self.overwrite("assign", self.writable("assign")?, Some(picks), values)
    }

    /// This tensor before a change in place, as operand of the operation that computes its new elements: the same place on the
    /// tape with memory of its own.
    ///
    /// # Errors
    /// As [`RBETensor::writable`].
    pub fn before_change(&self, op: &'static str) -> Result<RBETensor> {
        let copy = RBETensor::result(self.writable(op)?.copy(), self.node(), None);
        Ok(copy)
    }

    /// Takes over the elements of `result`, which was computed from this tensor alone or with others and which nobody else
    /// holds: `x.add_(y)` is `x.take_over("add_", x.add(y))`.
    ///
    /// # Errors
    /// As [`RBETensor::writable`]; `Shape` if `result` has another shape.
    pub fn take_over(&self, op: &'static str, result: &RBETensor) -> Result<()> {
        let own = self.writable(op)?;
        if result.shape() != self.shape() {
            return Err(RbeError::shape(op, format!("a result of shape {:?}", self.shape()), format!("{:?}", result.shape())));
        }
        if result.id() == self.id() {
            return Ok(());
        }
        let result = result.cast(own.dtype())?;
        let (base, from) = (self.base(), result.base());
        let fresh = base.id() == self.id() && from.id() == result.id();
        // Two holders of the node, `result` and this function: nothing else depends on it.
        match result.node().filter(|node| fresh && is_grad_enabled() && Arc::strong_count(node) == 2) {
            Some(node) => {
                store(own, None, result.array(op)?)?;
                self.move_to(Some(node));
                Ok(())
            }
            None => self.overwrite(op, own, None, &result),
        }
    }
}
