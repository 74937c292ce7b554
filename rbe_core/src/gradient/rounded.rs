//! Gradients of products whose inputs were rounded to int8.

use super::cache::{Factor, GradientCache};
use crate::array::Array;
use crate::isa;
use crate::kernel::dense::squares::sum_of_squares;
use crate::kernel::packed::quantised::{quantise, restore};
use crate::kernel::update::rounded_gradient;
use crate::packed::{BITS, FactorPair, Magnitude, PackedTensor, Quantised};

/// Bytes of factors up to which they are kept: there is little to gain, and a reader gets their exact product.
const LITTLE: usize = 1 << 18;

/// `x` (batch, cols) f32 rounded to int8: the values, in the bytes of an array of u8, and the scales (batch).
pub(crate) fn quantised(x: &Array) -> (Array, Array) {
    let values = Array::build(x.shape(), |_: &mut [u8]| {});
    let scales = Array::build(&x.shape()[..1], |_: &mut [f32]| {});
    let x = x.contiguous();
    quantise(&x.read::<f32>(), bytemuck::cast_slice_mut(&mut values.write::<u8>()), &mut scales.write::<f32>());
    (values, scales)
}

/// What `values` and `scales`, as of [`quantised`], stand for: f32 of `shape`, with as many elements as there are values.
pub(crate) fn restored(values: &Array, scales: &Array, shape: &[usize]) -> Array {
    let (values, scales) = (values.read::<u8>(), scales.read::<f32>());
    Array::build(shape, |out| restore(Quantised { values: bytemuck::cast_slice(&values), scales: &scales }, out))
}

impl GradientCache {
    /// Gradient of one use with rounded inputs. Where the weight cotangent `G` is smaller than the factors, it is held instead of them, formed
    /// in int8 from `dy` rounded without bias.
    pub fn of_rounded(weight: &PackedTensor, factor: Factor) -> GradientCache {
        let mut cache = GradientCache::new(weight, factor);
        let whole = weight.rows() * weight.blocks() * BITS * size_of::<f32>();
        if cache.factor_bytes() > whole.max(LITTLE)
            && let Some(g) = cache.factors.first().and_then(|factor| in_integers(weight, factor))
        {
            cache.folded = Some(Box::new(g));
            cache.factors.clear();
        }
        cache
    }
}

/// `G` (rows, blocks, 64) f32 of a factor; none if a number is not finite, or so large or small that the factors are to be scaled first.
fn in_integers(weight: &PackedTensor, factor: &Factor) -> Option<Array> {
    let (x, dy) = (factor.x(), factor.dy());
    let (batch, x, dy) = (x.shape()[0], x.read::<f32>(), dy.read::<f32>());
    let magnitude = Magnitude::new(weight, [[sum_of_squares(&x)?, sum_of_squares(&dy)?]], 0.0);
    magnitude.is_moderate().then(|| {
        Array::build(&[weight.rows(), weight.blocks(), BITS], |g: &mut [f32]| {
            rounded_gradient(isa::current(), FactorPair { x: &x, dy: &dy, batch }, weight, g);
        })
    })
}
