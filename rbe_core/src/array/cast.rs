//! Conversion between element types.

use std::borrow::Cow;

use super::storage::Array;
use super::zip::map;
use crate::dtype::DType;

impl Array {
    /// The elements as floats: of their own type, or of the default one for integers and bools.
    pub fn floating(&self) -> Array {
        self.cast(self.dtype.floating())
    }

    /// The elements converted to `dtype`: floats are rounded to integers towards zero, of which uint8 keeps the lowest 8 bits;
    /// anything but 0 is true.
    pub fn cast(&self, dtype: DType) -> Array {
        use DType::{Bool, F32, F64, I64, U8};
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
            (Bool, U8) => self.copy().relabel(U8),
            (I64, U8) => map(self, |v: i64| v as u8).relabel(U8),
            (_, U8) => self.cast(I64).cast(U8),
            _ => self.clone(),
        }
    }

    /// As [`Array::cast`], without a copy of the handle where the elements have that type.
    pub fn as_dtype(&self, dtype: DType) -> Cow<'_, Array> {
        if self.dtype == dtype { Cow::Borrowed(self) } else { Cow::Owned(self.cast(dtype)) }
    }
}
