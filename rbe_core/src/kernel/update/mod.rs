//! One optimiser step of a packed tensor, given its state as slices. `weights` goes through the row panels of a weight, which `vector`
//! updates with the kernels of an instruction set and `reference` in plain loops; `whole` forms a gradient before any step; `activation` is for the blocks of an activation.

mod activation;
mod bounds;
pub(in crate::kernel) mod charge;
pub(in crate::kernel) mod int8;
pub(in crate::kernel) mod level_parameters;
mod moments;
mod panel;
mod params;
mod reference;
mod rounded;
mod source;
mod vector;
mod weights;
mod whole;

pub(crate) use activation::{ActivationStep, update_activation};
pub(crate) use bounds::{BETA_G, Bounds, MOST_ADDED, Pace, correction, power_of_two};
pub(crate) use charge::FULL_CHARGE;
pub use level_parameters::to_level_parameters;
pub(crate) use moments::{OfStep, of_step, running};
pub(crate) use panel::{StateSlices, WeightStep};
pub use params::{Precision, StepParams};
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(in crate::kernel) use source::accumulate_row;
pub(crate) use source::{Rescaled, Source, magnitude};
pub(crate) use weights::update_weights;
pub(crate) use whole::rounded_gradient;
