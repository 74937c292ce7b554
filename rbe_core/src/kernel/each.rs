//! Element-wise loops over slices, written so that they become vectors and find the memory that they write.

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

/// `each!(x in row, y in other => out: value)`: every element of `out` from those at its place in slices of at least its length.
macro_rules! each {
    ($($x:ident in $row:expr),+ => $out:expr, $value:expr) => {{
        const RUN: usize = 64; // elements
        const LINE: usize = 64; // bytes
        const AHEAD: usize = 32 * LINE;
        let out = &mut $out[..];
        let length = out.len();
        let bulk = length / RUN * RUN;
        $(let $x = &$row[..length];)+
        for at in (0..bulk).step_by(RUN) {
            let out = &mut out[at..at + RUN];
            for line in 0..size_of_val(out) / LINE {
                $crate::kernel::each::fetch_to_write(out.as_ptr().cast::<u8>().wrapping_add(AHEAD + line * LINE));
            }
            $(let $x = &$x[at..at + RUN];)+
            for i in 0..RUN {
                $(let $x = $x[i];)+
                out[i] = $value;
            }
        }
        for i in bulk..length {
            $(let $x = $x[i];)+
            out[i] = $value;
        }
    }};
}
pub(crate) use each;
