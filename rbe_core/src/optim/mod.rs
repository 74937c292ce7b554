//! Optimisers: one for dense tensors with a choice of rules, one for packed and dense together.

mod clip;
mod dense;
mod earlier;
mod hybrid;
mod rates;
mod scale;
mod scratch;

pub use clip::{clip_grad_norm, clip_grad_value};
pub use dense::{DenseOptimizer, DenseRates, DenseRule, DenseState};
pub use hybrid::HybridOptimizer;
pub use rates::{NonFinite, Rates};
pub use scale::scale_grad;
