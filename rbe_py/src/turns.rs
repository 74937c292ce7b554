//! Long loops over Python objects, which other threads interrupt.

use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyList};
use rbe_core::DType;
use rbe_core::array::Array;

use crate::runtime::enter;

/// How long a loop keeps the GIL: threads that wake every millisecond keep their pace.
const STRETCH: Duration = Duration::from_micros(100);
/// Steps between looks at the clock.
const STEPS: u32 = 256;

/// Hands over the GIL now and then during a loop that needs it.
pub struct Turns {
    steps: u32,
    since: Instant,
}

impl Turns {
    /// Of a loop that begins.
    pub fn new() -> Turns {
        Turns { steps: 0, since: Instant::now() }
    }

    /// A step of the loop is done. Fails if the program was interrupted (Ctrl-C).
    #[inline]
    pub fn step(&mut self, py: Python<'_>) -> PyResult<()> {
        self.steps = self.steps.wrapping_add(1);
        if self.steps.is_multiple_of(STEPS) { self.look(py) } else { Ok(()) }
    }

    #[cold]
    fn look(&mut self, py: Python<'_>) -> PyResult<()> {
        if self.since.elapsed() >= STRETCH {
            py.detach(std::thread::yield_now);
            py.check_signals()?;
            self.since = Instant::now();
        }
        Ok(())
    }
}

/// The elements as nested lists: those of one moment, whoever writes in between.
pub fn to_list(py: Python<'_>, array: &Array) -> PyResult<Py<PyAny>> {
    // A copy: no lock may be held while other threads run.
    let now = enter(py, array.numel(), || Ok(array.copy()))?;
    let (shape, mut turns) = (now.shape(), Turns::new());
    Ok(match now.dtype() {
        DType::F32 => nested(&now.read::<f32>(), shape, &mut turns, py, &|v| PyFloat::new(py, f64::from(*v)).into_any()),
        DType::F64 => nested(&now.read::<f64>(), shape, &mut turns, py, &|v| PyFloat::new(py, *v).into_any()),
        DType::I64 => nested(&now.read::<i64>(), shape, &mut turns, py, &|v| PyInt::new(py, *v).into_any()),
        DType::Bool => nested(&now.read::<u8>(), shape, &mut turns, py, &|v| PyBool::new(py, *v != 0).to_owned().into_any()),
    }?
    .unbind())
}

fn nested<'py, T>(
    values: &[T],
    shape: &[usize],
    turns: &mut Turns,
    py: Python<'py>,
    item: &impl Fn(&T) -> Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let [n, inner @ ..] = shape else { return Ok(item(&values[0])) };
    let list = PyList::empty(py);
    let width: usize = inner.iter().product();
    for i in 0..*n {
        list.append(nested(&values[i * width..(i + 1) * width], inner, turns, py, item)?)?;
        turns.step(py)?;
    }
    Ok(list.into_any())
}
