//! Dense products, strides checked: by the `gemm` crate, or by tiles where the machine has them and the shape is worth it. One row, and
//! small matrices by rows, have kernels of their own.

use std::any::Any;
use std::cell::Cell;

use gemm_common::Parallelism;
use gemm_common::cache::CACHE_INFO;
use gemm_common::gemm::L2_SLAB;

use super::matrix::{Destination, Matrix};
use super::row_product::row_product;
use super::small_product::small_product;
use crate::dtype::Float;
use crate::memory;
use crate::parallel;

/// Multiplications from which a product is shared between threads.
const SHARED_WORK: usize = 1 << 19;

/// Rows of the left operand, columns of the right one, and terms of a sum: `(m, n, k)`.
pub type Size = (usize, usize, usize);

/// `c (m, n) = a (m, k) b (k, n)`, or `c += a b`.
///
/// # Panics
/// If a matrix reaches outside its slice, or rows of `c` overlap.
pub fn gemm<T: Float>(size: Size, a: Matrix<'_, T>, b: Matrix<'_, T>, mut c: Destination<'_, T>) {
    if is_empty(size, a, b, &mut c) {
        return;
    }
    if size.0 == 1 && row_product((size.1, size.2), a, b, &mut c) {
        return;
    }
    if !by_tiles(size, a, b, &mut c, false) {
        by_crate(size, a, b, c);
    }
}

/// Whether nothing is left to multiply: there is no element, or all sums are empty. Asserts that all matrices fit.
fn is_empty<T: Float>((m, n, k): Size, a: Matrix<'_, T>, b: Matrix<'_, T>, c: &mut Destination<'_, T>) -> bool {
    if m == 0 || n == 0 {
        return true;
    }
    assert!(c.width >= n && (m - 1) * c.width + n <= c.data.len(), "gemm: the result does not fit");
    assert!(a.fits(m, k) && b.fits(k, n), "gemm: an operand does not fit");
    if k == 0 && !c.add {
        c.data.chunks_mut(c.width).take(m).for_each(|row| row[..n].fill(T::zero()));
    }
    k == 0
}

/// Bytes that the crate may allocate for one product: its packed operands, by the bounds of its cache blocking (`kernel_params`).
/// It allocates them by itself and ends the process where there are none.
fn packed_bytes<T>(m: usize, n: usize, k: usize) -> usize {
    const DEPTH: usize = 2048; // of a block
    const ROWS: usize = 1024; // up to which the left operand is packed as a whole
    const REGISTERS: (usize, usize) = (64, 6); // rows and columns of a microkernel, at most
    let depth = k.min(DEPTH);
    let left = depth * (m.min(ROWS) + REGISTERS.0);
    let third_level = CACHE_INFO[2].cache_bytes / size_of::<T>();
    let right = (depth * (n + REGISTERS.1)).min(third_level.max(128 * REGISTERS.1 * depth) + depth * REGISTERS.1);
    (left + right) * size_of::<T>() + 4096
}

/// Bytes that a product may allocate on its thread, by the crate or by tiles.
pub(crate) fn scratch_bytes<T>(m: usize, n: usize, k: usize) -> usize {
    packed_bytes::<T>(m, n, k) + CACHE_INFO[1].cache_bytes + (m * n + 2 * 64 * k.max(n)) * size_of::<T>() + (1 << 20)
}

/// Makes the crate allocate the scratch that it keeps for each thread, once.
fn keep_scratch() {
    thread_local! {
        static KEPT: Cell<bool> = const { Cell::new(false) };
    }
    if !KEPT.get() {
        memory::lend(CACHE_INFO[1].cache_bytes, || L2_SLAB.with(|_| ()));
        KEPT.set(true);
    }
}

/// [`gemm()`] by the `gemm` crate.
fn by_crate<T: Float>((m, n, k): Size, a: Matrix<'_, T>, b: Matrix<'_, T>, c: Destination<'_, T>) {
    assert!(m == 0 || (m - 1) * c.width + n <= c.data.len() && a.fits(m, k) && b.fits(k, n), "gemm: an operand does not fit");
    keep_scratch();
    // The crate's kernels want the neighbours of a column of the result next to each other: rows of `c` are columns of its transpose.
    let bytes = packed_bytes::<T>(m, n, k);
    let (m, n, a, b, [across, down]) = if c.width > 1 { (n, m, b.t(), a.t(), [c.width, 1]) } else { (m, n, a, b, [1, c.width]) };
    // SAFETY: every element of the three matrices lies inside its slice, as asserted above; `c` is borrowed mutably,
    // so it overlaps neither operand.
    memory::lend(bytes, || unsafe {
        kernel::<T>()(
            m,
            n,
            k,
            c.data.as_mut_ptr(),
            across as isize,
            down as isize,
            c.add,
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
            Parallelism::None,
        );
    });
}

