//! Changes in place: elements of a tensor are overwritten, and the tensor moves to a later place on the tape.

use std::sync::Arc;

use super::index::Picks;
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule, dense};
use super::table;
use crate::array::{Array, Dims, Part, map_into};
use crate::dispatch_size;
use crate::dtype::DType;
use crate::error::{RbeError, Result};
use crate::parallel;
use crate::tape::{RBETensor, is_grad_enabled, record_place, settle};

/// Elements of a base, a view of it or picked elements of a view, replaced. Inputs: base, values in the shape of what is replaced.
struct Overwrite {
    part: Part,
    picks: Option<Picks>,
}

impl Op for Overwrite {
    fn rule(&self) -> &Rule {
        &table::OVERWRITE
    }

    fn takes(&self, _dtype: DType) -> bool {
        true // elements are moved
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
        let taken = dispatch_size!(whole.dtype(), T => match &self.picks {
            Some(picks) => picks.take_out::<T>(&view)?.relabel(whole.dtype()),
            None => {
                let taken = view.copy();
                map_into(&view, &Array::zeros(whole.dtype(), &[]), |_: T, v: T| v)?;
                taken
            }
        });
        grads.push(if cx.needs(0) { dense(whole) } else { None });
        grads.push(if cx.needs(1) { dense(taken) } else { None });
        Ok(grads)
    }
}

/// Writes `values`, which are converted, over a view or the picked elements of it.
fn store(view: &Array, picks: Option<&Picks>, values: &Array) -> Result<()> {
    let elements = picks.map_or(view.numel(), |picks| picks.result(view.shape()).iter().product());
    parallel::long_work(elements as u64, || {
        let values = values.cast(view.dtype());
        match picks {
            Some(picks) => picks.put(view, &values),
            None => dispatch_size!(view.dtype(), T => map_into(view, &values, |_: T, v: T| v)),
        }
    })
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
            return store(view, picks, values.array(op)?);
        }
        let values = values.cast(own.dtype())?.broadcast_to(&shape)?;
        let base = self.base();
        let memory = base.array(op)?;
        let over = Arc::new(Overwrite { part: Part::of(memory, view), picks: picks.cloned() });
        let edge = record_place(over, &[base, &values], memory);
        store(view, picks, values.array(op)?)?;
        base.move_to(Some(edge));
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
        let own = self.writable(op)?;
        let copy = parallel::long_work(own.numel() as u64, || own.copy());
        Ok(RBETensor::result(self.edge(), copy, None))
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
        match result.edge().filter(|edge| fresh && is_grad_enabled() && Arc::strong_count(edge.node()) == 2) {
            Some(edge) => {
                store(own, None, result.array(op)?)?;
                self.move_to(Some(edge));
                Ok(())
            }
            None => self.overwrite(op, own, None, &result),
        }
    }
}
