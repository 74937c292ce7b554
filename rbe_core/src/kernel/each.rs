//! Element-wise loops over slices, written so that they become vectors and find the memory that they write.

use std::sync::LazyLock;

use super::by_isa;
use crate::dtype::Element;

by_isa! {
    /// One value everywhere.
    pub(crate) fn fill[T: Element](value: T, out: &mut [T]) {
        for o in out {
            *o = value;
        }
    }
}

/// Whether loops gain by asking for the lines that they will write. Intel's processors do; an EPYC (Zen 4) takes up to a fifth longer.
#[inline(always)]
pub(crate) fn asks_ahead() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        static INTEL: LazyLock<bool> = LazyLock::new(|| {
            let vendor = std::arch::x86_64::__cpuid(0);
            [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes).as_flattened() == b"GenuineIntel"
        });
        *INTEL
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Asks for the cache line of an address to write it: else a line is fetched only when it is written, and the loop waits for it.
/// Nothing is touched; the address may lie beyond the end.
#[inline(always)]
pub(crate) fn fetch_to_write<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch is a hint that reads and writes nothing.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_ET0 }>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// Elements of a run of [`each!`].
pub(crate) const RUN: usize = 64;

/// `each!(x in row, y in other => out: value)`: every element of `out` from those at its place in slices of at least its length. A slice
/// of [`RUN`] elements is repeated, so that one number for all need not be laid out for all.
macro_rules! each {
    ($($x:ident in $row:expr),+ => $out:expr, $value:expr) => {{
        const RUN: usize = $crate::kernel::each::RUN;
        let out = &mut $out[..];
        if out.len() > RUN && ($($row.len() == RUN)||+) {
            each!(@runs out, $value, $($x: $row, usize::from($row.len() != RUN)),+);
        } else {
            each!(@runs out, $value, $($x: $row[..out.len()], 1),+);
        }
    }};
    // Slices that go on by so much with every element.
    (@runs $out:ident, $value:expr, $($x:ident: $row:expr, $step:expr),+) => {{
        const LINE: usize = 64; // bytes
        const AHEAD: usize = 32 * LINE;
        let ahead = $crate::kernel::each::asks_ahead();
        let length = $out.len();
        let bulk = length / RUN * RUN;
        $(let $x = (&$row[..], $step);)+
        for at in (0..bulk).step_by(RUN) {
            let out = &mut $out[at..at + RUN];
            for line in 0..if ahead { size_of_val(out) / LINE } else { 0 } {
                $crate::kernel::each::fetch_to_write(out.as_ptr().cast::<u8>().wrapping_add(AHEAD + line * LINE));
            }
            $(let $x = &$x.0[at * $x.1..at * $x.1 + RUN];)+
            for i in 0..RUN {
                $(let $x = $x[i];)+
                out[i] = $value;
            }
        }
        $(let $x = &$x.0[bulk * $x.1..];)+
        for (i, out) in $out[bulk..].iter_mut().enumerate() {
            $(let $x = $x[i];)+
            *out = $value;
        }
    }};
}
pub(crate) use each;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_stands_for_one_number() {
        for length in [1, 63, 64, 65, 127, 128, 200] {
            let x: Vec<f32> = (0..length).map(|i| i as f32).collect();
            let constant = vec![3.0f32; if length > RUN { RUN } else { length }];
            let mut out = vec![0.0; length];
            each!(a in x, b in constant => out, a - b);
            assert!(out.iter().zip(&x).all(|(o, x)| *o == x - 3.0), "{length}");
            each!(b in constant, a in x => out, a - b);
            assert!(out.iter().zip(&x).all(|(o, x)| *o == x - 3.0), "{length}");
        }
    }
}
