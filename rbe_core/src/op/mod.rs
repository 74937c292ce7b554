//! Differentiable operations: one small type each, its rule in one table.

mod arithmetic;
mod rule;
pub mod table;

pub use arithmetic::{Add, Mul};
pub use rule::{Cx, Grads, Inputs, Op, Output, Rule, Saves, dense};
