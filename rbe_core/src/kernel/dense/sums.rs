//! Sums in blocks: few roundings between an element and its sum, whatever the length, in an order that the length alone decides.
//!
//! A sum of `n` float32 elements of one sign is off by less than `2e-7 log2 n` of itself.

use super::lane_sum::{filled_up, fold};
use crate::dtype::Element;
use crate::isa::multiversion;

/// An element that can be summed.
pub(crate) trait Addend: Element + Default {
    /// What sums of blocks are added up in: float64, or the integers themselves.
    type Total: Element + Default;
    /// `a + b`; integers wrap around.
    fn plus(self, other: Self) -> Self;
    /// This number as a total.
    fn total(self) -> Self::Total;
    /// `a + b` of totals.
    fn join(a: Self::Total, b: Self::Total) -> Self::Total;
    /// A total, divided by `count` (which takes a while, unless that is 1), rounded to this type; integers are not divided.
    fn of_total(total: Self::Total, count: f64) -> Self;
}

macro_rules! float_addend {
    ($($float:ty),*) => {$(
        impl Addend for $float {
            type Total = f64;
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self + other
            }
            #[inline(always)]
            fn total(self) -> f64 {
                self.into()
            }
            #[inline(always)]
            fn join(a: f64, b: f64) -> f64 {
                a + b
            }
            #[inline(always)]
            fn of_total(total: f64, count: f64) -> Self {
                (if count == 1.0 { total } else { total / count }) as $float
            }
        }
    )*};
}
float_addend!(f32, f64);

impl Addend for i64 {
    type Total = i64;
    #[inline(always)]
    fn plus(self, other: i64) -> i64 {
        self.wrapping_add(other)
    }
    #[inline(always)]
    fn total(self) -> i64 {
        self
    }
    #[inline(always)]
    fn join(a: i64, b: i64) -> i64 {
        a.wrapping_add(b)
    }
    #[inline(always)]
    fn of_total(total: i64, _count: f64) -> i64 {
        total
    }
}

/// Elements of a row that are summed in their own type; longer rows are sums of totals.
pub(crate) const PART: usize = 1 << 14;

const LANES: usize = 64;
/// Lanes for few elements.
const QUARTER: usize = LANES / 4;

/// Sum of at most [`LANES`] elements, in a quarter of the lanes.
#[inline(always)]
fn few<T: Addend>(part: &[T]) -> T {
    let mut lanes = [T::default(); QUARTER];
    let (bulk, tail) = part.as_chunks::<QUARTER>();
    for chunk in bulk {
        for i in 0..QUARTER {
            lanes[i] = lanes[i].plus(chunk[i]);
        }
    }
    for (lane, v) in lanes.iter_mut().zip(tail) {
        *lane = lane.plus(*v);
    }
    fold(lanes, T::plus)
}

/// Elements of a block, of which a lane has sixteen.
const BLOCK: usize = 16 * LANES;

/// Sums of at most [`BLOCK`] elements, by lanes.
#[inline(always)]
fn block_sums<T: Addend>(block: &[T]) -> [T; LANES] {
    let mut lanes = [T::default(); LANES];
    let (bulk, tail) = block.as_chunks::<LANES>();
    for chunk in bulk {
        for i in 0..LANES {
            lanes[i] = lanes[i].plus(chunk[i]);
        }
    }
    if !tail.is_empty() {
        let last: [T; LANES] = filled_up(tail, T::default());
        for i in 0..LANES {
            lanes[i] = lanes[i].plus(last[i]);
        }
    }
    lanes
}

/// Sum of at most [`PART`] elements: in lanes for each block, the blocks in lanes, the lanes pairwise.
#[inline(always)]
fn sum<T: Addend>(part: &[T]) -> T::Total {
    if part.len() <= LANES {
        return few(part).total();
    }
    if part.len() <= BLOCK {
        return fold(block_sums(part), T::plus).total();
    }
    let mut sums = [T::default(); LANES];
    for block in part.chunks(BLOCK) {
        let lanes = block_sums(block);
        for i in 0..LANES {
            sums[i] = sums[i].plus(lanes[i]);
        }
    }
    fold(sums, T::plus).total()
}

multiversion! {
    /// Sum of at most [`PART`] elements.
    pub(crate) fn sum_part[T: Addend](part: &[T]) -> T::Total {
        sum(part)
    }
}

multiversion! {
    /// Sums of rows of at most [`PART`] elements, divided by `count`.
    pub(crate) fn sum_rows[T: Addend](rows: &[T], width: usize, count: f64, out: &mut [T]) {
        for (o, row) in out.iter_mut().zip(rows.chunks(width)) {
            *o = T::of_total(sum(row), count);
        }
    }
}

/// Rows that are summed in their own type.
pub(crate) const FEW_ROWS: usize = 8;

