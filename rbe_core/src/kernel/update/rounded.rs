//! The gradient in integers: `x` and `dy` rounded to int8, every column by a scale of its own, and stochastically, so that the sums
//! of their products have the mean `G`. Those sums are exact in any order: every instruction set gives the same numbers.
//!
//! A column's scale is as large as two bounds allow: no number above [`MOST`], and a length (the root of the sum of squares) such that the
//! sum of products of a [`PART`] of the samples, which is at most the product of the two lengths, fits in 16 bits. That makes AVX2 fast,
//! which multiplies bytes to 16 bits only.

use std::ops::Range;

use super::int8::*;
use crate::Buffer;
use crate::isa::Isa;
use crate::kernel::dispatch::vector_kernel;
use crate::memory;
use crate::packed::{BITS, FactorPair, PackedTensor};
use crate::parallel;

/// Largest length of a column of a part after rounding: its square, less what single precision may have lost of it, fits in 16 bits.
const LONGEST: f32 = 180.9;
/// Most samples: the sums of their parts stay inside 32 bits.
pub(super) const MOST_SAMPLES: usize = PART << 16;
/// Samples that one task measures, and samples that one task rounds.
const PIECE: usize = 16;

/// The rounded factors of a step.
pub(super) struct Rounded {
    x: Buffer,              // (panels, words of four samples, columns of the panel), each with OFFSET
    dy: Buffer,             // (chunks of rows, groups, rows of the chunk, words)
    x_scale: Vec<f32>,      // (width)
    dy_scale: Vec<f32>,     // (rows)
    excess: Vec<i32>,       // (rows), see Int8Operands
    excess_pairs: Vec<u32>, // (chunks of rows, parts, rows of the chunk), see Int8Operands
    samples: usize,
}

