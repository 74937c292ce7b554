//! Element-wise loops over slices, written so that they compile to vector instructions and prefetch what they write.

use super::stream::Streaming;
use crate::dtype::Element;
use crate::isa::multiversion;

multiversion! {
    /// One value everywhere.
    pub(crate) fn fill[T: Element](value: T, out: &mut [T]) {
        for o in out {
            *o = value;
        }
    }
}

/// Whether loops gain by prefetching the lines that they will write. Intel's processors do; an EPYC (Zen 4) takes up to a fifth longer.
#[inline(always)]
pub(crate) fn prefetches_writes() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        static INTEL: std::sync::LazyLock<bool> = std::sync::LazyLock::new(|| {
            let vendor = std::arch::x86_64::__cpuid(0);
            [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes).as_flattened() == b"GenuineIntel"
        });
        *INTEL
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Prefetches the cache line of an address for writing: else it is fetched only when it is written, and the loop waits. The address may
/// lie beyond the end.
#[inline(always)]
pub(crate) fn prefetch_for_write<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch is a hint that reads and writes nothing.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_ET0 }>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// Elements that loops work on at a time: a number that stands for a whole row is laid out in so many.
pub(crate) const RUN: usize = 64;

/// What a loop over rows reads: the element of row `r` and column `c` is `data[r * down + c * across]`.
#[derive(Clone, Copy)]
pub(crate) struct StridedRows<'a, T> {
    pub(crate) data: &'a [T],
    pub(crate) down: usize,
    pub(crate) across: usize, // 1, or 0 for one number along a row
}

impl<'a, T: Element> StridedRows<'a, T> {
    /// One row.
    pub(crate) fn row(data: &'a [T]) -> StridedRows<'a, T> {
        StridedRows { data, down: 0, across: 1 }
    }

    /// Scratch for [`StridedRows::line`].
    #[inline(always)]
    pub(crate) fn scratch(&self) -> [T; RUN] {
        [self.data[0]; RUN]
    }

    /// Row `r`, of `width` elements, and by how much to go on in it with every element. One number is laid out in `scratch`.
    #[inline(always)]
    pub(crate) fn line<'s>(&'s self, r: usize, width: usize, scratch: &'s mut [T; RUN]) -> (&'s [T], usize) {
        let data = &self.data[r * self.down..];
        if self.across == 0 {
            scratch.fill(data[0]);
            (scratch, 0)
        } else {
            (&data[..width], 1)
        }
    }
}

/// What a loop over rows writes: contiguous rows, with non-temporal stores if `non_temporal` is given.
pub(crate) struct OutputRows<'a, T> {
    pub(crate) rows: &'a mut [T],
    pub(crate) width: usize,
    pub(crate) non_temporal: Option<&'a Streaming>,
}

