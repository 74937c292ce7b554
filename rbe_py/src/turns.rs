//! Long loops over Python objects, which release the GIL periodically.

#![allow(unsafe_code)]

use std::time::{Duration, Instant};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyList;
use rbe_core::{DType, RBETensor};

use crate::gil::enter_for;

/// How long a loop keeps the GIL: short enough for threads that wake every millisecond.
const STRETCH: Duration = Duration::from_micros(100);
/// Steps between reads of the clock.
const STEPS: u32 = 64;
/// How long a loop releases the GIL if other threads exist. The GIL is not passed to a waiting thread: the first that requests it gets
/// it, and a thread on an idle core takes some 50 µs to wake up. Every sleep takes at least that long.
const PAUSE: Duration = Duration::from_nanos(1);

/// Releases the GIL periodically during a loop that needs it.
pub struct Turns {
    steps: u32,
    since: Instant,
}

impl Turns {
    /// Starts the clock of a loop.
    pub fn new() -> Turns {
        Turns { steps: 0, since: Instant::now() }
    }

    /// Counts a step of the loop. Fails if the program was interrupted (Ctrl-C).
    #[inline]
    pub fn step(&mut self, py: Python<'_>) -> PyResult<()> {
        self.steps = self.steps.wrapping_add(1);
        if self.steps.is_multiple_of(STEPS) { self.look(py) } else { Ok(()) }
    }

    #[cold]
    fn look(&mut self, py: Python<'_>) -> PyResult<()> {
        if self.since.elapsed() >= STRETCH {
            if has_other_threads(py)? {
                py.detach(|| std::thread::sleep(PAUSE));
            }
            py.check_signals()?;
            self.since = Instant::now();
        }
        Ok(())
    }
}

/// Whether other Python threads are alive.
fn has_other_threads(py: Python<'_>) -> PyResult<bool> {
    static COUNT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let count = COUNT.import(py, "threading", "active_count")?.call0()?;
    Ok(count.extract::<usize>()? > 1)
}

/// The elements as nested lists: a snapshot, even if other threads write meanwhile.
pub fn to_list(py: Python<'_>, tensor: &RBETensor) -> PyResult<Py<PyAny>> {
    // A copy, because no lock may be held while other threads run.
    let now = enter_for(py, "tolist", tensor.numel(), || tensor.array("tolist").map(|a| a.wide().copy()))?;
    let (shape, mut turns) = (now.shape(), Turns::new());
    Ok(match now.dtype() {
        DType::F32 => nested(&now.read::<f32>(), shape, &mut turns, py, &|v| float(py, f64::from(*v))),
        DType::F64 => nested(&now.read::<f64>(), shape, &mut turns, py, &|v| float(py, *v)),
        DType::I64 => nested(&now.read::<i64>(), shape, &mut turns, py, &|v| integer(py, *v)),
        _ => nested(&now.read::<u8>(), shape, &mut turns, py, &|v| boolean(py, *v != 0)),
    }?
    .unbind())
}

fn nested<'py, T>(
    values: &[T],
    shape: &[usize],
    turns: &mut Turns,
    py: Python<'py>,
    item: &impl Fn(&T) -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let [n, inner @ ..] = shape else { return item(&values[0]) };
    let list = empty_list(py)?;
    let width: usize = inner.iter().product();
    for i in 0..*n {
        list.append(nested(&values[i * width..(i + 1) * width], inner, turns, py, item)?)?;
        turns.step(py)?;
    }
    Ok(list.into_any())
}

// PyO3's constructors panic when memory runs out; these raise a MemoryError.

fn float(py: Python<'_>, value: f64) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: the call accepts any number and returns a new reference, or null with an exception set.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyFloat_FromDouble(value)) }
}

fn integer(py: Python<'_>, value: i64) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: as in `float`.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyLong_FromLongLong(value)) }
}

fn boolean(py: Python<'_>, value: bool) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: as in `float`.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyBool_FromLong(value.into())) }
}

fn empty_list(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    // SAFETY: as in `float`.
    let list = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyList_New(0)) }?;
    Ok(list.cast_into::<PyList>()?)
}
