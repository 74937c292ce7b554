//! Neural networks trained in 2 bits a weight.
//!
//! Weights live in 128-bit blocks ([`Packed128`]) from the first step to the shipped file; there is no full-precision
//! copy. [`nn`] has layers and models, [`optim`] the hybrid optimiser, [`tape`] the tape, [`op`] the operations.

pub mod array;
pub mod disk;
mod dtype;
pub mod error;
pub mod gradcheck;
pub mod gradient;
pub mod io;
pub mod isa;
pub mod kernel;
pub mod memory;
pub mod nn;
pub mod op;
pub mod optim;
pub mod packed;
pub mod parallel;
pub mod random;
pub mod tape;

pub use dtype::{DType, Element, Float};
pub use error::{RbeError, Result};
pub use gradient::{GradientCache, RBEGradient};
pub use memory::{Buffer, GradientPool};
pub use nn::{RBEActivation, RBELinear, RBEModel};
pub use op::{RBEOperation, mse_loss};
pub use optim::HybridOptimizer;
pub use packed::Packed128;
pub use tape::{
    AutoDifferentiable, BackwardScheduler, CheckpointStrategy, ComputationGraph, RBEAutoDiff, RBETensor, Slot, Value, WeakSlot, WeakTensor,
};
