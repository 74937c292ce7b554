//! The hybrid optimiser: charges for the bits of packed tensors, Riemannian Adam for their points, AdamW for the rest.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::dense::{DenseRates, DenseRule, DenseState, all_finite, check_leaf};
use super::rates::{NonFinite, Rates};
use super::scratch;
use crate::array::Array;
use crate::error::{RbeError, Result};
use crate::graph::{Factor, Gradient, GradientCache, OnReady};
use crate::kernel::step::{Evidence, State, StepParams, step, step_activation};
use crate::memory;
use crate::tensor::{RBETensor, Value};

/// Epsilon of the dense AdamW.
const EPS: f64 = 1e-8;

enum ParamState {
    Packed(Box<State>),
    Dense(DenseState),
}

struct Param {
    tensor: RBETensor,
    group: usize,
    state: ParamState,
    receiver: Option<OnReady>, // with `in_backward`
}

struct Inner {
    params: Vec<Param>,
    rates: Vec<Rates>,
    on_nonfinite: NonFinite,
    seed: u64,
    steps: u64,
    skipped: u64,
    flips: u64,
    broken: bool, // with `in_backward`: a gradient of the present step is not finite
}

/// Trains packed tensors, packed activations and dense tensors together, each by its own rule.
pub struct HybridOptimizer {
    inner: Arc<Mutex<Inner>>,
    in_backward: bool,
}

impl HybridOptimizer {
    /// Optimiser of one group.
    ///
    /// # Errors
    /// As [`HybridOptimizer::with_groups`].
    pub fn new(params: Vec<RBETensor>, rates: Rates) -> Result<HybridOptimizer> {
        HybridOptimizer::with_groups(vec![(params, rates)], NonFinite::Error, false, 0)
    }

    /// Optimiser of groups. `in_backward` updates each packed tensor as soon as a backward pass has its whole gradient, which
    /// is then never stored: every pass is an update, gradients of several passes are not added, and those tensors stay
    /// updated whose gradient came before one that is not finite. `seed` is that of charges and stochastic rounding.
    ///
    /// # Errors
    /// `Value` for a rate outside its domain; `DType` for integers; `Graph` for a tensor that is no leaf or given twice.
    pub fn with_groups(
        groups: Vec<(Vec<RBETensor>, Rates)>,
        on_nonfinite: NonFinite,
        in_backward: bool,
        seed: u64,
    ) -> Result<HybridOptimizer> {
        let inner = Inner { params: Vec::new(), rates: Vec::new(), on_nonfinite, seed, steps: 0, skipped: 0, flips: 0, broken: false };
        let mut out = HybridOptimizer { inner: Arc::new(Mutex::new(inner)), in_backward };
        for (params, rates) in groups {
            out.add_group(params, rates)?;
        }
        Ok(out)
    }

    /// Adds a group.
    ///
    /// # Errors
    /// As [`HybridOptimizer::with_groups`].
    pub fn add_group(&mut self, params: Vec<RBETensor>, rates: Rates) -> Result<()> {
        rates.check()?;
        let mut inner = self.inner.lock();
        for (i, p) in params.iter().enumerate() {
            if !p.dtype().is_float() {
                return Err(RbeError::dtype("HybridOptimizer", "packed or float tensors", p.dtype()));
            }
            check_leaf(p, inner.params.iter().map(|p| &p.tensor).chain(&params[..i]))?;
        }
        let group = inner.rates.len();
        inner.rates.push(rates);
        for tensor in params {
            let at = inner.params.len();
            let state = match tensor.value() {
                Value::Packed(w) => ParamState::Packed(Box::new(State::new(w, inner.seed.wrapping_add(at as u64)))),
                Value::Dense(a) => ParamState::Dense(DenseState::new(ADAM, a)),
            };
            let receiver = (self.in_backward && tensor.is_packed()).then(|| receiver(Arc::downgrade(&self.inner), at));
            if receiver.is_some() {
                tensor.slot().set_on_ready(receiver.clone());
            }
            inner.params.push(Param { tensor, group, state, receiver });
        }
        Ok(())
    }

    /// Rates of a group.
    pub fn rates(&self, group: usize) -> Option<Rates> {
        self.inner.lock().rates.get(group).copied()
    }

    /// Changes the rates of a group.
    ///
    /// # Errors
    /// `Value` for a rate outside its domain; `Index` for a group that is not there.
    pub fn set_rates(&self, group: usize, rates: Rates) -> Result<()> {
        rates.check()?;
        let mut inner = self.inner.lock();
        let groups = inner.rates.len();
        let slot =
            inner.rates.get_mut(group).ok_or_else(|| RbeError::index("HybridOptimizer", format!("a group below {groups}"), group))?;
        *slot = rates;
        Ok(())
    }

