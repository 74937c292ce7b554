//! Sums that a compiler can keep in vectors.

use crate::dtype::Float;

/// `a + b`: tells the compiler that lanes are of the type of their terms.
#[inline(always)]
pub(in crate::kernel) fn add<T: Float>(a: T, b: T) -> T {
    a + b
}

/// All lanes, a multiple of sixteen, into one, half onto half.
#[inline(always)]
pub(crate) fn fold<T: Copy, const N: usize>(lanes: [T; N], join: impl Fn(T, T) -> T) -> T {
    let mut left: [T; 16] = std::array::from_fn(|i| lanes[i]);
    for k in 1..N / 16 {
        for i in 0..16 {
            left[i] = join(left[i], lanes[16 * k + i]);
        }
    }
    let left: [T; 8] = std::array::from_fn(|i| join(left[i], left[i + 8]));
    let left: [T; 4] = std::array::from_fn(|i| join(left[i], left[i + 4]));
    join(join(left[0], left[2]), join(left[1], left[3]))
}

/// What is left of a row after its last whole block, as a block: by it, lanes can stay in registers, which are not written one by one.
#[inline(always)]
pub(crate) fn filled_up<T: Copy, const N: usize>(rest: &[T], fill: T) -> [T; N] {
    let mut block = [fill; N];
    block[..rest.len()].copy_from_slice(rest);
    block
}

/// `lane_sums!(x in row, y in other => term, …)`: the sums, in `f64`, of terms over slices of one length. Terms are added in lanes of
/// their own type for a block, the blocks in double precision: an order that the length alone decides.
macro_rules! lane_sums {
    ($($x:ident in $row:expr),+ => $($term:expr),+) => {{
        const SUMS: usize = [$(stringify!($term)),+].len();
        const LANES: usize = if SUMS == 1 { 64 } else { 32 }; // fewer are taken two by two, more do not fit in the registers of AVX2
        const BLOCK: usize = 1024;
        let length = [$($row.len()),+][0];
        let mut totals = [0.0f64; SUMS];
        for start in (0..length).step_by(BLOCK) {
            let size = BLOCK.min(length - start);
            let bulk = size / LANES * LANES;
            let mut lanes = [[$crate::dtype::Float::of(0.0); LANES]; SUMS];
            $(let $x = &$row[start..start + size];)+
            for at in (0..bulk).step_by(LANES) {
                $(let $x = &$x[at..at + LANES];)+
                for i in 0..LANES {
                    $(let $x = $x[i];)+
                    let terms = [$($term),+];
                    for k in 0..SUMS {
                        lanes[k][i] = $crate::kernel::dense::lane_sum::add(lanes[k][i], terms[k]);
                    }
                }
            }
            if bulk < size {
                $(let $x: [_; LANES] = $crate::kernel::dense::lane_sum::filled_up(&$x[bulk..], $crate::dtype::Float::of(0.0));)+
                for i in 0..LANES {
                    $(let $x = $x[i];)+
                    let terms = [$($term),+];
                    for k in 0..SUMS {
                        let term = if i < size - bulk { terms[k] } else { $crate::dtype::Float::of(0.0) };
                        lanes[k][i] = $crate::kernel::dense::lane_sum::add(lanes[k][i], term);
                    }
                }
            }
            for k in 0..SUMS {
                totals[k] += $crate::dtype::Float::wide($crate::kernel::dense::lane_sum::fold(lanes[k], $crate::kernel::dense::lane_sum::add));
            }
        }
        totals
    }};
}
pub(in crate::kernel) use lane_sums;

/// As [`lane_sums`], of one term.
macro_rules! lane_sum {
    ($($arguments:tt)+) => {
        $crate::kernel::dense::lane_sum::lane_sums!($($arguments)+)[0]
    };
}
pub(in crate::kernel) use lane_sum;
