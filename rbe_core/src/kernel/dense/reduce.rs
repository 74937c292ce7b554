//! Rows to one number, and back.

use super::elementary::{Elementary, largest};
use super::elementwise::{OutputRows, StridedRows, each};
use super::lane_sum::{filled_up, fold, lane_sum};
use super::softmax::sum_exp;
use crate::dtype::{Element, Float};
use crate::isa::multiversion;

multiversion! {
    /// Sum of the squares of the distances from `centre`, in double precision.
    pub fn squares[T: Float](row: &[T], centre: f64) -> f64 {
        lane_sum!(x in row => (x.wide() - centre) * (x.wide() - centre))
    }
}

multiversion! {
    /// Sum of a row, accumulated in double precision.
    pub fn wide_sum[T: Float](row: &[T]) -> f64 {
        lane_sum!(x in row => x.wide())
    }
}

multiversion! {
    /// Sum of the absolute values, accumulated in double precision.
    pub fn absolute_sum[T: Float](row: &[T]) -> f64 {
        lane_sum!(x in row => x.abs().wide())
    }
}

multiversion! {
    /// `Σ (|x| / scale)^p`.
    pub fn power_sum[T: Elementary](row: &[T], scale: T, p: T) -> f64 {
        lane_sum!(x in row => (x.abs() / scale).fast_pow(p))
    }
}

multiversion! {
    /// How many elements are not 0.
    pub fn nonzeros[T: Float](row: &[T]) -> f64 {
        lane_sum!(x in row => if x == T::zero() { T::zero() } else { T::one() })
    }
}

/// `ln Σ e^x`, without overflow.
pub fn log_sum_exp<T: Elementary>(row: &[T]) -> T {
    let top = largest(row);
    if top.is_infinite() {
        return if row.iter().any(|v| v.is_nan()) { T::nan() } else { top };
    }
    top + T::of(sum_exp(row, top).ln())
}

multiversion! {
    /// `out = dy e^(x - y)`.
    pub(crate) fn shares[T: Elementary](dy: StridedRows<'_, T>, x: StridedRows<'_, T>, y: StridedRows<'_, T>, out: &mut OutputRows<'_, T>) {
        each!(laid out d in dy, x in x, y in y => out, d * (x - y).fast_exp());
    }
}

multiversion! {
    /// The largest or smallest element of each row, none of which is empty; NaN where there is one.
    pub fn extremes[T: Element](rows: &[T], largest: bool, out: &mut [T]) {
        const LANES: usize = 64;
        let width = rows.len() / out.len();
        for (row, o) in rows.chunks(width).zip(out) {
            let mut lanes = [row[0]; LANES];
            let (bulk, tail) = row.as_chunks::<LANES>();
            for chunk in bulk {
                for i in 0..LANES {
                    lanes[i] = further(lanes[i], chunk[i], largest);
                }
            }
            if !tail.is_empty() {
                let last: [T; LANES] = filled_up(tail, row[0]);
                for i in 0..LANES {
                    lanes[i] = further(lanes[i], last[i], largest);
                }
            }
            *o = fold(lanes, |a, b| further(a, b, largest));
        }
    }
}

/// The larger or smaller of two; NaN if one is.
#[inline(always)]
#[allow(clippy::eq_op)] // only NaN differs from itself
pub fn further<T: Element>(a: T, b: T, largest: bool) -> T {
    let beyond = if largest { b > a } else { b < a };
    if beyond || b != b { b } else { a }
}

/// Whether an element is the extreme, which NaN is where it is there.
#[inline(always)]
#[allow(clippy::eq_op)] // only NaN differs from itself
fn is_extreme<T: Float>(x: T, extreme: T, nan_too: bool) -> bool {
    x == extreme || nan_too && x != x && extreme != extreme
}

multiversion! {
    /// How many elements of each row, none of which is empty, equal its value; with `nan_too` NaN equals NaN.
    pub fn ties[T: Float](rows: &[T], values: &[T], nan_too: bool, out: &mut [T]) {
        let width = rows.len() / out.len();
        for ((row, value), o) in rows.chunks(width).zip(values).zip(out) {
            *o = T::of(lane_sum!(x in row => if is_extreme(x, *value, nan_too) { T::one() } else { T::zero() }));
        }
    }
}

multiversion! {
    /// `out = dy / count` where x is the extreme, `0 / count` elsewhere: NaN in a row of which no element is.
    pub(crate) fn to_extremes[T: Float](dy: StridedRows<'_, T>, x: StridedRows<'_, T>, extreme: StridedRows<'_, T>, count: StridedRows<'_, T>, nan_too: bool, out: &mut OutputRows<'_, T>) {
        each!(rows d in dy, x in x, e in extreme, n in count => out, (if is_extreme(x, e, nan_too) { d } else { T::zero() }) / n);
    }
}