    /// Updates every parameter that has a gradient.
    ///
    /// # Errors
    /// `NonFinite` for a gradient that is not finite (unless those are skipped); `Graph` for a gradient taken before its
    /// tensor was changed. Nothing is updated then.
    pub fn step(&self) -> Result<()> {
        memory::guard("step", || {
            let bytes = scratch::of_all(self.inner.lock().params.iter().map(|p| &p.tensor));
            memory::assured(bytes, || self.update())
        })
    }

    fn update(&self) -> Result<()> {
        let mut inner = self.inner.lock();
        if std::mem::take(&mut inner.broken) {
            return Ok(()); // counted when it was found
        }
        let gradients: Vec<Option<Gradient>> = inner.params.iter().map(|p| p.tensor.grad()).collect();
        let mut finite = true;
        for (p, gradient) in inner.params.iter().zip(&gradients) {
            match gradient {
                Some(Gradient::Dense(g)) if !all_finite(g) => finite = false,
                Some(Gradient::Packed(cache)) => {
                    cache.check_fresh("step")?;
                    finite &= cache_finite(cache);
                }
                _ => {}
            }
            if !finite && inner.on_nonfinite == NonFinite::Error {
                return Err(nonfinite(&p.tensor));
            }
        }
        if !finite {
            inner.skipped += 1;
            return Ok(());
        }
        if !self.in_backward {
            inner.flips = 0;
        }
        for (i, gradient) in gradients.into_iter().enumerate() {
            if let Some(gradient) = gradient {
                inner.update(i, &gradient)?;
            }
        }
        inner.steps += 1;
        Ok(())
    }

    /// Forgets the gradients.
    pub fn zero_grad(&self) {
        let mut inner = self.inner.lock();
        if self.in_backward {
            inner.flips = 0;
            inner.broken = false;
        }
        inner.params.iter().for_each(|p| drop(p.tensor.slot().grad.lock().take()));
    }

    /// `zero_grad`, `loss.backward()`, `step`.
    ///
    /// # Errors
    /// Those of backward and step.
    pub fn step_with_autodiff(&self, loss: &RBETensor) -> Result<()> {
        self.zero_grad();
        loss.backward()?;
        self.step()
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.inner.lock().steps
    }

    /// Steps left out because a gradient was not finite.
    pub fn skipped(&self) -> u64 {
        self.inner.lock().skipped
    }

    /// Bits flipped by the last step.
    pub fn flips(&self) -> u64 {
        self.inner.lock().flips
    }

    /// Bytes of the state of all parameters.
    pub fn state_bytes(&self) -> usize {
        let state = |p: &Param| match &p.state {
            ParamState::Packed(s) => s.nbytes(),
            ParamState::Dense(s) => s.nbytes(),
        };
        self.inner.lock().params.iter().map(state).sum()
    }

    /// Seed of charges and stochastic rounding.
    pub fn seed(&self) -> u64 {
        self.inner.lock().seed
    }

    /// Number of parameters.
    pub fn len(&self) -> usize {
        self.inner.lock().params.len()
    }

