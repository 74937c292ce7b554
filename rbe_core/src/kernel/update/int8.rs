//! Sums of products of int8 numbers, and the rounding to them: the bodies that every instruction set is compiled from, and the twins of
//! those that a set has of its own.

use super::charge::nearest;
use crate::kernel::noise::hash;
use crate::packed::{BITS, TILE_ROWS};

/// Samples of a group, four to a word: what one instruction for tiles takes.
pub(in crate::kernel) const GROUP: usize = 64;
/// Words of a group.
pub(in crate::kernel) const WORDS: usize = GROUP / 4;
/// Rows that are summed at once.
pub(in crate::kernel) const CHUNK_ROWS: usize = 2 * TILE_ROWS;
/// Columns whose words lie together.
pub(in crate::kernel) const PANEL: usize = 16;
/// Samples whose products are added in 16 bits. With more, numbers would have to be smaller, and their rounding coarser.
pub(super) const PART: usize = 256;
/// Words of a part.
pub(in crate::kernel) const PART_WORDS: usize = PART / 4;
/// Largest magnitude of a rounded number: two products of it and an `x` as it is stored stay inside 16 bits.
pub(super) const MOST: i32 = 90;
/// What is added to the rounded `x`, so that it has no sign: instructions multiply such by signed numbers.
pub(in crate::kernel) const OFFSET: i32 = MOST + 1;
const _: () = assert!(2 * (OFFSET + MOST) * MOST <= i16::MAX as i32);

/// What a kernel sums over: all samples of a chunk of rows and of some columns.
#[derive(Clone)]
pub(in crate::kernel) struct Int8Operands<'a> {
    /// (panels, words, [`PANEL`]): four samples of a column, each with [`OFFSET`]
    pub x: &'a [u32],
    /// (groups, [`CHUNK_ROWS`], [`WORDS`]): four samples of a row
    pub dy: &'a [u32],
    /// Words that hold samples; the rest of the last group is zero.
    pub used: usize,
    /// For every row of the chunk the sum of `OFFSET · dy`: the sums of `x` as it is stored have it too much.
    pub excess: &'a [i32],
    /// The same of every part of the samples: (parts, [`CHUNK_ROWS`]). In 16 bits each, modulo 2^16: that of the first two samples of
    /// the words, and in the upper half that of the last two.
    pub excess_pairs: &'a [u32],
}

impl Int8Operands<'_> {
    /// Words of a row or column.
    pub(in crate::kernel) fn words(&self) -> usize {
        self.dy.len() / CHUNK_ROWS
    }

    /// Whether the lengths fit together and to sums `(rows of the chunk, columns)`.
    pub(in crate::kernel) fn fit(&self, out: &[i32]) -> bool {
        let words = self.words();
        self.dy.len() == words * CHUNK_ROWS
            && words.is_multiple_of(WORDS)
            && (1..=words).contains(&self.used)
            && self.x.len().is_multiple_of(words * BITS)
            && self.excess.len() == CHUNK_ROWS
            && self.excess_pairs.len() == words.div_ceil(PART_WORDS) * CHUNK_ROWS
            && out.len() == CHUNK_ROWS * (self.x.len() / words)
    }
}

/// Four samples of some columns that become words.
pub(in crate::kernel) struct FourSamples<'a> {
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
pub(in crate::kernel) fn round_four(four: FourSamples<'_>) {
    let n = four.words.len();
    let samples = four.samples.map(|s| &s[..n]);
    let inverse = &four.inverse[..n];
    for (k, word) in four.words.iter_mut().enumerate() {
        let counter = four.counter.wrapping_add(2 * k as u32);
        let random = [hash(counter, four.stream), hash(counter.wrapping_add(1), four.stream)];
        *word = 0;
        for (i, sample) in samples.iter().enumerate() {
            let u = (random[i / 2] >> (16 * (i % 2)) & 0xffff) as f32 * (1.0 / 65536.0);
            let rounded = (sample[k] * inverse[k] + u).floor();
            let rounded = if rounded > -MOST as f32 { rounded } else { -MOST as f32 };
            let rounded = nearest(if rounded < MOST as f32 { rounded } else { MOST as f32 }) + four.offset;
            *word |= (rounded as u32 & 0xff) << (8 * i);
        }
    }
}

/// Largest magnitudes and sums of squares of every column so far.
#[inline(always)]
pub(in crate::kernel) fn measure(samples: &[&[f32]], most: &mut [f32], squares: &mut [f32]) {
    let larger = |a: f32, b: f32| if a > b { a } else { b };
    let (fours, rest) = samples.as_chunks::<4>();
    for [a, b, c, d] in fours {
        for (((((m, q), a), b), c), d) in most.iter_mut().zip(squares.iter_mut()).zip(*a).zip(*b).zip(*c).zip(*d) {
            *m = larger(larger(a.abs(), b.abs()), larger(larger(c.abs(), d.abs()), *m));
            *q += (a * a + b * b) + (c * c + d * d);
        }
    }
    for sample in rest {
        for ((m, q), v) in most.iter_mut().zip(squares.iter_mut()).zip(*sample) {
            *m = larger(v.abs(), *m);
            *q += v * v;
        }
    }
}

/// Adds `OFFSET` times the first two of the four samples of every row, and the last two.
#[inline(always)]
pub(in crate::kernel) fn add_excess(dy: &[u32], excess: [&mut [i32]; 2]) {
    let [first, last] = excess;
    for ((first, last), word) in first.iter_mut().zip(last).zip(dy) {
        let word = word.cast_signed();
        *first = first.wrapping_add(OFFSET * ((word << 24 >> 24) + (word << 16 >> 24)));
        *last = last.wrapping_add(OFFSET * ((word << 8 >> 24) + (word >> 24)));
    }
}

/// Sums (rows of the chunk, columns), without the excess, as the plain twin of the kernels computes them.
pub(super) fn dot_u8_i8(w: &Int8Operands<'_>, out: &mut [i32]) {
    assert!(w.fit(out), "sums: lengths");
    let words = w.words();
    let columns = w.x.len() / words;
    for (r, (out, excess)) in out.chunks_exact_mut(columns).zip(w.excess).enumerate() {
        out.fill(excess.wrapping_neg());
        for (out, panel) in out.chunks_exact_mut(PANEL).zip(w.x.chunks_exact(words * PANEL)) {
            for (i, x) in panel.chunks_exact(PANEL).take(w.used).enumerate() {
                let dy = w.dy[(i / WORDS * CHUNK_ROWS + r) * WORDS + i % WORDS].to_le_bytes().map(|d| i32::from(d.cast_signed()));
                for (out, x) in out.iter_mut().zip(x) {
                    for (x, dy) in x.to_le_bytes().iter().zip(dy) {
                        *out = out.wrapping_add(i32::from(*x) * dy);
                    }
                }
            }
        }
    }
}

/// Integers, in the memory of `g`, times the scales of their columns and their row.
#[inline(always)]
pub(in crate::kernel) fn scaled(g: &mut [f32], columns: &[f32], row: f32) {
    for (g, column) in g.iter_mut().zip(columns) {
        *g = g.to_bits().cast_signed() as f32 * column * row;
    }
}
