//! How a kernel is chosen for the instruction set in use: [`multiversion`] compiles one body for every set, [`vector_kernel`] calls
//! the kernel that a set has of its own. Neither has an arm for "any other set": a new one does not compile until both know it.

/// Defines a function whose body is compiled for every instruction set; a call runs the one in use. Type parameters stand in
/// brackets. What the body calls must be `#[inline(always)]`, or it stays code of the plainest set. `where narrow(condition)` before the
/// body: where it holds, AVX-512 runs the code of AVX2, as loops that wait for memory should.
macro_rules! multiversion {
    ($(#[$meta:meta])* $vis:vis fn $name:ident $([$($g:ident: $bound:path),*])? ($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $(where narrow($narrow:expr))? $body:block) => {
        $(#[$meta])*
        $vis fn $name $(<$($g: $bound),*>)? ($($argument: $type),*) $(-> $result)? {
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code)]
            {
                #[target_feature(enable = "avx2,fma")]
                fn avx2 $(<$($g: $bound),*>)? ($($argument: $type),*) $(-> $result)? $body
                #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
                fn avx512 $(<$($g: $bound),*>)? ($($argument: $type),*) $(-> $result)? $body
                match $crate::kernel::isa().vectors() {
                    // SAFETY: `isa` is one of this machine's.
                    Some($crate::kernel::VectorIsa::Avx512 | $crate::kernel::VectorIsa::Amx) if !(false $(|| $narrow)?) => return unsafe { avx512 $(::<$($g),*>)? ($($argument),*) },
                    // SAFETY: as above; what has AVX-512 has AVX2, too.
                    Some($crate::kernel::VectorIsa::Avx2 | $crate::kernel::VectorIsa::Avx512 | $crate::kernel::VectorIsa::Amx) => return unsafe { avx2 $(::<$($g),*>)? ($($argument),*) },
                    None => {}
                }
            }
            $body
        }
    };
}
pub(crate) use multiversion;

/// Calls the kernel of a `VectorIsa`; or, given a twin in portable Rust, that of an `Isa` or the twin.
///
/// The kernels are unsafe, for they need the instruction set: an `Isa` is always one of this machine's.
macro_rules! vector_kernel {
    ($set:expr, $kernel:ident($($argument:expr),* $(,)?)) => {
        match $set {
            #[cfg(target_arch = "x86_64")]
            $crate::kernel::VectorIsa::Avx2 => $crate::kernel::x86::avx2::$kernel($($argument),*),
            #[cfg(target_arch = "x86_64")]
            $crate::kernel::VectorIsa::Avx512 => $crate::kernel::x86::avx512::$kernel($($argument),*),
            #[cfg(target_arch = "x86_64")]
            $crate::kernel::VectorIsa::Amx => $crate::kernel::x86::amx::$kernel($($argument),*),
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
pub(super) use vector_kernel;
