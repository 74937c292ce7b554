//! A tensor's place on the tape: whether gradients flow to it, and where they are kept.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::backward::{BackwardOptions, backward};
use super::node::{Edge, Node, Parent};
use super::slot::Slot;
use super::tensor::{RBETensor, Tape};
use super::value::Value;
use super::waiting::settle;
use crate::error::{RbeError, Result};
use crate::gradient::Gradient;

impl RBETensor {
    /// Whether this is not the result of a recorded operation.
    pub fn is_leaf(&self) -> bool {
        matches!(self.tape(), Tape::Leaf { .. }) && !self.is_rewritten()
    }

    /// Whether a recorded change in place moved this tensor to another place on the tape.
    fn is_rewritten(&self) -> bool {
        self.catch_up();
        self.rewritten().is_recorded()
    }

    /// Whether operations on this tensor are recorded.
    pub fn requires_grad(&self) -> bool {
        if let Some(waiting) = self.waiting() {
            return waiting.requires_grad();
        }
        match self.tape() {
            Tape::Leaf { requires_grad, .. } => requires_grad.load(Ordering::Relaxed) || self.is_rewritten(),
            Tape::Recorded(_) => true,
        }
    }

    /// Makes a leaf want a gradient, or no longer.
    ///
    /// # Errors
    /// `DType` for integers and bools; `Graph` for a tensor that is not a leaf.
    pub fn set_requires_grad(&self, value: bool) -> Result<()> {
        settle()?; // what was called before is not concerned
        match self.tape() {
            Tape::Leaf { requires_grad, .. } if !self.is_rewritten() => {
                if value && !self.dtype().is_float() {
                    return Err(RbeError::dtype("requires_grad", "floats or packed", self.dtype()));
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

    /// The output of a recorded operation that this is.
    pub fn edge(&self) -> Option<Edge> {
        self.catch_up();
        self.rewritten().edge().or_else(|| match self.tape() {
            Tape::Leaf { .. } => None,
            Tape::Recorded(edge) => Some(edge.clone()),
        })
    }

    /// The recorded operation that this is an output of.
    pub fn node(&self) -> Option<Arc<Node>> {
        self.edge().map(|edge| edge.node)
    }

    /// Whether this is a leaf that requires grad by itself.
    pub(super) fn is_own_leaf(&self) -> bool {
        matches!(self.tape(), Tape::Leaf { requires_grad, .. } if requires_grad.load(Ordering::Relaxed))
    }

    /// Where gradient and hooks live.
    pub fn slot(&self) -> Slot {
        self.edge().map_or_else(|| Slot::of_leaf(self.clone()), Slot::from)
    }

    /// The slot, if somebody asked for it.
    pub(super) fn made_slot(&self) -> Option<Slot> {
        match self.edge() {
            Some(edge) => edge.port().slot.made().is_some().then(|| Slot::from(edge)),
            None => self.lazy_slot().made().map(|_| Slot::of_leaf(self.clone())),
        }
    }

    pub(super) fn as_parent(&self) -> Parent {
        match self.edge() {
            Some(edge) => Parent::Node(edge),
            None if self.is_own_leaf() => Parent::Leaf(self.clone()),
            None => Parent::Constant,
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
    /// As [`backward()`].
    pub fn backward(&self) -> Result<()> {
        backward(&[self], &[None], BackwardOptions::default())
    }
}
