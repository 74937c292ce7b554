//! Optimisers behind the Python classes.

use std::collections::HashMap;
use std::sync::Mutex;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use rbe_core::RbeError;
use rbe_core::array::Array;
use rbe_core::optim::{self, DenseOptimizer, DenseRule, HybridOptimizer, NonFinite};
use rbe_core::tape::{Phase, measured};

use crate::autograd::{Tensor, tensors};
use crate::class::NewTensor;
use crate::error::{OrRaise, raise};
use crate::gil::{detach, detach_for, within};
use crate::rates::{self, Kind};
use crate::tensor::RBETensor;

/// The name of optimisers in errors.
const OP: &str = "optimizer";

/// Arrays by name, always in the same order, and steps.
type Entries<'py> = (Bound<'py, PyDict>, u64);

/// What the engine holds for a parameter: arrays by name, and steps.
type State = (Vec<(&'static str, Array)>, u64);

fn entries(py: Python<'_>, state: Option<State>) -> PyResult<Option<Entries<'_>>> {
    let Some((arrays, step)) = state else { return Ok(None) };
    let named = PyDict::new(py);
    for (name, a) in arrays {
        named.set_item(name, NewTensor::from(a))?;
    }
    Ok(Some((named, step)))
}

/// Methods that both optimisers have; `$name` stands in profiles.
macro_rules! shared_methods {
    ($class:ident $name:literal) => {
        #[pymethods]
        impl $class {
            fn step(&self, py: Python<'_>) -> PyResult<()> {
                self.inner.with(|o| detach(py, || measured($name, Phase::Step, || o.step(), |_| 0)).or_raise())
            }

            fn zero_grad(&self, py: Python<'_>, set_to_none: bool) -> PyResult<()> {
                self.inner.with(|o| {
                    if set_to_none {
                        o.zero_grad();
                        return Ok(());
                    }
                    detach_for(py, OP, || o.fill_grad()).or_raise()
                })
            }

            fn set_state_of(&self, py: Python<'_>, i: usize, arrays: HashMap<String, PyRef<'_, RBETensor>>, step: u64) -> PyResult<()> {
                let arrays: Vec<(String, Tensor)> = arrays.into_iter().map(|(name, t)| (name, t.inner.clone())).collect();
                let array = |(name, t): (String, Tensor)| Ok((name, t.array("load_state_dict")?.clone()));
                let arrays = || arrays.into_iter().map(array).collect::<rbe_core::Result<Vec<_>>>();
                self.inner.with(|o| detach_for(py, OP, || o.set_state_of(i, &arrays()?, step)).or_raise())
            }
        }
    };
}

shared_methods! { Hybrid "HybridOptimizer" }
shared_methods! { Dense "DenseOptimizer" }

/// The hybrid optimiser.
#[pyclass(frozen, module = "rbe._rbe", name = "_Hybrid")]
pub struct Hybrid {
    inner: Exclusive<HybridOptimizer>,
}

/// A lock that fails instead of waiting: an optimiser is not used from two threads at once.
struct Exclusive<T>(Mutex<T>);

impl<T> Exclusive<T> {
    fn with<R>(&self, f: impl FnOnce(&mut T) -> PyResult<R>) -> PyResult<R> {
        match self.0.try_lock() {
            Ok(mut guard) => within(OP, || f(&mut guard)),
            Err(_) => Err(raise(RbeError::graph(OP, "one call at a time", "another call of this optimizer under way"))),
        }
    }
}

#[pymethods]
impl Hybrid {
    #[new]
    fn new(on_nonfinite: &str, in_backward: bool, seed: u64) -> PyResult<Hybrid> {
        let on_nonfinite = match on_nonfinite {
            "error" => NonFinite::Error,
            "skip" => NonFinite::Skip,
            other => return Err(raise(RbeError::value("HybridOptimizer", "on_nonfinite \"error\" or \"skip\"", other))),
        };
        let inner = HybridOptimizer::with_groups(Vec::new(), on_nonfinite, in_backward, seed).or_raise()?;
        Ok(Hybrid { inner: Exclusive(Mutex::new(inner)) })
    }

    /// Fails for rates outside their domain.
    #[staticmethod]
    fn check_rates(rates: &Bound<'_, PyAny>) -> PyResult<()> {
        rates::hybrid(rates)?.check().or_raise()
    }

    fn add_group(&self, params: Vec<PyRef<'_, RBETensor>>, rates: &Bound<'_, PyAny>) -> PyResult<()> {
        let rates = rates::hybrid(rates)?;
        self.inner.with(|o| o.add_group(tensors(params), rates).or_raise())
    }

    /// Sets the rates of all groups, or of none on error.
    fn set_rates(&self, rates: Vec<Bound<'_, PyAny>>) -> PyResult<()> {
        let rates = rates.iter().map(rates::hybrid).collect::<PyResult<Vec<_>>>()?;
        rates.iter().try_for_each(optim::Rates::check).or_raise()?;
        self.inner.with(|o| rates.into_iter().enumerate().try_for_each(|(group, rates)| o.set_rates(group, rates)).or_raise())
    }

    /// Steps taken.
    #[getter]
    fn steps(&self) -> PyResult<u64> {
        self.inner.with(|o| Ok(o.steps()))
    }

    /// Steps left out because a gradient was not finite.
    #[getter]
    fn skipped(&self) -> PyResult<u64> {
        self.inner.with(|o| Ok(o.skipped()))
    }

    /// Bits flipped by the last step.
    #[getter]
    fn flips(&self) -> PyResult<u64> {
        self.inner.with(|o| Ok(o.flips()))
    }

    /// Bytes of the state of all parameters.
    #[getter]
    fn state_bytes(&self) -> PyResult<usize> {
        self.inner.with(|o| Ok(o.state_bytes()))
    }

    #[pyo3(signature = (*, steps, skipped, flips))]
    fn set_counters(&self, steps: u64, skipped: u64, flips: u64) -> PyResult<()> {
        self.inner.with(|o| {
            o.set_counters(steps, skipped, flips);
            Ok(())
        })
    }

    fn set_seed(&self, seed: u64) -> PyResult<()> {
        self.inner.with(|o| {
            o.set_seed(seed);
            Ok(())
        })
    }

    #[getter]
    fn seed(&self) -> PyResult<u64> {
        self.inner.with(|o| Ok(o.seed()))
    }

    fn state_of<'py>(&self, py: Python<'py>, i: usize) -> PyResult<Option<Entries<'py>>> {
        entries(py, self.inner.with(|o| detach_for(py, OP, || Ok(o.state_of(i))).or_raise())?)
    }
}

/// An optimiser of dense tensors.
#[pyclass(frozen, module = "rbe._rbe", name = "_Dense")]
pub struct Dense {
    kind: Kind,
    inner: Exclusive<DenseOptimizer>,
}

#[pymethods]
impl Dense {
    #[new]
    fn new(kind: &str) -> PyResult<Dense> {
        Ok(Dense { kind: Kind::named(kind)?, inner: Exclusive(Mutex::new(DenseOptimizer::default())) })
    }

    fn add_group(&self, params: Vec<PyRef<'_, RBETensor>>, rates: &Bound<'_, PyAny>) -> PyResult<()> {
        let (rule, rates) = self.kind.read(rates)?;
        self.inner.with(|o| o.add_group(tensors(params), rule, rates).or_raise())
    }

    /// Sets the rates of all groups, or of none on error.
    fn set_rates(&self, rates: Vec<Bound<'_, PyAny>>) -> PyResult<()> {
        let fresh = rates.iter().map(|rates| self.kind.read(rates)).collect::<PyResult<Vec<_>>>()?;
        self.inner.with(|o| {
            o.groups_mut().iter_mut().zip(fresh).for_each(|(slot, fresh)| *slot = fresh);
            Ok(())
        })
    }

    #[getter]
    fn state_bytes(&self) -> PyResult<usize> {
        self.inner.with(|o| Ok(o.states().iter().map(optim::DenseState::nbytes).sum()))
    }

    fn state_of<'py>(&self, py: Python<'py>, i: usize) -> PyResult<Option<Entries<'py>>> {
        self.inner.with(|o| {
            let copy = |state: &optim::DenseState| {
                let names = o.rule_of(i).map_or(&[][..], DenseRule::state_names);
                (names.iter().copied().zip(state.arrays.iter().map(Array::copy)).collect(), state.step)
            };
            entries(py, detach_for(py, OP, || Ok(o.states().get(i).map(copy))).or_raise()?)
        })
    }
}

/// Scales gradients to a norm.
#[pyfunction]
pub fn clip_grad_norm(
    py: Python<'_>,
    params: Vec<PyRef<'_, RBETensor>>,
    max_norm: f64,
    norm_type: f64,
    error_if_nonfinite: bool,
) -> PyResult<f64> {
    let params = tensors(params);
    detach(py, || optim::clip_grad_norm(&params, max_norm, norm_type, error_if_nonfinite)).or_raise()
}

/// Holds gradients within bounds.
#[pyfunction]
pub fn clip_grad_value(py: Python<'_>, params: Vec<PyRef<'_, RBETensor>>, bound: f64) -> PyResult<()> {
    let params = tensors(params);
    detach(py, || optim::clip_grad_value(&params, bound)).or_raise()
}

/// Multiplies gradients by a number.
#[pyfunction]
pub fn scale_grad(py: Python<'_>, params: Vec<PyRef<'_, RBETensor>>, scale: f64) -> PyResult<()> {
    let params = tensors(params);
    detach(py, || optim::scale_grad(&params, scale)).or_raise()
}
