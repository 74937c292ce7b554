//! The gradient of a packed tensor, held as the small factors of its weight cotangent.

use std::sync::OnceLock;

use super::rounded::{quantised, restored};
use super::units::UnitSums;
use crate::array::{Array, map, map_into, zip};
use crate::error::{RbeError, Result};
use crate::packed::{BITS, PackedTensor};

/// One contribution to the gradient of a packed tensor, from one use of it.
#[derive(Clone)]
pub enum Factor {
    /// `G += dyᵀ x`: a product `x Wᵀ` with `x` (batch, cols) and upstream `dy` (batch, rows), both contiguous f32.
    Product {
        /// (batch, cols)
        x: Array,
        /// (batch, rows)
        dy: Array,
    },
    /// The same with `x` rounded to int8: `G += Σ_b scales[b] dy[b]ᵀ values[b]`.
    Rounded {
        /// (batch, cols) int8, in the bytes of an array of u8
        values: Array,
        /// (batch) f32
        scales: Array,
        /// (batch, rows) f32
        dy: Array,
    },
    /// An activation whose blocks are cycle states: input `x` and upstream `dy`, both (batch, features), contiguous f32.
    Activation {
        /// (batch, features)
        x: Array,
        /// (batch, features)
        dy: Array,
        /// Whether flips into functions that grow (sinh, cosh, exp) are refused, as for blocks that generate weights.
        bounded: bool,
    },
}

/// The gradient of a packed tensor, held as factors until it is read or stepped; uses of the tensor append. While the
/// factors are smaller than the weight cotangent `G` (rows, cols) it is not stored; then they are folded into it.
#[derive(Clone)]
pub struct GradientCache {
    pub(super) weight: PackedTensor,
    version: u64,
    pub(super) factors: Vec<Factor>,
    pub(super) folded: Option<Box<Array>>, // (rows, blocks, 64) f32: the part of G that is no longer held as factors
    pub(super) sums: Option<Box<UnitSums>>, // of an activation: the part of its gradients that is no longer held as factors
    pub(super) levels: OnceLock<Array>,    // what `levels` is to return, where reading `hi` has found it
}

impl Factor {
    /// The product of `x` (batch, cols) f32, rounded to int8 here, and `dy` (batch, rows).
    pub fn rounded(x: &Array, dy: Array) -> Factor {
        let (values, scales) = quantised(x);
        Factor::Rounded { values, scales, dy }
    }

    /// Upstream gradient (batch, rows), or (batch, features).
    pub fn dy(&self) -> &Array {
        match self {
            Factor::Product { dy, .. } | Factor::Rounded { dy, .. } | Factor::Activation { dy, .. } => dy,
        }
    }

    /// Inputs (batch, cols), or (batch, features), in f32; rounded ones are made anew.
    pub fn x(&self) -> Array {
        match self {
            Factor::Product { x, .. } | Factor::Activation { x, .. } => x.clone(),
            Factor::Rounded { values, scales, .. } => restored(values, scales, values.shape()),
        }
    }
}

impl GradientCache {
    /// Gradient of one use.
    pub fn new(weight: &PackedTensor, factor: Factor) -> GradientCache {
        GradientCache {
            weight: weight.clone(),
            version: weight.version(),
            factors: vec![factor],
            folded: None,
            sums: None,
            levels: OnceLock::new(),
        }
    }

    /// Gradient whose weight cotangent `G` (rows, cols) f32 is known.
    pub fn of_cotangent(weight: &PackedTensor, g: &Array) -> GradientCache {
        let (cols, width) = (weight.cols(), weight.blocks() * BITS);
        let folded = Array::build(&[weight.rows(), weight.blocks(), BITS], |out: &mut [f32]| {
            out.fill(0.0);
            for (out, g) in out.chunks_exact_mut(width).zip(g.contiguous().read::<f32>().chunks_exact(cols)) {
                out[..cols].copy_from_slice(g);
            }
        });
        GradientCache {
            weight: weight.clone(),
            version: weight.version(),
            factors: Vec::new(),
            folded: Some(Box::new(folded)),
            sums: None,
            levels: OnceLock::new(),
        }
    }

    /// The tensor this is the gradient of.
    pub fn weight(&self) -> &PackedTensor {
        &self.weight
    }

    /// The factors that are not folded, oldest first.
    pub fn factors(&self) -> &[Factor] {
        &self.factors
    }

    /// The part of `G` (rows, blocks, 64) that is no longer held as factors.
    pub fn folded(&self) -> Option<&Array> {
        self.folded.as_deref()
    }

