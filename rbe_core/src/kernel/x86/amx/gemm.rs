//! Dense products in single precision from products of bfloat16 tiles. A number is exactly the sum of three bfloat16 numbers, a
//! product of two numbers the sum of nine products. The three smallest are left out: together at most 2^-24 of the product, what
//! its rounding to single precision would cost.

use std::arch::x86_64::*;

use super::set_sums::{PARTS, Pairs};
use super::tiles::{LINE, Tiles, load, product, store, zero};
use crate::Buffer;
use crate::kernel::dense::matrix::Matrix;
use crate::kernel::shared::Shared;

/// Rows or columns of a tile register.
const LINES: usize = 16;
/// Terms of a sum that one instruction adds.
const STEP: usize = 32;
/// Rows of a panel of `a`, columns of a panel of `b`: two tile registers each, so four of sums.
pub(in crate::kernel) const PANEL: usize = 2 * LINES;
/// Terms that are added before the sums go back to memory: two panels of so many stay in the innermost caches.
const DEPTH: usize = 8 * STEP;
/// Columns of `b` that are in order at once: they stay in the second-level cache.
pub(in crate::kernel) const COLUMNS: usize = 24 * PANEL;
/// Magnitudes from here on, infinities and NaN are left to other kernels: their parts are not finite.
const TOO_LARGE: u32 = 0x7f00_0000; // 2^127

/// One step of a panel, (half of its lines, part). Of `a` a tile has a row of sixteen pairs for each line, of `b` a column.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct Step([[Pairs; PARTS]; 2]);

/// Rows and columns of `c`, one step of which is a panel.
#[derive(Clone, Copy)]
struct Place {
    row: usize,
    rows: usize,
    col: usize,
    cols: usize,
}

/// Elements `(rows, cols)` from `at` on of `c = a (rows, k) b (k, cols)`. False, and any numbers in `c`, if an
/// element of `a` or `b` is not finite or huge.
///
/// # Safety
/// The machine must have AMX with bfloat16 beside AVX-512. `a` and `b` must hold so many elements; nobody else may touch those of `c`.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
pub(in crate::kernel) unsafe fn gemm(
    (rows, cols, k): (usize, usize, usize),
    a: Matrix<'_, f32>,
    b: Matrix<'_, f32>,
    c: Shared<'_, f32>,
    at: (usize, usize),
) -> bool {
    // SAFETY: as the caller vouches.
    let tiles = unsafe { Tiles::new() };
    let steps = k.min(DEPTH).div_ceil(STEP);
    let mut left = Buffer::dirty(steps * size_of::<Step>());
    let mut right = Buffer::dirty(cols.min(COLUMNS).div_ceil(PANEL) * steps * size_of::<Step>());
    let (left, right): (&mut [Step], &mut [Step]) = (left.slice_mut(), right.slice_mut());
    let b = b.t();
    let mut most = _mm512_setzero_si512();
    for col in (0..cols).step_by(COLUMNS) {
        let cols = (cols - col).min(COLUMNS);
        for from in (0..k).step_by(DEPTH) {
            let terms = (k - from).min(DEPTH);
            let steps = terms.div_ceil(STEP);
            for (p, panel) in right.chunks_exact_mut(steps).enumerate().take(cols.div_ceil(PANEL)) {
                most = pack::<true>(b, (col + p * PANEL, cols - p * PANEL), (from, terms), panel, most);
            }
            for row in (0..rows).step_by(PANEL) {
                most = pack::<false>(a, (row, rows - row), (from, terms), &mut left[..steps], most);
                for (p, panel) in right.chunks_exact(steps).enumerate().take(cols.div_ceil(PANEL)) {
                    let place = Place {
                        row: at.0 + row,
                        rows: (rows - row).min(PANEL),
                        col: at.1 + col + p * PANEL,
                        cols: (cols - p * PANEL).min(PANEL),
                    };
                    // SAFETY: as the caller vouches.
                    unsafe { block(&tiles, &left[..steps], panel, c, place, from > 0) };
                }
            }
        }
    }
    _mm512_reduce_max_epu32(most) < TOO_LARGE
}

