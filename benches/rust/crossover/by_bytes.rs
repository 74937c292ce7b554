//! The forward product by dot products of bytes.

use std::arch::x86_64::*;

use rbe_benches::Case;
use rbe_core::packed::{BITS, Quantised, levels};

const ROWS: usize = 16;
/// Steps of four columns.
const STEPS: usize = BITS / 4;
/// Samples whose sums stay in the first-level cache.
const CHUNK: usize = 64;

#[repr(C, align(64))]
struct Tile {
    words: [[u32; ROWS]; 2],
    v0: [f32; ROWS],
    gap: [f32; ROWS],
}

/// A packed layer and its inputs as the kernels read them.
pub struct Bytes {
    tiles: Vec<Tile>,   // (row tiles, blocks)
    x: Vec<[i8; BITS]>, // (blocks, samples), columns in the order of the steps
    totals: Vec<f32>,   // (blocks, samples)
    scales: Vec<f32>,   // (samples)
    blocks: usize,
}

impl Bytes {
    /// The weight of `case`, whose sizes are whole blocks and tiles, for inputs `q`.
    pub fn new(case: &Case, q: Quantised<'_>) -> Bytes {
        let w = &case.weight;
        let (hi, lo, blocks, batch) = (w.hi(), w.lo(), w.blocks(), case.batch);
        let tile = |i: usize| {
            let at = |r: usize| (i / blocks * ROWS + r) * blocks + i % blocks;
            let v: [[f32; 2]; ROWS] = std::array::from_fn(|r| levels([lo[2 * at(r)], lo[2 * at(r) + 1]], w.scale()));
            Tile {
                words: [0, 32].map(|shift| std::array::from_fn(|r| (hi[at(r)] >> shift) as u32)),
                v0: v.map(|v| v[0]),
                gap: v.map(|v| v[1] - v[0]),
            }
        };
        let input = |i: usize| &q.values[i % batch * w.cols() + i / batch * BITS..][..BITS];
        // Byte c of step i of a half is column i + 8 c.
        let ordered = |x: &[i8]| std::array::from_fn(|k| x[k / 32 * 32 + k % 32 / 4 + k % 4 * 8]);
        Bytes {
            tiles: (0..hi.len() / ROWS).map(tile).collect(),
            x: (0..blocks * batch).map(|i| ordered(input(i))).collect(),
            totals: (0..blocks * batch).map(|i| input(i).iter().map(|x| f32::from(*x)).sum()).collect(),
            scales: q.scales.to_vec(),
            blocks,
        }
    }
}

/// A kernel with the instructions it needs.
pub struct Kernel {
    pub name: &'static str,
    pub is_available: fn() -> bool,
    /// Computes `y (samples, rows)`.
    pub run: unsafe fn(&Bytes, &mut [f32]),
}

pub const KERNELS: [Kernel; 2] = [
    Kernel {
        name: "`vpmaddubsw`, 256 bits",
        is_available: || is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
        run: multiply_add_256,
    },
    Kernel { name: "`vpdpbusd`, 256 bits", is_available: has_vnni, run: dot_256 },
];

fn has_vnni() -> bool {
    is_x86_feature_detected!("avx512vnni") && is_x86_feature_detected!("avx512vl") && is_x86_feature_detected!("fma")
}

