//! Neural networks trained in 2 bits a weight.

pub mod array;
pub mod buffer;
pub mod disk;
mod dtype;
pub mod error;
pub mod gradcheck;
pub mod graph;
pub mod kernel;
pub mod nn;
pub mod op;
pub mod optim;
pub mod packed;
pub mod parallel;
pub mod pool;
pub mod random;
mod tensor;

pub use buffer::Buffer;
pub use dtype::{DType, Element, Float};
pub use error::{RbeError, Result};
pub use packed::Packed128;
pub use tensor::{RBETensor, Value};
