//! Gradients times a number.

use crate::array::{Array, map_into};
use crate::dispatch_float;
use crate::dtype::Float;
use crate::error::Result;
use crate::gradient::Gradient;
use crate::tape::RBETensor;

/// Multiplies the gradients of all tensors that have one, dense ones in place.
///
/// # Errors
/// None for gradients that `backward` made.
pub fn scale_grad(params: &[RBETensor], scale: f64) -> Result<()> {
    for p in params {
        match p.grad() {
            Some(Gradient::Dense(g)) => {
                g.change(|g| dispatch_float!("scale_grad", g.dtype(), T => map_into(g, &Array::scalar(T::of(scale)), |g: T, s: T| g * s)))?;
            }
            Some(Gradient::Packed(cache)) => p.set_grad(Some(Gradient::Packed(cache.scaled(scale as f32))))?,
            None => {}
        }
    }
    Ok(())
}
