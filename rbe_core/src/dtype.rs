//! Element types of dense tensors.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{RbeError, Result};

/// Whether integers become float64, not float32, where a function has only float results.
static WIDE: AtomicBool = AtomicBool::new(false);

/// Element type of a dense tensor. Kernels compute in bool, int64, float32 and float64; the others, which are narrower, are stored,
/// moved and converted, and computed in their [`DType::wide`] type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DType {
    /// One byte, 0 or 1.
    Bool,
    /// One byte, 0 to 255.
    U8,
    /// 8-bit signed integer.
    I8,
    /// 16-bit signed integer.
    I16,
    /// 32-bit signed integer.
    I32,
    /// 64-bit signed integer: indices, class labels.
    I64,
    /// 16-bit IEEE float: 11 bits of precision, up to 65504.
    F16,
    /// The upper half of a float32: 8 bits of precision, its range.
    BF16,
    /// 32-bit IEEE float, the default.
    F32,
    /// 64-bit IEEE float.
    F64,
}

impl DType {
    /// All.
    pub const ALL: [DType; 10] =
        [DType::Bool, DType::U8, DType::I8, DType::I16, DType::I32, DType::I64, DType::F16, DType::BF16, DType::F32, DType::F64];

    /// Bytes of one element.
    pub const fn size(self) -> usize {
        match self {
            DType::Bool | DType::U8 | DType::I8 => 1,
            DType::I16 | DType::F16 | DType::BF16 => 2,
            DType::F32 | DType::I32 => 4,
            DType::F64 | DType::I64 => 8,
        }
    }

    /// Whether gradients can flow through tensors of this type.
    pub const fn is_float(self) -> bool {
        matches!(self, DType::F16 | DType::BF16 | DType::F32 | DType::F64)
    }

    /// Whether these are integers; bools are none.
    pub const fn is_integer(self) -> bool {
        matches!(self, DType::U8 | DType::I8 | DType::I16 | DType::I32 | DType::I64)
    }

    /// The type in which kernels compute with numbers of this one: int64 for integers, float32 for floats of 16 bits.
    pub const fn wide(self) -> DType {
        match self {
            DType::U8 | DType::I8 | DType::I16 | DType::I32 => DType::I64,
            DType::F16 | DType::BF16 => DType::F32,
            other => other,
        }
    }

    /// Whether kernels compute in another type than this one.
    pub const fn is_narrow(self) -> bool {
        !matches!(self, DType::Bool | DType::I64 | DType::F32 | DType::F64)
    }

    /// Whether kernels compute in this float type.
    pub const fn is_wide_float(self) -> bool {
        self.is_float() && !self.is_narrow()
    }

    /// The least and the largest integer of this type; `None` for others.
    pub const fn bounds(self) -> Option<(i64, i64)> {
        Some(match self {
            DType::U8 => (0, u8::MAX as i64),
            DType::I8 => (i8::MIN as i64, i8::MAX as i64),
            DType::I16 => (i16::MIN as i64, i16::MAX as i64),
            DType::I32 => (i32::MIN as i64, i32::MAX as i64),
            DType::I64 => (i64::MIN, i64::MAX),
            _ => return None,
        })
    }

    /// The float type that integers and bools become where a function has only float results, and that of Python's floats.
    pub fn default_float() -> DType {
        if WIDE.load(Ordering::Relaxed) { DType::F64 } else { DType::F32 }
    }

    /// Sets [`DType::default_float`].
    ///
    /// # Errors
    /// `DType` for other types than float32 and float64.
    pub fn set_default_float(dtype: DType) -> Result<()> {
        if !dtype.is_wide_float() {
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
            DType::Bool => "bool",
            DType::U8 => "uint8",
            DType::I8 => "int8",
            DType::I16 => "int16",
            DType::I32 => "int32",
            DType::I64 => "int64",
            DType::F16 => "float16",
            DType::BF16 => "bfloat16",
            DType::F32 => "float32",
            DType::F64 => "float64",
        }
    }

    /// The type of that name.
    pub fn named(name: &str) -> Option<DType> {
        DType::ALL.into_iter().find(|dtype| dtype.name() == name)
    }

    /// Whether numbers of this type may be written over those of `other`, as torch allows it: integers of any size over one another,
    /// any numbers over floats.
    pub fn fits_kind_of(self, other: DType) -> bool {
        other.is_float() || !self.is_float() && (self == DType::Bool || other != DType::Bool)
    }

    /// The type both operands are converted to before arithmetic, as in torch: the later one, but for int8 and uint8 int16, which holds
    /// both, and for float16 and bfloat16 float32.
    pub fn promote(self, other: DType) -> DType {
        match (self.min(other), self.max(other)) {
            (DType::U8, DType::I8) => DType::I16,
            (DType::F16, DType::BF16) => DType::F32,
            (_, later) => later,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A Rust type that elements of a dense tensor are read and written as. Unsigned integers serve all types of their size, so that code
/// that only moves elements is compiled once for each size; [`crate::array::Array::relabel`] gives its results the right type.
pub trait Element: bytemuck::Pod + PartialEq + PartialOrd + fmt::Debug + Send + Sync + 'static {
    /// The tensor element type; of unsigned integers, one of their size.
    const DTYPE: DType;

    /// Whether tensors of `dtype` have elements that may be read as this Rust type.
    fn holds(dtype: DType) -> bool {
        dtype == Self::DTYPE
    }
}

macro_rules! elements {
    ($($T:ty: $dtype:ident),*; of one size $($U:ty: $any:ident),*) => {
        $(impl Element for $T {
            const DTYPE: DType = DType::$dtype;
        })*
        $(impl Element for $U {
            const DTYPE: DType = DType::$any;

            fn holds(dtype: DType) -> bool {
                dtype.size() == size_of::<$U>()
            }
        })*
    };
}

elements! {
    i8: I8, i16: I16, i32: I32, i64: I64, f32: F32, f64: F64;
    of one size u8: Bool, u16: I16, u32: I32, u64: I64
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

/// Runs `$body` with `$T` bound to an unsigned integer of the size of `$dtype`: for code that moves elements and asks nothing of their
/// values.
#[macro_export]
#[doc(hidden)]
macro_rules! dispatch_size {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype.size() {
            1 => {
                type $T = u8;
                $body
            }
            2 => {
                type $T = u16;
                $body
            }
            4 => {
                type $T = u32;
                $body
            }
            _ => {
                type $T = u64;
                $body
            }
        }
    };
}

/// Runs `$body` with `$T` bound to the Rust type of a `$dtype` that kernels compute in, and of uint8; other types are a
/// [`crate::RbeError::DType`] of `$op`.
#[macro_export]
#[doc(hidden)]
macro_rules! dispatch_wide {
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
            $crate::DType::I64 => {
                type $T = i64;
                $body
            }
            $crate::DType::Bool | $crate::DType::U8 => {
                type $T = u8;
                $body
            }
            other => Err($crate::RbeError::dtype($op, "bool, uint8, int64, float32 or float64", other)),
        }
    };
}