/// Lines `first..` of `source (lines, terms)`, at most `lines` and a panel's worth, in tiles; the rest of the panel is zero. A line
/// becomes a column of pairs if `TURNED`, else a row. The largest magnitudes so far, as bits.
#[target_feature(enable = "avx512f")]
fn pack<const TURNED: bool>(
    source: Matrix<'_, f32>,
    (first, lines): (usize, usize),
    (from, terms): (usize, usize),
    out: &mut [Step],
    mut largest: __m512i,
) -> __m512i {
    for (s, step) in out.iter_mut().enumerate() {
        let from = from + s * STEP;
        let terms = (terms - s * STEP).min(STEP);
        for (half, out) in step.0.iter_mut().enumerate() {
            let used = lines.saturating_sub(half * LINES).min(LINES);
            if used == 0 {
                *out = bytemuck::Zeroable::zeroed();
                continue;
            }
            let at = (first + half * LINES) * source.rows as usize + from * source.cols as usize;
            let data = &source.data[at..];
            let (line, term) = (source.rows as usize, source.cols as usize);
            let (along, across) = if TURNED { (line, term) } else { (term, line) }; // a row of the tile, from row to row
            let whole = used == LINES && terms == STEP;
            // Rows of the tile: where the first is, from row to row, and from the first of a pair to the second.
            let mut scratch = [[0.0f32; LINES]; STEP];
            let (rows, stride, second) = if whole && along == 1 {
                (data, across, LINES * term)
            } else if whole && across == 1 {
                let (x, y) = scratch.split_at_mut(LINES);
                transpose(data, along, x);
                transpose(&data[LINES * term..], along, y);
                (scratch.as_flattened(), LINES, LINES * LINES)
            } else {
                for l in 0..used {
                    for t in 0..terms {
                        let (row, place) = if TURNED { (t, l) } else { (t / LINES * LINES + l, t % LINES) };
                        scratch[row][place] = data[l * line + t * term];
                    }
                }
                (scratch.as_flattened(), LINES, LINES * LINES)
            };
            let magnitude = _mm512_set1_epi32(i32::MAX);
            for i in 0..LINES {
                let (x, y) = (vector(rows, i * stride), vector(rows, i * stride + second));
                for v in [x, y] {
                    largest = _mm512_max_epu32(largest, _mm512_and_si512(_mm512_castps_si512(v), magnitude));
                }
                for (part, words) in out.iter_mut().zip(split(x, y)) {
                    // SAFETY: sixteen words.
                    unsafe { _mm512_storeu_si512(part[i].as_mut_ptr().cast(), words) };
                }
            }
        }
    }
    largest
}

/// Sixteen numbers.
#[inline]
#[target_feature(enable = "avx512f")]
fn vector(data: &[f32], at: usize) -> __m512 {
    let numbers = &data[at..at + LINES];
    // SAFETY: sixteen numbers are readable.
    unsafe { _mm512_loadu_ps(numbers.as_ptr()) }
}

/// Sets sixteen numbers.
#[inline]
#[target_feature(enable = "avx512f")]
fn write(to: &mut [f32; LINES], v: __m512) {
    // SAFETY: sixteen numbers are writable.
    unsafe { _mm512_storeu_ps(to.as_mut_ptr(), v) }
}

/// The three parts of the numbers of `a` and `b` in pairs, `a` in the low halves: the nearest bfloat16 number, the one nearest to
/// the rest, and what is left.
#[inline]
#[target_feature(enable = "avx512f")]
fn split(a: __m512, b: __m512) -> [__m512i; PARTS] {
    let (upper, half) = (_mm512_set1_epi32(0xffff_0000_u32.cast_signed()), _mm512_set1_epi32(0x8000));
    let nearest = |v: __m512| _mm512_and_si512(_mm512_add_epi32(_mm512_castps_si512(v), half), upper);
    let (mut a, mut b) = (a, b);
    std::array::from_fn(|_| {
        let (x, y) = (nearest(a), nearest(b));
        a = _mm512_sub_ps(a, _mm512_castsi512_ps(x));
        b = _mm512_sub_ps(b, _mm512_castsi512_ps(y));
        _mm512_or_si512(_mm512_srli_epi32::<16>(x), y)
    })
}

