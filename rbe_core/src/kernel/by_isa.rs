//! One body for all instruction sets.

/// Defines a function whose body is compiled for every instruction set; a call runs the one in use. Type parameters stand in
/// brackets. What the body calls must be `#[inline(always)]`, or it stays code of the plainest set. `where narrow(condition)` before the
/// body: where it holds, AVX-512 runs the code of AVX2, as loops that wait for memory should.
macro_rules! by_isa {
    ($(#[$meta:meta])* $vis:vis fn $name:ident $([$($g:ident: $bound:path),*])? ($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $(where narrow($narrow:expr))? $body:block) => {
        $(#[$meta])*
        $vis fn $name $(<$($g: $bound),*>)? ($($argument: $type),*) $(-> $result)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn avx2 $(<$($g: $bound),*>)? ($($argument: $type),*) $(-> $result)? $body
                #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
                fn avx512 $(<$($g: $bound),*>)? ($($argument: $type),*) $(-> $result)? $body
                match $crate::kernel::isa() {
                    // SAFETY: `isa` is one of this machine's.
                    $crate::kernel::Isa::Avx512 | $crate::kernel::Isa::Amx if !(false $(|| $narrow)?) => return unsafe { avx512 $(::<$($g),*>)? ($($argument),*) },
                    // SAFETY: as above; what has AVX-512 has AVX2, too.
                    $crate::kernel::Isa::Avx2 | $crate::kernel::Isa::Avx512 | $crate::kernel::Isa::Amx => return unsafe { avx2 $(::<$($g),*>)? ($($argument),*) },
                    $crate::kernel::Isa::Scalar => {}
                }
            }
            $body
        }
    };
}
pub(crate) use by_isa;
