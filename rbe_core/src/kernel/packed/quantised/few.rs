//! The forward product of few int8 inputs with sixteen rows in lanes: the bits of four columns become the four bytes of a row's word, and
//! byte products with the same inputs for all rows add them up. Tiles are read in the order of memory: for one sample nothing takes as long
//! as reading them.

use super::operands::QuantisedForward;
use crate::Buffer;
use crate::kernel::packed::lanes::Lanes;
use crate::kernel::packed::tile_levels::Levels;
use crate::packed::{BITS, TILE_ROWS};

/// Most samples that [`forward`] takes.
pub(in crate::kernel) const MOST: usize = 8;

/// Products of the bits of sixteen rows with int8 inputs.
pub(in crate::kernel) trait ByteProducts: Copy {
    /// A word of bits, or four bytes, of every row.
    type Words: Copy;
    /// Sums of products of every row.
    type Sums: Copy;
    /// The same as floats.
    type Floats: Copy;

    fn words(self, from: &[u32; TILE_ROWS]) -> Self::Words;
    /// The lowest bit of each byte.
    fn lowest(self, words: Self::Words) -> Self::Words;
    /// Words shifted down by one bit.
    fn next(self, words: Self::Words) -> Self::Words;
    fn zero(self) -> Self::Sums;
    /// Adds the products of four bytes, 0 or 1, of every row with four inputs; to one sum not more than sixteen times.
    fn add(self, sums: Self::Sums, bytes: Self::Words, inputs: i32) -> Self::Sums;
    fn floats(self, sums: Self::Sums) -> Self::Floats;
}

/// Inputs of one block of one sample, four to a word: columns i, i + 8, i + 16 and i + 24 of each half.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(transparent)]
struct Inputs([[i32; 8]; 2]);

impl Inputs {
    #[inline(always)]
    fn of(values: &[i8]) -> Inputs {
        let mut padded = [0i8; BITS];
        padded[..values.len()].copy_from_slice(values);
        let mut out = [[0; 8]; 2];
        for (out, half) in out.iter_mut().zip(padded.as_chunks::<8>().0.as_chunks::<4>().0) {
            for (i, out) in out.iter_mut().enumerate() {
                *out = i32::from_le_bytes(std::array::from_fn(|k| half[k][i].cast_unsigned()));
            }
        }
        Inputs(out)
    }
}

/// See [`QuantisedForward`]; for up to [`MOST`] samples.
///
/// # Safety
/// Nobody else may touch these elements of `y`.
#[inline(always)]
pub(in crate::kernel) unsafe fn forward<L: Lanes<16>, B: ByteProducts<Floats = L::V>>(l: L, b: B, f: QuantisedForward<'_>) {
    // SAFETY: as the caller vouches.
    unsafe {
        match f.samples() {
            0 => {}
            1 => of_samples::<L, B, 1>(l, b, f),
            2 => of_samples::<L, B, 2>(l, b, f),
            3..=4 => of_samples::<L, B, 4>(l, b, f),
            _ => of_samples::<L, B, MOST>(l, b, f),
        }
    }
}

/// The same for up to `N` samples; those that are missing are zero.
///
/// # Safety
/// As [`forward`].
#[inline(always)]
unsafe fn of_samples<L: Lanes<16>, B: ByteProducts<Floats = L::V>, const N: usize>(l: L, b: B, f: QuantisedForward<'_>) {
    let QuantisedForward { x, first, w, tiles, bias, y, .. } = f;
    let mut inputs = Buffer::zeroed(w.blocks * N * size_of::<Inputs>());
    let inputs: &mut [[Inputs; N]] = inputs.slice_mut::<Inputs>().as_chunks_mut().0;
    let mut totals = Buffer::zeroed(w.blocks * N * size_of::<f32>());
    let totals: &mut [[f32; N]] = totals.slice_mut::<f32>().as_chunks_mut().0;
    for (s, row) in x.values.chunks_exact(w.cols).enumerate() {
        for ((values, inputs), totals) in row.chunks(BITS).zip(inputs.iter_mut()).zip(totals.iter_mut()) {
            inputs[s] = Inputs::of(values);
            totals[s] = values.iter().map(|v| i32::from(*v)).sum::<i32>() as f32;
        }
    }
    for r in tiles {
        let mut sums = [l.splat(0.0); N];
        for (j, (inputs, totals)) in inputs.iter().zip(totals.iter()).enumerate() {
            let tile = w.tile(r, j);
            let levels = Levels::of(tile, w.scale);
            let (v0, gap) = (l.load(&levels.v0), l.load(&levels.gap));
            let mut set = [b.zero(); N];
            for (half, words) in [&tile.low, &tile.high].into_iter().enumerate() {
                let mut words = b.words(words);
                for i in 0..8 {
                    let bytes = b.lowest(words);
                    for (set, inputs) in set.iter_mut().zip(inputs) {
                        *set = b.add(*set, bytes, inputs.0[half][i]);
                    }
                    words = b.next(words);
                }
            }
            for s in 0..N {
                let all = l.mul_add(v0, l.splat(totals[s]), sums[s]);
                sums[s] = l.mul_add(gap, b.floats(set[s]), all);
            }
        }
        let here = w.rows_in(r);
        let mut start = [0.0; TILE_ROWS];
        if let Some(bias) = bias {
            start[..here].copy_from_slice(&bias[r * TILE_ROWS..][..here]);
        }
        for (s, scale) in x.scales.iter().enumerate() {
            let mut out = [0.0; TILE_ROWS];
            l.store(&mut out, l.mul_add(l.splat(*scale), sums[s], l.load(&start)));
            // SAFETY: the caller owns these rows of these samples.
            unsafe { y.part(first + s, r * TILE_ROWS, here) }.copy_from_slice(&out[..here]);
        }
    }
}
