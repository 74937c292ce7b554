//! Nodes of the tape and how an operation comes to be recorded.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use smallvec::SmallVec;

use super::anomaly::{self, Trace};
use super::cache::Gradient;
use super::deferred;
use super::held::Held;
use super::mode::is_grad_enabled;
use super::profile::{Phase, measured};
use crate::array::{Array, Dims};
use crate::dtype::DType;
use crate::error::{RbeError, Result};
use crate::memory;
use crate::op::{Cx, Grads, Inputs, Op, Output};
use crate::tensor::{RBETensor, Value};

/// Called with a finished gradient; may replace it.
pub type Hook = Arc<dyn Fn(&Gradient) -> Result<Option<Gradient>> + Send + Sync>;

/// Takes over the finished gradient of a leaf during backward, which then does not store it.
pub type OnReady = Arc<dyn Fn(&RBETensor, Gradient) -> Result<()> + Send + Sync>;

/// Where a tensor's gradient and hooks live.
#[derive(Default)]
pub struct GradSlot {
    pub(crate) grad: Mutex<Option<Gradient>>,
    hooks: Mutex<SmallVec<[Entry; 1]>>,
    pub(crate) on_ready: Mutex<Option<OnReady>>,
    pub(crate) retain: AtomicBool,
}

/// A registered hook.
#[derive(Clone)]
struct Entry {
    id: u64,
    hook: Hook,
    held: Option<Held>, // what the hook holds
}

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// A number above those of all nodes recorded so far.
pub(super) fn next_id() -> u64 {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

impl GradSlot {
    /// Registers a hook; the number removes it again.
    pub fn add_hook(&self, hook: Hook) -> u64 {
        self.add_hook_holding(hook, None)
    }

    /// As [`GradSlot::add_hook`]; `held` is the object of another language that the hook holds.
    pub fn add_hook_holding(&self, hook: Hook, held: Option<Held>) -> u64 {
        let id = next_id();
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

    /// Applies the hooks in the order of registration.
    pub(crate) fn run_hooks(&self, gradient: Gradient) -> Result<Gradient> {
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
pub(crate) struct LazySlot(OnceLock<Box<GradSlot>>);

impl LazySlot {
    pub(crate) fn get(&self) -> &GradSlot {
        self.0.get_or_init(Box::default)
    }

    /// The slot if somebody asked for it.
    pub(crate) fn made(&self) -> Option<&GradSlot> {
        self.0.get().map(|slot| &**slot)
    }
}

/// An input of a recorded operation, as backward sees it.
#[derive(Clone)]
pub enum Parent {
    /// Wants no gradient.
    Constant,
    /// A leaf.
    Leaf(RBETensor),
    /// The result of an earlier operation.
    Node(Arc<Node>),
}

/// A recorded operation.
pub struct Node {
    pub(crate) id: u64,
    pub(crate) depth: u32, // longest path to a leaf: every consumer is deeper
    pub(crate) op: Arc<dyn Op>,
    pub(crate) parents: SmallVec<[Parent; 3]>,
    pub(crate) needs: SmallVec<[bool; 3]>,
    pub(crate) input_shapes: SmallVec<[Dims; 3]>,
    pub(crate) input_dtypes: SmallVec<[DType; 3]>,
    pub(crate) shape: Dims,
    pub(crate) dtype: DType,
    pub(crate) slot: LazySlot,
    trace: Option<Box<Trace>>,   // in debug mode
    saved: Mutex<Option<Saved>>, // none once freed
}

#[derive(Clone)]
struct Saved {
    inputs: SmallVec<[Option<Value>; 3]>,
    versions: SmallVec<[u64; 3]>,
    output: Option<(Array, u64)>,
    kept: SmallVec<[Array; 2]>,
}

impl Node {
    /// Name of the recorded operation.
    pub fn name(&self) -> &str {
        &self.op.rule().name
    }

    /// Inputs of the operation.
    pub fn parents(&self) -> &[Parent] {
        &self.parents
    }

    /// Shape of the result.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub(crate) fn trace(&self) -> Option<&Trace> {
        self.trace.as_deref()
    }

    /// Unique number, in the order of recording.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Fails if what was saved is gone or was changed in place since.
    pub(crate) fn check_saved(&self) -> Result<()> {
        match &*self.saved.lock() {
            Some(saved) => self.check_versions(saved),
            None => Err(self.freed_error()),
        }
    }

    fn check_versions(&self, saved: &Saved) -> Result<()> {
        for (i, (value, version)) in saved.inputs.iter().zip(&saved.versions).enumerate() {
            if let Some(now) = value.as_ref().map(Value::version).filter(|now| now != version) {
                return Err(self.changed_error(&format!("input {i}"), *version, now));
            }
        }
        match &saved.output {
            Some((array, version)) if array.version() != *version => Err(self.changed_error("output", *version, array.version())),
            _ => Ok(()),
        }
    }

    pub(crate) fn free(&self) {
        let saved = self.saved.lock().take();
        drop(saved); // outside the lock
        self.op.free();
    }

    fn freed_error(&self) -> RbeError {
        RbeError::graph(
            "backward",
            "a graph that still holds its saved tensors",
            format!("one freed by an earlier backward, at {} (pass retain_graph=True to the earlier call)", self.name()),
        )
    }

    fn changed_error(&self, what: &str, saved: u64, now: u64) -> RbeError {
        RbeError::graph(
            self.op.rule().name.clone(),
            format!("the {what} saved for backward at version {saved}"),
            format!("version {now}: it was changed in place after the forward pass"),
        )
    }

    /// Gradients of the inputs for upstream `dy`; frees what was saved unless `retain`.
    pub(crate) fn backward(&self, dy: &Array, needs: &[bool], retain: bool) -> Result<Grads> {
        let saved = if retain { self.saved.lock().clone() } else { self.saved.lock().take() };
        let saved = saved.ok_or_else(|| self.freed_error())?;
        self.check_versions(&saved)?;
        let cx = Cx {
            rule: self.op.rule(),
            dy,
            needs,
            shapes: &self.input_shapes,
            inputs: &saved.inputs,
            output: saved.output.as_ref().map(|(array, _)| array),
            kept: &saved.kept,
        };
        let backward = || memory::guard(self.name(), || self.op.backward(&cx));
        let grads = measured(self.name(), Phase::Backward, backward, |grads| gradient_bytes(grads.as_ref().ok()))?;
        anomaly::check(self, dy, &grads)?;
        if grads.len() != self.parents.len() {
            return Err(RbeError::graph(
                self.op.rule().name.clone(),
                format!("{} gradients from its rule", self.parents.len()),
                grads.len(),
            ));
        }
        Ok(grads)
    }
}

fn gradient_bytes(grads: Option<&Grads>) -> usize {
    let bytes = |g: &Gradient| match g {
        Gradient::Dense(a) => a.nbytes(),
        Gradient::Packed(cache) => cache.nbytes(),
    };
    grads.into_iter().flatten().flatten().map(bytes).sum()
}

/// A chain of a hundred thousand nodes is dropped without recursion.
impl Drop for Node {
    fn drop(&mut self) {
        let mut stack = std::mem::take(&mut self.parents);
        while let Some(parent) = stack.pop() {
            if let Parent::Node(node) = parent
                && let Some(mut node) = Arc::into_inner(node)
                && stack.try_reserve(node.parents.len()).is_ok()
            {
                stack.extend(std::mem::take(&mut node.parents)); // without memory for them they go with their node
            }
        }
    }
}

/// Runs `op` and, where an input wants a gradient and recording is on, records it.
///
/// # Errors
/// Those of the operation, and `Graph` for a wrong number of inputs.
pub fn apply(op: impl Op, inputs: &[&RBETensor]) -> Result<RBETensor> {
    let op: Arc<dyn Op> = Arc::new(op);
    apply_shared(op, inputs)
}

/// As [`apply`], of an operation that is kept.
fn apply_shared(op: Arc<dyn Op>, inputs: &[&RBETensor]) -> Result<RBETensor> {
    match deferred::defer(&op, inputs)? {
        Some(waiting) => Ok(waiting),
        None => run(op, inputs),
    }
}

/// Runs an operation now.
pub(super) fn run(op: Arc<dyn Op>, inputs: &[&RBETensor]) -> Result<RBETensor> {
    inputs.iter().try_for_each(|t| t.resolve())?;
    deferred::note(&op);
    let rule = op.rule();
    if inputs.len() < rule.arity.0 || inputs.len() > rule.arity.1 {
        return Err(RbeError::graph(rule.name.clone(), format!("{} to {} inputs", rule.arity.0, rule.arity.1), inputs.len()));
    }
    let forward = || memory::guard(&rule.name, || op.forward(Inputs::new(inputs, &rule.name)));
    let Output { value, kept } = measured(&rule.name, Phase::Forward, forward, |out| out.as_ref().map_or(0, |o| o.value.nbytes()))?;
    let of = inputs.iter().find(|t| matches!(t.value(), Value::Dense(a) if a.same_storage(&value)));
    // Gradients of a view that is changed in place go by its memory, past its operation: only views may share that.
    let (value, of) = if op.is_view() { (value, of) } else { (if of.is_some() { value.copy() } else { value }, None) };
    let wanted = is_grad_enabled() && value.dtype().is_float() && inputs.iter().any(|t| t.requires_grad());
    let node = wanted.then(|| record(op, inputs, &value, kept));
    Ok(RBETensor::result(value, node, of.copied()))
}

/// The node of an operation that ran on `inputs`, one of which requires grad, and gave `value`.
pub(super) fn record(op: Arc<dyn Op>, inputs: &[&RBETensor], value: &Array, kept: SmallVec<[Array; 2]>) -> Arc<Node> {
    let rule = op.rule();
    let needs: SmallVec<[bool; 3]> = inputs.iter().map(|t| t.requires_grad()).collect();
    let parents: SmallVec<[Parent; 3]> = inputs.iter().map(|t| t.as_parent()).collect();
    let depth = parents.iter().map(|p| if let Parent::Node(n) = p { n.depth + 1 } else { 1 }).max().unwrap_or(1);
    let saves = rule.saves;
    let saved = Saved {
        inputs: inputs.iter().enumerate().map(|(i, t)| saves.has_input(i).then(|| t.value().clone())).collect(),
        versions: inputs.iter().map(|t| t.value().version()).collect(),
        output: saves.has_output().then(|| (value.clone(), value.version())),
        kept,
    };
    let trace = anomaly::trace(&rule.name, inputs, value);
    Arc::new(Node {
        id: next_id(),
        depth,
        op,
        parents,
        needs,
        input_shapes: inputs.iter().map(|t| Dims::from_slice(t.shape())).collect(),
        input_dtypes: inputs.iter().map(|t| t.dtype()).collect(),
        shape: Dims::from_slice(value.shape()),
        dtype: value.dtype(),
        slot: LazySlot::default(),
        trace,
        saved: Mutex::new(Some(saved)),
    })
}