    /// Whether there is no parameter.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// State of parameter `i`: its arrays by name and the number of its steps.
    pub fn state_of(&self, i: usize) -> Option<(Vec<(&'static str, Array)>, u64)> {
        let inner = self.inner.lock();
        Some(match &inner.params.get(i)?.state {
            ParamState::Packed(s) => (s.arrays().into_iter().map(|(n, a)| (n, a.copy())).collect(), s.step),
            ParamState::Dense(s) => (ADAM.state_names().iter().copied().zip(s.arrays.iter().map(Array::copy)).collect(), s.step),
        })
    }

    /// Replaces the state of parameter `i` by what [`HybridOptimizer::state_of`] gave; nothing changes on error.
    ///
    /// # Errors
    /// `Shape` or `DType` if an array does not fit; `Value` if one is missing.
    pub fn set_state_of(&self, i: usize, arrays: &[(String, Array)], step: u64) -> Result<()> {
        let mut inner = self.inner.lock();
        let count = inner.params.len();
        let p = inner.params.get_mut(i).ok_or_else(|| RbeError::index("load_state_dict", format!("a parameter below {count}"), i))?;
        let find = |name: &str, shape: &[usize], dtype| {
            let found = arrays
                .iter()
                .find(|(n, _)| n == name)
                .ok_or_else(|| RbeError::value("load_state_dict", format!("{name:?} of parameter {i}"), "none"))?;
            if found.1.shape() != shape {
                return Err(RbeError::shape("load_state_dict", format!("{name} {shape:?}"), format!("{:?}", found.1.shape())));
            }
            if found.1.dtype() != dtype {
                return Err(RbeError::dtype("load_state_dict", dtype, found.1.dtype()));
            }
            Ok(found.1.copy())
        };
        match &mut p.state {
            ParamState::Packed(s) => {
                let fresh = s.arrays().into_iter().map(|(name, a)| find(name, a.shape(), a.dtype())).collect::<Result<Vec<_>>>()?;
                s.replace(fresh, step)?;
            }
            ParamState::Dense(s) => {
                let (shape, dtype) = (p.tensor.shape(), p.tensor.dtype());
                let fresh = if step == 0 {
                    Vec::new()
                } else {
                    ADAM.state_names().iter().map(|name| find(name, shape, dtype)).collect::<Result<Vec<_>>>()?
                };
                *s = DenseState { arrays: fresh, step };
            }
        }
        Ok(())
    }

    /// Sets the counters of steps, for a resumed run.
    pub fn set_steps(&self, steps: u64) {
        self.inner.lock().steps = steps;
    }
}

impl Drop for HybridOptimizer {
    fn drop(&mut self) {
        if self.in_backward {
            // Another optimiser may have taken over a tensor since.
            self.inner.lock().params.iter().for_each(|p| p.tensor.slot().forget_receiver(p.receiver.as_ref()));
        }
    }
}

const ADAM: DenseRule = DenseRule::Adam { betas: (0.9, 0.999), eps: EPS, decoupled: true, amsgrad: false };

fn nonfinite(tensor: &RBETensor) -> RbeError {
    RbeError::non_finite(
        "step",
        "finite gradients (on_nonfinite=\"skip\" leaves such steps out)",
        format!("NaN or infinity in that of {tensor:?}"),
    )
}

fn cache_finite(cache: &GradientCache) -> bool {
    let factors = cache.factors().iter().all(|f| match f {
        Factor::Product { x, dy } | Factor::Activation { x, dy } => all_finite(x) && all_finite(dy),
    });
    factors && cache.folded().is_none_or(all_finite) && cache.has_finite_sums()
}

/// Updates parameter `at` as soon as its gradient is complete.
fn receiver(inner: Weak<Mutex<Inner>>, at: usize) -> OnReady {
    Arc::new(move |tensor, gradient| {
        let Some(inner) = inner.upgrade() else { return Ok(()) };
        let mut inner = inner.lock();
        if inner.broken {
            return Ok(());
        }
        if let Gradient::Packed(cache) = &gradient
            && !cache_finite(cache)
        {
            return match inner.on_nonfinite {
                NonFinite::Error => Err(nonfinite(tensor)),
                NonFinite::Skip => {
                    inner.broken = true;
                    inner.skipped += 1;
                    Ok(())
                }
            };
        }
        memory::assured(scratch::of(tensor, &gradient), || inner.update(at, &gradient))
    })
}

impl Inner {
    fn update(&mut self, i: usize, gradient: &Gradient) -> Result<()> {
        let seed = self.seed.wrapping_add(i as u64);
        let p = &mut self.params[i];
        let rates = self.rates[p.group];
        let params = StepParams {
            lr_hi: rates.lr_hi as f32,
            lr_lo: rates.lr_lo as f32,
            betas: (rates.betas.0 as f32, rates.betas.1 as f32),
            interaction: rates.interaction as f32,
            seed,
            evidence: rates.evidence,
        };
        match (&mut p.state, gradient) {
            (ParamState::Dense(state), Gradient::Dense(g)) => {
                let rule = DenseRule::Adam { betas: rates.betas, eps: EPS, decoupled: true, amsgrad: false };
                state.update(
                    rule,
                    DenseRates { lr: rates.lr, weight_decay: rates.weight_decay, maximize: false },
                    p.tensor.array("step")?,
                    g,
                )
            }
            (ParamState::Packed(state), Gradient::Packed(cache)) => {
                let w = cache.weight();
                let stats = if cache.is_activation() {
                    let (delta, _) = cache.unit_flips()?;
                    step_activation(w, state, &delta, &cache.unit_points()?, &params)
                } else {
                    let folded = cache.folded().map(Array::read::<f32>);
                    cache.with_products(|factors| {
                        let g = Evidence { factors, folded: folded.as_deref() };
                        step(w, state, g, &params)
                    })
                };
                self.flips += stats.flips;
                Ok(())
            }
            _ => Err(RbeError::graph("step", "a gradient of the parameter's kind", "another")),
        }
    }
}
