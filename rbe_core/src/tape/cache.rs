//! Gradients as leaves hold them: dense, or the small factors of a packed tensor's weight cotangent.

use std::sync::OnceLock;

use crate::array::Array;
use crate::error::{RbeError, Result};
use crate::kernel::packed as kernel;
use crate::kernel::packed::activation::{Unit, dz, flips};
use crate::kernel::packed::reference;
use crate::memory;
use crate::op::packed_units;
use crate::packed::{BITS, CYCLE_BITS, FactorPair, PackedTensor, pull_back};
use crate::parallel;

/// Blocks of one parallel piece.
const PIECE: usize = 256;

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
    /// An activation whose blocks are cycle states: input `x` and upstream `dy`, both (batch, features), contiguous f32.
    Activation {
        /// (batch, features)
        x: Array,
        /// (batch, features)
        dy: Array,
    },
}

/// The gradient of a packed tensor, held as factors until it is read or stepped; uses of the tensor append. While the
/// factors are smaller than the weight cotangent `G` (rows, cols) it is not stored; then they are folded into it.
#[derive(Clone)]
pub struct GradientCache {
    weight: PackedTensor,
    version: u64,
    factors: Vec<Factor>,
    folded: Option<Box<Array>>,  // (rows, blocks, 64) f32: the part of G that is no longer held as factors
    sums: Option<Box<UnitSums>>, // of an activation: the part of its gradients that is no longer held as factors
    levels: OnceLock<Array>,     // what `levels` is to return, where reading `hi` has found it
}

/// Gradients of an activation's units, summed over uses.
struct UnitSums {
    delta: Vec<f64>,       // (units, 11), +inf for a flip into an invalid state
    interaction: Vec<f64>, // (units, 11, 2)
    points: Vec<f64>,      // (units, 2)
}

impl Clone for UnitSums {
    fn clone(&self) -> UnitSums {
        let [delta, interaction, points] = [&self.delta, &self.interaction, &self.points].map(|values| memory::copied(values));
        UnitSums { delta, interaction, points }
    }
}

impl UnitSums {
    /// Bytes of a unit.
    const SIZE: usize = (3 * CYCLE_BITS + 2) * size_of::<f64>();

    fn add(&mut self, other: &UnitSums) {
        add_all(&mut self.delta, &other.delta);
        add_all(&mut self.interaction, &other.interaction);
        add_all(&mut self.points, &other.points);
    }

    fn scaled(&self, scale: f64) -> UnitSums {
        let times = |values: &[f64]| memory::collect(values.iter().map(|v| if v.is_finite() { v * scale } else { *v }));
        UnitSums { delta: times(&self.delta), interaction: times(&self.interaction), points: times(&self.points) }
    }
}

