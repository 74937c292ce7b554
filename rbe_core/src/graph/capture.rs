//! Functions as the operations they ran: recorded once, fused, and run again on other inputs.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use smallvec::SmallVec;

use super::node::apply_shared;
use crate::dtype::DType;
use crate::error::{RbeError, Result};
use crate::op::{Fused, Instruction, Op};
use crate::tensor::RBETensor;

const OP: &str = "script";

/// What happened while a function was captured, in order.
enum Event {
    Ran {
        op: Arc<dyn Op>,
        inputs: Vec<RBETensor>,
        output: RBETensor,
    },
    /// A tensor took over the value of another.
    Same {
        tensor: RBETensor,
        source: RBETensor,
    },
}

#[derive(Default)]
struct Recorder {
    first: u64, // of the tensors made inside
    events: Vec<Event>,
    constants: Vec<u64>,
    originals: HashMap<u64, RBETensor>, // constants as they were before they were changed in place
    reads: Vec<(u64, &'static str)>,
    refused: Option<RbeError>,
}

static ACTIVE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static RECORDER: RefCell<Option<Recorder>> = const { RefCell::new(None) };
}

fn with_recorder(work: impl FnOnce(&mut Recorder)) {
    if ACTIVE.load(Ordering::Relaxed) != 0 {
        RECORDER.with_borrow_mut(|r| {
            if let Some(r) = r {
                work(r);
            }
        });
    }
}

/// Whether a function is captured on this thread.
pub(super) fn is_active() -> bool {
    ACTIVE.load(Ordering::Relaxed) != 0 && RECORDER.with_borrow(Option::is_some)
}

/// Notes an operation that ran, while a function is captured on this thread.
pub(crate) fn note(op: &Arc<dyn Op>, inputs: &[&RBETensor], output: &RBETensor) {
    if !is_active() {
        return;
    }
    inputs.iter().for_each(|t| t.catch_up());
    with_recorder(|r| {
        if !op.replays() {
            let error = || RbeError::graph(OP, "operations that can be run again", op.rule().name.to_string());
            r.refused.get_or_insert_with(error);
        }
        r.events.push(Event::Ran { op: op.clone(), inputs: inputs.iter().map(|t| (*t).clone()).collect(), output: output.clone() });
    });
}

/// Says that a tensor made while a function is captured does not depend on its inputs.
pub fn note_constant(t: &RBETensor) {
    with_recorder(|r| r.constants.push(t.id()));
}

/// Says that the values of a tensor were read otherwise than by a recorded operation: no captured function reads those of
/// its inputs, or of what it computes.
pub fn note_read(t: &RBETensor, what: &'static str) {
    with_recorder(|r| r.reads.push((t.id(), what)));
}

/// Notes that a tensor is about to be changed in place.
///
/// # Errors
/// `Graph` for a tensor that was made outside of the function: run again on other inputs, it would not change.
pub(super) fn note_change(t: &RBETensor) -> Result<()> {
    if !is_active() {
        return Ok(());
    }
    let original = RBETensor::from_array(t.array(OP)?.copy());
    RECORDER.with_borrow_mut(|r| match r {
        Some(r) if t.id() < r.first => Err(RbeError::graph(OP, "a function that changes no tensors but its own", "a change in place")),
        Some(r) => {
            r.originals.entry(t.id()).or_insert(original);
            Ok(())
        }
        None => Ok(()),
    })
}

/// Notes that elements of `base` are about to be replaced by `values` as `op` says.
///
/// # Errors
/// As [`note_change`].
pub(super) fn note_write(op: &Arc<dyn Op>, base: &RBETensor, values: &RBETensor) -> Result<()> {
    note_change(base)?;
    note(op, &[base, values], base);
    Ok(())
}

/// Notes that `tensor` has the value of `source` from now on.
pub(super) fn note_same(tensor: &RBETensor, source: &RBETensor) {
    with_recorder(|r| r.events.push(Event::Same { tensor: tensor.clone(), source: source.clone() }));
}

/// Where a value comes from.
#[derive(Clone)]
enum Origin {
    Input(usize),
    Step(usize),
    Constant(RBETensor),
}

#[derive(Clone)]
struct Step {
    op: Arc<dyn Op>,
    inputs: Vec<Origin>,
    shape: Vec<usize>,
    dtype: DType,
}

/// A captured function of tensors.
pub struct Captured {
    inputs: Vec<(Vec<usize>, DType)>,
    steps: Vec<Step>,
    outputs: Vec<Origin>,
}

