//! The tape: what was computed from what, and the walk back.

mod anomaly;
mod cache;
mod checkpoint;
mod custom;
mod deferred;
mod engine;
mod held;
mod mode;
mod node;
mod object;
mod profile;
mod rewrite;
mod scheduler;

pub use anomaly::{Origin, is_debug_mode, set_debug_mode};
pub use cache::{Factor, Gradient, GradientCache, RBEGradient};
pub use checkpoint::{Segment, checkpoint, checkpoint_holding};
pub use custom::{Backward, Forward, Operation};
pub(crate) use deferred::Waiting;
pub use deferred::{compute_waiting, fuse, fuse_and_tell, fused_depth, settle};
pub use engine::{BackwardOptions, backward, backward_into, grad};
pub(crate) use held::Reference;
pub use held::{Held, Holding, each_held};
pub use mode::{GradMode, is_grad_enabled, is_recomputing, with_grad};
pub(crate) use node::LazySlot;
pub use node::{GradSlot, Hook, Node, OnReady, Parent, apply};
pub use object::{CheckpointStrategy, ComputationGraph, Step};
pub use profile::{Event, Phase, measured, start_profile, stop_profile};
pub(crate) use rewrite::{Rewritten, shown};
pub use scheduler::BackwardScheduler;