impl<'a, T> OutputRows<'a, T> {
    /// One row.
    pub(crate) fn row(row: &'a mut [T]) -> OutputRows<'a, T> {
        OutputRows { width: row.len(), rows: row, non_temporal: None }
    }
}

/// `each!(x in row, y in other => out, value)`: every element of `out` from those at its place in slices of at least its length.
/// `each!(rows x in rows, y in others => output, value)` does so row by row for [`StridedRows`] and [`OutputRows`]. With `streaming s`
/// after the output, it is written with non-temporal stores, if that is `Some`. `each!(laid out x in rows, …)` is one loop, in which a number along
/// rows is read from memory as others are: for long formulas, beside which that costs nothing.
macro_rules! each {
    // Of two, one that is one number along rows stays in a register; not with non-temporal stores, which take longer than reading it.
    (rows $x:ident in $first:expr, $y:ident in $second:expr => $output:expr, streaming $streaming:expr, $value:expr) => {{
        let (first, second, width, streaming) = ($first, $second, $output.width, $streaming);
        let (mut scratch, mut other) = (first.scratch(), second.scratch());
        for (r, out) in $output.rows.chunks_mut(width).enumerate() {
            let ($x, $y) = (first.line(r, width, &mut scratch), second.line(r, width, &mut other));
            if streaming.is_some() {
                each!(@line out, streaming, $value, $x, $y);
            } else if $y.1 == 0 {
                let $y = $y.0[0];
                each!(@line out, each!(@none), $value, $x);
            } else if $x.1 == 0 {
                let $x = $x.0[0];
                each!(@line out, each!(@none), $value, $y);
            } else {
                each!(@line out, each!(@none), $value, $x, $y);
            }
        }
    }};
    (rows $($x:ident in $rows:expr),+ => $output:expr, streaming $streaming:expr, $value:expr) => {
        each!(laid out $($x in $rows),+ => $output, streaming $streaming, $value)
    };
    (laid out $($x:ident in $rows:expr),+ => $output:expr, streaming $streaming:expr, $value:expr) => {{
        let (width, streaming) = ($output.width, $streaming);
        $(let rows = $rows; let mut $x = (rows, rows.scratch());)+
        for (r, out) in $output.rows.chunks_mut(width).enumerate() {
            $(let $x = $x.0.line(r, width, &mut $x.1);)+
            each!(@line out, streaming, $value, $($x),+);
        }
    }};
    (laid out $($x:ident in $rows:expr),+ => $output:expr, $value:expr) => {
        each!(laid out $($x in $rows),+ => $output, streaming each!(@none), $value)
    };
    (rows $($x:ident in $rows:expr),+ => $output:expr, $value:expr) => {
        each!(rows $($x in $rows),+ => $output, streaming $output.non_temporal, $value)
    };
    ($($x:ident in $row:expr),+ => $out:expr, streaming $streaming:expr, $value:expr) => {{
        let out = &mut $out[..];
        $(let $x = (&$row[..out.len()], 1);)+
        each!(@line out, $streaming, $value, $($x),+);
    }};
    ($($x:ident in $row:expr),+ => $out:expr, $value:expr) => {
        each!($($x in $row),+ => $out, streaming each!(@none), $value)
    };
    (@none) => {
        None::<&$crate::kernel::dense::stream::Streaming>
    };
    // Slices, and by how much to go on in them with every element.
    (@line $out:ident, $streaming:expr, $value:expr, $($x:ident),+) => {{
        const LINE: usize = $crate::kernel::dense::stream::LINE;
        const AHEAD: usize = 32 * LINE; // bytes
        const RUN: usize = $crate::kernel::dense::elementwise::RUN;
        let bulk = $out.len() / RUN * RUN;
        if let Some(streaming) = $streaming {
            for at in (0..bulk).step_by(RUN) {
                $(let $x = &$x.0[at * $x.1..at * $x.1 + RUN];)+
                let mut run = [bytemuck::Zeroable::zeroed(); RUN]; // not from `out`: what non-temporal stores wrote is slow to read
                for i in 0..RUN {
                    $(let $x = $x[i];)+
                    run[i] = $value;
                }
                streaming.copy(&run, &mut $out[at..at + RUN]);
            }
        } else {
            let ahead = $crate::kernel::dense::elementwise::prefetches_writes();
            for at in (0..bulk).step_by(RUN) {
                let out = &mut $out[at..at + RUN];
                for line in 0..if ahead { size_of_val(out) / LINE } else { 0 } {
                    $crate::kernel::dense::elementwise::prefetch_for_write(out.as_ptr().cast::<u8>().wrapping_add(AHEAD + line * LINE));
                }
                $(let $x = &$x.0[at * $x.1..at * $x.1 + RUN];)+
                for i in 0..RUN {
                    $(let $x = $x[i];)+
                    out[i] = $value;
                }
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
    fn rows_of_any_width_are_read_in_any_way() {
        let data: Vec<f32> = (0..5000).map(|i| (i * 7919 % 1009) as f32).collect();
        for width in [1, 63, 64, 65, 128, 200] {
            for (down, across) in [(0, 0), (0, 1), (1, 0), (width, 1), (width + 3, 1), (5, 0)] {
                for large in [false, true] {
                    let streaming = large.then(Streaming::new);
                    let (other, first) =
                        (StridedRows { data: &data, down, across }, StridedRows { data: &data[7..], down: width, across: 1 });
                    let mut out = crate::Buffer::zeroed(3 * width * size_of::<f32>());
                    let rows = out.slice_mut::<f32>();
                    let output = OutputRows { rows, width, non_temporal: streaming.as_ref() };
                    each!(rows a in first, b in other => output, a - b);
                    for (i, o) in rows.iter().enumerate() {
                        assert!(*o == data[7 + i] - data[i / width * down + i % width * across], "{width} {down} {across} {large} {i}");
                    }
                }
            }
        }
    }
}
