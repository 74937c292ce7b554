//! Dense products through the `gemm` crate, strides checked.

use crate::dtype::Float;
use crate::parallel;

/// Multiplications from which a product is shared between threads.
const SHARED_WORK: usize = 1 << 19;

/// A matrix inside a slice: element `(i, j)` is at `i * rows + j * cols`.
#[derive(Clone, Copy)]
pub struct Matrix<'a, T> {
    /// The elements.
    pub data: &'a [T],
    /// Distance of neighbouring rows.
    pub rows: isize,
    /// Distance of neighbouring columns.
    pub cols: isize,
}

impl<'a, T> Matrix<'a, T> {
    /// A row-major matrix of `width` columns.
    pub fn row_major(data: &'a [T], width: usize) -> Matrix<'a, T> {
        Matrix { data, rows: width as isize, cols: 1 }
    }

    /// The transpose.
    pub fn t(self) -> Matrix<'a, T> {
        Matrix { data: self.data, rows: self.cols, cols: self.rows }
    }

    /// Without the first `rows` rows.
    pub fn below(self, rows: usize) -> Matrix<'a, T> {
        Matrix { data: &self.data[(rows * self.rows as usize).min(self.data.len())..], ..self }
    }

    fn fits(&self, rows: usize, cols: usize) -> bool {
        rows == 0
            || cols == 0
            || (self.rows >= 0
                && self.cols >= 0
                && (rows - 1)
                    .checked_mul(self.rows as usize)
                    .zip((cols - 1).checked_mul(self.cols as usize))
                    .is_some_and(|(a, b)| a.checked_add(b).is_some_and(|last| last < self.data.len())))
    }
}

/// `c (m, n) = a (m, k) b (k, n)`, or `c += a b`; `c` is row-major with rows `width >= n` apart.
///
/// # Panics
/// If a matrix reaches outside its slice.
#[allow(clippy::too_many_arguments)] // a product has three sizes and three matrices
pub fn gemm<T: Float>(m: usize, n: usize, k: usize, a: Matrix<'_, T>, b: Matrix<'_, T>, c: &mut [T], width: usize, add: bool) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(width >= n && (m - 1) * width + n <= c.len(), "gemm: the result does not fit");
    assert!(a.fits(m, k) && b.fits(k, n), "gemm: an operand does not fit");
    if k == 0 {
        if !add {
            c.chunks_mut(width).take(m).for_each(|row| row[..n].fill(T::zero()));
        }
        return;
    }
    // SAFETY: every element of the three matrices lies inside its slice, as asserted above; `c` is borrowed mutably,
    // so it overlaps neither operand.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            width as isize,
            add,
            a.data.as_ptr(),
            a.cols,
            a.rows,
            b.data.as_ptr(),
            b.cols,
            b.rows,
            T::one(),
            T::one(),
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// How many parts of rows a product is cut into. A part gives the bits of the whole as long as the library takes the same way
/// through it: for small results and vectors it has others.
fn parts(m: usize, n: usize, k: usize) -> usize {
    let least = if n > 64 { 16 } else { 256 };
    if n < 2 || m * n * k < SHARED_WORK { 1 } else { (m / least).clamp(1, parallel::num_threads()) }
}

/// `c (m, n) = a (m, k) b (k, n)`, rows shared between the threads; the bits do not depend on their number.
///
/// # Panics
/// As [`gemm()`].
pub fn gemm_shared<T: Float>(m: usize, n: usize, k: usize, a: Matrix<'_, T>, b: Matrix<'_, T>, c: &mut [T]) {
    let parts = parts(m, n, k);
    let mut rest = c;
    let mut pieces: Vec<(usize, &mut [T])> = Vec::with_capacity(parts);
    for i in 0..parts {
        let (start, end) = (i * m / parts, (i + 1) * m / parts);
        let (piece, after) = rest.split_at_mut((end - start) * n);
        pieces.push((start, piece));
        rest = after;
    }
    parallel::map_mut(&mut pieces, |_, (start, piece)| {
        let rows = piece.len().checked_div(n).unwrap_or(0);
        gemm(rows, n, k, a.below(*start), b, piece, n, false);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_products_have_the_bits_of_whole_ones() {
        for (m, n, k) in [(130, 65, 700), (33, 70, 600), (600, 40, 300), (600, 2, 600), (257, 300, 1100)] {
            let a: Vec<f32> = (0..m * k).map(|i| (i as f32 * 0.37).sin()).collect();
            let b: Vec<f32> = (0..k * n).map(|i| (i as f32 * 0.71).cos()).collect();
            for b in [Matrix::row_major(&b, n), Matrix::row_major(&b, k).t()] {
                let (mut whole, mut shared) = (vec![0.0; m * n], vec![0.0; m * n]);
                gemm(m, n, k, Matrix::row_major(&a, k), b, &mut whole, n, false);
                let least = if n > 64 { 16 } else { 256 };
                for rows in (0..m).step_by(least).take((m / least).max(1)) {
                    // The smallest parts that any number of threads is given.
                    let end = if rows + 2 * least > m { m } else { rows + least };
                    let a = Matrix::row_major(&a, k).below(rows);
                    gemm(end - rows, n, k, a, b, &mut shared[rows * n..end * n], n, false);
                }
                assert!(whole == shared, "({m}, {n}, {k})");
                gemm_shared(m, n, k, Matrix::row_major(&a, k), b, &mut shared);
                assert!(whole == shared, "({m}, {n}, {k})");
            }
        }
    }

    #[test]
    fn agrees_with_three_loops() {
        for (m, n, k) in [(1, 1, 1), (3, 5, 7), (17, 33, 64), (5, 4, 0), (64, 1, 100), (1, 64, 100)] {
            let a: Vec<f64> = (0..m * k).map(|i| (i as f64 * 0.37).sin()).collect();
            let b: Vec<f64> = (0..k * n).map(|i| (i as f64 * 0.71).cos()).collect();
            let bt: Vec<f64> = (0..n * k).map(|i| b[(i % k.max(1)) * n + i / k.max(1)]).collect();
            let mut c = vec![1.0; m * n];
            gemm(m, n, k, Matrix::row_major(&a, k), Matrix::row_major(&bt, k).t(), &mut c, n, true);
            for i in 0..m {
                for j in 0..n {
                    let want: f64 = 1.0 + (0..k).map(|l| a[i * k + l] * b[l * n + j]).sum::<f64>();
                    assert!((c[i * n + j] - want).abs() < 1e-12);
                }
            }
        }
    }
}
