//! Profiles and debug mode.

use std::sync::Arc;

use pyo3::prelude::*;
use rbe_core::tape::{self, Phase};

/// Name, phase, thread, start and duration in seconds, bytes.
type Row = (String, &'static str, u64, f64, f64, usize);

/// Starts a profile; false if one is active.
#[pyfunction(name = "_profile_start")]
pub fn profile_start() -> bool {
    tape::start_profile()
}

/// Ends the profile and returns its events.
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

/// Switches debug mode on, with a function that returns the position of the caller, or off.
#[pyfunction(name = "_set_debug_mode")]
pub fn set_debug_mode(origin: Option<Py<PyAny>>) {
    let tell = |function: Py<PyAny>| -> tape::Origin {
        Arc::new(move || Python::attach(|py| function.bind(py).call0().and_then(|s| s.extract()).unwrap_or_default()))
    };
    tape::set_debug_mode(origin.is_some(), origin.map(tell));
}
