//! Optimisers: one for dense tensors with a choice of rules, one for packed and dense together.

mod activation_step;
mod clip;
mod dense;
mod dense_rule;
mod earlier;
mod guard;
mod hybrid;
mod packed_state;
mod packed_step;
mod rates;
mod ready;
mod scale;
mod scratch;

pub use activation_step::step_activation;
pub use clip::{clip_grad_norm, clip_grad_value};
pub use dense::{DenseOptimizer, DenseState};
pub use dense_rule::{DenseRates, DenseRule};
pub use guard::Guard;
pub use hybrid::HybridOptimizer;
pub use packed_state::PackedState;
pub use packed_step::step_weights;
pub use rates::{NonFinite, Rates};
pub use scale::scale_grad;
