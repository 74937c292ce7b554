//! Views of changed memory. A tensor whose elements are overwritten moves to a later place on the tape: its memory stays, and
//! gradients flow from then on to what was written and to what was left. Views of the same memory follow when next used.

use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::node::Edge;
use super::record::record_place;
use super::rule::{BackwardRule, Cx, Grads};
use super::tensor::RBETensor;
use super::value::Value;
use crate::array::{Array, Part, positions};
use crate::dispatch_float;
use crate::error::Result;

/// The tensor whose memory a view shows, never a view itself, and the recorded changes it had seen when the view was made.
pub(super) struct ViewOf {
    pub(super) base: RBETensor,
    since: u64,
}

impl ViewOf {
    /// A view of the memory of `of`.
    pub(super) fn of(of: &RBETensor) -> ViewOf {
        ViewOf { base: of.base().clone(), since: of.base().rewritten().times() }
    }
}

/// How often a tensor was overwritten on the tape, and the output that it is since. Few tensors ever are.
#[derive(Default)]
pub(super) struct Rewritten(OnceLock<Box<Mutex<Latest>>>);

#[derive(Default)]
struct Latest {
    times: u64,
    edge: Option<Edge>,
}

impl Rewritten {
    fn latest(&self) -> &Mutex<Latest> {
        self.0.get_or_init(Box::default)
    }

    fn times(&self) -> u64 {
        self.0.get().map_or(0, |latest| latest.lock().times)
    }

    pub(super) fn edge(&self) -> Option<Edge> {
        self.0.get().and_then(|latest| latest.lock().edge.clone())
    }

    pub(super) fn is_recorded(&self) -> bool {
        self.0.get().is_some_and(|latest| latest.lock().edge.is_some())
    }

    /// Counts a change, recorded as `edge` unless it was only captured.
    fn add(&self, edge: Option<Edge>) {
        let mut latest = self.latest().lock();
        latest.times += 1;
        let before = edge.and_then(|edge| latest.edge.replace(edge));
        drop(latest);
        drop(before); // outside the lock: what it was made of may go with it
    }

    /// Follows the change number `times` of another tensor.
    fn set(&self, times: u64, edge: Option<Edge>) {
        let before = std::mem::replace(&mut *self.latest().lock(), Latest { times, edge });
        drop(before);
    }
}

/// A view of a base that was overwritten since the view was made.
struct Shown(Part);

impl BackwardRule for Shown {
    fn name(&self) -> &str {
        "view"
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        cx.one(|| {
            let dy = cx.dy().wide().contiguous();
            let whole = Array::zeros_strided(dy.dtype(), cx.shape(0), &self.0.base)?;
            let places = positions(&self.0.within(&whole)?);
            dispatch_float!("view", dy.dtype(), T => {
                let mut out = whole.write_storage::<T>();
                places.iter().zip(dy.read::<T>().iter()).for_each(|(i, d)| out[*i] += *d); // a broadcast view adds up
                Ok(())
            })?;
            Ok(whole)
        })
    }
}

/// The edge by which a view, which shows `array`, follows `base` after a change of that, if gradients flow to the base.
fn shown(base: &RBETensor, array: &Array) -> Option<Edge> {
    let own = base.array("view").ok()?;
    let rule = Arc::new(Shown(Part::of(own, array)));
    base.requires_grad().then(|| record_place(rule, &[base], array))
}

impl RBETensor {
    /// The tensor whose memory this one shows: that which it is a view of, or itself.
    pub(crate) fn base(&self) -> &RBETensor {
        self.view().map_or(self, |view| &view.base)
    }

    /// Moves this tensor, which is no view, to the place on the tape after a change in place.
    pub(crate) fn move_to(&self, edge: Option<Edge>) {
        if let (Some(edge), Some(before)) = (&edge, self.made_slot())
            && before.retain.swap(false, std::sync::atomic::Ordering::Relaxed)
        {
            edge.port().slot.get().retain.store(true, std::sync::atomic::Ordering::Relaxed); // the gradient that is kept is that of the new values
        }
        self.rewritten().add(edge);
    }

    /// Moves a view to where the last recorded change of its base put it.
    pub(super) fn catch_up(&self) {
        let Some(ViewOf { base, since }) = self.view() else { return };
        let times = base.rewritten().times();
        if times == (*since).max(self.rewritten().times()) || self.is_own_leaf() {
            return;
        }
        if let Value::Dense(array) = self.value() {
            self.rewritten().set(times, shown(base, array));
        }
    }
}