/// Sums of `rows` rows, which begin `step` elements apart, in the first columns.
#[inline(always)]
fn sum_columns<T: Addend, const COLUMNS: usize>(source: &[T], rows: usize, step: usize) -> [T; COLUMNS] {
    let mut lanes = [T::default(); COLUMNS];
    for r in 0..rows {
        let row = &source[r * step..][..COLUMNS];
        for i in 0..COLUMNS {
            lanes[i] = lanes[i].plus(row[i]);
        }
    }
    lanes
}

/// For all columns of `rows` rows `put(element of out, sum)`, in tiles that stay in registers.
#[inline(always)]
fn each_column<T: Addend, U>(source: &[T], rows: usize, step: usize, out: &mut [U], put: impl Fn(&mut U, T)) {
    let (tiles, rest) = out.as_chunks_mut::<LANES>();
    let done = tiles.len() * LANES;
    for (t, tile) in tiles.iter_mut().enumerate() {
        let sums = sum_columns::<T, LANES>(&source[t * LANES..], rows, step);
        for i in 0..LANES {
            put(&mut tile[i], sums[i]);
        }
    }
    let (tiles, rest) = rest.as_chunks_mut::<QUARTER>();
    let all = done + tiles.len() * QUARTER;
    for (t, tile) in tiles.iter_mut().enumerate() {
        let sums = sum_columns::<T, QUARTER>(&source[done + t * QUARTER..], rows, step);
        for i in 0..QUARTER {
            put(&mut tile[i], sums[i]);
        }
    }
    for (c, o) in rest.iter_mut().enumerate() {
        let [sum] = sum_columns::<T, 1>(&source[all + c..], rows, step);
        put(o, sum);
    }
}

multiversion! {
    /// Sums of the columns of at most [`FEW_ROWS`] rows, which begin `stride` elements apart.
    pub(crate) fn sum_few_rows[T: Addend](source: &[T], rows: usize, stride: usize, sums: &mut [T]) {
        const SMALL: usize = 1 << 18; // bytes; rows some kilobytes apart share the places of the innermost cache
        if rows * stride * size_of::<T>() <= SMALL {
            let width = sums.len();
            sums.copy_from_slice(&source[..width]);
            for r in 1..rows {
                for (sum, v) in sums.iter_mut().zip(&source[r * stride..][..width]) {
                    *sum = sum.plus(*v);
                }
            }
        } else if rows == FEW_ROWS {
            each_column(source, FEW_ROWS, stride, sums, |o, sum| *o = sum); // unrolled
        } else {
            each_column(source, rows, stride, sums, |o, sum| *o = sum);
        }
    }
}

multiversion! {
    /// Adds rows, which begin `stride` elements apart, to the totals of their columns: eight at a time that lie an eighth of all rows
    /// apart, so that memory is read in eight streams, each of which goes on.
    pub(crate) fn add_rows[T: Addend](source: &[T], rows: usize, stride: usize, totals: &mut [T::Total]) {
        let (apart, rest) = (rows / FEW_ROWS, rows % FEW_ROWS);
        for r in 0..apart {
            each_column(&source[r * stride..], FEW_ROWS, apart * stride, totals, |total, sum: T| *total = T::join(*total, sum.total()));
        }
        if rest > 0 {
            each_column(&source[(rows - rest) * stride..], rest, stride, totals, |total, sum: T| *total = T::join(*total, sum.total()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_near_the_true_ones() {
        for n in [1, 2, 3, 7, 16, 63, 64, 65, 100, 1024, 1025, 5000, PART] {
            for value in [0.1f32, 1.0 / 3.0, 0.7] {
                let row = vec![value; n];
                let want = f64::from(value) * n as f64;
                let bound = 2e-7 * (n as f64).log2() * want;
                assert!((sum_part(&row) - want).abs() <= bound, "{n} {value}");
                let mut totals = vec![0.0; 3];
                let column: Vec<f32> = (0..3 * n).map(|_| value).collect();
                add_rows(&column, n, 3, &mut totals);
                assert!(totals.iter().all(|t| (t - want).abs() <= bound), "{n} {value}");
            }
        }
    }

    #[test]
    fn columns_are_summed_apart() {
        for (rows, width) in [(1, 1), (3, 63), (9, 64), (20, 65), (17, 200)] {
            let source: Vec<i64> = (0..rows * width).map(|i| (i * 7919 % 1009) as i64).collect();
            let mut totals = vec![1i64; width];
            add_rows(&source, rows, width, &mut totals);
            let mut sums = vec![0i64; width];
            sum_few_rows(&source, rows.min(FEW_ROWS), width, &mut sums);
            for c in 0..width {
                assert_eq!(totals[c], 1 + (0..rows).map(|r| source[r * width + c]).sum::<i64>());
                assert_eq!(sums[c], (0..rows.min(FEW_ROWS)).map(|r| source[r * width + c]).sum::<i64>());
            }
        }
        assert_eq!(sum_part(&[i64::MAX, 1, 1]), i64::MIN + 1);
    }
}
