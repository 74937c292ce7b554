//! The tape: what was computed from what, and the walk back.

mod anomaly;
mod cache;
mod capture;
mod checkpoint;
mod custom;
mod engine;
mod mode;
mod node;
mod object;
mod profile;
mod rewrite;
mod scheduler;

pub use anomaly::{Origin, is_debug_mode, set_debug_mode};
pub use cache::{Factor, Gradient, GradientCache, RBEGradient};
pub use capture::{Captured, capture, note_constant, note_read};
pub use checkpoint::{Segment, checkpoint};
pub use custom::{Backward, Forward, Operation};
pub use engine::{BackwardOptions, backward, backward_into, grad};
pub use mode::{GradMode, is_grad_enabled, is_recomputing, with_grad};
pub(crate) use node::LazySlot;
pub use node::{GradSlot, Hook, Node, OnReady, Parent, apply};
pub use object::{CheckpointStrategy, ComputationGraph, Step};
pub use profile::{Event, Phase, measured, start_profile, stop_profile};
pub(crate) use rewrite::{Rewritten, shown};
pub use scheduler::BackwardScheduler;
