//! Conversion between element types.

use std::borrow::Cow;

use super::storage::Array;
use super::zip::{map, map_into, map_pieces};
use crate::dispatch_size;
use crate::dtype::DType;
use crate::error::Result;
use crate::kernel::dense::half;

impl Array {
    /// The elements as floats: of their own type, or of the default one for integers and bools.
    pub fn floating(&self) -> Array {
        self.cast(self.dtype.floating())
    }

    /// The elements in the type that kernels compute in.
    pub fn wide(&self) -> Cow<'_, Array> {
        self.as_dtype(self.dtype.wide())
    }

    /// The elements converted to `dtype`: floats are rounded to shorter floats, to nearest and of two equally near to the even one,
    /// and to integers towards zero, of which shorter ones keep the lowest bits; anything but 0 is true.
    ///
    /// Types that kernels do not compute in are converted by way of the one they do, which holds their values exactly. Where two
    /// roundings would differ from one, as from float64 to float16, the conversion is direct.
    pub fn cast(&self, dtype: DType) -> Array {
        use DType::{BF16, Bool, F16, F32, F64, I8, I16, I32, I64, U8};
        match (self.dtype, dtype) {
            (from, to) if from == to => self.clone(),
            (F32, F64) => map(self, |v: f32| f64::from(v)),
            (F32, I64) => map(self, |v: f32| v as i64),
            (F32, Bool) => map(self, |v: f32| u8::from(v != 0.0)),
            (F64, F32) => map(self, |v: f64| v as f32),
            (F64, I64) => map(self, |v: f64| v as i64),
            (F64, Bool) => map(self, |v: f64| u8::from(v != 0.0)),
            (I64, F32) => map(self, |v: i64| v as f32),
            (I64, F64) => map(self, |v: i64| v as f64),
            (I64, Bool) => map(self, |v: i64| u8::from(v != 0)),
            (Bool | U8, F32) => map(self, |v: u8| f32::from(v)),
            (Bool | U8, F64) => map(self, |v: u8| f64::from(v)),
            (Bool | U8, I64) => map(self, |v: u8| i64::from(v)),
            (U8, Bool) => map(self, |v: u8| u8::from(v != 0)),
            (Bool, U8 | I8) => self.copy().relabel(dtype),
            (I8, I64) => map(self, |v: i8| i64::from(v)),
            (I16, I64) => map(self, |v: i16| i64::from(v)),
            (I32, I64) => map(self, |v: i32| i64::from(v)),
            (I64, U8 | I8) => map(self, |v: i64| v as u8).relabel(dtype),
            (I64, I16) => map(self, |v: i64| v as i16),
            (I64, I32) => map(self, |v: i64| v as i32),
            (F16, F32) => map_pieces(self, &half::widened),
            (BF16, F32) => map_pieces(self, &half::brain_widened),
            (F32, F16) => map_pieces(self, &half::rounded).relabel(F16),
            (F32, BF16) => map_pieces(self, &half::brain_rounded).relabel(BF16),
            (F64, F16 | BF16) => map(self, half::to_odd).cast(dtype),
            (I64 | Bool | U8, F16 | BF16) => self.cast(F64).cast(dtype),
            (F32 | F64 | Bool | U8, _) => self.cast(I64).cast(dtype),
            (from, _) => self.cast(from.wide()).cast(dtype),
        }
    }

    /// Runs `change`, which changes floats in place, on these elements, or on a copy of them in their wide type that is rounded back.
    ///
    /// # Errors
    /// Those of `change`.
    pub fn change(&self, change: impl FnOnce(&Array) -> Result<()>) -> Result<()> {
        if !self.dtype.is_narrow() {
            return change(self);
        }
        let wide = self.cast(self.dtype.wide());
        change(&wide)?;
        let changed = wide.cast(self.dtype);
        dispatch_size!(self.dtype, T => map_into(self, &changed, |_: T, v: T| v))
    }

    /// As [`Array::cast`], without a copy of the handle where the elements have that type.
    pub fn as_dtype(&self, dtype: DType) -> Cow<'_, Array> {
        if self.dtype == dtype { Cow::Borrowed(self) } else { Cow::Owned(self.cast(dtype)) }
    }
}
