//! The kernel of the instruction set in use, where a set has one of its own. There is no arm for "any other set": a new one does not
//! compile until this knows it. [`multiversion`](crate::isa::multiversion) is for kernels that have one body for all sets.

/// Calls the kernel of a `VectorIsa`; or, given a twin in portable Rust, that of an `Isa` or the twin.
///
/// The kernels are unsafe, for they need the instruction set: an `Isa` is always one of this machine's.
macro_rules! vector_kernel {
    ($set:expr, $kernel:ident($($argument:expr),* $(,)?)) => {
        match $set {
            #[cfg(target_arch = "x86_64")]
            $crate::isa::VectorIsa::Avx2 => $crate::kernel::x86::avx2::$kernel($($argument),*),
            #[cfg(target_arch = "x86_64")]
            $crate::isa::VectorIsa::Avx512 => $crate::kernel::x86::avx512::$kernel($($argument),*),
            #[cfg(target_arch = "x86_64")]
            $crate::isa::VectorIsa::Amx => $crate::kernel::x86::amx::$kernel($($argument),*),
            #[cfg(target_arch = "aarch64")]
            $crate::isa::VectorIsa::Neon => $crate::kernel::arm::neon::$kernel($($argument),*),
        }
    };
    ($isa:expr, $kernel:ident($($argument:expr),* $(,)?), else $twin:path) => {
        match $isa.vectors() {
            // SAFETY: `isa` is one of this machine's.
            Some(set) => unsafe { $crate::kernel::dispatch::vector_kernel!(set, $kernel($($argument),*)) },
            None => $twin($($argument),*),
        }
    };
}
pub(in crate::kernel) use vector_kernel;
