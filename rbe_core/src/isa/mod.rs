//! Which instruction set the kernels use: decided at the start, and changed on demand. `multiversion!` compiles a function for each.

#[cfg(target_arch = "x86_64")]
mod amx;
mod multiversion;

use std::io::Write;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) use self::multiversion::multiversion;
use crate::error::{RbeError, Result};

/// An instruction set that this machine has; only detection makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Isa(Option<VectorIsa>);

/// Instruction sets with vector kernels of their own, slowest first: none on processors that have no such kernels yet.
///
/// A new set is a variant here and a module of kernels; the compiler names the other places that must know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum VectorIsa {
    /// AVX2 with FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 F, DQ, BW, VL with FMA.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// AVX-512 with VBMI and VNNI, and AMX with int8 and bfloat16.
    #[cfg(target_arch = "x86_64")]
    Amx,
    /// NEON of 64-bit ARM; kernels that profit from dot products of bytes use them where the processor has them.
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl VectorIsa {
    #[cfg(target_arch = "x86_64")]
    const ALL: &[VectorIsa] = &[VectorIsa::Avx2, VectorIsa::Avx512, VectorIsa::Amx];
    #[cfg(target_arch = "aarch64")]
    const ALL: &[VectorIsa] = &[VectorIsa::Neon];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    const ALL: &[VectorIsa] = &[];

    const fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            VectorIsa::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            VectorIsa::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            VectorIsa::Amx => "amx",
            #[cfg(target_arch = "aarch64")]
            VectorIsa::Neon => "neon",
        }
    }

    /// Whether this machine has it.
    fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            VectorIsa::Avx2 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("bmi2")
                    && is_x86_feature_detected!("popcnt")
            }
            #[cfg(target_arch = "x86_64")]
            VectorIsa::Avx512 => {
                VectorIsa::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(target_arch = "x86_64")]
            VectorIsa::Amx => VectorIsa::Avx512.is_available() && amx::is_available(),
            #[cfg(target_arch = "aarch64")]
            VectorIsa::Neon => std::arch::is_aarch64_feature_detected!("neon"),
        }
    }
}

const SCALAR: &str = "scalar";

impl Isa {
    /// Portable Rust.
    pub const SCALAR: Isa = Isa(None);

    /// The set whose vector kernels run; none for portable Rust.
    pub const fn vectors(self) -> Option<VectorIsa> {
        self.0
    }

    /// Name as in `RBE_ISA`.
    pub const fn name(self) -> &'static str {
        match self.0 {
            None => SCALAR,
            Some(set) => set.name(),
        }
    }

    /// The sets of this machine, slowest first.
    pub fn available() -> impl DoubleEndedIterator<Item = Isa> {
        let vectors = VectorIsa::ALL.iter().copied().filter(|set| set.is_available());
        std::iter::once(None).chain(vectors.map(Some)).map(Isa)
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
        SAID.call_once(|| {
            for missing in VectorIsa::ALL.iter().filter(|set| !set.is_available()) {
                // Not by eprintln!, which the test harness keeps to itself unless a test fails.
                let _ = writeln!(std::io::stderr(), "not tested, for this machine lacks it: {}", missing.name());
            }
        });
        Isa::available().collect()
    }

    fn required(names: &str) -> Result<()> {
        names.split([',', ' ']).filter(|name| !name.is_empty()).try_for_each(|name| Isa::named("RBE_REQUIRE_ISA", name).map(|_| ()))
    }

    /// The set that the environment variable names.
    fn named(variable: &'static str, name: &str) -> Result<Isa> {
        let names = || std::iter::once(SCALAR).chain(VectorIsa::ALL.iter().map(|set| set.name()));
        if let Some(isa) = Isa::available().find(|isa| isa.name() == name) {
            return Ok(isa);
        }
        Err(if names().any(|known| known == name) {
            RbeError::config(variable, format!("an instruction set of this machine (best: {})", Isa::best().name()), name)
        } else {
            RbeError::config(variable, format!("one of {}", names().collect::<Vec<_>>().join(", ")), format!("{name:?}"))
        })
    }

    fn best() -> Isa {
        Isa::available().next_back().unwrap_or(Isa::SCALAR)
    }

    /// The set named by `RBE_ISA`, or the best available when it is `None`.
    ///
    /// # Errors
    /// `Config` for an unknown name, or a set that this machine lacks.
    pub fn select(name: Option<&str>) -> Result<Isa> {
        name.map_or_else(|| Ok(Isa::best()), |name| Isa::named("RBE_ISA", name))
    }

    /// Number under which [`ISA`] holds it, and back.
    fn place(self) -> usize {
        self.0.map_or(0, |set| set as usize + 1)
    }

    fn at(place: usize) -> Isa {
        Isa(place.checked_sub(1).map(|n| VectorIsa::ALL[n]))
    }
}

const UNDECIDED: usize = usize::MAX;
static ISA: AtomicUsize = AtomicUsize::new(UNDECIDED); // Isa::place

/// Decides the instruction set from `RBE_ISA` and the machine.
///
/// # Errors
/// `Config` for an unknown name, or a set that this machine lacks; nothing is decided then.
pub fn init() -> Result<()> {
    let wanted = std::env::var("RBE_ISA").ok();
    let isa = Isa::select(wanted.as_deref())?;
    let _ = ISA.compare_exchange(UNDECIDED, isa.place(), Ordering::Relaxed, Ordering::Relaxed);
    Ok(())
}

/// Makes kernels that start from now on use the set of a name, or the best available when it is `None`.
///
/// # Errors
/// As [`Isa::select`]; nothing has changed then.
pub fn set_isa(name: Option<&str>) -> Result<()> {
    ISA.store(Isa::select(name)?.place(), Ordering::Relaxed);
    Ok(())
}

/// The instruction set in use. Without [`init`] a malformed `RBE_ISA` means scalar.
pub fn current() -> Isa {
    match ISA.load(Ordering::Relaxed) {
        UNDECIDED => {
            let isa = Isa::select(std::env::var("RBE_ISA").ok().as_deref()).unwrap_or(Isa::SCALAR);
            ISA.store(isa.place(), Ordering::Relaxed);
            isa
        }
        place => Isa::at(place),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> impl Iterator<Item = (&'static str, bool)> {
        std::iter::once((SCALAR, true)).chain(VectorIsa::ALL.iter().map(|set| (set.name(), set.is_available())))
    }

    #[test]
    fn a_set_is_forced_or_refused() {
        assert_eq!(Isa::select(Some(SCALAR)).unwrap(), Isa::SCALAR);
        assert!(matches!(Isa::select(Some("mmx")), Err(RbeError::Config(_))));
        for (name, available) in known() {
            assert_eq!(Isa::select(Some(name)).ok().map(Isa::name), available.then_some(name));
        }
        assert_eq!(Some(Isa::select(None).unwrap()), Isa::available().max());
    }

    #[test]
    fn a_set_comes_back_from_its_place() {
        for isa in Isa::available() {
            assert_eq!(Isa::at(isa.place()), isa);
        }
    }

    #[test]
    fn a_required_set_that_is_missing_is_an_error() {
        assert!(Isa::required("").is_ok());
        assert!(Isa::required("scalar, scalar scalar,").is_ok());
        assert!(matches!(Isa::required("scalar,mmx"), Err(RbeError::Config(_))));
        for (name, available) in known() {
            assert_eq!(Isa::required(name).is_ok(), available);
        }
    }
}
