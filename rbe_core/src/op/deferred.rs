//! Element-wise operations that wait until somebody asks for their result, so that chains of them run as one.
//!
//! Inside [`fuse`](crate::tape::fuse) an element-wise operation on floats of one type gives a tensor without values. Its values are computed when
//! they are first needed, together with those of the operations before it that nobody else can ask for ([`Fused`]): tile by tile,
//! in one pass over memory. The function that calls the operations runs every time; nothing of one call is remembered for the
//! next, so there is nothing that could be out of date.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use smallvec::SmallVec;

use super::fused::{Fused, Instruction};
use super::rule::Op;
use super::run::run;
use crate::array::{Dims, broadcast_shapes};
use crate::dtype::DType;
use crate::error::{RbeError, Result};
use crate::parallel;
use crate::tape::{RBETensor, SetValues, Waiting, is_debug_mode, is_grad_enabled, may_wait, wait_for, with_grad};

/// Operations that wait for one another, at most: what they hold, and how deep they call each other, stays small.
const LONGEST: usize = 64;

/// An element-wise operation whose result is not computed yet.
struct Deferred {
    shape: Dims,
    dtype: DType,
    requires_grad: bool,
    cut: bool,    // made of tensors that require grad while nothing was recorded
    count: usize, // operations that have to run
    call: Mutex<Option<Call>>,
}

/// An operation to run; gone when it has run.
struct Call {
    op: Arc<dyn Op>,
    operands: SmallVec<[RBETensor; 2]>,
    versions: SmallVec<[Option<u64>; 2]>, // of operands that have values
}

/// A tensor for the result of `op`, if it can wait.
pub(super) fn defer(op: &Arc<dyn Op>, inputs: &[&RBETensor]) -> Result<Option<RBETensor>> {
    if !may_wait() || is_debug_mode() || !is_joinable(op, inputs) {
        return Ok(None);
    }
    let mut shape = Dims::from_slice(inputs[0].shape());
    for other in &inputs[1..] {
        match broadcast_shapes("fused", &shape, other.shape()) {
            Ok(common) => shape = common,
            Err(_) => return Ok(None), // the operation has the better error
        }
    }
    let counts = || inputs.iter().map(|t| deferred(t).map_or(0, |d| d.count)).sum::<usize>();
    if counts() >= LONGEST {
        inputs.iter().try_for_each(|t| t.resolve())?;
    }
    let wants = inputs.iter().any(|t| t.requires_grad());
    let version = |t: &&RBETensor| t.waiting().is_none().then(|| t.value().version());
    let call =
        Call { op: op.clone(), operands: inputs.iter().map(|t| (*t).clone()).collect(), versions: inputs.iter().map(version).collect() };
    let waiting = Deferred {
        shape,
        dtype: inputs[0].dtype(),
        requires_grad: wants && is_grad_enabled(),
        cut: wants && !is_grad_enabled(),
        count: counts() + 1,
        call: Mutex::new(Some(call)),
    };
    let tensor = RBETensor::deferred(waiting);
    wait_for(&tensor);
    Ok(Some(tensor))
}

/// Whether an operation is element-wise on floats of one type, in memory that only recorded operations can change.
fn is_joinable(op: &Arc<dyn Op>, inputs: &[&RBETensor]) -> bool {
    let rule = op.rule();
    let Some(first) = inputs.first() else { return false };
    let fits = |t: &&RBETensor| {
        let shared = || t.waiting().is_none() && t.array("fused").is_ok_and(|a| a.storage().is_shared());
        !t.is_packed() && t.dtype() == first.dtype() && !shared()
    };
    first.dtype().is_wide_float()
        && (rule.arity.0..=rule.arity.1).contains(&inputs.len())
        && inputs.iter().all(fits)
        && op.clone().elementwise().is_some()
}

/// The operation that computes `tensor`, if that is not done yet.
fn deferred(tensor: &RBETensor) -> Option<&Deferred> {
    let waiting: &dyn Any = tensor.waiting()?;
    waiting.downcast_ref()
}

impl Waiting for Deferred {
    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn dtype(&self) -> DType {
        self.dtype
    }

    fn requires_grad(&self) -> bool {
        self.requires_grad
    }

    fn compute(&self, tensor: &RBETensor, apart: bool, set: SetValues<'_>) -> Result<()> {
        // Other threads may wait for the lock: a host must have done what it does around long work before it is taken, whatever the cost.
        parallel::long_work(u64::MAX, || self.run(tensor, apart, set))
    }
}

