//! The tape: what was computed from what, and the walk back.

mod cache;
mod engine;
mod mode;
mod node;
mod scheduler;

pub use cache::{Factor, Gradient, GradientCache, RBEGradient};
pub(crate) use engine::add;
pub use engine::{BackwardOptions, backward, grad};
pub use mode::{GradMode, is_grad_enabled, with_grad};
pub use node::{GradSlot, Hook, Node, OnReady, Parent, apply};
pub use scheduler::BackwardScheduler;
