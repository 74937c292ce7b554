//! The optimiser of dense tensors.

use super::dense_rule::{At, DenseRates, DenseRule, MOMENTA, run};
use super::guard::{Guard, Sizes};
use super::scratch;
use crate::array::Array;
use crate::dtype::{DType, Float};
use crate::error::{RbeError, Result};
use crate::gradient::Gradient;
use crate::kernel::dense::squares::sum_of_squares;
use crate::kernel::update::correction;
use crate::memory;
use crate::tape::RBETensor;
use crate::{dispatch_float, dispatch_size};

/// State of one tensor: arrays named by [`DenseRule::state_names`], all like the tensor but NAdam's product of momenta, and the number of steps.
#[derive(Clone, Default)]
pub struct DenseState {
    /// The arrays; where there are none, the first step makes them.
    pub arrays: Vec<Array>,
    /// Steps taken.
    pub step: u64,
}

impl DenseState {
    /// State before the first step, in memory of its own from the start: made during the first step it would take buffers
    /// that the second step expects to find free.
    pub fn new(rule: DenseRule, value: &Array) -> DenseState {
        let initial = if let DenseRule::Adagrad { initial, .. } = rule { initial } else { 0.0 };
        let like = |name: &&str| match *name {
            MOMENTA => Array::full(DType::F32, &[], 1.0),
            _ => Array::full(value.dtype(), value.shape(), initial),
        };
        DenseState { arrays: rule.state_names().iter().map(like).collect(), step: 0 }
    }

    /// Makes the arrays that are missing since momentum was switched on, say.
    fn complete(&mut self, rule: DenseRule, value: &Array) {
        if self.arrays.len() < rule.state_names().len() {
            self.arrays.extend(DenseState::new(rule, value).arrays.drain(self.arrays.len()..));
        }
    }

    /// Multiplies NAdam's product of momenta, which is rounded to float32 as in torch, by that of this step, and returns it; 1 for other rules.
    fn multiply_momenta(&self, rule: DenseRule) -> f64 {
        let Some(at) = rule.state_names().iter().position(|name| *name == MOMENTA) else { return 1.0 };
        let mut product = self.arrays[at].write::<f32>();
        product[0] *= rule.momentum(self.step) as f32;
        f64::from(product[0])
    }

    /// Updates `value` by `gradient` of the same shape and dtype.
    ///
    /// # Errors
    /// `DType` for integers.
    pub fn update(&mut self, rule: DenseRule, rates: DenseRates, value: &Array, gradient: &Array) -> Result<()> {
        self.complete(rule, value);
        self.step += 1;
        let at = At { step: self.step, momenta: self.multiply_momenta(rule) };
        let gradient = if gradient.same_storage(value) { gradient.copy() } else { gradient.contiguous() };
        // A strided parameter is updated in a contiguous copy and written back.
        let output = value.contiguous();
        dispatch_float!("step", value.dtype(), T => {
            {
                let grad = gradient.read::<T>();
                let like_value = self.arrays.iter().zip(rule.state_names()).filter(|(_, name)| **name != MOMENTA);
                let mut guards: Vec<_> = like_value.map(|(array, _)| array.write::<T>()).collect();
                let mut guards = guards.iter_mut();
                let arrays = std::array::from_fn(|_| guards.next().map_or_else(Default::default, |g| &mut g[..]));
                let mut out = output.write::<T>();
                run(rule, rates, at, &mut out, &grad, arrays);
            }
            if !output.same_storage(value) {
                crate::array::map_into(value, &output, |_: T, v: T| v)?;
            }
            Ok(())
        })
    }

    /// [`DenseState::update`] by Adam of a gradient of the given mean square, with what `guard` makes of one that is far from the usual size.
    pub(super) fn guarded_update(
        &mut self,
        guard: &mut Guard,
        (rule, rates): (DenseRule, DenseRates),
        value: &Array,
        gradient: &Array,
        square: f64,
    ) -> Result<()> {
        let ceiling = Guard::ceiling(square);
        let square = square * ceiling * ceiling;
        // A spike counts as a gradient of the usual size in its direction.
        let spike = guard.is_spike(square, |usual| usual.square);
        let scale = ceiling * if spike { (guard.usual().square / square).sqrt() } else { 1.0 };
        if scale == 1.0 {
            self.update(rule, rates, value, gradient)?;
        } else {
            let copy = dispatch_float!("step", gradient.dtype(), T => Ok(crate::array::map(gradient, |g: T| T::of(g.wide() * scale))))?;
            self.update(rule, rates, value, &copy)?;
        }
        if let (Some(level), DenseRule::Adam { betas, .. }) = (guard.record(Sizes { bound: square, square, points: 0.0 }), rule) {
            self.bring_to(level.square, betas.1)?;
        }
        Ok(())
    }

