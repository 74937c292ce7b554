//! Arrays from values.

use super::storage::Array;
use crate::dispatch_size;
use crate::dtype::{DType, Element};
use crate::error::{RbeError, Result};
use crate::memory;
use crate::memory::Buffer;

/// A buffer for the elements of a shape.
#[inline(never)] // nor is it copied into every caller of `build`
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
            narrow => Array::full(DType::F64, &[], value).cast(narrow).filling(shape),
        }
    }

    /// The only element of this array everywhere in a new one.
    fn filling(&self, shape: &[usize]) -> Array {
        dispatch_size!(self.dtype, T => {
            let value = self.read::<T>()[0];
            Array::build(shape, |out: &mut [T]| out.fill(value))
        })
        .relabel(self.dtype)
    }

    /// `count` numbers `start`, `start + step`, …, of which the lowest 64 bits are kept.
    pub fn integers_from(start: i64, step: i64, count: usize) -> Array {
        Array::build(&[count], |out: &mut [i64]| {
            out.iter_mut().enumerate().for_each(|(i, o)| *o = start.wrapping_add(step.wrapping_mul(i as i64)));
        })
    }

    /// `count` numbers `start`, `start + step`, …, worked out in float64 and rounded to `dtype`.
    pub fn floats_from(dtype: DType, start: f64, step: f64, count: usize) -> Array {
        Array::numbered(dtype, count, |i| start + step * i as f64)
    }

    /// `count` evenly spaced numbers from `start` to `end`, both included: the first half counted from the start, the second from the
    /// end, so that both ends are exact. Integers are truncated, bounds and numbers; torch's are rounded once, too.
    pub fn spaced(dtype: DType, start: f64, end: f64, count: usize) -> Array {
        let (start, end) = if dtype.is_integer() { (start.trunc(), end.trunc()) } else { (start, end) };
        let step = if count > 1 { (end - start) / (count - 1) as f64 } else { 0.0 };
        let from_start = |i: usize| i < count / 2 || count == 1;
        Array::numbered(dtype, count, |i| {
            if from_start(i) { step.mul_add(i as f64, start) } else { (-step).mul_add((count - 1 - i) as f64, end) }
        })
    }

    /// `count` numbers, each from its position, converted to `dtype`.
    fn numbered(dtype: DType, count: usize, at: impl Fn(usize) -> f64) -> Array {
        match dtype {
            DType::F32 => Array::build(&[count], |out: &mut [f32]| out.iter_mut().enumerate().for_each(|(i, o)| *o = at(i) as f32)),
            DType::F64 => Array::build(&[count], |out: &mut [f64]| out.iter_mut().enumerate().for_each(|(i, o)| *o = at(i))),
            DType::I64 => Array::build(&[count], |out: &mut [i64]| out.iter_mut().enumerate().for_each(|(i, o)| *o = at(i) as i64)),
            DType::Bool => {
                Array::build(&[count], |out: &mut [u8]| out.iter_mut().enumerate().for_each(|(i, o)| *o = u8::from(at(i) != 0.0)))
            }
            narrow => Array::numbered(if narrow.is_float() { DType::F64 } else { DType::I64 }, count, at).cast(narrow),
        }
    }

    /// (rows, cols) with ones on the diagonal.
    pub fn eye(dtype: DType, rows: usize, cols: usize) -> Array {
        Array::build(&[rows, cols], |out: &mut [u8]| {
            out.fill(0);
            (0..rows.min(cols)).for_each(|i| out[i * cols + i] = 1);
        })
        .cast(dtype)
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
            DType::Bool | DType::U8 => f64::from(self.read_storage::<u8>()[self.offset]),
            narrow => self.cast(narrow.wide()).item()?,
        })
    }

    /// All elements in row-major order.
    ///
    /// # Errors
    /// `DType` if `T` is not the element type.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        if !T::holds(self.dtype) {
            return Err(RbeError::dtype("to_vec", T::DTYPE, self.dtype));
        }
        Ok(memory::copied(&self.contiguous().read::<T>()))
    }
}
