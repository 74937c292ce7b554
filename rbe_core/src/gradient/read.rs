//! What a reader of a packed tensor's gradient sees: the gradients of its bits, of its points, and their interaction.

use super::cache::{Factor, GradientCache};
use crate::array::{Array, Dims};
use crate::error::{RbeError, Result};
use crate::kernel::packed as kernel;
use crate::kernel::packed::reference;
use crate::kernel::update::to_level_parameters;
use crate::memory;
use crate::packed::{BITS, FactorPair, pull_back};
use crate::parallel;

/// Blocks of one parallel piece.
const PIECE: usize = 256;

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

    fn shape<const N: usize>(&self, tail: [usize; N]) -> Dims {
        [self.weight.rows(), self.weight.blocks()].into_iter().chain(tail).collect()
    }

    /// Calls `work` with the factors of the products.
    pub(crate) fn with_products<R>(&self, work: impl FnOnce(&[FactorPair<'_>]) -> R) -> R {
        let products = self.factors.iter().filter(|f| !matches!(f, Factor::Activation { .. }));
        let held: Vec<_> = products.map(|f| (f.x(), f.dy())).collect();
        let guards: Vec<_> = held.iter().map(|(x, dy)| (x.read::<f32>(), dy.read::<f32>(), x.shape()[0])).collect();
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

    /// An array for the gradient of the levels, uninitialised.
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
        to_level_parameters(&self.weight, &mut gv.write::<f32>());
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
}
