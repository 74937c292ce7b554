//! Products of one row with a matrix: each element of the matrix is used once, so nothing is gained by bringing it into another order first.

use super::lane_sum::lane_sum;
use super::matrix::{Destination, Matrix};
use crate::dtype::Float;
use crate::isa::multiversion;

/// Columns that are kept in registers while rows are added.
const LANES: usize = 64;
/// Elements of a matrix by rows up to which this is worth while: columns of a larger one lie too far apart.
const MOST: usize = 1 << 16;

/// `c (1, n) = a (1, k) b (k, n)` or `c += a b`, which fit; false, and nothing is done, where `b` is not in an order that suits.
pub(super) fn row_product<T: Float>((n, k): (usize, usize), a: Matrix<'_, T>, b: Matrix<'_, T>, c: &mut Destination<'_, T>) -> bool {
    if a.cols != 1 {
        return false;
    }
    let (a, out) = (&a.data[..k], &mut c.data[..n]);
    if b.rows == 1 {
        dots(a, b.data, b.cols as usize, c.add, out);
    } else if b.cols == 1 && n * k <= MOST {
        if !c.add {
            out.fill(T::zero());
        }
        add_rows(a, b.data, b.rows as usize, out);
    } else {
        return false;
    }
    true
}

multiversion! {
    /// `out[j] = a · column j`, or added; columns are `apart`.
    fn dots[T: Float](a: &[T], b: &[T], apart: usize, add: bool, out: &mut [T]) {
        for (j, o) in out.iter_mut().enumerate() {
            let column = &b[j * apart..][..a.len()];
            let sum = T::of(lane_sum!(x in a, y in column => x * y));
            *o = if add { *o + sum } else { sum };
        }
    }
}

multiversion! {
    /// `out += Σ a[i] · row i`; rows are `apart`.
    fn add_rows[T: Float](a: &[T], b: &[T], apart: usize, out: &mut [T]) {
        let (bulk, rest) = out.as_chunks_mut::<LANES>();
        let done = bulk.len() * LANES;
        for (q, out) in bulk.iter_mut().enumerate() {
            let mut lanes = *out;
            for (i, a) in a.iter().enumerate() {
                let Some(row) = b[i * apart + q * LANES..].first_chunk::<LANES>() else { unreachable!("the matrix fits") };
                for k in 0..LANES {
                    lanes[k] += *a * row[k];
                }
            }
            *out = lanes;
        }
        if !rest.is_empty() {
            for (i, a) in a.iter().enumerate() {
                rest.iter_mut().zip(&b[i * apart + done..]).for_each(|(o, b)| *o += *a * *b);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::{Isa, set_isa};
    use crate::random::Generator;

    #[test]
    fn products_of_a_row_are_those_of_plain_loops_in_either_order_of_the_matrix() {
        for isa in Isa::for_tests() {
            set_isa(Some(isa.name())).unwrap();
            for (n, k) in [(1, 1), (1, 100), (3, 64), (64, 3), (65, 129), (200, 1), (130, 1100)] {
                let mut numbers = vec![0.0f32; k + (n + 3) * (k + 5) + n];
                Generator::new(1).stream().normal(&mut numbers);
                let (a, rest) = numbers.split_at(k);
                let (b, start) = rest.split_at((n + 3) * (k + 5));
                // Rows of columns, and columns of rows, further apart than they are long.
                for (rows, cols) in [(1, k + 5), (n + 3, 1)] {
                    for add in [false, true] {
                        let at = |j: usize| (0..k).map(|i| f64::from(a[i]) * f64::from(b[i * rows + j * cols])).sum::<f64>();
                        let mut out = start.to_vec();
                        let matrix = Matrix { data: b, rows: rows as isize, cols: cols as isize };
                        let row = Matrix { data: a, rows: 1, cols: 1 };
                        assert!(row_product((n, k), row, matrix, &mut Destination::new(&mut out, n, add)) || cols == 1 && n * k > MOST);
                        for (j, out) in out.iter().enumerate().filter(|_| rows == 1 || n * k <= MOST) {
                            let want = at(j) + if add { f64::from(start[j]) } else { 0.0 };
                            assert!((f64::from(*out) - want).abs() < 1e-4, "{n} {k} {rows} {cols} {add}: {out} {want}");
                        }
                    }
                }
            }
        }
        set_isa(None).unwrap();
    }
}
