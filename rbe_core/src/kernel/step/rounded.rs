//! Evidence in whole numbers: `x` and `dy` rounded to int8, from -45 to 45 by each column's own largest magnitude, and
//! stochastically, so that the sums of their products have the mean `G`. Those sums are exact in any order: every
//! instruction set gives the same numbers.

use std::ops::Range;

use super::charge::nearest;
use super::noise::hash;
use crate::Buffer;
use crate::kernel::isa::Isa;
use crate::kernel::packed::Factor;
use crate::packed::{BITS, PackedTensor, TILE_ROWS};
use crate::parallel;

/// Samples of a group, four to a word: what one instruction for tiles takes.
pub(in super::super) const GROUP: usize = 64;
/// Words of a group.
pub(in super::super) const WORDS: usize = GROUP / 4;
/// Rows that are summed at once.
pub(in super::super) const CHUNK_ROWS: usize = 2 * TILE_ROWS;
/// Largest magnitude of a rounded number. More would gain nothing (design/results.md), and with these, products can be
/// added in 16 bits: [`TOGETHER`] of them, which is what AVX2 needs to be fast.
const MOST: i32 = 45;
/// Products of an `x` as it is stored and a `dy` whose sum stays inside 16 bits.
pub(in super::super) const TOGETHER: usize = 8;
const _: () = assert!(TOGETHER as i32 * (OFFSET + MOST) * MOST <= i16::MAX as i32);
/// Most samples: their sums stay inside 32 bits.
pub(super) const MOST_SAMPLES: usize = i32::MAX as usize / ((OFFSET + MOST) * MOST) as usize / GROUP * GROUP;
/// Samples of which one task finds the largest magnitudes, and samples that one task rounds.
const PIECE: usize = 16;
/// What is added to the rounded `x`, so that it has no sign: instructions multiply such by signed numbers.
const OFFSET: i32 = MOST + 1;

/// The rounded factors of a step.
pub(super) struct Rounded {
    x: Buffer,          // (words of four samples, width), each with OFFSET
    dy: Buffer,         // (chunks of rows, groups, rows of the chunk, words)
    x_scale: Vec<f32>,  // (width)
    dy_scale: Vec<f32>, // (rows)
    excess: Vec<i32>,   // (rows), see Words
    samples: usize,
}

/// What a kernel sums over: all samples of a chunk of rows and of some columns.
#[derive(Clone)]
pub(in super::super) struct Words<'a> {
    /// (words, width): four samples of a column, each with [`OFFSET`]
    pub x: &'a [u32],
    /// Columns of `x`.
    pub width: usize,
    /// Those that are wanted, whole blocks.
    pub columns: Range<usize>,
    /// (groups, [`CHUNK_ROWS`], [`WORDS`]): four samples of a row
    pub dy: &'a [u32],
    /// Words that hold samples; the rest of the last group is zero.
    pub used: usize,
    /// For every row of the chunk the sum of `OFFSET · dy`: the sums of `x` as it is stored have it too much.
    pub excess: &'a [i32],
}

impl Words<'_> {
    /// Lines of `x`, the wanted columns only, each with the place in `dy` of the words of row 0.
    pub(in super::super) fn lines(&self) -> impl Iterator<Item = (&[u32], &[u32])> {
        let lines = self.x.chunks_exact(self.width).take(self.used).enumerate();
        lines.map(|(i, x)| (&x[self.columns.clone()], &self.dy[i / WORDS * CHUNK_ROWS * WORDS + i % WORDS..]))
    }

    /// Whether the lengths fit together and to sums `(rows of the chunk, columns)`.
    pub(in super::super) fn fit(&self, out: &[i32]) -> bool {
        let words = self.x.len() / self.width;
        self.x.len() == words * self.width
            && words.is_multiple_of(WORDS)
            && self.used <= words
            && self.dy.len() == words * CHUNK_ROWS
            && self.columns.end <= self.width
            && self.columns.len().is_multiple_of(BITS)
            && self.excess.len() == CHUNK_ROWS
            && out.len() == CHUNK_ROWS * self.columns.len()
    }
}

/// Four samples of some columns that become words.
pub(in super::super) struct Quad<'a> {
    /// The samples, as many numbers each as there are words; missing ones are zeros.
    pub samples: [&'a [f32]; 4],
    /// What each column is multiplied by.
    pub inverse: &'a [f32],
    /// Added to every rounded number.
    pub offset: i32,
    /// Counter of the first random number: two for a word.
    pub counter: u32,
    /// Their seed.
    pub stream: u32,
    /// Receives the words.
    pub words: &'a mut [u32],
}

