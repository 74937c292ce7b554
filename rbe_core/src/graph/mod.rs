//! The tape: what was computed from what, and the walk back.

mod cache;
mod checkpoint;
mod custom;
mod engine;
mod mode;
mod node;
mod object;
mod scheduler;

pub use cache::{Factor, Gradient, GradientCache, RBEGradient};
pub use checkpoint::{Segment, checkpoint};
pub use custom::{Backward, Forward, Operation};
pub(crate) use engine::add;
pub use engine::{BackwardOptions, backward, grad};
pub use mode::{GradMode, is_grad_enabled, with_grad};
pub use node::{GradSlot, Hook, Node, OnReady, Parent, apply};
pub use object::{CheckpointStrategy, ComputationGraph, Step};
pub use scheduler::BackwardScheduler;