    /// Brings Adam's moments to a mean of the second ones.
    fn bring_to(&self, level: f64, beta: f64) -> Result<()> {
        let [m, v] = &self.arrays[..] else { return Ok(()) };
        dispatch_float!("step", v.dtype(), T => {
            let mean = v.read::<T>().iter().map(|v| v.wide()).sum::<f64>() / v.numel().max(1) as f64 / correction(beta, self.step);
            let by = level / mean;
            if by.is_finite() && by > 0.0 {
                for (moments, by) in [(v, by), (m, by.sqrt())] {
                    let most = f64::from(f32::MAX);
                    moments.write::<T>().iter_mut().for_each(|m| *m = T::of((m.wide() * by).clamp(-most, most)));
                }
            }
            Ok(())
        })
    }

    /// Bytes held.
    pub fn nbytes(&self) -> usize {
        self.arrays.iter().map(Array::nbytes).sum()
    }
}

/// Sum of the squares of all elements; none if one is not finite.
pub(super) fn squares(a: &Array) -> Result<Option<f64>> {
    dispatch_float!("step", a.dtype(), T => Ok(sum_of_squares(&a.as_contiguous().read::<T>())))
}

/// An optimiser of dense tensors.
#[derive(Default)]
pub struct DenseOptimizer {
    params: Vec<(RBETensor, usize)>, // with the group
    groups: Vec<(DenseRule, DenseRates)>,
    states: Vec<DenseState>,
}

impl DenseOptimizer {
    /// Optimiser of groups of tensors that share a rule.
    ///
    /// # Errors
    /// `DType` for a packed tensor, or another type than float32 and float64; `Graph` for one that is no leaf or given twice.
    pub fn new(rule: DenseRule, groups: Vec<(Vec<RBETensor>, DenseRates)>) -> Result<DenseOptimizer> {
        let mut out = DenseOptimizer::default();
        for (params, rates) in groups {
            out.add_group(params, rule, rates)?;
        }
        Ok(out)
    }

    /// Adds a group.
    ///
    /// # Errors
    /// As [`DenseOptimizer::new`].
    pub fn add_group(&mut self, params: Vec<RBETensor>, rule: DenseRule, rates: DenseRates) -> Result<()> {
        const OP: &str = "optimizer";
        for (i, p) in params.iter().enumerate() {
            if p.is_packed() || !p.dtype().is_wide_float() {
                let expected = "dense tensors of float32 or float64 (HybridOptimizer trains packed ones)";
                return Err(RbeError::dtype(OP, expected, format!("{p:?}")));
            }
            check_leaf(p, self.params.iter().map(|(p, _)| p).chain(&params[..i]))?;
        }
        let group = self.groups.len();
        self.groups.push((rule, rates));
        for p in &params {
            self.states.push(DenseState::new(rule, p.array(OP)?));
        }
        self.params.extend(params.into_iter().map(|p| (p, group)));
        Ok(())
    }

    /// Rule and rates of the groups, to change the constants of a rule but not its kind.
    pub fn groups_mut(&mut self) -> &mut [(DenseRule, DenseRates)] {
        &mut self.groups
    }

    /// The rule of tensor `i`.
    pub fn rule_of(&self, i: usize) -> Option<DenseRule> {
        self.params.get(i).and_then(|(_, group)| self.groups.get(*group)).map(|(rule, _)| *rule)
    }

    /// State of every tensor, in the order given.
    pub fn states(&self) -> &[DenseState] {
        &self.states
    }

    /// Replaces the state of tensor `i` by what [`DenseOptimizer::states`] gave, or by that before the first step where there are no arrays;
    /// nothing changes on error.
    ///
    /// # Errors
    /// `Shape` or `DType` if an array does not fit; `Value` if one is missing or has a negative square; `Index` for a tensor that is not there.
    pub fn set_state_of(&mut self, i: usize, arrays: &[(String, Array)], step: u64) -> Result<()> {
        const OP: &str = "load_state_dict";
        let count = self.params.len();
        let (p, group) = self.params.get(i).ok_or_else(|| RbeError::index(OP, format!("a parameter below {count}"), i))?;
        let rule = self.groups[*group].0;
        let value = p.array(OP)?;
        if arrays.is_empty() && (step == 0 || rule.state_names().is_empty()) {
            self.states[i] = DenseState { step, ..DenseState::new(rule, value) };
            return Ok(());
        }
        let mut fresh = Vec::new();
        for name in rule.state_names() {
            let found = match arrays.iter().find(|(n, _)| n == name) {
                Some((_, found)) => found,
                // torch has these two only where they are used.
                None if matches!(rule, DenseRule::RmsProp { .. }) && *name != "square_avg" => &Array::zeros(value.dtype(), value.shape()),
                None => return Err(RbeError::value(OP, format!("{name:?} of parameter {i}"), "none")),
            };
            let (shape, dtype) = if *name == MOMENTA { (&[][..], DType::F32) } else { (value.shape(), value.dtype()) };
            fresh.push(restored(name, found, shape, dtype)?);
        }
        check_moments(rule, &fresh)?;
        self.states[i] = DenseState { arrays: fresh, step };
        Ok(())
    }

