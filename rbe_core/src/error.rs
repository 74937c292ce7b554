//! The one error type of the crate.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Result of every fallible call of this crate.
pub type Result<T, E = RbeError> = std::result::Result<T, E>;

/// What went wrong, where: the operation, what it expected and what came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// The operation that refused its input.
    pub op: Cow<'static, str>,
    /// What the operation takes.
    pub expected: String,
    /// What it was given.
    pub got: String,
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, got {}", self.op, self.expected, self.got)
    }
}

/// Every failure a caller can cause. The failed call changes nothing.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RbeError {
    /// Shapes that do not fit the operation or each other.
    #[error("{0}")]
    Shape(Detail),
    /// An element type the operation does not take.
    #[error("{0}")]
    DType(Detail),
    /// NaN or infinity where only finite numbers make sense.
    #[error("{0}")]
    NonFinite(Detail),
    /// A value outside its domain: a point outside the disk, an unused bit that is set, a negative rate.
    #[error("{0}")]
    Value(Detail),
    /// An index outside the axis it indexes.
    #[error("{0}")]
    Index(Detail),
    /// A tape used in a way that has no meaning: freed, changed in place, without gradient.
    #[error("{0}")]
    Graph(Detail),
    /// A device other than the CPU.
    #[error("{0}")]
    Device(Detail),
    /// A file that is truncated, altered, foreign or cannot be read or written.
    #[error("{0}")]
    Format(Detail),
    /// Memory that the system does not give.
    #[error("{0}")]
    Memory(Detail),
    /// A setting of the process: thread count, instruction set, environment variable.
    #[error("{0}")]
    Config(Detail),
    /// An error of a user-defined operation or hook, handed through unchanged.
    #[error(transparent)]
    External(Arc<dyn std::error::Error + Send + Sync>),
}

macro_rules! constructors {
    ($($name:ident => $variant:ident),* $(,)?) => {$(
        #[doc = concat!("Builds [`RbeError::", stringify!($variant), "`].")]
        #[cold]
        pub fn $name(op: impl Into<Cow<'static, str>>, expected: impl fmt::Display, got: impl fmt::Display) -> Self {
            RbeError::$variant(Detail { op: op.into(), expected: expected.to_string(), got: got.to_string() })
        }
    )*};
}

impl RbeError {
    constructors! {
        shape => Shape, dtype => DType, non_finite => NonFinite, value => Value, index => Index,
        graph => Graph, device => Device, format => Format, memory => Memory, config => Config,
    }
}