/// What the crate multiplies with: sizes, the result and whether to add to it, both operands, a factor for the old result and one for
/// the product, and what to conjugate. Behind a matrix stand the distances of its columns and of its rows.
type Kernel<T> = unsafe fn(
    usize,
    usize,
    usize,
    *mut T,
    isize,
    isize,
    bool,
    *const T,
    isize,
    isize,
    *const T,
    isize,
    isize,
    T,
    T,
    bool,
    bool,
    bool,
    Parallelism,
);

/// The kernel for the elements and the processor.
fn kernel<T: Float>() -> Kernel<T> {
    let (of_f32, of_f64): (Kernel<f32>, Kernel<f64>) = (gemm_f32::gemm::f32::get_gemm_fn(), gemm_f64::gemm::f64::get_gemm_fn());
    let kernels: [&dyn Any; 2] = [&of_f32, &of_f64];
    let found = kernels.into_iter().find_map(<dyn Any>::downcast_ref::<Kernel<T>>);
    *found.unwrap_or_else(|| unreachable!("gemm: there are two kinds of floats"))
}

/// Whether tiles are faster: the time of their products, of bringing the operands into order and of passing over the result,
/// against that of the crate, which does half as many multiplications a second.
#[cfg(target_arch = "x86_64")]
fn worth_tiles((m, n, k): Size) -> bool {
    use crate::kernel::x86::amx::{GEMM_COLUMNS, GEMM_PANEL};
    const PASS: usize = 25; // multiplications in the time of one element
    let whole = |v: usize| v.next_multiple_of(GEMM_PANEL);
    let passes = m * k * n.div_ceil(GEMM_COLUMNS) + k * n + m * n;
    whole(m) * whole(n) * whole(k) + PASS * passes < 2 * m * n * k
}

