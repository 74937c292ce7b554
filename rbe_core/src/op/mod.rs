//! Differentiable operations: one small type each, its rule in one table.

mod activation;
mod arithmetic;
mod arrange;
mod attention;
mod batch_norm;
mod conv;
mod embedding;
mod fused;
mod index;
mod loss;
mod matmul;
mod norm;
mod order;
mod packed;
mod pool;
mod recurrent;
mod reduce;
mod rule;
mod scan;
mod select;
mod softmax;
pub mod table;
mod unary;
mod unfold;
mod views;
mod window;

pub(crate) use activation::packed_units;
pub use attention::AttentionOptions;
pub use batch_norm::Running;
pub use fused::{Elementwise, ElementwiseOf, Fused, Instruction};
pub use index::Picks;
pub use loss::{CrossEntropyOptions, Reduction, mse_loss};
pub use recurrent::Cell;
pub use rule::{Cx, Grads, Inputs, Op, Output, Rule, Saves, dense};
pub use select::{Comparison, Logic};
pub use window::Windows;