/// `total += part`, where there is a total yet.
fn add_all(total: &mut Vec<f64>, part: &[f64]) {
    if total.is_empty() {
        *total = memory::copied(part);
    } else {
        total.iter_mut().zip(part).for_each(|(t, p)| *t += p);
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
    pub(crate) fn of_cotangent(weight: &PackedTensor, g: &Array) -> GradientCache {
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

    fn factor_bytes(&self) -> usize {
        let bytes = |f: &Factor| match f {
            Factor::Product { x, dy } | Factor::Activation { x, dy } => x.nbytes() + dy.nbytes(),
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
}

/// `a + b`, in the memory of one of them where nobody else sees it.
fn sum(a: Array, b: Array) -> Result<Array> {
    let (into, other) = if a.is_unique() { (a, b) } else { (b, a) };
    if into.is_unique() {
        crate::array::map_into(&into, &other, |x: f32, y: f32| x + y)?;
        return Ok(into);
    }
    crate::array::zip("backward", &into, &other, |x: f32, y: f32| x + y)
}

/// The three gradients of a packed tensor.
#[derive(Clone)]
pub struct RBEGradient {
    /// Change of the loss if a bit flips, first order: f32 (rows, blocks, 64), 0 at unused bits.
    pub hi: Array,
    /// Euclidean gradient of the points: f32 (rows, blocks, 2).
    pub lo: Array,
    /// Derivative of `hi` with respect to the point: f32 (rows, blocks, 64, 2).
    pub interaction: Array,
}

impl GradientCache {
    /// The three gradients, for the tensor as it is now.
    ///
    /// # Errors
    /// `Graph` if the tensor was changed since.
    pub fn read(&self) -> Result<RBEGradient> {
        self.check_fresh("grad")?;
        if self.is_activation() {
            let (hi, interaction) = self.activation_flips()?;
            return Ok(RBEGradient { hi, lo: self.lo()?, interaction });
        }
        let g = self.weight_cotangent();
        let interaction = self.interaction_of(&g);
        Ok(RBEGradient { hi: self.hi_of(g), lo: self.lo()?, interaction })
    }

    /// The gradient of the loss times `scale`.
    pub(crate) fn scaled(&self, scale: f32) -> GradientCache {
        let times = |a: &Array| crate::array::map(a, |v: f32| v * scale);
        let factors = self.factors.iter().map(|f| match f {
            Factor::Product { x, dy } => Factor::Product { x: x.clone(), dy: times(dy) },
            Factor::Activation { x, dy } => Factor::Activation { x: x.clone(), dy: times(dy) },
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

    fn shape<const N: usize>(&self, tail: [usize; N]) -> crate::array::Dims {
        [self.weight.rows(), self.weight.blocks()].into_iter().chain(tail).collect()
    }

    /// Calls `work` with the factors of the products.
    pub(crate) fn with_products<R>(&self, work: impl FnOnce(&[FactorPair<'_>]) -> R) -> R {
        let guards: Vec<_> = self
            .factors
            .iter()
            .filter_map(|f| match f {
                Factor::Product { x, dy } => Some((x.read::<f32>(), dy.read::<f32>(), x.shape()[0])),
                Factor::Activation { .. } => None,
            })
            .collect();
        let factors: Vec<_> = guards.iter().map(|(x, dy, batch)| FactorPair { x, dy, batch: *batch }).collect();
        work(&factors)
    }

    /// The weight cotangent `G = Σ dyᵀ x`: f32 (rows, blocks, 64), 0 at unused bits. Zero for an activation.
    pub fn weight_cotangent(&self) -> Array {
        self.with_products(|factors| {
            Array::build(&self.shape([BITS]), |g: &mut [f32]| {
                kernel::weight_gradient(factors, &self.weight, g);
                if let Some(folded) = &self.folded {
                    let folded = folded.read::<f32>();
                    parallel::for_each_piece(g, BITS * PIECE, |p, piece| {
                        piece.iter_mut().zip(&folded[p * BITS * PIECE..]).for_each(|(g, f)| *g += f);
                    });
                }
            })
        })
    }

    /// Flip gradient `Δ_k = G_k (v_{1-b} - v_b)`: f32 (rows, blocks, 64), 0 at unused bits. For an activation the change of
    /// the loss for each of the 11 bits, +inf for a flip into an invalid state.
    ///
    /// # Errors
    /// `Graph` if the tensor was changed since.
    pub fn hi(&self) -> Result<Array> {
        self.check_fresh("grad.hi")?;
        if self.is_activation() {
            return self.activation_flips().map(|(delta, _)| delta);
        }
        if self.folded.is_some() {
            return Ok(self.hi_of(self.weight_cotangent()));
        }
        let levels = self.no_levels();
        let hi = self.with_products(|factors| {
            Array::build(&self.shape([BITS]), |g: &mut [f32]| {
                kernel::flip_gradient(factors, &self.weight, g, &mut levels.write::<f32>());
            })
        });
        self.levels.get_or_init(|| levels);
        Ok(hi)
    }

    fn hi_of(&self, g: Array) -> Array {
        let levels = self.no_levels();
        kernel::to_flips(&self.weight, &mut g.write::<f32>(), &mut levels.write::<f32>());
        self.levels.get_or_init(|| levels);
        g
    }

    /// Room for the gradient of the levels.
    fn no_levels(&self) -> Array {
        Array::build(&self.shape([2]), |_: &mut [f32]| {})
    }

    /// Euclidean gradient of the points, `Jᵀ g_v`: f32 (rows, blocks, 2).
    ///
    /// # Errors
    /// `Graph` if the tensor was changed since.
    pub fn lo(&self) -> Result<Array> {
        self.check_fresh("grad.lo")?;
        if self.is_activation() {
            let total = self.unit_points()?;
            return Array::from_slice(&memory::collect(total.into_iter().map(|v| v as f32)), &self.shape([2]));
        }
        let gv = self.levels()?;
        kernel::to_points(&self.weight, &mut gv.write::<f32>());
        Ok(gv)
    }

    /// Gradient of the two levels of every block, the sums of `G` over its bits that are 0 and 1: f32 (rows, blocks, 2).
    ///
    /// # Errors
    /// `Graph` if the tensor was changed since, or is an activation, whose blocks have no levels.
    pub fn levels(&self) -> Result<Array> {
        const OP: &str = "grad.levels";
        self.check_fresh(OP)?;
        if self.is_activation() {
            return Err(RbeError::graph(OP, "the gradient of two-level weights", "that of an activation"));
        }
        if let Some(known) = self.levels.get() {
            return Ok(known.copy());
        }
        let gv = self.with_products(|f| Array::build(&self.shape([2]), |gv: &mut [f32]| kernel::level_gradient(f, &self.weight, gv)));
        if let Some(folded) = &self.folded {
            reference::level_gradient(&folded.read::<f32>(), &self.weight.hi(), &mut gv.write::<f32>());
        }
        Ok(gv)
    }

    /// `I_k = ∂Δ_k/∂z = G_k Jᵀ (e_{1-b} - e_b)`: f32 (rows, blocks, 64, 2).
    ///
    /// # Errors
    /// `Graph` if the tensor was changed since.
    pub fn interaction(&self) -> Result<Array> {
        self.check_fresh("grad.interaction")?;
        if self.is_activation() {
            return self.activation_flips().map(|(_, interaction)| interaction);
        }
        Ok(self.interaction_of(&self.weight_cotangent()))
    }

    fn interaction_of(&self, g: &Array) -> Array {
        let (hi, lo, scale) = (self.weight.hi(), self.weight.lo(), self.weight.scale());
        let g = g.read::<f32>();
        Array::build(&self.shape([BITS, 2]), |out: &mut [f32]| {
            parallel::for_each_piece(out, BITS * 2 * PIECE, |p, piece| {
                for (i, block) in piece.chunks_exact_mut(BITS * 2).enumerate() {
                    let at = p * PIECE + i;
                    let up = pull_back([lo[2 * at], lo[2 * at + 1]], scale, [-1.0, 1.0]); // Jᵀ (e_1 - e_0)
                    for (k, o) in block.chunks_exact_mut(2).enumerate() {
                        let g = if hi[at] >> k & 1 == 1 { -g[at * BITS + k] } else { g[at * BITS + k] };
                        o[0] = g * up[0];
                        o[1] = g * up[1];
                    }
                }
            });
        })
    }

    /// Calls `f` with (x, dy, features, units) of every factor of an activation, oldest first.
    fn each_use(&self, mut f: impl FnMut(&[f32], &[f32], usize, &[Unit<f32>])) -> Result<()> {
        for factor in &self.factors {
            let Factor::Activation { x, dy } = factor else { continue };
            let features = x.shape()[1];
            let units = packed_units(&self.weight, features)?;
            f(&x.read::<f32>(), &dy.read::<f32>(), features, &units);
        }
        Ok(())
    }

    /// Flip gradient (units, 11) of an activation, and its derivative with respect to the points (units, 11, 2).
    pub(crate) fn unit_flips(&self) -> Result<(Vec<f64>, Vec<f64>)> {
        let mut total = self.sums.as_ref().map_or_else(Default::default, |s| (memory::copied(&s.delta), memory::copied(&s.interaction)));
        let lo = self.weight.lo();
        self.each_use(|x, dy, features, units| {
            let part = flips(x, dy, features, units, &lo);
            add_all(&mut total.0, &part.0);
            add_all(&mut total.1, &part.1);
        })?;
        Ok(total)
    }

    /// Euclidean gradient of the points (units, 2) of an activation.
    pub(crate) fn unit_points(&self) -> Result<Vec<f64>> {
        let mut total = self.sums.as_ref().map_or_else(Vec::new, |s| memory::copied(&s.points));
        let lo = self.weight.lo();
        self.each_use(|x, dy, features, units| {
            let part = memory::collect(dz(x, dy, features, units, &lo).into_iter().map(f64::from));
            add_all(&mut total, &part);
        })?;
        Ok(total)
    }

    /// Flip gradient (rows, 1, 64) and interaction (rows, 1, 64, 2) of an activation.
    fn activation_flips(&self) -> Result<(Array, Array)> {
        let (delta, interaction) = self.unit_flips()?;
        let spread = |values: &[f64], width: usize, tail: &[usize]| {
            let shape: crate::array::Dims = [self.weight.rows(), 1].iter().chain(tail).copied().collect();
            Array::build(&shape, |out: &mut [f32]| {
                out.fill(0.0);
                for (o, v) in out.chunks_exact_mut(BITS * width).zip(values.chunks_exact(CYCLE_BITS * width)) {
                    o.iter_mut().zip(v).for_each(|(o, v)| *o = *v as f32);
                }
            })
        };
        Ok((spread(&delta, 1, &[BITS]), spread(&interaction, 2, &[BITS, 2])))
    }
}

/// A gradient on its way or at rest.
#[derive(Clone)]
pub enum Gradient {
    /// Of a dense tensor: same shape and dtype.
    Dense(Array),
    /// Of a packed tensor.
    Packed(GradientCache),
}
