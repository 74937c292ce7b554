//! Sums that a compiler can keep in vectors.

use crate::dtype::Float;

/// `a + b`: tells the compiler that lanes are of the type of their terms.
#[inline(always)]
pub(super) fn add<T: Float>(a: T, b: T) -> T {
    a + b
}

/// All lanes, a multiple of sixteen, into one, half onto half.
#[inline(always)]
pub(crate) fn fold<T: Copy, const N: usize>(lanes: [T; N], join: impl Fn(T, T) -> T) -> T {
    let mut left = [lanes[0]; 16];
    left.copy_from_slice(&lanes[..16]);
    for k in 1..N / 16 {
        for i in 0..16 {
            left[i] = join(left[i], lanes[16 * k + i]);
        }
    }
    for i in 0..8 {
        left[i] = join(left[i], left[i + 8]);
    }
    for i in 0..4 {
        left[i] = join(left[i], left[i + 4]);
    }
    for i in 0..2 {
        left[i] = join(left[i], left[i + 2]);
    }
    join(left[0], left[1])
}

/// `lane_sum!(x in row, y in other => term)`: the sum, in `f64`, of a term over slices of one length. Terms are added in lanes of
/// their own type for a block, the blocks in double precision: an order that the length alone decides.
macro_rules! lane_sum {
    ($($x:ident in $row:expr),+ => $term:expr) => {{
        const LANES: usize = 32;
        const BLOCK: usize = 1024;
        let length = [$($row.len()),+][0];
        let mut total = 0.0f64;
        for start in (0..length).step_by(BLOCK) {
            let size = BLOCK.min(length - start);
            let bulk = size / LANES * LANES;
            let mut lanes = [$crate::dtype::Float::of(0.0); LANES];
            $(let $x = &$row[start..start + size];)+
            for at in (0..bulk).step_by(LANES) {
                $(let $x = &$x[at..at + LANES];)+
                for i in 0..LANES {
                    $(let $x = $x[i];)+
                    lanes[i] = $crate::kernel::lane_sum::add(lanes[i], $term);
                }
            }
            for i in bulk..size {
                $(let $x = $x[i];)+
                lanes[i - bulk] = $crate::kernel::lane_sum::add(lanes[i - bulk], $term);
            }
            total += $crate::dtype::Float::wide($crate::kernel::lane_sum::fold(lanes, $crate::kernel::lane_sum::add));
        }
        total
    }};
}
pub(super) use lane_sum;
