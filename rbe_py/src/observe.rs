//! Looking at the engine at work: profiles and debug mode.

use std::sync::Arc;

use pyo3::prelude::*;
use rbe_core::tape::{self, Phase};

/// Name, phase, thread, start and length in seconds, bytes.
type Row = (String, &'static str, u64, f64, f64, usize);

/// Begins a profile; whether there was none under way.
#[pyfunction(name = "_profile_start")]
pub fn profile_start() -> bool {
    tape::start_profile()
}

/// Ends the profile; what ran.
#[pyfunction(name = "_profile_stop")]
pub fn profile_stop() -> Vec<Row> {
    let row = |e: tape::Event| {
        let phase = match e.phase {
            Phase::Forward => "forward",
            Phase::Backward => "backward",
            Phase::Step => "step",
        };
        (e.name, phase, e.thread, e.start.as_secs_f64(), e.length.as_secs_f64(), e.bytes)
    };
    tape::stop_profile().into_iter().map(row).collect()
}

/// Debug mode on, with a function that returns the place of the call, or off.
#[pyfunction(name = "_set_debug_mode")]
pub fn set_debug_mode(origin: Option<Py<PyAny>>) {
    let tell = |function: Py<PyAny>| -> tape::Origin {
        Arc::new(move || Python::attach(|py| function.bind(py).call0().and_then(|s| s.extract()).unwrap_or_default()))
    };
    tape::set_debug_mode(origin.is_some(), origin.map(tell));
}
