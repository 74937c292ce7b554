//! The tape: tensors, what was computed from what, and the backward pass.
//!
//! It knows no operation: whoever computes something from tensors hands over the results with a [`BackwardRule`] ([`record`]).

mod anomaly;
mod autodiff;
mod backward;
mod checkpoint;
mod custom;
mod held;
mod mode;
mod node;
mod object;
mod pass;
mod place;
mod profile;
mod receive;
mod record;
mod rule;
mod saved;
mod scheduler;
mod slot;
mod tensor;
mod value;
mod view;
mod waiting;

pub use anomaly::{Origin, is_debug_mode, set_debug_mode};
pub use autodiff::RBEAutoDiff;
pub use backward::{BackwardOptions, backward, backward_into, grad};
pub use checkpoint::{Segment, checkpoint, checkpoint_holding};
pub use custom::{AutoDifferentiable, BackwardFn, ForwardFn, Operation};
pub use held::{Held, Holding, each_held};
pub use mode::{GradMode, is_grad_enabled, is_recomputing, with_grad};
pub use node::{Arrays, Edge, Node, Parent};
pub use object::{CheckpointStrategy, ComputationGraph, Step};
pub use profile::{Event, Phase, measured, start_profile, stop_profile};
pub use record::{Tensors, record};
pub(crate) use record::{record_place, record_view, record_with};
pub use rule::{BackwardRule, Cx, Grads, Saves, dense};
pub use scheduler::BackwardScheduler;
pub use slot::{GradSlot, Hook, OnReady, Slot, WeakSlot};
pub use tensor::{RBETensor, WeakTensor};
pub use value::Value;
pub(crate) use waiting::{SetValues, Waiting, may_wait, note, wait_for};
pub use waiting::{compute_waiting, fuse, fuse_and_tell, fused_depth, settle};