impl Deferred {
    fn run(&self, tensor: &RBETensor, apart: bool, set: SetValues<'_>) -> Result<()> {
        let mut call = self.call.lock();
        let Some(own) = &*call else { return Ok(()) }; // another thread was faster
        own.check()?;
        let (op, operands) = if apart && self.requires_grad {
            own.operands.iter().try_for_each(|t| t.resolve_apart())?;
            (own.op.clone(), own.operands.to_vec())
        } else {
            self.joined(tensor, own)?
        };
        // What was made while nothing was recorded is a constant, and the other way round, whatever the mode is now.
        let made = with_grad(self.requires_grad, || run(op, &operands.iter().collect::<Vec<_>>()))?;
        set(made.array("fused")?.clone(), made.edge());
        let done = call.take();
        drop(call);
        drop(done); // outside the lock: with it goes what only it needed
        Ok(())
    }

    /// The operation of `tensor`, joined with those before it whose results nobody else can ask for, and what it reads.
    fn joined(&self, tensor: &RBETensor, own: &Call) -> Result<(Arc<dyn Op>, Vec<RBETensor>)> {
        let mut sources: Vec<RBETensor> = Vec::new();
        let mut members: Vec<Member> = vec![Member::of(tensor, own)];
        // Candidates by number with the places that refer to them: all that use a tensor have larger numbers.
        let mut candidates: BTreeMap<u64, (RBETensor, usize)> = BTreeMap::new();
        note_operands(own, &mut candidates, &mut sources);
        while let Some((_, (candidate, places))) = candidates.pop_last() {
            // Those places, and the table of candidates.
            let private = candidate.holders() == places + 1;
            let call = deferred(&candidate).filter(|d| private && self.takes(d)).map(|d| d.call.lock());
            match call.as_deref() {
                Some(Some(call)) => {
                    call.check()?;
                    members.push(Member::of(&candidate, call));
                    note_operands(call, &mut candidates, &mut sources);
                }
                _ => {
                    drop(call);
                    candidate.resolve()?;
                    note_source(&candidate, &mut sources);
                }
            }
        }
        if members.len() == 1 {
            return Ok((own.op.clone(), own.operands.to_vec()));
        }
        members.reverse(); // as they were called
        Ok((Arc::new(program(&sources, &members)?), sources))
    }

    /// Whether the operation of another tensor may run inside this one's.
    fn takes(&self, other: &Deferred) -> bool {
        other.shape == self.shape && other.dtype == self.dtype && !(self.requires_grad && other.cut)
    }
}

impl Call {
    /// Fails if an operand was changed in place since the call: another thread did that, for this one computes what waits first.
    fn check(&self) -> Result<()> {
        for (i, (t, version)) in self.operands.iter().zip(&self.versions).enumerate() {
            if let Some(version) = version.filter(|v| *v != t.value().version()) {
                let expected = format!("operand {i} at version {version}, as when it was called");
                let got = format!("version {}: another thread changed it in place", t.value().version());
                return Err(RbeError::graph(self.op.rule().name.clone(), expected, got));
            }
        }
        Ok(())
    }
}

/// Sorts the operands of a call into those that may be joined to it and those that have values.
fn note_operands(call: &Call, candidates: &mut BTreeMap<u64, (RBETensor, usize)>, sources: &mut Vec<RBETensor>) {
    for t in &call.operands {
        if t.waiting().is_some() {
            candidates.entry(t.id()).or_insert_with(|| (t.clone(), 0)).1 += 1;
        } else {
            note_source(t, sources);
        }
    }
}

fn note_source(t: &RBETensor, sources: &mut Vec<RBETensor>) {
    if !sources.iter().any(|s| s.id() == t.id()) {
        sources.push(t.clone());
    }
}

/// An operation of a program.
struct Member {
    id: u64,
    op: Arc<dyn Op>,
    operands: SmallVec<[u64; 2]>,
}

impl Member {
    fn of(tensor: &RBETensor, call: &Call) -> Member {
        Member { id: tensor.id(), op: call.op.clone(), operands: call.operands.iter().map(RBETensor::id).collect() }
    }
}

fn program(sources: &[RBETensor], members: &[Member]) -> Result<Fused> {
    let place = |id: &u64| {
        let source = sources.iter().position(|s| s.id() == *id);
        source.or_else(|| members.iter().position(|m| m.id == *id).map(|p| sources.len() + p))
    };
    let unknown = || RbeError::graph("fused", "element-wise operations of known operands", "an unknown one");
    let instruction = |m: &Member| -> Result<Instruction> {
        let function = m.op.clone().elementwise().ok_or_else(unknown)?;
        let arguments = m.operands.iter().map(place).collect::<Option<SmallVec<[usize; 2]>>>().ok_or_else(unknown)?;
        Ok(Instruction { name: m.op.rule().name.clone(), function, arguments })
    };
    Fused::new(sources.len(), members.iter().map(instruction).collect::<Result<Vec<_>>>()?)
}
