//! Where gradients and hooks live: with a leaf, or with an output of a node.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;
use smallvec::SmallVec;

use super::held::Held;
use super::node::{Edge, Node};
use super::tensor::{RBETensor, WeakTensor};
use crate::error::Result;
use crate::gradient::Gradient;

/// Called with a finished gradient; may replace it.
pub type Hook = Arc<dyn Fn(&Gradient) -> Result<Option<Gradient>> + Send + Sync>;

/// Takes over the finished gradient of a leaf during backward, which then does not store it.
pub type OnReady = Arc<dyn Fn(&RBETensor, Gradient) -> Result<()> + Send + Sync>;

/// The gradient and the hooks of a tensor.
#[derive(Default)]
pub struct GradSlot {
    pub(crate) grad: Mutex<Option<Gradient>>,
    hooks: Mutex<SmallVec<[Entry; 1]>>,
    pub(super) on_ready: Mutex<Option<OnReady>>,
    pub(super) retain: AtomicBool,
}

/// A registered hook.
#[derive(Clone)]
struct Entry {
    id: u64,
    hook: Hook,
    held: Option<Held>, // what the hook holds
}

static NEXT_HOOK: AtomicU64 = AtomicU64::new(0);

impl GradSlot {
    /// Registers a hook; the number removes it again.
    pub fn add_hook(&self, hook: Hook) -> u64 {
        self.add_hook_holding(hook, None)
    }

    /// As [`GradSlot::add_hook`]; `held` is the object of another language that the hook holds.
    pub fn add_hook_holding(&self, hook: Hook, held: Option<Held>) -> u64 {
        let id = NEXT_HOOK.fetch_add(1, Ordering::Relaxed);
        self.hooks.lock().push(Entry { id, hook, held });
        id
    }

    /// Removes a hook; whether it was there.
    pub fn remove_hook(&self, id: u64) -> bool {
        let mut hooks = self.hooks.lock();
        let removed = hooks.iter().position(|entry| entry.id == id).map(|at| hooks.remove(at));
        drop(hooks); // what goes with the hook may ask for the lock
        removed.is_some()
    }

    /// Calls `visit` with the objects that hooks hold, unless somebody registers one just now.
    pub(super) fn each_held(&self, visit: &mut dyn FnMut(&Held)) {
        if let Some(hooks) = self.hooks.try_lock() {
            hooks.iter().filter_map(|entry| entry.held.as_ref()).for_each(visit);
        }
    }

    /// Sets or removes the receiver of finished gradients.
    pub fn set_on_ready(&self, receiver: Option<OnReady>) {
        *self.on_ready.lock() = receiver;
    }

    /// Removes the receiver if it is `receiver` still.
    pub fn forget_receiver(&self, receiver: Option<&OnReady>) {
        let mut slot = self.on_ready.lock();
        if let (Some(have), Some(receiver)) = (&*slot, receiver)
            && Arc::ptr_eq(have, receiver)
        {
            *slot = None;
        }
    }

    /// Whether the gradient of a result is kept.
    pub(super) fn retains(&self) -> bool {
        self.retain.load(Ordering::Relaxed)
    }

    /// Applies the hooks in the order of registration.
    pub(super) fn run_hooks(&self, gradient: Gradient) -> Result<Gradient> {
        let hooks = match &*self.hooks.lock() {
            none if none.is_empty() => return Ok(gradient),
            some => some.clone(), // a hook may remove itself
        };
        let mut gradient = gradient;
        for Entry { hook, .. } in hooks {
            if let Some(other) = hook(&gradient)? {
                gradient = other;
            }
        }
        Ok(gradient)
    }
}

/// A slot that is made when first asked for: most tensors are constants or intermediate results and never need one.
#[derive(Default)]
pub(super) struct LazySlot(OnceLock<Box<GradSlot>>);

impl LazySlot {
    pub(super) fn get(&self) -> &GradSlot {
        self.0.get_or_init(Box::default)
    }

    /// The slot if somebody asked for it.
    pub(super) fn made(&self) -> Option<&GradSlot> {
        self.0.get().map(|slot| &**slot)
    }
}

/// Gradient and hooks of a tensor, kept where they are while this is held.
pub struct Slot(SlotOf);

enum SlotOf {
    Leaf(RBETensor),
    Output(Edge),
}

impl Slot {
    /// The slot of a leaf.
    pub(super) fn of_leaf(leaf: RBETensor) -> Slot {
        Slot(SlotOf::Leaf(leaf))
    }

    /// A handle that keeps neither gradient nor hooks.
    pub fn downgrade(&self) -> WeakSlot {
        WeakSlot(match &self.0 {
            SlotOf::Leaf(tensor) => WeakSlotOf::Leaf(tensor.downgrade()),
            SlotOf::Output(edge) => WeakSlotOf::Output(Arc::downgrade(&edge.node), edge.output),
        })
    }
}

impl From<Edge> for Slot {
    fn from(edge: Edge) -> Slot {
        Slot(SlotOf::Output(edge))
    }
}

impl std::ops::Deref for Slot {
    type Target = GradSlot;

    fn deref(&self) -> &GradSlot {
        match &self.0 {
            SlotOf::Leaf(tensor) => tensor.lazy_slot().get(),
            SlotOf::Output(edge) => edge.port().slot.get(),
        }
    }
}

/// A slot that is kept by others, or not at all.
pub struct WeakSlot(WeakSlotOf);

enum WeakSlotOf {
    Leaf(WeakTensor),
    Output(Weak<Node>, u32),
}

impl WeakSlot {
    /// The slot, if somebody keeps it still.
    pub fn upgrade(&self) -> Option<Slot> {
        match &self.0 {
            WeakSlotOf::Leaf(tensor) => tensor.upgrade().map(SlotOf::Leaf),
            WeakSlotOf::Output(node, output) => node.upgrade().map(|node| SlotOf::Output(Edge { node, output: *output })),
        }
        .map(Slot)
    }
}
