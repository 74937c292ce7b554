//! Debug mode: NaN in a gradient is traced to the operation that made it, and to the place where that was called.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;

use super::node::{Node, Parent};
use super::rule::Grads;
use super::tensor::RBETensor;
use super::value::Value;
use crate::array::Array;
use crate::dispatch_float;
use crate::error::{RbeError, Result};
use crate::gradient::Gradient;

/// Says where in the program the operation that runs now was called.
pub type Origin = Arc<dyn Fn() -> String + Send + Sync>;

static ACTIVE: AtomicBool = AtomicBool::new(false);
static ORIGIN: RwLock<Option<Origin>> = RwLock::new(None);

/// Sets debug mode on, with a function that tells where an operation was called, or off.
pub fn set_debug_mode(enabled: bool, origin: Option<Origin>) {
    *ORIGIN.write() = origin;
    ACTIVE.store(enabled, Ordering::Relaxed);
}

/// Whether debug mode is on.
pub fn is_debug_mode() -> bool {
    ACTIVE.load(Ordering::Relaxed)
}

/// What a node recorded in debug mode knows of its forward pass.
pub(super) struct Trace {
    place: String,         // where it was called; empty if unknown
    nan: Option<Arc<str>>, // who made the NaN in its results
}

/// The trace of an operation, in debug mode.
pub(super) fn trace(name: &str, inputs: &[&RBETensor], outputs: &[Array]) -> Option<Box<Trace>> {
    if !is_debug_mode() {
        return None;
    }
    let origin = ORIGIN.read().clone();
    let place = origin.map_or_else(String::new, |tell| tell());
    let nan = outputs.iter().any(has_nan).then(|| {
        let earlier = inputs.iter().find_map(|t| t.node()?.trace()?.nan.clone());
        let given = inputs.iter().position(|t| matches!(t.value(), Value::Dense(a) if has_nan(a)));
        earlier.unwrap_or_else(|| match given {
            Some(i) => format!("NaN given to {name} as input {i}{place}").into(),
            None => format!("NaN that the forward pass of {name} made{place}").into(),
        })
    });
    Some(Box::new(Trace { place, nan }))
}

/// Fails if, in debug mode, a gradient that `node` returned has NaN.
pub(super) fn check(node: &Node, dys: &[Option<Array>], grads: &Grads) -> Result<()> {
    if !is_debug_mode() {
        return Ok(());
    }
    let is_bad = |g: &Option<Gradient>| matches!(g, Some(Gradient::Dense(a)) if has_nan(a));
    let Some(i) = grads.iter().position(is_bad) else { return Ok(()) };
    let own = node.trace();
    let of_input = || node.parents().iter().find_map(|p| if let Parent::Node(edge) = p { edge.node.trace()?.nan.clone() } else { None });
    let made = own.and_then(|t| t.nan.clone()).or_else(of_input).map_or_else(String::new, |text| format!(", from {text}"));
    let given = if dys.iter().flatten().any(has_nan) { " (and in the gradient of its result)" } else { "" };
    let place = own.map_or("", |t| t.place.as_str());
    let got = format!("NaN in the gradient of input {i}{given}{made}");
    Err(RbeError::non_finite(node.name().to_owned(), format!("gradients without NaN{place}"), got))
}

fn has_nan(a: &Array) -> bool {
    let a = a.wide();
    let found = dispatch_float!("debug", a.dtype(), T => a.to_vec::<T>().map(|values| values.iter().any(|v| v.is_nan())));
    found.unwrap_or(false) // integers have none
}