/// Runs `work` on `inputs`, which returns tensors, and captures the operations it runs.
///
/// # Errors
/// Those of `work`; `Graph` for a function that cannot be captured: it looks at values, or uses tensors that it made by
/// means that are not recorded (comparisons, sorting, arrays).
pub fn capture(inputs: &[RBETensor], work: impl FnOnce() -> Result<Vec<RBETensor>>) -> Result<(Vec<RBETensor>, Captured)> {
    let first = RBETensor::from_array(crate::array::Array::scalar(0.0f32)).id(); // what is made from now on is larger
    if RECORDER.with_borrow(Option::is_some) {
        return Err(RbeError::graph(OP, "one capture at a time", "a capture inside another"));
    }
    RECORDER.set(Some(Recorder { first, ..Recorder::default() }));
    ACTIVE.fetch_add(1, Ordering::Relaxed);
    let result = crate::memory::guard(OP, work);
    ACTIVE.fetch_sub(1, Ordering::Relaxed);
    let recorder = RECORDER.take().unwrap_or_default();
    let outputs = result?;
    if let Some(error) = recorder.refused {
        return Err(error);
    }
    let depends = |id: u64| (id >= first && !recorder.constants.contains(&id)) || inputs.iter().any(|t| t.id() == id);
    if let Some((_, what)) = recorder.reads.iter().find(|(id, _)| depends(*id)) {
        return Err(RbeError::graph(OP, "a function that does not look at the values of tensors", *what));
    }
    let mut made: HashMap<u64, Origin> = inputs.iter().enumerate().map(|(i, t)| (t.id(), Origin::Input(i))).collect();
    let place = |t: &RBETensor, made: &HashMap<u64, Origin>| -> Result<Origin> {
        if let Some(origin) = made.get(&t.id()) {
            return Ok(origin.clone());
        }
        if t.id() < first || recorder.constants.contains(&t.id()) {
            return Ok(Origin::Constant(recorder.originals.get(&t.id()).unwrap_or(t).clone()));
        }
        let expected = "tensors that are inputs, results of recorded operations, or made outside";
        Err(RbeError::graph(OP, expected, format!("one made inside by other means, of shape {:?}", t.shape())))
    };
    let mut steps: Vec<Step> = Vec::new();
    for event in &recorder.events {
        match event {
            Event::Ran { op, inputs, output } => {
                let inputs = inputs.iter().map(|t| place(t, &made)).collect::<Result<Vec<_>>>()?;
                made.insert(output.id(), Origin::Step(steps.len()));
                steps.push(Step { op: op.clone(), inputs, shape: output.shape().to_vec(), dtype: output.dtype() });
            }
            Event::Same { tensor, source } => {
                let origin = place(source, &made)?;
                made.insert(tensor.id(), origin);
            }
        }
    }
    let origins = outputs.iter().map(|t| place(t, &made)).collect::<Result<Vec<_>>>()?;
    let kinds = inputs.iter().map(|t| (t.shape().to_vec(), t.dtype())).collect();
    Ok((outputs, Captured { inputs: kinds, steps, outputs: origins }.fused()?))
}

impl Captured {
    /// Names of the operations, in order; fused ones with the names of their parts.
    pub fn names(&self) -> Vec<String> {
        self.steps.iter().map(|s| s.op.describe()).collect()
    }

    /// Runs the operations on other inputs of the same shapes and types; they are recorded on the tape as usual.
    ///
    /// # Errors
    /// `Shape` for other inputs; those of the operations.
    pub fn run(&self, inputs: &[RBETensor]) -> Result<Vec<RBETensor>> {
        let kinds: Vec<(Vec<usize>, DType)> = inputs.iter().map(|t| (t.shape().to_vec(), t.dtype())).collect();
        if kinds != self.inputs {
            return Err(RbeError::shape(OP, format!("inputs {:?}", self.inputs), format!("{kinds:?}")));
        }
        let mut values: Vec<Option<RBETensor>> = vec![None; self.steps.len()];
        let last = self.last_uses();
        let take = |origin: &Origin, values: &[Option<RBETensor>]| -> Result<RBETensor> {
            match origin {
                Origin::Input(i) => Ok(inputs[*i].clone()),
                Origin::Constant(t) => Ok(t.clone()),
                Origin::Step(i) => values[*i].clone().ok_or_else(|| RbeError::graph(OP, "values before their use", "none")),
            }
        };
        for (i, step) in self.steps.iter().enumerate() {
            let given = step.inputs.iter().map(|o| take(o, &values)).collect::<Result<Vec<_>>>()?;
            values[i] = Some(apply_shared(step.op.clone(), &given.iter().collect::<Vec<_>>())?);
            for origin in &step.inputs {
                if let Origin::Step(k) = origin
                    && last[*k] == i
                {
                    values[*k] = None;
                }
            }
        }
        self.outputs.iter().map(|o| take(o, &values)).collect()
    }

    /// The last step that uses the result of each; results of the function are used to the end.
    fn last_uses(&self) -> Vec<usize> {
        let mut last = vec![0; self.steps.len()];
        for (i, step) in self.steps.iter().enumerate() {
            for origin in &step.inputs {
                if let Origin::Step(k) = origin {
                    last[*k] = i;
                }
            }
        }
        for origin in &self.outputs {
            if let Origin::Step(k) = origin {
                last[*k] = usize::MAX;
            }
        }
        last
    }