/// [`gemm()`] by tiles; false, and any numbers in `c` unless `add`, if they do not serve. If `shared`, panels of the longer side
/// of `c` are shared between the threads; the bits do not depend on that.
#[cfg(target_arch = "x86_64")]
fn by_tiles<T: Float>(size: Size, a: Matrix<'_, T>, b: Matrix<'_, T>, c: &mut Destination<'_, T>, shared: bool) -> bool {
    use crate::dtype::DType;
    use crate::isa::{self, VectorIsa};
    use crate::kernel::shared::Shared;
    use crate::kernel::x86::amx::{self, GEMM_PANEL};
    let (m, n, k) = size;
    if T::DTYPE != DType::F32 || isa::current().vectors() != Some(VectorIsa::Amx) || !worth_tiles(size) {
        return false;
    }
    if c.add {
        // What is to be added to must survive if an operand proves not to be finite.
        let mut product = crate::Buffer::dirty(m * n * size_of::<T>());
        let product: &mut [T] = product.slice_mut();
        if !by_tiles(size, a, b, &mut Destination::new(&mut *product, n, false), shared) {
            return false;
        }
        for (c, product) in c.data.chunks_mut(c.width).zip(product.chunks_exact(n)) {
            c.iter_mut().zip(product).for_each(|(c, p)| *c += *p);
        }
        return true;
    }
    fn f32s<T: Float>(x: Matrix<'_, T>) -> Matrix<'_, f32> {
        Matrix { data: bytemuck::cast_slice(x.data), rows: x.rows, cols: x.cols }
    }
    let (a, b, c) = (f32s(a), f32s(b), Shared::new(bytemuck::cast_slice_mut(c.data), c.width));
    let panels = m.max(n).div_ceil(GEMM_PANEL);
    let parts = if shared { panels.min(parallel::num_threads()) } else { 1 };
    let part = |i: usize| {
        let [start, end] = [i, i + 1].map(|i| (i * panels / parts * GEMM_PANEL).min(m.max(n)));
        // SAFETY: the set in use has AMX; every part has rows or columns of `c` of its own, and the operands fit.
        unsafe {
            if m >= n {
                amx::gemm((end - start, n, k), a.below(start), b, c, (start, 0))
            } else {
                amx::gemm((m, end - start, k), a, b.t().below(start).t(), c, (0, start))
            }
        }
    };
    parallel::map(parts, part).into_iter().all(|finite| finite)
}

#[cfg(not(target_arch = "x86_64"))]
fn by_tiles<T: Float>(_: Size, _: Matrix<'_, T>, _: Matrix<'_, T>, _: &mut Destination<'_, T>, _: bool) -> bool {
    false
}

/// How many parts of rows a product is cut into. A part gives the bits of the whole as long as the library takes the same way
/// through it: for small results and vectors it has others.
fn parts(m: usize, n: usize, k: usize) -> usize {
    let least = if n > 64 { 16 } else { 256 };
    if n < 2 || m * n * k < SHARED_WORK { 1 } else { (m / least).clamp(1, parallel::num_threads()) }
}

/// Whether a product is small enough for the kernel that leaves the right operand in its order: half of the first-level cache holds it.
/// Elements of a column of a larger one, a power of two apart, would displace each other. Narrower products, and those in double
/// precision, take less time by the crate.
fn suits_small_product<T: Float>((m, n, k): Size) -> bool {
    const BYTES: usize = 1 << 14;
    const WIDTH: usize = 32;
    n >= WIDTH && k * n * size_of::<T>() <= BYTES && m * n * k < SHARED_WORK
}

/// `c (m, n) = a (m, k) b (k, n)`, rows shared between the threads; the bits do not depend on their number.
///
/// # Panics
/// As [`gemm()`].
pub fn gemm_shared<T: Float>(m: usize, n: usize, k: usize, a: Matrix<'_, T>, b: Matrix<'_, T>, c: &mut [T]) {
    let mut output = Destination::new(&mut *c, n, false);
    if is_empty((m, n, k), a, b, &mut output)
        || m == 1 && row_product((n, k), a, b, &mut output)
        || by_tiles((m, n, k), a, b, &mut output, m * n * k >= SHARED_WORK)
    {
        return;
    }
    if suits_small_product::<T>((m, n, k)) && small_product((m, n, k), a, b, &mut output) {
        return;
    }
    let parts = parts(m, n, k);
    let mut rest = &mut c[..m * n];
    let mut pieces: Vec<(usize, &mut [T])> = Vec::with_capacity(parts);
    for i in 0..parts {
        let (start, end) = (i * m / parts, (i + 1) * m / parts);
        let (piece, after) = rest.split_at_mut((end - start) * n);
        pieces.push((start, piece));
        rest = after;
    }
    parallel::for_each_mut(&mut pieces, |_, (start, piece)| {
        by_crate((piece.len() / n, n, k), a.below(*start), b, Destination::new(piece, n, false));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, turn: f32) -> Vec<f32> {
        (0..n).map(|i| (i as f32 * turn).sin()).collect()
    }

    #[test]
    fn parts_of_a_product_have_the_bits_of_the_whole() {
        for (m, n, k) in [(130, 65, 700), (33, 70, 600), (600, 40, 300), (600, 2, 600), (257, 300, 1100)] {
            let (a, b) = (numbers(m * k, 0.37), numbers(k * n, 0.71));
            for b in [Matrix::row_major(&b, n), Matrix::row_major(&b, k).t()] {
                let (mut whole, mut shared) = (vec![0.0; m * n], vec![0.0; m * n]);
                by_crate((m, n, k), Matrix::row_major(&a, k), b, Destination::new(&mut whole, n, false));
                let least = if n > 64 { 16 } else { 256 };
                for rows in (0..m).step_by(least).take((m / least).max(1)) {
                    // The smallest parts that any number of threads is given.
                    let end = if rows + 2 * least > m { m } else { rows + least };
                    let a = Matrix::row_major(&a, k).below(rows);
                    by_crate((end - rows, n, k), a, b, Destination::new(&mut shared[rows * n..end * n], n, false));
                }
                assert!(whole == shared, "({m}, {n}, {k})");
            }
        }
    }

    #[test]
    fn products_do_not_depend_on_the_number_of_threads() {
        for (m, n, k) in [(130, 65, 700), (257, 300, 1100), (100, 850, 70), (96, 96, 96), (300, 33, 129)] {
            let (a, b) = (numbers(m * k, 0.37), numbers(k * n, 0.71));
            for a in [Matrix::row_major(&a, k), Matrix::row_major(&a, m).t()] {
                let mut whole = vec![0.0; m * n];
                gemm((m, n, k), a, Matrix::row_major(&b, n), Destination::new(&mut whole, n, false));
                for threads in [1, 2, 4, 8] {
                    parallel::set_num_threads(threads).unwrap();
                    let mut shared = vec![0.0; m * n];
                    gemm_shared(m, n, k, a, Matrix::row_major(&b, n), &mut shared);
                    assert!(whole == shared, "({m}, {n}, {k}) with {threads}");
                }
            }
        }
    }

    /// Products in single precision against float64: transposed operands, edges, and a result wider than the product.
    #[test]
    fn errors_are_those_of_single_precision() {
        for (m, n, k) in [(64, 64, 128), (97, 130, 300), (129, 70, 200), (33, 900, 513), (200, 96, 33), (128, 127, 126)] {
            let (a, b) = (numbers(m * k, 0.37), numbers(k * n, 0.71));
            for a in [Matrix::row_major(&a, k), Matrix::row_major(&a, m).t()] {
                for b in [Matrix::row_major(&b, n), Matrix::row_major(&b, k).t()] {
                    for add in [false, true] {
                        let width = n + 5;
                        let mut c = vec![0.5; m * width];
                        gemm((m, n, k), a, b, Destination::new(&mut c, width, add));
                        for (i, row) in c.chunks_exact(width).enumerate() {
                            assert!(row[n..].iter().all(|v| *v == 0.5), "beyond the result");
                            for (j, got) in row[..n].iter().enumerate() {
                                let at = |x: Matrix<'_, f32>, i, j| f64::from(x.data[i * x.rows as usize + j * x.cols as usize]);
                                let terms = (0..k).map(|l| at(a, i, l) * at(b, l, j));
                                let (sum, size) = terms.fold((0.0, 0.0), |(s, t), x| (s + x, t + x.abs()));
                                let start = f64::from(u8::from(add)) * 0.5;
                                let bound = (k as f64 + 4.0) * (size + start) * f64::from(f32::EPSILON) / 2.0;
                                assert!((f64::from(*got) - start - sum).abs() <= bound, "({m}, {n}, {k}) {add}: {got} {sum}");
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn infinities_and_huge_numbers_go_through_products() {
        let (m, n, k) = (100, 96, 130);
        for (value, add) in [(f32::INFINITY, false), (f32::NAN, false), (3.3e38, false), (f32::INFINITY, true), (2e38, true)] {
            let (mut a, b) = (vec![0.25; m * k], vec![0.5; k * n]);
            a[7 * k + 100] = value;
            let mut c = vec![1.0; m * n];
            gemm((m, n, k), Matrix::row_major(&a, k), Matrix::row_major(&b, n), Destination::new(&mut c, n, add));
            let other = 0.125 * k as f32 + f32::from(u8::from(add));
            let same = |x: f32, y: f32| x == y || x.is_nan() && y.is_nan();
            assert!(c.iter().enumerate().all(|(i, c)| same(*c, if i / n == 7 { value * 0.5 } else { other })), "{value}");
        }
    }

    #[test]
    fn agrees_with_three_loops() {
        for (m, n, k) in [(1, 1, 1), (3, 5, 7), (17, 33, 64), (5, 4, 0), (64, 1, 100), (1, 64, 100)] {
            let a: Vec<f64> = (0..m * k).map(|i| (i as f64 * 0.37).sin()).collect();
            let b: Vec<f64> = (0..k * n).map(|i| (i as f64 * 0.71).cos()).collect();
            let bt: Vec<f64> = (0..n * k).map(|i| b[(i % k.max(1)) * n + i / k.max(1)]).collect();
            let mut c = vec![1.0; m * n];
            gemm((m, n, k), Matrix::row_major(&a, k), Matrix::row_major(&bt, k).t(), Destination::new(&mut c, n, true));
            for i in 0..m {
                for j in 0..n {
                    let want: f64 = 1.0 + (0..k).map(|l| a[i * k + l] * b[l * n + j]).sum::<f64>();
                    assert!((c[i * n + j] - want).abs() < 1e-12);
                }
            }
        }
    }
}