/// `floor(v / scale + u)`, u uniform in `[0, 1)`: the mean is `v / scale`.
#[inline(always)]
pub(in super::super) fn quad(quad: Quad<'_>) {
    let n = quad.words.len();
    let samples = quad.samples.map(|s| &s[..n]);
    let inverse = &quad.inverse[..n];
    for (k, word) in quad.words.iter_mut().enumerate() {
        let counter = quad.counter.wrapping_add(2 * k as u32);
        let random = [hash(counter, quad.stream), hash(counter.wrapping_add(1), quad.stream)];
        *word = 0;
        for (i, sample) in samples.iter().enumerate() {
            let u = (random[i / 2] >> (16 * (i % 2)) & 0xffff) as f32 * (1.0 / 65536.0);
            let rounded = (sample[k] * inverse[k] + u).floor();
            let rounded = if rounded > -MOST as f32 { rounded } else { -MOST as f32 };
            let rounded = nearest(if rounded < MOST as f32 { rounded } else { MOST as f32 }) + quad.offset;
            *word |= (rounded as u32 & 0xff) << (8 * i);
        }
    }
}

/// Largest magnitudes of every column so far.
#[inline(always)]
pub(in super::super) fn maxima(samples: &[&[f32]], most: &mut [f32]) {
    let larger = |a: f32, b: f32| if a > b { a } else { b };
    let (fours, rest) = samples.as_chunks::<4>();
    for [a, b, c, d] in fours {
        for ((((m, a), b), c), d) in most.iter_mut().zip(*a).zip(*b).zip(*c).zip(*d) {
            *m = larger(larger(a.abs(), b.abs()), larger(larger(c.abs(), d.abs()), *m));
        }
    }
    for sample in rest {
        for (m, v) in most.iter_mut().zip(*sample) {
            *m = larger(v.abs(), *m);
        }
    }
}

/// Adds `OFFSET` times the four samples of every row.
#[inline(always)]
pub(in super::super) fn add_excess(dy: &[u32], excess: &mut [i32]) {
    for (excess, word) in excess.iter_mut().zip(dy) {
        let word = word.cast_signed();
        let sum = (word >> 24) + (word << 8 >> 24) + (word << 16 >> 24) + (word << 24 >> 24);
        *excess = excess.wrapping_add(OFFSET * sum);
    }
}

/// Sums (rows of the chunk, columns), with their excess, as the plain twin of the kernels computes them.
pub(super) fn sums(w: &Words<'_>, out: &mut [i32]) {
    assert!(w.fit(out), "sums: lengths");
    for (r, out) in out.chunks_exact_mut(w.columns.len()).enumerate() {
        out.fill(0);
        for (x, dy) in w.lines() {
            let dy = dy[r * WORDS].to_le_bytes().map(|d| i32::from(d.cast_signed()));
            for (out, x) in out.iter_mut().zip(x) {
                for (x, dy) in x.to_le_bytes().iter().zip(dy) {
                    *out = out.wrapping_add(i32::from(*x) * dy);
                }
            }
        }
    }
}

