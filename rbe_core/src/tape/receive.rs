//! Where the gradients of a pass are kept when it is over.

use super::node::Edge;
use super::slot::Slot;
use super::tensor::RBETensor;
use crate::array::{Array, map_into};
use crate::dispatch_float;
use crate::error::Result;
use crate::gradient::Gradient;
use crate::memory;

/// Where a gradient is kept when the pass is over, and whether its memory must be nobody else's.
pub(super) struct Receiver {
    slot: Slot,
    owns: bool,
}

impl Receiver {
    /// A tensor that owns its gradient.
    pub(super) fn tensor(tensor: &RBETensor) -> Receiver {
        Receiver { slot: tensor.slot(), owns: true }
    }

    /// A result whose gradient is kept besides.
    pub(super) fn result(edge: Edge) -> Receiver {
        Receiver { slot: Slot::from(edge), owns: false }
    }
}

/// What becomes of a gradient.
enum Kept {
    /// It is added to the one that is there, in the memory of that: whoever holds it sees the sum.
    Added(Array),
    /// It takes the place of the one that is there, if any.
    Put(Gradient),
}

/// Adds finished gradients to what their receivers have: first what may fail, then all changes.
pub(super) fn keep(mut ready: Vec<(Receiver, Gradient)>) -> Result<()> {
    ready.sort_unstable_by_key(|(receiver, _)| std::ptr::from_ref(&*receiver.slot).addr()); // passes on several threads lock in one order
    let (receivers, gradients): (Vec<_>, Vec<_>) = ready.into_iter().unzip();
    let mut slots = memory::collect(receivers.iter().map(|receiver| receiver.slot.grad.lock()));
    let mut kept = memory::with_capacity(slots.len());
    for ((receiver, slot), gradient) in receivers.iter().zip(&slots).zip(gradients) {
        // A leaf owns its gradient: what other tensors share is copied, so that changing one grad never changes another.
        let own = match (receiver.owns, gradient) {
            (true, Gradient::Dense(new)) if !new.is_unique() || !new.is_contiguous() => Gradient::Dense(new.copy()),
            (_, other) => other,
        };
        kept.push(match (&**slot, own) {
            (None, own) => Kept::Put(own),
            (Some(Gradient::Dense(old)), Gradient::Dense(new))
                if old.is_contiguous() && new.is_contiguous() && (old.dtype(), old.shape()) == (new.dtype(), new.shape()) =>
            {
                Kept::Added(if old.same_storage(&new) { new.copy() } else { new })
            }
            (Some(old), own) => Kept::Put(old.clone().add(own)?),
        });
    }
    let mut before = memory::with_capacity(slots.len());
    for (slot, kept) in slots.iter_mut().zip(kept) {
        match (&**slot, kept) {
            (Some(Gradient::Dense(old)), Kept::Added(new)) => {
                old.change(|old| dispatch_float!("backward", old.dtype(), T => map_into(old, &new.wide(), |a: T, b: T| a + b)))?;
            }
            (_, Kept::Added(new)) => before.push(slot.replace(Gradient::Dense(new))),
            (_, Kept::Put(sum)) => before.push(slot.replace(sum)),
        }
    }
    drop(slots);
    drop(before); // outside the locks
    Ok(())
}
