//! Element types of dense tensors.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{RbeError, Result};

/// Whether integers become float64, not float32, where a function has only float results.
static WIDE: AtomicBool = AtomicBool::new(false);

/// Element type of a dense tensor; in arithmetic of two types the later one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DType {
    /// One byte, 0 or 1.
    Bool,
    /// One byte, 0 to 255, to store: arithmetic is left to the other types.
    U8,
    /// 64-bit signed integer: indices, class labels.
    I64,
    /// 32-bit IEEE float, the default.
    F32,
    /// 64-bit IEEE float.
    F64,
}

impl DType {
    /// Bytes of one element.
    pub const fn size(self) -> usize {
        match self {
            DType::F32 => 4,
            DType::F64 | DType::I64 => 8,
            DType::Bool | DType::U8 => 1,
        }
    }

    /// Whether gradients can flow through tensors of this type.
    pub const fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F64)
    }

    /// The float type that integers and bools become where a function has only float results, and that of Python's floats.
    pub fn default_float() -> DType {
        if WIDE.load(Ordering::Relaxed) { DType::F64 } else { DType::F32 }
    }

    /// Sets [`DType::default_float`].
    ///
    /// # Errors
    /// `DType` for a type that is no float.
    pub fn set_default_float(dtype: DType) -> Result<()> {
        if !dtype.is_float() {
            return Err(RbeError::dtype("set_default_dtype", "float32 or float64", dtype));
        }
        WIDE.store(dtype == DType::F64, Ordering::Relaxed);
        Ok(())
    }

    /// This type if it is a float, else [`DType::default_float`].
    pub fn floating(self) -> DType {
        if self.is_float() { self } else { DType::default_float() }
    }

    /// NumPy's name of the type.
    pub const fn name(self) -> &'static str {
        match self {
            DType::F32 => "float32",
            DType::F64 => "float64",
            DType::I64 => "int64",
            DType::Bool => "bool",
            DType::U8 => "uint8",
        }
    }

    /// Whether numbers of this type may be written over those of `other`: bools, bytes, integers and floats each hold those before.
    pub fn fits_kind_of(self, other: DType) -> bool {
        self <= other || other.is_float()
    }

    /// The type both operands are converted to before arithmetic: the later one, which is NumPy's promotion on these types.
    pub fn promote(self, other: DType) -> DType {
        self.max(other)
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A Rust type that is the element of a dense tensor. `u8` is that of two types: of `bool`, as 0 or 1, and of `uint8`. One copy of
/// the code that moves elements serves both; [`crate::array::Array::relabel`] gives its results the right one.
pub trait Element: bytemuck::Pod + PartialEq + PartialOrd + fmt::Debug + Send + Sync + 'static {
    /// The tensor element type; of `u8`, bool.
    const DTYPE: DType;

    /// Whether tensors of `dtype` have elements of this Rust type.
    fn holds(dtype: DType) -> bool {
        dtype == Self::DTYPE
    }
}

impl Element for f32 {
    const DTYPE: DType = DType::F32;
}
impl Element for f64 {
    const DTYPE: DType = DType::F64;
}
impl Element for i64 {
    const DTYPE: DType = DType::I64;
}
impl Element for u8 {
    const DTYPE: DType = DType::Bool;

    fn holds(dtype: DType) -> bool {
        matches!(dtype, DType::Bool | DType::U8)
    }
}

/// The two element types that carry gradients. Kernels and rules are written once over this trait.
pub trait Float: Element + num_traits::Float + num_traits::FromPrimitive + std::ops::AddAssign + std::iter::Sum {
    /// `v` rounded to this type.
    fn of(v: f64) -> Self;
    /// This value as `f64`, exactly.
    fn wide(self) -> f64;
}

impl Float for f32 {
    fn of(v: f64) -> f32 {
        v as f32
    }
    fn wide(self) -> f64 {
        f64::from(self)
    }
}

impl Float for f64 {
    fn of(v: f64) -> f64 {
        v
    }
    fn wide(self) -> f64 {
        self
    }
}

/// Runs `$body` with `$T` bound to the Rust type of a float `$dtype`; other types are a [`crate::RbeError::DType`] of `$op`.
#[macro_export]
#[doc(hidden)]
macro_rules! dispatch_float {
    ($op:expr, $dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            $crate::DType::F32 => {
                type $T = f32;
                $body
            }
            $crate::DType::F64 => {
                type $T = f64;
                $body
            }
            other => Err($crate::RbeError::dtype($op, "float32 or float64", other)),
        }
    };
}

/// Runs `$body` with `$T` bound to the Rust type of any `$dtype` (`u8` for bool and uint8).
#[macro_export]
#[doc(hidden)]
macro_rules! dispatch_all {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            $crate::DType::F32 => {
                type $T = f32;
                $body
            }
            $crate::DType::F64 => {
                type $T = f64;
                $body
            }
            $crate::DType::I64 => {
                type $T = i64;
                $body
            }
            $crate::DType::Bool | $crate::DType::U8 => {
                type $T = u8;
                $body
            }
        }
    };
}
