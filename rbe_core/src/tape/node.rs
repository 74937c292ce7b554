//! Nodes of the tape: recorded operations with their outputs, and the edges between them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use smallvec::SmallVec;

use super::anomaly::{self, Trace};
use super::profile::{Phase, measured};
use super::rule::{BackwardRule, Cx, Grads};
use super::saved::{Place, Saved};
use super::slot::LazySlot;
use super::tensor::RBETensor;
use crate::array::{Array, Dims};
use crate::dtype::DType;
use crate::error::{RbeError, Result};
use crate::gradient::Gradient;
use crate::memory;

/// Arrays of an operation: its outputs, most often one, or its by-products.
pub type Arrays = SmallVec<[Array; 1]>;

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// A number above those of all nodes recorded so far.
pub(super) fn next_id() -> u64 {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

/// An input of a recorded operation, as backward sees it.
#[derive(Clone)]
pub enum Parent {
    /// Wants no gradient.
    Constant,
    /// A leaf.
    Leaf(RBETensor),
    /// The result of an earlier operation.
    Node(Edge),
}

impl Parent {
    /// Whether backward computes a gradient for the input.
    pub(super) fn wants_gradient(&self) -> bool {
        !matches!(self, Parent::Constant)
    }
}

/// An output of a recorded operation.
#[derive(Clone)]
pub struct Edge {
    pub(super) node: Arc<Node>,
    pub(super) output: u32,
}

impl Edge {
    /// The operation.
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Which of its outputs.
    pub fn output(&self) -> usize {
        self.output as usize
    }

    pub(super) fn port(&self) -> &Port {
        &self.node.ports[self.output as usize]
    }

    pub(super) fn is(&self, node: &Node, output: usize) -> bool {
        self.node.id == node.id && self.output() == output
    }
}

/// Shape and element type of an input or output.
pub(super) struct Form {
    pub(super) shape: Dims,
    pub(super) dtype: DType,
}

/// What a node knows of one of its outputs.
pub(super) struct Port {
    pub(super) form: Form,
    pub(super) slot: LazySlot,
}

/// A recorded operation.
pub struct Node {
    pub(super) id: u64,
    pub(super) depth: u32, // longest path to a leaf: every consumer is deeper
    pub(super) rule: Arc<dyn BackwardRule>,
    pub(super) parents: SmallVec<[Parent; 3]>,
    pub(super) inputs: SmallVec<[Form; 3]>,
    pub(super) ports: SmallVec<[Port; 1]>,
    trace: Option<Box<Trace>>,   // in debug mode
    saved: Mutex<Option<Saved>>, // none once freed
}

/// What `f` makes of every output and its number; of a single one without a loop, which small operations would notice.
pub(super) fn of_outputs<T>(outputs: &[Array], f: impl Fn(usize, &Array) -> T) -> SmallVec<[T; 1]> {
    match outputs {
        [only] => SmallVec::from_buf([f(0, only)]),
        several => several.iter().enumerate().map(|(k, a)| f(k, a)).collect(),
    }
}

impl Node {
    /// The node of an operation that ran on `inputs`, one of which requires grad, and gave `outputs` and the by-products `kept`.
    pub(super) fn new(rule: Arc<dyn BackwardRule>, inputs: &[&RBETensor], outputs: &[Array], kept: Vec<Array>) -> Node {
        let parents: SmallVec<[Parent; 3]> = inputs.iter().map(|t| t.as_parent()).collect();
        let saves = rule.saves();
        let saved = Saved::new(saves, inputs, of_outputs(outputs, |k, a| saves.has_output(k).then(|| (a.clone(), a.version()))), kept);
        let form = |shape: &[usize], dtype: DType| Form { shape: Dims::from_slice(shape), dtype };
        let port = |_, a: &Array| Port { form: form(a.shape(), a.dtype()), slot: LazySlot::default() };
        Node {
            id: next_id(),
            depth: parents.iter().map(|p| if let Parent::Node(edge) = p { edge.node.depth + 1 } else { 1 }).max().unwrap_or(1),
            inputs: inputs.iter().map(|t| form(t.value().shape(), t.value().dtype())).collect(),
            ports: of_outputs(outputs, port),
            trace: anomaly::trace(rule.name(), inputs, outputs),
            saved: Mutex::new(Some(saved)),
            parents,
            rule,
        }
    }

    /// Name of the recorded operation.
    pub fn name(&self) -> &str {
        self.rule.name()
    }

    /// Inputs of the operation.
    pub fn parents(&self) -> &[Parent] {
        &self.parents
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.ports.len()
    }

    /// Shape of output `k`.
    pub fn shape(&self, k: usize) -> &[usize] {
        &self.ports[k].form.shape
    }

    pub(super) fn trace(&self) -> Option<&Trace> {
        self.trace.as_deref()
    }

    /// Unique number, in the order of recording.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Fails if what was saved is gone or was changed in place since.
    pub(super) fn check_saved(&self) -> Result<()> {
        match &*self.saved.lock() {
            Some(saved) => self.check_versions(saved),
            None => Err(self.freed_error()),
        }
    }

    fn check_versions(&self, saved: &Saved) -> Result<()> {
        let Some((place, version, now)) = saved.changed() else { return Ok(()) };
        let what = match place {
            Place::Input(i) => format!("input {i}"),
            Place::Output(k) if self.ports.len() > 1 => format!("output {k}"),
            Place::Output(_) => "output".to_owned(),
        };
        Err(self.changed_error(&what, version, now))
    }

    /// What `work` makes of what is saved, unless that is gone.
    pub(super) fn with_saved<R>(&self, work: impl FnOnce(&mut Saved) -> R) -> Option<R> {
        self.saved.lock().as_mut().map(work)
    }

    pub(super) fn free(&self) {
        let saved = self.saved.lock().take();
        drop(saved); // outside the lock
        self.rule.free();
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
            self.name().to_owned(),
            format!("the {what} saved for backward at version {saved}"),
            format!("version {now}: it was changed in place after the forward pass"),
        )
    }

    /// Gradients of the inputs, given those of the outputs that received one; frees what was saved unless `retain`.
    pub(super) fn backward(&self, dys: &[Option<Array>], retain: bool) -> Result<Grads> {
        let saved = if retain { self.saved.lock().clone() } else { self.saved.lock().take() };
        let mut saved = saved.ok_or_else(|| self.freed_error())?;
        self.check_versions(&saved)?;
        if saved.has_rounded() {
            memory::guard(self.name(), || {
                saved.restore();
                Ok(())
            })?;
        }
        let cx = Cx {
            name: self.name(),
            dys,
            ports: &self.ports,
            parents: &self.parents,
            forms: &self.inputs,
            inputs: &saved.inputs,
            outputs: &saved.outputs,
            kept: &saved.kept,
        };
        let backward = || memory::guard(self.name(), || self.rule.backward(&cx));
        let bytes = |grads: &Result<Grads>| grads.iter().flatten().flatten().map(Gradient::nbytes).sum();
        let grads = measured(self.name(), Phase::Backward, backward, bytes)?;
        anomaly::check(self, dys, &grads)?;
        if grads.len() != self.parents.len() {
            return Err(RbeError::graph(self.name().to_owned(), format!("{} gradients from its rule", self.parents.len()), grads.len()));
        }
        Ok(grads)
    }
}

/// A chain of a hundred thousand nodes is dropped without recursion.
impl Drop for Node {
    fn drop(&mut self) {
        let mut stack = std::mem::take(&mut self.parents);
        while let Some(parent) = stack.pop() {
            if let Parent::Node(edge) = parent
                && let Some(mut node) = Arc::into_inner(edge.node)
                && stack.try_reserve(node.parents.len()).is_ok()
            {
                stack.extend(std::mem::take(&mut node.parents)); // without memory for them they go with their node
            }
        }
    }
}
