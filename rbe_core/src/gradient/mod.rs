//! Gradients: dense arrays, or the factors of a packed tensor's.

mod cache;
mod read;
mod rounded;
mod units;

pub use cache::{Factor, GradientCache};
pub use read::RBEGradient;
pub(crate) use rounded::{quantised, restored};
pub(crate) use units::{OP as ACTIVATION, check_radius, packed_units, states, units};

use crate::array::{Array, map_into, zip};
use crate::dispatch_float;
use crate::error::{RbeError, Result};

/// A gradient on its way or at rest.
#[derive(Clone)]
pub enum Gradient {
    /// Of a dense tensor: same shape and dtype.
    Dense(Array),
    /// Of a packed tensor.
    Packed(GradientCache),
}

impl Gradient {
    /// Bytes held.
    pub fn nbytes(&self) -> usize {
        match self {
            Gradient::Dense(array) => array.nbytes(),
            Gradient::Packed(cache) => cache.nbytes(),
        }
    }

    /// The sum of two gradients of one tensor, in the memory of the first where nobody else sees it.
    ///
    /// # Errors
    /// `Graph` for a dense and a packed one, or factors of different versions of the packed tensor.
    pub(crate) fn add(self, other: Gradient) -> Result<Gradient> {
        match (self, other) {
            (Gradient::Dense(a), Gradient::Dense(b)) if a.dtype().is_narrow() => {
                let dtype = a.dtype();
                let sum = Gradient::Dense(a.wide().into_owned()).add(Gradient::Dense(b.wide().into_owned()))?;
                Ok(match sum {
                    Gradient::Dense(sum) => Gradient::Dense(sum.cast(dtype)),
                    packed => packed,
                })
            }
            (Gradient::Dense(a), Gradient::Dense(b)) => {
                Ok(Gradient::Dense(if a.is_unique() && a.is_contiguous() && a.dtype() == b.dtype() {
                    dispatch_float!("backward", a.dtype(), T => map_into(&a, &b, |x: T, y: T| x + y))?;
                    a
                } else {
                    dispatch_float!("backward", a.dtype(), T => zip("backward", &a, &b, |x: T, y: T| x + y))?
                }))
            }
            (Gradient::Packed(mut a), Gradient::Packed(b)) => {
                a.append(b)?;
                Ok(Gradient::Packed(a))
            }
            _ => Err(RbeError::graph("backward", "gradients of one kind for a tensor", "a dense and a packed one")),
        }
    }
}