/// Calls the kernel of the instruction set.
macro_rules! by_isa {
    ($isa:expr, $kernel:ident($($argument:expr),*)) => {
        match $isa {
            // SAFETY: `isa` is one of this machine's.
            #[cfg(target_arch = "x86_64")]
            Isa::Amx => unsafe { crate::kernel::amx::$kernel($($argument),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => unsafe { crate::kernel::avx512::$kernel($($argument),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => unsafe { crate::kernel::avx2::$kernel($($argument),*) },
            _ => $kernel($($argument),*),
        }
    };
}

impl Rounded {
    /// Rounds the samples of `factors`, which are finite.
    pub(super) fn new(isa: Isa, factors: &[Factor<'_>], w: &PackedTensor, stream: u32) -> Rounded {
        let width = w.blocks() * BITS;
        let rows = w.rows().next_multiple_of(CHUNK_ROWS);
        let x: Vec<&[f32]> = factors.iter().flat_map(|f| f.x.chunks_exact(w.cols())).collect();
        let dy: Vec<&[f32]> = factors.iter().flat_map(|f| f.dy.chunks_exact(w.rows())).collect();
        let samples = x.len();
        // Random numbers of dy from the upper half of the counters.
        let (x, x_scale) = round(isa, &x, w.cols(), width, OFFSET, 0, stream);
        let (dy, dy_scale) = round(isa, &dy, w.rows(), rows, 0, 1 << 31, stream);
        let mut excess = vec![0i32; rows];
        for dy in dy.slice().chunks_exact(rows) {
            by_isa!(isa, add_excess(dy, &mut excess));
        }
        Rounded { x, dy: by_chunk(dy.slice(), rows), x_scale, dy_scale, excess, samples }
    }

    /// Rows `first..` of `G` and some of its columns, `g (rows of a chunk, columns)`.
    pub(super) fn fill(&self, isa: Isa, first: usize, columns: Range<usize>, g: &mut [f32]) {
        let width = self.x_scale.len();
        assert!(first.is_multiple_of(CHUNK_ROWS) && first < self.dy_scale.len(), "rounded evidence: rows");
        let (x, dy): (&[u32], &[u32]) = (self.x.slice(), self.dy.slice());
        let words = x.len() / width;
        let dy = &dy[first * words..][..CHUNK_ROWS * words];
        let excess = &self.excess[first..][..CHUNK_ROWS];
        let scale = &self.x_scale[columns.clone()];
        let sums_of: &mut [i32] = bytemuck::cast_slice_mut(g);
        let words = Words { x, width, columns, dy, used: self.samples.div_ceil(4), excess };
        by_isa!(isa, sums(&words, sums_of));
        for ((g, excess), row) in g.chunks_exact_mut(scale.len()).zip(excess).zip(&self.dy_scale[first..]) {
            by_isa!(isa, scaled(g, *excess, scale, *row));
        }
    }
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

/// Whole numbers, in the memory of `g`, to what they are without the excess and with their scales.
#[inline(always)]
pub(in super::super) fn scaled(g: &mut [f32], excess: i32, columns: &[f32], row: f32) {
    for (g, column) in g.iter_mut().zip(columns) {
        *g = g.to_bits().cast_signed().wrapping_sub(excess) as f32 * column * row;
    }
}

/// Words of `samples` of `n` columns, `width` to a line, in whole groups; and the scales of the columns.
fn round(isa: Isa, samples: &[&[f32]], n: usize, width: usize, offset: i32, counter: u32, stream: u32) -> (Buffer, Vec<f32>) {
    let partial = parallel::map(samples.len().div_ceil(PIECE), |p| {
        let mut most = vec![0.0f32; width];
        let samples = &samples[p * PIECE..samples.len().min((p + 1) * PIECE)];
        by_isa!(isa, maxima(samples, &mut most));
        most
    });
    let mut most = vec![0.0f32; width];
    let partial: Vec<&[f32]> = partial.iter().map(Vec::as_slice).collect();
    by_isa!(isa, maxima(&partial, &mut most));
    let inverse: Vec<f32> = most.iter().map(|m| if *m > 0.0 { MOST as f32 / m } else { 0.0 }).collect();
    let zeros = vec![0.0f32; n];
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
            by_isa!(isa, quad(Quad { samples: of, inverse: &inverse, offset, counter, stream, words: used }));
        }
    });
    (words, most.into_iter().map(|m| m * (1.0 / MOST as f32)).collect())
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

    fn all(isa: Isa, factors: &[Factor<'_>], w: &PackedTensor, stream: u32) -> Vec<f32> {
        let rounded = Rounded::new(isa, factors, w, stream);
        let width = w.blocks() * BITS;
        let mut out = vec![f32::NAN; w.rows().next_multiple_of(CHUNK_ROWS) * width];
        for (c, g) in out.chunks_exact_mut(CHUNK_ROWS * width).enumerate() {
            for columns in (0..width).step_by(2 * BITS).map(|k| k..(k + 2 * BITS).min(width)) {
                let mut piece = vec![f32::NAN; CHUNK_ROWS * columns.len()];
                rounded.fill(isa, c * CHUNK_ROWS, columns.clone(), &mut piece);
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
        for (rows, cols, batch) in [(1, 1, 3), (33, 191, 64), (32, 64, 65), (70, 130, 200), (100, 300, 17)] {
            let w = PackedTensor::random(&[rows, cols], None, Generator::new(1).stream()).unwrap();
            let (x, dy) = (normal(batch * cols, 2), normal(batch * rows, 3));
            let factors = [Factor { x: &x, dy: &dy, batch }];
            let plain = all(Isa::Scalar, &factors, &w, 9);
            for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
                assert!(all(isa, &factors, &w, 9) == plain, "{} {rows} {cols} {batch}", isa.name());
            }
        }
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let (rows, cols, batch) = (33, 70, 200);
        let w = PackedTensor::random(&[rows, cols], None, Generator::new(1).stream()).unwrap();
        for sign in [1.0, -1.0] {
            let (x, dy) = (vec![1.0; batch * cols], vec![sign; batch * rows]);
            for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
                for row in all(isa, &[Factor { x: &x, dy: &dy, batch }], &w, 5).chunks_exact(w.blocks() * BITS) {
                    assert!(row[..cols].iter().all(|g| (g - sign * batch as f32).abs() < 1e-3), "{}: {:?}", isa.name(), &row[..4]);
                }
            }
        }
    }

    #[test]
    fn the_mean_is_the_cotangent() {
        let (rows, cols, batch, draws) = (5, 70, 13, 4000);
        let w = PackedTensor::random(&[rows, cols], None, Generator::new(1).stream()).unwrap();
        let (x, dy) = (normal(batch * cols, 2), normal(batch * rows, 3));
        let (front, back) = (4, batch - 4);
        let factors = [
            Factor { x: &x[..front * cols], dy: &dy[..front * rows], batch: front },
            Factor { x: &x[front * cols..], dy: &dy[front * rows..], batch: back },
        ];
        let width = w.blocks() * BITS;
        let mut want = vec![0.0f32; rows * width];
        super::super::super::packed::weight_gradient(&factors, &w, &mut want);
        let (mut mean, mut square) = (vec![0.0f64; want.len()], vec![0.0f64; want.len()]);
        for stream in 0..draws {
            for (i, g) in all(crate::kernel::isa(), &factors, &w, stream * 7919).iter().enumerate() {
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
