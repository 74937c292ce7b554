//! What a tensor holds.

use crate::array::Array;
use crate::dtype::DType;
use crate::packed::PackedTensor;

/// What a tensor holds.
#[derive(Clone)]
pub enum Value {
    /// A dense array.
    Dense(Array),
    /// Packed128 blocks.
    Packed(PackedTensor),
}

impl Value {
    /// Logical shape.
    pub fn shape(&self) -> &[usize] {
        match self {
            Value::Dense(array) => array.shape(),
            Value::Packed(packed) => packed.shape(),
        }
    }

    /// Element type; packed tensors decode to float32.
    pub fn dtype(&self) -> DType {
        match self {
            Value::Dense(array) => array.dtype(),
            Value::Packed(_) => DType::F32,
        }
    }

    /// Count of in-place changes.
    pub fn version(&self) -> u64 {
        match self {
            Value::Dense(array) => array.version(),
            Value::Packed(packed) => packed.version(),
        }
    }

    /// Whether this is a dense array in the memory of `array`.
    pub(super) fn shares(&self, array: &Array) -> bool {
        matches!(self, Value::Dense(own) if own.same_storage(array))
    }
}
