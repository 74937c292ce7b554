//! Arrays from values.

use super::storage::Array;
use crate::buffer::Buffer;
use crate::dtype::{DType, Element};
use crate::error::{RbeError, Result};
use crate::memory;

/// A buffer for the elements of a shape.
fn buffer_for(dtype: DType, shape: &[usize]) -> Buffer {
    memory::for_array(dtype, shape, Buffer::try_dirty)
}

impl Array {
    /// Row-major array whose elements `fill` writes; they are unspecified before.
    ///
    /// # Panics
    /// If there is no memory for it; [`memory::guard`] makes an error of that.
    pub fn build<T: Element>(shape: &[usize], fill: impl FnOnce(&mut [T])) -> Array {
        let mut buffer = buffer_for(T::DTYPE, shape);
        fill(buffer.slice_mut());
        Array::from_buffer(buffer, T::DTYPE, shape)
    }

    /// As [`Array::build`], where filling can fail.
    ///
    /// # Errors
    /// Those of `fill`.
    pub fn try_build<T: Element>(shape: &[usize], fill: impl FnOnce(&mut [T]) -> Result<()>) -> Result<Array> {
        let mut buffer = buffer_for(T::DTYPE, shape);
        fill(buffer.slice_mut())?;
        Ok(Array::from_buffer(buffer, T::DTYPE, shape))
    }

    /// Array of a copy of `data`.
    ///
    /// # Errors
    /// `Shape` if `shape` does not hold `data.len()` elements.
    pub fn from_slice<T: Element>(data: &[T], shape: &[usize]) -> Result<Array> {
        if memory::count(shape) != Some(data.len()) {
            return Err(RbeError::shape("tensor", format!("a shape of {} elements", data.len()), format!("{shape:?}")));
        }
        Ok(Array::build(shape, |out: &mut [T]| out.copy_from_slice(data)))
    }

    /// Zeros.
    pub fn zeros(dtype: DType, shape: &[usize]) -> Array {
        let mut buffer = buffer_for(dtype, shape);
        buffer.bytes_mut().fill(0);
        Array::from_buffer(buffer, dtype, shape)
    }

    /// Zeros laid out by `strides`, in memory that reaches from the first element to the last.
    ///
    /// # Errors
    /// `Shape` unless there is a stride for each axis.
    pub(crate) fn zeros_strided(dtype: DType, shape: &[usize], strides: &[isize]) -> Result<Array> {
        if shape.contains(&0) {
            return Ok(Array::zeros(dtype, shape));
        }
        let reach = || shape.iter().zip(strides).map(|(n, stride)| (*n as isize - 1) * stride);
        let before = -reach().filter(|r| *r < 0).sum::<isize>();
        let span = before + reach().filter(|r| *r > 0).sum::<isize>() + 1;
        let memory = Array::zeros(dtype, &[span as usize]);
        Array::from_parts(memory.storage().clone(), dtype, shape, strides, before as usize)
    }

    /// Every element `value`, converted to `dtype`.
    pub fn full(dtype: DType, shape: &[usize], value: f64) -> Array {
        match dtype {
            DType::F32 => Array::build(shape, |out: &mut [f32]| out.fill(value as f32)),
            DType::F64 => Array::build(shape, |out: &mut [f64]| out.fill(value)),
            DType::I64 => Array::build(shape, |out: &mut [i64]| out.fill(value as i64)),
            DType::Bool => Array::build(shape, |out: &mut [u8]| out.fill(u8::from(value != 0.0))),
        }
    }

    /// Array without axes that holds one value.
    pub fn scalar<T: Element>(value: T) -> Array {
        Array::build(&[], |out: &mut [T]| out[0] = value)
    }

    /// The only element, as `f64` (exact but for int64 beyond 2^53).
    ///
    /// # Errors
    /// `Shape` unless there is exactly one element.
    pub fn item(&self) -> Result<f64> {
        if self.numel() != 1 {
            return Err(RbeError::shape("item", "one element", format!("shape {:?}", self.shape())));
        }
        Ok(match self.dtype {
            DType::F32 => f64::from(self.read_storage::<f32>()[self.offset]),
            DType::F64 => self.read_storage::<f64>()[self.offset],
            DType::I64 => self.read_storage::<i64>()[self.offset] as f64,
            DType::Bool => f64::from(self.read_storage::<u8>()[self.offset]),
        })
    }

    /// All elements in row-major order.
    ///
    /// # Errors
    /// `DType` if `T` is not the element type.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        if self.dtype != T::DTYPE {
            return Err(RbeError::dtype("to_vec", T::DTYPE, self.dtype));
        }
        Ok(memory::copied(&self.contiguous().read::<T>()))
    }
}