impl Rounded {
    /// Rounds the samples of `factors`, which are finite.
    pub(super) fn new(isa: Isa, factors: &[FactorPair<'_>], w: &PackedTensor, stream: u32) -> Rounded {
        let width = w.blocks() * BITS;
        let rows = w.rows().next_multiple_of(CHUNK_ROWS);
        let x = memory::collect(factors.iter().flat_map(|f| f.x.chunks_exact(w.cols())));
        let dy = memory::collect(factors.iter().flat_map(|f| f.dy.chunks_exact(w.rows())));
        let samples = x.len();
        // Random numbers of dy from the upper half of the counters.
        let (x, x_scale) = round(isa, &x, Rounding { n: w.cols(), width, offset: OFFSET, counter: 0, stream });
        let (dy, dy_scale) = round(isa, &dy, Rounding { n: w.rows(), width: rows, offset: 0, counter: 1 << 31, stream });
        let (excess, excess_pairs) = excess(isa, dy.slice(), rows);
        Rounded { x: by_panel(x.slice(), width), dy: by_chunk(dy.slice(), rows), x_scale, dy_scale, excess, excess_pairs, samples }
    }

    /// Integers of rows `first..` and of some columns, `out (rows of a chunk, columns)`: times the scales of their row and column
    /// they are `G`.
    pub(super) fn sums(&self, isa: Isa, first: usize, columns: &Range<usize>, out: &mut [i32]) {
        assert!(first.is_multiple_of(CHUNK_ROWS) && first < self.dy_scale.len(), "rounded gradient: rows");
        let (x, dy): (&[u32], &[u32]) = (self.x.slice(), self.dy.slice());
        let words = x.len() / self.x_scale.len();
        let parts = words.div_ceil(PART_WORDS);
        let words = Int8Operands {
            x: &x[columns.start * words..columns.end * words],
            dy: &dy[first * words..][..CHUNK_ROWS * words],
            used: self.samples.div_ceil(4),
            excess: &self.excess[first..][..CHUNK_ROWS],
            excess_pairs: &self.excess_pairs[first * parts..][..CHUNK_ROWS * parts],
        };
        vector_kernel!(isa, dot_u8_i8(&words, out), else dot_u8_i8);
    }

    /// Scales of the columns.
    pub(super) fn x_scale(&self) -> &[f32] {
        &self.x_scale
    }

    /// Scale of row `n`.
    pub(super) fn dy_scale(&self, n: usize) -> f32 {
        self.dy_scale[n]
    }
}

/// See [`Int8Operands`]: the excess of every row, and that of every part in pairs, `(chunks of rows, parts, rows of the chunk)`.
fn excess(isa: Isa, dy: &[u32], rows: usize) -> (Vec<i32>, Vec<u32>) {
    let parts = (dy.len() / rows).div_ceil(PART_WORDS);
    let (mut all, mut pairs) = (memory::zeros::<i32>(rows), memory::zeros::<u32>(parts * rows));
    for (p, part) in dy.chunks(PART_WORDS * rows).enumerate() {
        let (mut first, mut last) = (memory::zeros::<i32>(rows), memory::zeros::<i32>(rows));
        for dy in part.chunks_exact(rows) {
            vector_kernel!(isa, add_excess(dy, [&mut first, &mut last]), else add_excess);
        }
        for (n, (first, last)) in first.into_iter().zip(last).enumerate() {
            all[n] = all[n].wrapping_add(first).wrapping_add(last);
            pairs[(n / CHUNK_ROWS * parts + p) * CHUNK_ROWS + n % CHUNK_ROWS] = u32::from(first as u16) | u32::from(last as u16) << 16;
        }
    }
    (all, pairs)
}

/// `x (words, width)` as (panels, words, columns of the panel).
fn by_panel(x: &[u32], width: usize) -> Buffer {
    let words = x.len() / width;
    let mut out = Buffer::dirty(size_of_val(x));
    parallel::for_each_piece(out.slice_mut::<u32>(), words * PANEL, |panel, out| {
        for (out, line) in out.chunks_exact_mut(PANEL).zip(x.chunks_exact(width)) {
            out.copy_from_slice(&line[panel * PANEL..][..PANEL]);
        }
    });
    out
}

/// `dy (words, rows)` with a row's words of a group side by side: (chunks of rows, groups, rows of the chunk, words).
fn by_chunk(dy: &[u32], rows: usize) -> Buffer {
    let words = dy.len() / rows;
    let mut out = Buffer::dirty(size_of_val(dy));
    parallel::for_each_piece(out.slice_mut::<u32>(), CHUNK_ROWS * words, |chunk, piece| {
        for (group, lines) in piece.chunks_exact_mut(CHUNK_ROWS * WORDS).zip(dy.chunks_exact(WORDS * rows)) {
            for (word, line) in lines.chunks_exact(rows).enumerate() {
                for (r, dy) in line[chunk * CHUNK_ROWS..][..CHUNK_ROWS].iter().enumerate() {
                    group[r * WORDS + word] = *dy;
                }
            }
        }
    });
    out
}

/// [`scaled`] of rows of as many numbers as there are columns.
pub(super) fn scale_rows(isa: Isa, g: &mut [f32], columns: &[f32], row: impl Fn(usize) -> f32) {
    for (r, g) in g.chunks_exact_mut(columns.len()).enumerate() {
        vector_kernel!(isa, scaled(g, columns, row(r)), else scaled);
    }
}

/// Columns whose largest number is below this are taken for zero: their scale would be beyond single precision.
const SMALLEST: f32 = 1e-36;

/// What the numbers of a column are multiplied by before they are rounded, given their largest magnitude, the largest sum of squares of a
/// part, and the samples of a part.
fn inverse_scale(most: f32, squares: f32, samples: usize) -> f32 {
    let root = (samples as f32).sqrt();
    // Rounding moves each number by less than 1, and their length by less than the root of their count. Squares that have left the
    // range of single precision tell nothing; then the largest number does.
    let length = if (1e-30..1e37).contains(&squares) { squares.sqrt() / most } else { root };
    let inverse = (MOST as f32).min((LONGEST - root) / length) / most;
    if most >= SMALLEST { inverse } else { 0.0 }
}

/// How samples of a matrix are rounded.
struct Rounding {
    /// Columns.
    n: usize,
    /// Columns of a line of words, the last ones empty.
    width: usize,
    /// What is added to a rounded number.
    offset: i32,
    /// Counter of the first random number, and their seed.
    counter: u32,
    stream: u32,
}

/// Words of samples, in whole groups; and the scales of the columns.
fn round(isa: Isa, samples: &[&[f32]], Rounding { n, width, offset, counter, stream }: Rounding) -> (Buffer, Vec<f32>) {
    let measured = parallel::map(samples.len().div_ceil(PIECE), |p| {
        let (mut most, mut squares) = (memory::zeros::<f32>(width), memory::zeros::<f32>(width));
        let samples = &samples[p * PIECE..samples.len().min((p + 1) * PIECE)];
        vector_kernel!(isa, measure(samples, &mut most, &mut squares), else measure);
        (most, squares)
    });
    let (mut most, mut squares) = (memory::zeros::<f32>(width), memory::zeros::<f32>(width));
    let larger = |all: &mut [f32], of: &[f32]| all.iter_mut().zip(of).for_each(|(a, b)| *a = if *b > *a { *b } else { *a });
    for part in measured.chunks(PART / PIECE) {
        let mut of_part = memory::zeros::<f32>(width);
        for (m, q) in part {
            larger(&mut most, m);
            of_part.iter_mut().zip(q).for_each(|(sum, q)| *sum += q);
        }
        larger(&mut squares, &of_part);
    }
    let of_part = samples.len().min(PART);
    let inverse = memory::collect(most.iter().zip(&squares).map(|(most, squares)| inverse_scale(*most, *squares, of_part)));
    let zeros = memory::zeros::<f32>(n);
    let lines = samples.len().div_ceil(GROUP) * WORDS;
    let mut words = Buffer::dirty(lines * width * size_of::<u32>());
    parallel::for_each_piece(words.slice_mut::<u32>(), PIECE / 4 * width, |p, piece| {
        for (i, line) in piece.chunks_exact_mut(width).enumerate() {
            let first = p * PIECE + i * 4;
            let (used, rest) = line.split_at_mut(n);
            rest.fill(0);
            if first >= samples.len() {
                used.fill(0); // times dy of zero, or with x of anything
                continue;
            }
            let of = std::array::from_fn(|s| samples.get(first + s).copied().unwrap_or(&zeros));
            let counter = counter.wrapping_add((first / 4 * n * 2) as u32);
            vector_kernel!(isa, round_four(FourSamples { samples: of, inverse: &inverse, offset, counter, stream, words: used }), else round_four);
        }
    });
    (words, memory::collect(inverse.into_iter().map(|i| if i > 0.0 { 1.0 / i } else { 0.0 })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Generator;

    fn normal(n: usize, seed: u64) -> Vec<f32> {
        let mut out = vec![0.0f32; n];
        Generator::new(seed).stream().normal(&mut out);
        out
    }

    fn all(isa: Isa, factors: &[FactorPair<'_>], w: &PackedTensor, stream: u32) -> Vec<f32> {
        let rounded = Rounded::new(isa, factors, w, stream);
        let width = w.blocks() * BITS;
        let mut out = vec![f32::NAN; w.rows().next_multiple_of(CHUNK_ROWS) * width];
        for (c, g) in out.chunks_exact_mut(CHUNK_ROWS * width).enumerate() {
            for columns in (0..width).step_by(2 * BITS).map(|k| k..(k + 2 * BITS).min(width)) {
                let mut piece = vec![f32::NAN; CHUNK_ROWS * columns.len()];
                rounded.sums(isa, c * CHUNK_ROWS, &columns, bytemuck::cast_slice_mut(&mut piece));
                scale_rows(isa, &mut piece, &rounded.x_scale()[columns.clone()], |r| rounded.dy_scale(c * CHUNK_ROWS + r));
                for (g, piece) in g.chunks_exact_mut(width).zip(piece.chunks_exact(columns.len())) {
                    g[columns.clone()].copy_from_slice(piece);
                }
            }
        }
        out.truncate(w.rows() * width);
        out
    }

    #[test]
    fn every_set_has_the_same_numbers() {
        for (rows, cols, batch) in [(1, 1, 3), (33, 191, 64), (32, 64, 65), (70, 130, 200), (100, 300, 17), (40, 130, 600)] {
            let w = PackedTensor::random(&[rows, cols], None, Generator::new(1).stream()).unwrap();
            let (x, dy) = (normal(batch * cols, 2), normal(batch * rows, 3));
            let factors = [FactorPair { x: &x, dy: &dy, batch }];
            let plain = all(Isa::SCALAR, &factors, &w, 9);
            for isa in Isa::for_tests() {
                assert!(all(isa, &factors, &w, 9) == plain, "{} {rows} {cols} {batch}", isa.name());
            }
        }
    }

    #[test]
    fn the_largest_sums_do_not_overflow() {
        // Columns of one number everywhere are the ones whose products reach the bound of lengths; in a single sample, that of magnitudes.
        // A sum that had wrapped around would be far off.
        let (rows, cols) = (33, 70);
        let w = PackedTensor::random(&[rows, cols], None, Generator::new(1).stream()).unwrap();
        for batch in [3, 4, 9, 256, 257, 700] {
            for (sign, alone) in [(1.0, false), (-1.0, false), (1.0, true), (-1.0, true)] {
                let there = |of: usize| (0..batch * of).map(move |i| if alone && i / of != batch / 2 { 0.0 } else { 1e4f32 });
                let x: Vec<f32> = there(cols).collect();
                let dy: Vec<f32> = there(rows).map(|v| sign * v).collect();
                let want = sign * 1e8 * if alone { 1.0 } else { batch as f32 };
                for isa in Isa::for_tests() {
                    for row in all(isa, &[FactorPair { x: &x, dy: &dy, batch }], &w, 5).chunks_exact(w.blocks() * BITS) {
                        let off = row[..cols].iter().map(|g| (g / want - 1.0).abs()).fold(0.0, f32::max);
                        assert!(off < 0.05, "{} {batch} {alone}: {off}", isa.name());
                        assert!(row[cols..].iter().all(|g| *g == 0.0));
                    }
                }
            }
        }
    }

    #[test]
    fn lengths_after_rounding_are_within_their_bound() {
        for (batch, seed) in [(5, 1), (100, 2), (256, 3)] {
            let (rows, cols) = (40, 64);
            let w = PackedTensor::random(&[rows, cols], None, Generator::new(1).stream()).unwrap();
            let (x, mut dy) = (normal(batch * cols, seed), normal(batch * rows, seed + 9));
            dy.iter_mut().enumerate().for_each(|(i, d)| *d *= [1.0, 1e-30, 1e30, 1e-20][i % 4]);
            let rounded = Rounded::new(crate::isa::current(), &[FactorPair { x: &x, dy: &dy, batch }], &w, 7);
            let bytes = |words: &[u32]| words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>();
            let words = batch.div_ceil(GROUP) * WORDS;
            for (n, row) in bytes(rounded.dy.slice()).chunks_exact(4 * WORDS).enumerate().take(CHUNK_ROWS * words / WORDS) {
                let square: i32 = row.iter().map(|d| i32::from(d.cast_signed()).pow(2)).sum();
                assert!(square <= i32::from(i16::MAX), "{batch} {n}: {square}");
            }
        }
    }

    #[test]
    fn squares_beyond_single_precision_do_no_harm() {
        let (rows, cols, batch) = (32, 64, 8);
        let w = PackedTensor::random(&[rows, cols], None, Generator::new(1).stream()).unwrap();
        for (large, small) in [(1e33f32, 1e-35f32), (1e20, 1e-20), (1e33, 1e-45), (1.0, 0.0)] {
            let (x, dy) = (vec![large; batch * cols], vec![small; batch * rows]);
            let want = if small < SMALLEST { 0.0 } else { large * small * batch as f32 };
            for g in all(crate::isa::current(), &[FactorPair { x: &x, dy: &dy, batch }], &w, 3) {
                assert!(g.is_finite() && (g - want).abs() <= 0.1 * want, "{large} {small}: {g} {want}");
            }
        }
    }

    #[test]
    fn the_mean_is_the_gradient() {
        let (rows, cols, batch, draws) = (5, 70, 13, 4000);
        let w = PackedTensor::random(&[rows, cols], None, Generator::new(1).stream()).unwrap();
        let (x, dy) = (normal(batch * cols, 2), normal(batch * rows, 3));
        let (front, back) = (4, batch - 4);
        let factors = [
            FactorPair { x: &x[..front * cols], dy: &dy[..front * rows], batch: front },
            FactorPair { x: &x[front * cols..], dy: &dy[front * rows..], batch: back },
        ];
        let width = w.blocks() * BITS;
        let mut want = vec![0.0f32; rows * width];
        crate::kernel::packed::weight_gradient(&factors, &w, &mut want);
        let (mut mean, mut square) = (vec![0.0f64; want.len()], vec![0.0f64; want.len()]);
        for stream in 0..draws {
            for (i, g) in all(crate::isa::current(), &factors, &w, stream * 7919).iter().enumerate() {
                mean[i] += f64::from(*g) / f64::from(draws);
                square[i] += f64::from(*g) * f64::from(*g) / f64::from(draws);
            }
        }
        for i in 0..want.len() {
            let deviation = ((square[i] - mean[i] * mean[i]).max(0.0) / f64::from(draws)).sqrt();
            let off = (mean[i] - f64::from(want[i])).abs();
            assert!(off <= 5.5 * deviation + 1e-5, "{i}: {} {} ({deviation})", mean[i], want[i]);
            assert!(want[i] == 0.0 || deviation > 0.0);
        }
    }
}
