//! Which instruction set the kernels use: decided at the start, and changed on demand.

use std::io::Write;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{RbeError, Result};

/// An instruction set with kernels of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// Portable Rust.
    Scalar,
    /// AVX2 with FMA.
    Avx2,
    /// AVX-512 F, DQ, BW, VL with FMA.
    Avx512,
    /// AVX-512 and AMX with int8 and bfloat16.
    Amx,
}

impl Isa {
    /// Every instruction set, slowest first.
    pub const ALL: [Isa; 4] = [Isa::Scalar, Isa::Avx2, Isa::Avx512, Isa::Amx];

    /// Name as in `RBE_ISA`.
    pub const fn name(self) -> &'static str {
        match self {
            Isa::Scalar => "scalar",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
            Isa::Amx => "amx",
        }
    }

    /// Whether this machine has it.
    pub fn is_available(self) -> bool {
        match self {
            Isa::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("bmi2")
                    && is_x86_feature_detected!("popcnt")
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => {
                Isa::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Amx => Isa::Avx512.is_available() && super::amx::is_available(),
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// The sets of this machine, slowest first, for tests to loop over. The others are named on standard error, so that a machine
    /// without a set does not pass for one with it.
    ///
    /// # Panics
    /// If `RBE_REQUIRE_ISA`, names separated by commas or spaces, has an unknown name or a set that this machine lacks.
    #[doc(hidden)]
    pub fn for_tests() -> Vec<Isa> {
        static SAID: Once = Once::new();
        if let Err(error) = Isa::required(&std::env::var("RBE_REQUIRE_ISA").unwrap_or_default()) {
            panic!("{error}");
        }
        let (here, missing): (Vec<Isa>, Vec<Isa>) = Isa::ALL.into_iter().partition(|isa| isa.is_available());
        SAID.call_once(|| {
            for isa in missing {
                // Not by eprintln!, which the test harness keeps to itself unless a test fails.
                let _ = writeln!(std::io::stderr(), "not tested, for this machine lacks it: {}", isa.name());
            }
        });
        here
    }

    fn required(names: &str) -> Result<()> {
        for name in names.split([',', ' ']).filter(|name| !name.is_empty()) {
            let isa = Isa::named("RBE_REQUIRE_ISA", name)?;
            if !isa.is_available() {
                return Err(RbeError::config(
                    "RBE_REQUIRE_ISA",
                    format!("a machine with {name}"),
                    format!("a machine whose best set is {}", Isa::best().name()),
                ));
            }
        }
        Ok(())
    }

    fn named(variable: &'static str, name: &str) -> Result<Isa> {
        let unknown = || RbeError::config(variable, "scalar, avx2, avx512 or amx", format!("{name:?}"));
        Isa::ALL.into_iter().find(|isa| isa.name() == name).ok_or_else(unknown)
    }

    fn best() -> Isa {
        Isa::ALL.into_iter().rev().find(|isa| isa.is_available()).unwrap_or(Isa::Scalar)
    }

    /// The set named by `RBE_ISA`, or the best available when it is `None`.
    ///
    /// # Errors
    /// `Config` for an unknown name, or a set that this machine lacks.
    pub fn select(name: Option<&str>) -> Result<Isa> {
        let Some(name) = name else { return Ok(Isa::best()) };
        let isa = Isa::named("RBE_ISA", name)?;
        if isa.is_available() {
            Ok(isa)
        } else {
            Err(RbeError::config("RBE_ISA", format!("an instruction set of this machine (best: {})", Isa::best().name()), name))
        }
    }
}

const UNDECIDED: usize = usize::MAX;
static ISA: AtomicUsize = AtomicUsize::new(UNDECIDED); // place in Isa::ALL

/// Decides the instruction set from `RBE_ISA` and the machine.
///
/// # Errors
/// `Config` for an unknown name, or a set that this machine lacks; nothing is decided then.
pub fn init() -> Result<()> {
    let wanted = std::env::var("RBE_ISA").ok();
    let isa = Isa::select(wanted.as_deref())?;
    let _ = ISA.compare_exchange(UNDECIDED, isa as usize, Ordering::Relaxed, Ordering::Relaxed);
    Ok(())
}

/// Makes kernels that start from now on use the set of a name, or the best available when it is `None`.
///
/// # Errors
/// As [`Isa::select`]; nothing has changed then.
pub fn set_isa(name: Option<&str>) -> Result<()> {
    ISA.store(Isa::select(name)? as usize, Ordering::Relaxed);
    Ok(())
}

/// The instruction set in use. Without [`init`] a malformed `RBE_ISA` means scalar.
pub fn isa() -> Isa {
    match ISA.load(Ordering::Relaxed) {
        UNDECIDED => {
            let isa = Isa::select(std::env::var("RBE_ISA").ok().as_deref()).unwrap_or(Isa::Scalar);
            ISA.store(isa as usize, Ordering::Relaxed);
            isa
        }
        place => Isa::ALL[place],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_forced_or_refused() {
        assert_eq!(Isa::select(Some("scalar")).unwrap(), Isa::Scalar);
        assert!(matches!(Isa::select(Some("mmx")), Err(RbeError::Config(_))));
        for isa in Isa::ALL {
            assert_eq!(Isa::select(Some(isa.name())).is_ok(), isa.is_available());
        }
        assert!(Isa::select(None).unwrap().is_available());
    }

    #[test]
    fn a_required_set_that_is_missing_is_an_error() {
        assert!(Isa::required("").is_ok());
        assert!(Isa::required("scalar, scalar scalar,").is_ok());
        assert!(matches!(Isa::required("scalar,mmx"), Err(RbeError::Config(_))));
        for isa in Isa::ALL {
            assert_eq!(Isa::required(isa.name()).is_ok(), isa.is_available());
        }
    }
}