    /// The same function with element-wise operations joined to the only one that uses their result.
    fn fused(self) -> Result<Captured> {
        let mut uses = vec![0usize; self.steps.len()]; // by how many steps
        for step in &self.steps {
            let mut seen: SmallVec<[usize; 3]> = SmallVec::new();
            for origin in &step.inputs {
                if let Origin::Step(k) = origin
                    && !seen.contains(k)
                {
                    seen.push(*k);
                    uses[*k] += 1;
                }
            }
        }
        for origin in &self.outputs {
            if let Origin::Step(k) = origin {
                uses[*k] += 2; // kept
            }
        }
        let joins = |k: usize, into: &Step| -> bool {
            let step = &self.steps[k];
            uses[k] == 1 && self.is_elementwise(k) && step.shape == into.shape && step.dtype == into.dtype
        };
        let mut absorbed = vec![false; self.steps.len()];
        for (i, step) in self.steps.iter().enumerate() {
            if self.is_elementwise(i) {
                for origin in &step.inputs {
                    if let Origin::Step(k) = origin
                        && joins(*k, step)
                    {
                        absorbed[*k] = true;
                    }
                }
            }
        }
        let mut steps: Vec<Step> = Vec::new();
        let mut moved = vec![usize::MAX; self.steps.len()];
        for (i, step) in self.steps.iter().enumerate().filter(|(i, _)| !absorbed[*i]) {
            let mut made = step.clone();
            let alone = !step.inputs.iter().any(|o| matches!(o, Origin::Step(k) if absorbed[*k]));
            if !alone {
                let (mut sources, mut order) = (Vec::new(), Vec::new());
                self.gather(i, &absorbed, &mut sources, &mut order);
                made.op = Arc::new(self.program(&sources, &order)?);
                made.inputs = sources;
            }
            for origin in &mut made.inputs {
                if let Origin::Step(k) = origin {
                    *origin = Origin::Step(moved[*k]);
                }
            }
            moved[i] = steps.len();
            steps.push(made);
        }
        let outputs = self.outputs.iter().map(|o| if let Origin::Step(k) = o { Origin::Step(moved[*k]) } else { o.clone() }).collect();
        Ok(Captured { inputs: self.inputs, steps, outputs })
    }

    fn is_elementwise(&self, i: usize) -> bool {
        let step = &self.steps[i];
        let same = |o: &Origin| match o {
            Origin::Input(k) => self.inputs[*k].1 == step.dtype,
            Origin::Step(k) => self.steps[*k].dtype == step.dtype,
            Origin::Constant(t) => !t.is_packed() && t.dtype() == step.dtype,
        };
        step.dtype.is_float() && step.inputs.iter().all(same) && step.op.clone().elementwise().is_some()
    }

    /// Inputs and members of the group that ends with step `i`, members in the order in which they ran.
    fn gather(&self, i: usize, absorbed: &[bool], sources: &mut Vec<Origin>, order: &mut Vec<usize>) {
        let mut waiting = vec![i];
        while let Some(at) = waiting.pop() {
            if order.contains(&at) {
                continue;
            }
            order.push(at);
            for origin in &self.steps[at].inputs {
                match origin {
                    Origin::Step(k) if absorbed[*k] => waiting.push(*k),
                    other if find(sources, other).is_none() => sources.push(other.clone()),
                    _ => {}
                }
            }
        }
        order.sort_unstable();
    }

    fn program(&self, sources: &[Origin], order: &[usize]) -> Result<Fused> {
        let instruction = |at: &usize| -> Result<Instruction> {
            let step = &self.steps[*at];
            let function = step.op.clone().elementwise().ok_or_else(|| RbeError::graph(OP, "an element-wise operation", "another"))?;
            let argument = |o: &Origin| match o {
                Origin::Step(k) if order.contains(k) => order.iter().position(|m| m == k).map(|p| sources.len() + p),
                other => find(sources, other),
            };
            let arguments = step.inputs.iter().map(argument).collect::<Option<SmallVec<[usize; 2]>>>();
            let arguments = arguments.ok_or_else(|| RbeError::graph(OP, "arguments that were gathered", "others"))?;
            Ok(Instruction { name: step.op.rule().name.clone(), function, arguments })
        };
        Fused::new(sources.len(), order.iter().map(instruction).collect::<Result<Vec<_>>>()?)
    }
}

fn find(sources: &[Origin], wanted: &Origin) -> Option<usize> {
    sources.iter().position(|s| match (s, wanted) {
        (Origin::Input(a), Origin::Input(b)) | (Origin::Step(a), Origin::Step(b)) => a == b,
        (Origin::Constant(a), Origin::Constant(b)) => a.id() == b.id(),
        _ => false,
    })
}