    /// The tensors, in the order given.
    pub fn params(&self) -> impl Iterator<Item = &RBETensor> {
        self.params.iter().map(|(p, _)| p)
    }

    /// Updates every tensor that has a gradient.
    ///
    /// # Errors
    /// None that leave some tensors updated: dtypes were checked on entry.
    pub fn step(&mut self) -> Result<()> {
        crate::tape::settle()?; // what was called before reads the values as they are
        memory::guard("step", || {
            for ((p, group), state) in self.params.iter().zip(&mut self.states) {
                state.complete(self.groups[*group].0, p.array("step")?);
            }
            let bytes = scratch::of_all(self.params.iter().map(|(p, _)| p));
            memory::assured(bytes, || self.update())
        })
    }

    fn update(&mut self) -> Result<()> {
        for ((p, group), state) in self.params.iter().zip(&mut self.states) {
            if let Some(Gradient::Dense(g)) = p.grad() {
                let (rule, rates) = self.groups[*group];
                state.update(rule, rates, p.array("step")?, &g)?;
            }
        }
        Ok(())
    }

    /// Forgets the gradients.
    pub fn zero_grad(&self) {
        self.params.iter().for_each(|(p, _)| drop(p.slot().grad.lock().take()));
    }

    /// Fills the gradients with zeros.
    ///
    /// # Errors
    /// None: dtypes were checked on entry.
    pub fn fill_grad(&self) -> Result<()> {
        self.params.iter().try_for_each(|(p, _)| fill_grad(p))
    }
}

/// Fills a dense gradient with zeros, and forgets one of a packed tensor: it belongs to the weights as they were.
pub(super) fn fill_grad(p: &RBETensor) -> Result<()> {
    let Some(Gradient::Dense(g)) = p.grad() else {
        p.slot().grad.lock().take();
        return Ok(());
    };
    dispatch_size!(g.dtype(), T => crate::array::map_into(&g, &Array::zeros(g.dtype(), &[]), |_: T, zero: T| zero))
}

/// A copy of the array `name` of a saved state, which must have this shape and type.
pub(super) fn restored(name: &str, saved: &Array, shape: &[usize], dtype: DType) -> Result<Array> {
    if saved.shape() != shape {
        return Err(RbeError::shape("load_state_dict", format!("{name} {shape:?}"), format!("{:?}", saved.shape())));
    }
    if saved.dtype() != dtype {
        return Err(RbeError::dtype("load_state_dict", format!("{name} of {dtype}"), saved.dtype()));
    }
    Ok(saved.copy())
}

/// Fails for a negative second moment, or sum of squares, in the arrays of a state.
pub(super) fn check_moments(rule: DenseRule, arrays: &[Array]) -> Result<()> {
    for (name, a) in rule.state_names().iter().zip(arrays) {
        if !matches!(*name, "exp_avg_sq" | "max_exp_avg_sq" | "square_avg" | "sum" | "acc_delta" | "exp_inf" | MOMENTA) {
            continue;
        }
        dispatch_float!("load_state_dict", a.dtype(), T => {
            match a.as_contiguous().read::<T>().iter().find(|v| v.wide() < 0.0) {
                Some(bad) => Err(RbeError::value("load_state_dict", format!("{name} >= 0"), bad.wide())),
                None => Ok(()),
            }
        })?;
    }
    Ok(())
}

/// Fails for a tensor that is no leaf or already in `others`.
pub(super) fn check_leaf<'a>(p: &RBETensor, mut others: impl Iterator<Item = &'a RBETensor>) -> Result<()> {
    if !p.is_leaf() {
        return Err(RbeError::graph("optimizer", "leaf tensors", "the result of a recorded operation"));
    }
    if others.any(|o| o.id() == p.id()) {
        return Err(RbeError::graph("optimizer", "each tensor once", format!("{p:?} twice")));
    }
    Ok(())
}
