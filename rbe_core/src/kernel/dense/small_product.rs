//! Products of matrices that fit into the first-level cache: sums stay in registers, and no operand is brought into another order first.

use super::lane_sum::filled_up;
use super::matrix::{Destination, Matrix};
use crate::dtype::Float;
use crate::isa::{self, Isa, multiversion};

/// Rows of a block of sums.
const ROWS: usize = 4;
/// Columns of the narrowest block.
const NARROWEST: usize = 16;

/// Rows of the left operand, columns of the right one, and terms of a sum: `(m, n, k)`.
type Size = (usize, usize, usize);

/// `c (m, n) = a (m, k) b (k, n)`, or `c += a b`; false, and nothing is done, in double precision, where columns of `b` are apart, where
/// there is nothing to multiply, and in portable Rust. `b` should fit into the first-level cache. Each element is a sum of fused multiply-adds in the order of
/// `k`, on every instruction set: the bits of the `gemm` crate.
///
/// # Panics
/// If a matrix reaches outside its slice, or rows of `c` overlap.
pub(super) fn small_product<T: Float>(size: Size, a: Matrix<'_, T>, b: Matrix<'_, T>, c: &mut Destination<'_, T>) -> bool {
    let (m, n, k) = size;
    // In double precision the products of the crate take no longer.
    if size_of::<T>() != 4 || isa::current() == Isa::SCALAR || b.cols != 1 || m == 0 || n == 0 || k == 0 {
        return false;
    }
    assert!(c.width >= n && (m - 1) * c.width + n <= c.data.len(), "small product: the result does not fit");
    assert!(a.fits(m, k) && b.fits(k, n), "small product: an operand does not fit");
    blocks(size, a, b, c);
    true
}

multiversion! {
    fn blocks[T: Float](size: Size, a: Matrix<'_, T>, b: Matrix<'_, T>, c: &mut Destination<'_, T>) {
        let (m, n, k) = size;
        let (width, add) = (c.width, c.add);
        let mut first = 0;
        while first < m {
            let a = a.below(first);
            let c = Destination::new(&mut c.data[first * width..], width, add);
            if m - first >= ROWS {
                columns::<T, ROWS>(n, k, a, b, c);
                first += ROWS;
            } else {
                columns::<T, 1>(n, k, a, b, c);
                first += 1;
            }
        }
    }
}

/// `R` rows of a product: blocks of as many columns as the registers hold, and what is left, filled up with zeros.
#[inline(always)]
fn columns<T: Float, const R: usize>(n: usize, k: usize, a: Matrix<'_, T>, b: Matrix<'_, T>, mut c: Destination<'_, T>) {
    let mut at = 0;
    while n - at >= 64 {
        block::<T, R, 64>(k, a, b, &mut c, at, None);
        at += 64;
    }
    while n - at >= 32 {
        block::<T, R, 32>(k, a, b, &mut c, at, None);
        at += 32;
    }
    while n - at >= NARROWEST {
        block::<T, R, NARROWEST>(k, a, b, &mut c, at, None);
        at += NARROWEST;
    }
    if at < n {
        block::<T, R, NARROWEST>(k, a, b, &mut c, at, Some(n - at));
    }
}

/// `R` rows and at most `C` columns, from column `at`, of a product: `C`, or `used` of them.
#[inline(always)]
fn block<T: Float, const R: usize, const C: usize>(
    k: usize,
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    c: &mut Destination<'_, T>,
    at: usize,
    used: Option<usize>,
) {
    let (rows, cols) = (a.rows as usize, a.cols as usize);
    let mut sums = [[T::zero(); C]; R];
    for i in 0..k {
        let b = &b.data[i * b.rows as usize + at..];
        // A copy, which the compiler keeps in registers.
        let row: [T; C] = match used {
            None => {
                let mut row = [T::zero(); C];
                row.copy_from_slice(&b[..C]);
                row
            }
            Some(n) => filled_up(&b[..n], T::zero()),
        };
        for r in 0..R {
            let x = a.data[r * rows + i * cols];
            for j in 0..C {
                sums[r][j] = x.mul_add(row[j], sums[r][j]);
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        let out = &mut c.data[r * c.width + at..];
        match used {
            None => store(c.add, &sums[..], &mut out[..C]),
            Some(n) => store(c.add, &sums[..n], &mut out[..n]),
        }
    }
}

#[inline(always)]
fn store<T: Float>(add: bool, sums: &[T], out: &mut [T]) {
    if add {
        out.iter_mut().zip(sums).for_each(|(o, s)| *o += *s);
    } else {
        out.copy_from_slice(sums);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::set_isa;
    use crate::random::Generator;

    fn products<T: Float>(numbers: &[T]) -> Vec<Vec<T>> {
        let mut all = Vec::new();
        for (m, n, k) in [(1, 1, 1), (3, 5, 7), (8, 64, 32), (7, 130, 64), (64, 48, 20), (5, 33, 100), (8, 16, 1), (4, 0, 3), (4, 3, 0)] {
            for by_columns in [false, true] {
                for add in [false, true] {
                    let a = Matrix::row_major(&numbers[..m * 120], 120);
                    let a = if by_columns { Matrix { data: &numbers[..k * 70], rows: 1, cols: 70 } } else { a };
                    let b = Matrix::row_major(&numbers[11..11 + k * (n + 3)], n + 3);
                    let mut c = numbers[5..5 + m * (n + 2)].to_vec();
                    let mut to = Destination::new(&mut c, n + 2, add);
                    if !small_product((m, n, k), a, b, &mut to) {
                        crate::kernel::dense::gemm::gemm((m, n, k), a, b, to);
                    }
                    let at = |x: Matrix<'_, T>, i: usize, j: usize| x.data[i * x.rows as usize + j * x.cols as usize].wide();
                    for (i, row) in c.chunks_exact(n + 2).enumerate() {
                        let before = &numbers[5 + i * (n + 2)..];
                        assert!(row[n..] == before[n..n + 2], "beyond the result");
                        for (j, got) in row[..n].iter().enumerate() {
                            let sum = (0..k).map(|l| at(a, i, l) * at(b, l, j)).sum::<f64>();
                            let want = sum + if add { before[j].wide() } else { 0.0 };
                            assert!((got.wide() - want).abs() < 1e-6 * (k as f64 + 1.0), "{m} {n} {k}: {} {want}", got.wide());
                        }
                    }
                    all.push(c);
                }
            }
        }
        all
    }

    #[test]
    fn every_set_has_the_numbers_of_plain_loops_and_the_same_bits() {
        let mut numbers = vec![0.0f32; 20_000];
        Generator::new(1).stream().normal(&mut numbers);
        numbers.iter_mut().for_each(|x| *x *= 0.3);
        let wide: Vec<f64> = numbers.iter().map(|x| f64::from(*x)).collect();
        let mut first = None;
        for isa in Isa::for_tests() {
            set_isa(Some(isa.name())).unwrap();
            let all = (products(&numbers), products(&wide));
            assert!(*first.get_or_insert_with(|| all.clone()) == all, "{}", isa.name());
        }
        set_isa(None).unwrap();
    }
}
