//! Layers and models for Rust programs.

mod layers;
mod model;

pub use layers::{BatchNorm1d, Code, Linear, RBEActivation, RBELinear, Relu};
pub use model::{Layer, RBEModel};
