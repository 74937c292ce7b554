//! The hybrid optimiser: charges for the bits of packed tensors, Riemannian Adam for their level parameters, AdamW for the rest.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::activation_step::step_activation;
use super::dense::{DenseState, check_leaf, check_moments, fill_grad, restored, squares};
use super::dense_rule::{DenseRates, DenseRule};
use super::guard::{GUARD, Guard};
use super::packed_state::PackedState;
use super::packed_step::step_weights;
use super::rates::{NonFinite, Rates};
use super::ready::{Ready, nonfinite};
use super::{earlier, scratch};
use crate::array::Array;
use crate::error::{RbeError, Result};
use crate::gradient::Gradient;
use crate::kernel::update::StepParams;
use crate::memory;
use crate::op::RBEOperation::{self, HybridOptimize, RiemannianUpdate, StateTransition};
use crate::packed::{PackedGradient, PackedTensor};
use crate::tape::{OnReady, RBETensor, Value};

/// Epsilon of the dense AdamW.
const EPS: f64 = 1e-8;

enum ParamState {
    Packed(Box<PackedState>),
    Dense(DenseState, Guard),
}

impl ParamState {
    fn packed(w: &PackedTensor, seed: u64, at: usize) -> ParamState {
        ParamState::Packed(Box::new(PackedState::new(w, seed.wrapping_add(at as u64))))
    }
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
            if !p.dtype().is_wide_float() {
                return Err(RbeError::dtype("HybridOptimizer", "tensors that are packed, float32 or float64", p.dtype()));
            }
            check_leaf(p, inner.params.iter().map(|p| &p.tensor).chain(&params[..i]))?;
        }
        let group = inner.rates.len();
        inner.rates.push(rates);
        for tensor in params {
            let at = inner.params.len();
            let state = match tensor.value() {
                Value::Packed(w) => ParamState::packed(w, inner.seed, at),
                Value::Dense(a) => ParamState::Dense(DenseState::new(ADAM, a), Guard::default()),
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
        crate::tape::settle()?; // what was called before reads the values as they are
        memory::guard("step", || self.update())
    }

    fn update(&self) -> Result<()> {
        let mut inner = self.inner.lock();
        if std::mem::take(&mut inner.broken) {
            return Ok(()); // counted when it was found
        }
        let bytes = scratch::of_all(inner.params.iter().map(|p| &p.tensor));
        let mut ready = memory::with_capacity(inner.params.len());
        for (i, p) in inner.params.iter().enumerate() {
            let Some(gradient) = p.tensor.grad() else { continue };
            if let Gradient::Packed(cache) = &gradient {
                cache.check_fresh("step")?;
            }
            match Ready::new(gradient)? {
                Some(gradient) => ready.push((i, gradient)),
                None if inner.on_nonfinite == NonFinite::Error => return Err(nonfinite(&p.tensor)),
                None => {
                    inner.skipped += 1;
                    return Ok(());
                }
            }
        }
        memory::assured(bytes, || {
            if !self.in_backward {
                inner.flips = 0;
            }
            ready.iter().try_for_each(|(i, gradient)| inner.update(*i, gradient))?;
            inner.steps += 1;
            Ok(())
        })
    }

    /// Forgets the gradients.
    pub fn zero_grad(&self) {
        let inner = self.begin_backward();
        inner.params.iter().for_each(|p| drop(p.tensor.slot().grad.lock().take()));
    }

    /// Fills dense gradients with zeros; those of packed tensors are forgotten.
    ///
    /// # Errors
    /// None: dtypes were checked on entry.
    pub fn fill_grad(&self) -> Result<()> {
        let inner = self.begin_backward();
        inner.params.iter().try_for_each(|p| fill_grad(&p.tensor))
    }

    fn begin_backward(&self) -> parking_lot::MutexGuard<'_, Inner> {
        let mut inner = self.inner.lock();
        if self.in_backward {
            inner.flips = 0;
            inner.broken = false;
        }
        inner
    }

    /// `zero_grad`, `loss.backward()`, `step`.
    ///
    /// # Errors
    /// Those of backward and step.
    pub fn step_on(&self, loss: &RBETensor) -> Result<()> {
        self.zero_grad();
        loss.backward()?;
        self.step()
    }

    /// What a step is made of.
    pub fn operations(&self) -> Vec<RBEOperation> {
        let packed = self.inner.lock().params.iter().filter(|p| p.tensor.is_packed()).count();
        [vec![HybridOptimize], vec![[StateTransition, RiemannianUpdate]; packed].concat()].concat()
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
            ParamState::Dense(s, _) => s.nbytes(),
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
            ParamState::Packed(s) => (s.arrays(), s.step),
            ParamState::Dense(s, guard) => {
                let named = ADAM.state_names().iter().copied().zip(s.arrays.iter().map(Array::copy));
                (named.chain([(GUARD, guard.array())]).collect(), s.step)
            }
        })
    }

    /// Replaces the state of parameter `i` by what [`HybridOptimizer::state_of`] gave, or by that before the first step where there are no
    /// arrays; nothing changes on error. Those of earlier versions load too: they have
    /// no "guard", and int64 charges.
    ///
    /// # Errors
    /// `Shape` or `DType` if an array does not fit; `Value` if one is missing or holds a number that no step leaves; `NonFinite`.
    pub fn set_state_of(&self, i: usize, arrays: &[(String, Array)], step: u64) -> Result<()> {
        const OP: &str = "load_state_dict";
        let mut inner = self.inner.lock();
        let (count, seed) = (inner.params.len(), inner.seed);
        let p = inner.params.get_mut(i).ok_or_else(|| RbeError::index(OP, format!("a parameter below {count}"), i))?;
        let find = |name: &str, shape: &[usize], dtype| -> Result<Array> {
            let found = arrays.iter().find(|(n, _)| n == name);
            let (_, found) = found.ok_or_else(|| RbeError::value(OP, format!("{name:?} of parameter {i}"), "none"))?;
            let found = if name == CHARGES { &earlier::charges(found) } else { found };
            restored(name, found, shape, dtype)
        };
        let guard = match arrays.iter().find(|(name, _)| name == GUARD) {
            Some((_, found)) => Guard::from_array(found)?,
            None => Guard::default(),
        };
        let fresh = arrays.is_empty() && step == 0;
        p.state = match (&p.state, p.tensor.value()) {
            (ParamState::Packed(_), Value::Packed(w)) if fresh => ParamState::packed(w, seed, i),
            (ParamState::Dense(..), Value::Dense(a)) if fresh => ParamState::Dense(DenseState::new(ADAM, a), guard),
            (ParamState::Packed(s), _) => {
                let (mut state, mut found) = (s.as_ref().clone(), Vec::new());
                for (name, a) in s.arrays() {
                    found.push(if name == GUARD { guard.array() } else { find(name, a.shape(), a.dtype())? });
                }
                state.replace(found, step)?;
                ParamState::Packed(Box::new(state))
            }
            (ParamState::Dense(..), _) => {
                let (shape, dtype) = (p.tensor.shape(), p.tensor.dtype());
                let found = ADAM.state_names().iter().map(|name| find(name, shape, dtype)).collect::<Result<Vec<_>>>()?;
                check_moments(ADAM, &found)?;
                for a in &found {
                    squares(a)?
                        .ok_or_else(|| RbeError::non_finite(OP, "finite moments", format!("NaN or infinity in those of parameter {i}")))?;
                }
                ParamState::Dense(DenseState { arrays: found, step }, guard)
            }
        };
        Ok(())
    }

    /// Sets the seed of stochastic rounding, for a resumed run.
    pub fn set_seed(&self, seed: u64) {
        self.inner.lock().seed = seed;
    }

    /// Sets the counters of steps, skipped steps and flips of the last step, for a resumed run.
    pub fn set_counters(&self, steps: u64, skipped: u64, flips: u64) {
        let mut inner = self.inner.lock();
        (inner.steps, inner.skipped, inner.flips) = (steps, skipped, flips);
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

/// Name of the saved charges.
const CHARGES: &str = "charges";

const ADAM: DenseRule = DenseRule::Adam { betas: (0.9, 0.999), eps: EPS, decoupled: true, amsgrad: false };

/// Updates parameter `at` as soon as its gradient is complete.
fn receiver(inner: Weak<Mutex<Inner>>, at: usize) -> OnReady {
    Arc::new(move |tensor, gradient| {
        let Some(inner) = inner.upgrade() else { return Ok(()) };
        let mut inner = inner.lock();
        if inner.broken {
            return Ok(());
        }
        let bytes = scratch::of(tensor, &gradient);
        match Ready::new(gradient)? {
            Some(gradient) => memory::assured(bytes, || inner.update(at, &gradient)),
            None if inner.on_nonfinite == NonFinite::Error => Err(nonfinite(tensor)),
            None => {
                inner.broken = true;
                inner.skipped += 1;
                Ok(())
            }
        }
    })
}

impl Inner {
    fn update(&mut self, i: usize, gradient: &Ready) -> Result<()> {
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
        let flips = match (&mut p.state, gradient) {
            (ParamState::Dense(state, guard), Ready::Dense(g, square)) => {
                let rule = DenseRule::Adam { betas: rates.betas, eps: EPS, decoupled: true, amsgrad: false };
                let rates = DenseRates { lr: rates.lr, weight_decay: rates.weight_decay, maximize: false };
                return state.guarded_update(guard, (rule, rates), p.tensor.array("step")?, g, *square);
            }
            (ParamState::Packed(state), Ready::Activation(cache, delta, g)) => step_activation(cache.weight(), state, delta, g, &params),
            (ParamState::Packed(state), Ready::Weights(cache, magnitude)) => {
                let folded = cache.folded().map(Array::read::<f32>);
                cache.with_products(|factors| {
                    let g = PackedGradient { factors, folded: folded.as_deref(), magnitude: Some(*magnitude) };
                    step_weights(cache.weight(), state, g, &params)
                })
            }
            (_, Ready::Dense(g, _)) => return Err(RbeError::graph("step", "the gradient of a packed tensor", format!("{g:?}"))),
            _ => return Err(RbeError::graph("step", "a dense gradient", "that of a packed tensor")),
        };
        self.flips += flips;
        Ok(())
    }
}