/// Sixteen runs of sixteen numbers, `stride` apart, to rows: 2 x 2 of single numbers, of pairs, of fours and of eights.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose(data: &[f32], stride: usize, out: &mut [[f32; LINES]]) {
    let x: [__m512; LINES] = std::array::from_fn(|i| vector(data, i * stride));
    let mut pairs = [_mm512_setzero_pd(); 16];
    for i in 0..8 {
        let (a, b) = (x[2 * i], x[2 * i + 1]);
        pairs[2 * i] = _mm512_castps_pd(_mm512_unpacklo_ps(a, b));
        pairs[2 * i + 1] = _mm512_castps_pd(_mm512_unpackhi_ps(a, b));
    }
    let mut fours = [_mm512_setzero_ps(); 16]; // (four rows, column within four)
    for i in 0..4 {
        for j in 0..2 {
            let (a, b) = (pairs[4 * i + j], pairs[4 * i + 2 + j]);
            fours[4 * i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
            fours[4 * i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
        }
    }
    for j in 0..4 {
        let [a, b, c, d] = std::array::from_fn(|i| fours[4 * i + j]);
        let (even, odd) = (_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b));
        let (even_after, odd_after) = (_mm512_shuffle_f32x4::<0x88>(c, d), _mm512_shuffle_f32x4::<0xdd>(c, d));
        write(&mut out[j], _mm512_shuffle_f32x4::<0x88>(even, even_after));
        write(&mut out[8 + j], _mm512_shuffle_f32x4::<0xdd>(even, even_after));
        write(&mut out[4 + j], _mm512_shuffle_f32x4::<0x88>(odd, odd_after));
        write(&mut out[12 + j], _mm512_shuffle_f32x4::<0xdd>(odd, odd_after));
    }
}

/// Adds the products of two panels to the sums of `c` there, or to zero.
///
/// # Safety
/// AMX with bfloat16 must be available; nobody else may touch these elements of `c`.
#[target_feature(enable = "avx512f")]
unsafe fn block(tiles: &Tiles, a: &[Step], b: &[Step], c: Shared<'_, f32>, place: Place, add: bool) {
    let Place { row, rows, col, cols } = place;
    if rows == PANEL && cols == PANEL {
        // SAFETY: as the caller vouches; all 32 rows of 32 elements lie inside `c`, since the last does.
        return unsafe {
            c.part(row + rows - 1, col, cols);
            sums(tiles, a, b, c.part(row, col, cols).as_mut_ptr(), c.width() * size_of::<f32>(), add)
        };
    }
    #[repr(C, align(64))]
    struct Aligned([[f32; PANEL]; PANEL]);
    let mut edge = Aligned([[0.0; PANEL]; PANEL]);
    // SAFETY: as the caller vouches.
    unsafe {
        if add {
            edge.0.iter_mut().enumerate().take(rows).for_each(|(r, edge)| edge[..cols].copy_from_slice(c.part(row + r, col, cols)));
        }
        sums(tiles, a, b, edge.0.as_mut_ptr().cast(), 2 * LINE, add);
        edge.0.iter().enumerate().take(rows).for_each(|(r, edge)| c.part(row + r, col, cols).copy_from_slice(&edge[..cols]));
    }
}

/// Four tiles of sums at `c`, whose rows are `width` bytes apart.
///
/// # Safety
/// As [`block`]; 32 rows of 32 numbers must be there.
#[inline]
unsafe fn sums(_: &Tiles, a: &[Step], b: &[Step], c: *mut f32, width: usize, add: bool) {
    // The numbers of these tile registers are parts of the panels' halves.
    macro_rules! part {
        (a $i:literal, $a:expr) => {
            load!("4", $a.0[0][$i].as_ptr(), LINE);
            load!("5", $a.0[1][$i].as_ptr(), LINE);
        };
        (b $i:literal, $b:expr) => {
            load!("6", $b.0[0][$i].as_ptr(), LINE);
            load!("7", $b.0[1][$i].as_ptr(), LINE);
        };
    }
    macro_rules! products {
        () => {
            product!("tdpbf16ps", "0", "4", "6");
            product!("tdpbf16ps", "1", "4", "7");
            product!("tdpbf16ps", "2", "5", "6");
            product!("tdpbf16ps", "3", "5", "7");
        };
    }
    // SAFETY: tiles are configured, as the argument shows; each load is of sixteen lines of 64 bytes of a part, those of `c` are there
    // as the caller vouches.
    unsafe {
        let places = [c, c.add(LINES), c.byte_add(LINES * width), c.byte_add(LINES * width).add(LINES)];
        if add {
            load!("0", places[0], width);
            load!("1", places[1], width);
            load!("2", places[2], width);
            load!("3", places[3], width);
        } else {
            zero!("0");
            zero!("1");
            zero!("2");
            zero!("3");
        }
        for (a, b) in a.iter().zip(b) {
            part!(a 2, a);
            part!(b 0, b);
            products!();
            part!(a 1, a);
            products!();
            part!(a 0, a);
            products!();
            part!(b 2, b);
            products!();
            part!(b 1, b);
            products!();
            part!(a 1, a);
            products!();
        }
        store!("0", places[0], width);
        store!("1", places[1], width);
        store!("2", places[2], width);
        store!("3", places[3], width);
    }
}