/// Short names.
mod narrow {
    pub(super) use std::arch::x86_64::{
        __m256i as Integers, _mm256_and_si256 as and, _mm256_cvtepi32_ps as floats, _mm256_fmadd_ps as mul_add,
        _mm256_loadu_ps as load_floats, _mm256_loadu_si256 as load, _mm256_set1_epi8 as bytes, _mm256_set1_epi32 as words,
        _mm256_set1_ps as splat, _mm256_setzero_si256 as zero, _mm256_srl_epi32 as shift, _mm256_storeu_ps as store_floats,
    };
}
/// A kernel with `$lanes` rows in a register and up to `$samples` samples at once. `$dot` adds four products in each lane, `$finish` makes 32-bit
/// sums of what they give.
macro_rules! kernel {
    ($name:ident, $features:literal, $v:ident, $lanes:literal, $samples:literal,
     |$sum:ident, $bits:ident, $inputs:ident| $dot:expr, |$all:ident| $finish:expr) => {
        /// # Safety
        /// The machine must have the features.
        #[target_feature(enable = $features)]
        unsafe fn $name(p: &Bytes, y: &mut [f32]) {
            const VECTORS: usize = ROWS / $lanes;
            type Expanded = [[$v::Integers; VECTORS]; STEPS];

            /// Adds one block of `S` samples to their sums.
            #[inline]
            #[target_feature(enable = $features)]
            fn block<const S: usize>(bits: &Expanded, tile: &Tile, x: &[[i8; BITS]], totals: &[f32], sums: &mut [[f32; ROWS]]) {
                let mut all = [[$v::zero(); VECTORS]; S];
                for (k, step) in bits.iter().enumerate() {
                    for s in 0..S {
                        let $inputs = $v::words(i32::from_le_bytes(std::array::from_fn(|c| x[s][4 * k + c].cast_unsigned())));
                        for e in 0..VECTORS {
                            let ($sum, $bits) = (all[s][e], step[e]);
                            all[s][e] = $dot;
                        }
                    }
                }
                for s in 0..S {
                    for e in 0..VECTORS {
                        let $all = all[s][e];
                        let rows = e * $lanes..(e + 1) * $lanes;
                        // SAFETY: as many floats as there are lanes are readable, and writable where they are written.
                        unsafe {
                            let at = sums[s][rows.clone()].as_mut_ptr();
                            let sum =
                                $v::mul_add($v::load_floats(tile.v0[rows.clone()].as_ptr()), $v::splat(totals[s]), $v::load_floats(at));
                            $v::store_floats(at, $v::mul_add($v::load_floats(tile.gap[rows].as_ptr()), $v::floats($finish), sum));
                        }
                    }
                }
            }

            let (batch, rows) = (p.scales.len(), p.tiles.len() / p.blocks * ROWS);
            let mut bits: Expanded = [[$v::zero(); VECTORS]; STEPS];
            let mut sums = [[0.0f32; ROWS]; CHUNK];
            for first in (0..batch).step_by(CHUNK) {
                let here = CHUNK.min(batch - first);
                for (r, tiles) in p.tiles.chunks_exact(p.blocks).enumerate() {
                    sums[..here].fill([0.0; ROWS]);
                    for (j, tile) in tiles.iter().enumerate() {
                        for (h, words) in tile.words.iter().enumerate() {
                            for e in 0..VECTORS {
                                // SAFETY: as many words as there are lanes are readable.
                                let words = unsafe { $v::load(words[e * $lanes..][..$lanes].as_ptr().cast()) };
                                for i in 0..STEPS / 2 {
                                    bits[h * STEPS / 2 + i][e] = $v::and($v::shift(words, _mm_cvtsi32_si128(i as i32)), $v::bytes(1));
                                }
                            }
                        }
                        let (x, totals) = (&p.x[j * batch + first..][..here], &p.totals[j * batch + first..][..here]);
                        for (sums, (x, totals)) in sums[..here].chunks_mut($samples).zip(x.chunks($samples).zip(totals.chunks($samples))) {
                            match x.len() {
                                $samples => block::<$samples>(&bits, tile, x, totals, sums),
                                2.. => (0..x.len()).step_by(2).for_each(|s| match x.len() - s {
                                    1 => block::<1>(&bits, tile, &x[s..], &totals[s..], &mut sums[s..]),
                                    _ => block::<2>(&bits, tile, &x[s..], &totals[s..], &mut sums[s..]),
                                }),
                                _ => block::<1>(&bits, tile, x, totals, sums),
                            }
                        }
                    }
                    for (s, (sums, scale)) in sums[..here].iter().zip(&p.scales[first..]).enumerate() {
                        y[(first + s) * rows + r * ROWS..][..ROWS].iter_mut().zip(sums).for_each(|(y, sum)| *y = sum * scale);
                    }
                }
            }
        }
    };
}

kernel!(
    multiply_add_256,
    "avx2,fma",
    narrow,
    8,
    4,
    |sum, bits, inputs| _mm256_add_epi16(sum, _mm256_maddubs_epi16(bits, inputs)), // 32 of 127 fit in 16 bits
    |sum| _mm256_madd_epi16(sum, _mm256_set1_epi16(1))
);
kernel!(dot_256, "avx512vnni,avx512vl,avx2,fma", narrow, 8, 5, |sum, bits, inputs| _mm256_dpbusd_epi32(sum, bits, inputs), |sum| sum);
