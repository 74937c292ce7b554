//! One body for every instruction set. It has no arm for "any other set": a new one does not compile until this knows it.

/// Defines a function whose body is compiled for every instruction set; a call runs the one in use. Type parameters stand in
/// brackets. What the body calls must be `#[inline(always)]`, or it stays code of the plainest set. `where narrow(condition)` before the
/// body: where it holds, AVX-512 runs the code of AVX2, as loops that wait for memory should.
///
/// On ARM the body is compiled once: every processor that it is compiled for has NEON.
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
                match $crate::isa::current().vectors() {
                    // SAFETY: `isa` is one of this machine's.
                    Some($crate::isa::VectorIsa::Avx512 | $crate::isa::VectorIsa::Amx) if !(false $(|| $narrow)?) => return unsafe { avx512 $(::<$($g),*>)? ($($argument),*) },
                    // SAFETY: as above; what has AVX-512 has AVX2, too.
                    Some($crate::isa::VectorIsa::Avx2 | $crate::isa::VectorIsa::Avx512 | $crate::isa::VectorIsa::Amx) => return unsafe { avx2 $(::<$($g),*>)? ($($argument),*) },
                    None => {}
                }
            }
            $body
        }
    };
}
pub(crate) use multiversion;
