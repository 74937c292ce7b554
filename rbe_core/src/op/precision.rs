//! In what the products of packed weights are computed: a setting of the process, or of the thread for the time of a layer.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{RbeError, Result};

/// Number format of the products of float32 inputs with packed weights. float64 inputs stay float64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatmulPrecision {
    /// Single precision.
    Float32,
    /// Inputs rounded to int8, each sample with a scale of its own; backward is the gradient of that, with the upstream gradient rounded
    /// stochastically. Sums are exact integers, so that results are the same on every instruction set (design/int8.md).
    Int8,
}

static INT8: AtomicBool = AtomicBool::new(true);

thread_local! {
    static OF_THREAD: Cell<Option<MatmulPrecision>> = const { Cell::new(None) };
}

impl MatmulPrecision {
    /// What products that start now on this thread use: the thread's setting, where there is one, else that of the process, which is
    /// int8 at first.
    pub fn current() -> MatmulPrecision {
        OF_THREAD.get().unwrap_or_else(MatmulPrecision::of_process)
    }

    /// The setting of the process.
    pub fn of_process() -> MatmulPrecision {
        if INT8.load(Ordering::Relaxed) { MatmulPrecision::Int8 } else { MatmulPrecision::Float32 }
    }

    /// Changes the setting of the thread, which takes precedence over that of the process, and returns the one before. Backward
    /// follows the forward that was computed, whatever is set meanwhile.
    pub fn replace_of_thread(precision: Option<MatmulPrecision>) -> Option<MatmulPrecision> {
        OF_THREAD.replace(precision)
    }

    /// Changes the setting of the process for products that start from now on.
    pub fn set(self) {
        INT8.store(self == MatmulPrecision::Int8, Ordering::Relaxed);
    }

    /// Its name: "float32" or "int8".
    pub const fn name(self) -> &'static str {
        match self {
            MatmulPrecision::Float32 => "float32",
            MatmulPrecision::Int8 => "int8",
        }
    }

    /// That of a name; `setting` is what an error calls it.
    ///
    /// # Errors
    /// `Config` for another name.
    pub fn named(setting: &'static str, name: &str) -> Result<MatmulPrecision> {
        [MatmulPrecision::Float32, MatmulPrecision::Int8]
            .into_iter()
            .find(|p| p.name() == name)
            .ok_or_else(|| RbeError::config(setting, "\"float32\" or \"int8\"", format!("{name:?}")))
    }

    /// Reads `RBE_PACKED_MATMUL_PRECISION`, if it is set.
    ///
    /// # Errors
    /// As [`MatmulPrecision::named`]; the setting stays.
    pub fn init() -> Result<()> {
        const VARIABLE: &str = "RBE_PACKED_MATMUL_PRECISION";
        if let Ok(name) = std::env::var(VARIABLE) {
            MatmulPrecision::named(VARIABLE, &name)?.set();
        }
        Ok(())
    }
}