    /// Whether what an activation no longer holds as factors was finite.
    pub(crate) fn has_finite_sums(&self) -> bool {
        self.sums.as_ref().is_none_or(|s| s.points.iter().all(|v| v.is_finite()) && !s.delta.iter().any(|v| v.is_nan()))
    }

    pub(super) fn factor_bytes(&self) -> usize {
        let bytes = |f: &Factor| match f {
            Factor::Product { x, dy } | Factor::Activation { x, dy, .. } => x.nbytes() + dy.nbytes(),
            Factor::Rounded { values, scales, dy } => values.nbytes() + scales.nbytes() + dy.nbytes(),
        };
        self.factors.iter().map(bytes).sum()
    }

    /// Bytes held.
    pub fn nbytes(&self) -> usize {
        let sums = self.sums.as_ref().map_or(0, |_| self.weight.rows() * UnitSums::SIZE);
        self.factor_bytes() + sums + [self.folded(), self.levels.get()].into_iter().flatten().map(Array::nbytes).sum::<usize>()
    }

    /// Fails if the tensor was changed since its first factor was taken.
    ///
    /// # Errors
    /// `Graph`, naming `op`.
    pub fn check_fresh(&self, op: &'static str) -> Result<()> {
        if self.weight.version() == self.version {
            return Ok(());
        }
        Err(RbeError::graph(
            op,
            "a gradient of the packed tensor as it is now",
            "one taken before the tensor was changed in place (call zero_grad after step)",
        ))
    }

    /// Adds the contribution of further uses.
    ///
    /// # Errors
    /// `Graph` if the tensor was changed in between.
    pub fn append(&mut self, other: GradientCache) -> Result<()> {
        self.check_fresh("backward")?;
        self.levels = OnceLock::new();
        self.folded = match (self.folded.take(), other.folded) {
            (Some(a), Some(b)) => Some(Box::new(sum(*a, *b)?)),
            (a, b) => a.or(b),
        };
        match (&mut self.sums, other.sums) {
            (Some(a), Some(b)) => a.add(&b),
            (none, other) => *none = none.take().or(other),
        }
        self.factors.extend(other.factors);
        let folded = if self.is_activation() { UnitSums::SIZE } else { self.weight.blocks() * BITS * size_of::<f32>() };
        if self.factors.len() > 1 && self.factor_bytes() > self.weight.rows() * folded {
            self.fold()?;
        }
        Ok(())
    }

    /// Puts the sum of the factors in their place.
    fn fold(&mut self) -> Result<()> {
        if self.is_activation() {
            let flips = self.unit_flips()?;
            self.sums = Some(Box::new(UnitSums { delta: flips.0, interaction: flips.1, points: self.unit_points()? }));
        } else {
            self.folded = Some(Box::new(self.weight_cotangent()));
        }
        self.factors.clear();
        Ok(())
    }

    /// The gradient of the loss times `scale`.
    pub(crate) fn scaled(&self, scale: f32) -> GradientCache {
        let times = |a: &Array| map(a, |v: f32| v * scale);
        let factors = self.factors.iter().map(|f| match f {
            Factor::Product { x, dy } => Factor::Product { x: x.clone(), dy: times(dy) },
            Factor::Rounded { values, scales, dy } => Factor::Rounded { values: values.clone(), scales: scales.clone(), dy: times(dy) },
            Factor::Activation { x, dy, bounded } => Factor::Activation { x: x.clone(), dy: times(dy), bounded: *bounded },
        });
        GradientCache {
            weight: self.weight.clone(),
            version: self.version,
            factors: factors.collect(),
            folded: self.folded().map(|g| Box::new(times(g))),
            sums: self.sums.as_ref().map(|s| Box::new(s.scaled(f64::from(scale)))),
            levels: OnceLock::new(),
        }
    }

    /// Whether this is the gradient of an activation, whose blocks are cycle states.
    pub fn is_activation(&self) -> bool {
        self.sums.is_some() || matches!(self.factors.first(), Some(Factor::Activation { .. }))
    }
}

/// `a + b`, in the memory of one of them where nobody else sees it.
fn sum(a: Array, b: Array) -> Result<Array> {
    let (into, other) = if a.is_unique() { (a, b) } else { (b, a) };
    if into.is_unique() {
        map_into(&into, &other, |x: f32, y: f32| x + y)?;
        return Ok(into);
    }
    zip("backward", &into, &other, |x: f32, y: f32| x + y)
}
