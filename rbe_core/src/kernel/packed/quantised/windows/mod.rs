//! Products of a convolution's windows with int8 inputs. Consecutive windows are the lanes of a vector: neighbours in the image, they
//! are loaded as they lie there, and no row is made of a window (design/convolution.md).

pub(in crate::kernel) mod dx;
pub(in crate::kernel) mod forward;
pub(in crate::kernel) mod gradient;
pub(in crate::kernel) mod operands;
mod order;
mod products;
pub mod reference;
mod round;

pub use operands::{STEP, WindowRows, ZERO};
pub use products::{DxFilters, forward, padded_rows, weight_gradient};
pub(crate) use round::round_row;
