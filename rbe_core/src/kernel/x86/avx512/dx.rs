//! `dx = dy W` with sixteen columns of a block in lanes. Four rows of a tile make a table of sixteen sums `Σ dy w`, one for each way
//! their bits can be; it serves the block's 64 columns, whose bits look it up by `vpermps`.

use std::arch::x86_64::*;
use std::ops::Range;

use super::lanes::{column_bits, load, load_words, store};
use crate::kernel::packed::dy_layout::DyTiles;
use crate::kernel::packed::lane_layout::SAMPLES;
use crate::kernel::packed::operands::Dx;
use crate::kernel::packed::tile_levels::tile_levels;
use crate::kernel::scratch::scratch;
use crate::packed::{BITS, TILE_ROWS, Tile};

/// Rows whose bits are the position in a table.
const GROUP: usize = 4;
/// Groups of a tile.
const GROUPS: usize = TILE_ROWS / GROUP;
/// Columns in lanes.
const LANES: usize = 16;
/// Tiles that are ready at once: 16 KB, for the first-level cache.
const TILES: usize = 8;

/// A tile made ready for many samples.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct Ready {
    /// Of every group and each of its rows the row's level at every position of the group's table.
    levels: [[[f32; LANES]; GROUP]; GROUPS],
    /// Of every group and column the position in the table, in the low four bits.
    index: [[[u32; LANES]; BITS / LANES]; GROUPS],
}

impl Ready {
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,fma")]
    fn set(&mut self, tile: &Tile, scale: f32) {
        /// Positions whose bit of a row is set.
        const SET: [u16; GROUP] = [0xaaaa, 0xcccc, 0xf0f0, 0xff00];
        let [mut v0, mut v1] = [[0.0; TILE_ROWS]; 2];
        tile_levels(tile, scale, &mut v0, &mut v1);
        let bits = column_bits(tile);
        for g in 0..GROUPS {
            for (i, out) in self.levels[g].iter_mut().enumerate() {
                let r = GROUP * g + i;
                store(out, _mm512_mask_mov_ps(_mm512_set1_ps(v0[r]), SET[i], _mm512_set1_ps(v1[r])));
            }
            for (out, bits) in self.index[g].iter_mut().zip(bits.as_chunks::<LANES>().0) {
                for (out, bits) in out.iter_mut().zip(bits) {
                    *out = u32::from(*bits >> (GROUP * g));
                }
            }
        }
    }
}

/// Sums of 64 columns of one sample.
type Sums = [[f32; LANES]; BITS / LANES];

/// Columns of block `j` of `dx (batch, cols)` for the samples of some chunks, any number of them.
///
/// # Safety
/// The machine must have AVX-512 F, DQ, BW and VL with FMA; nobody else may touch these columns of `dx`.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,fma")]
pub(in crate::kernel) unsafe fn dx(chunks: Range<usize>, p: Dx<'_>) {
    let Dx { dy, w, j, dx } = p;
    let w = &w;
    let (first, last) = (chunks.start * SAMPLES, dy.batch.min(chunks.end * SAMPLES));
    let mut sums = scratch((last - first) * BITS);
    let sums: &mut [Sums] = sums.slice_mut().as_chunks_mut().0.as_chunks_mut().0;
    sums.fill(bytemuck::Zeroable::zeroed());
    let mut tiles: [Ready; TILES] = bytemuck::Zeroable::zeroed();
    for from in (0..w.row_tiles()).step_by(TILES) {
        let tiles = &mut tiles[..TILES.min(w.row_tiles() - from)];
        for (r, ready) in tiles.iter_mut().enumerate() {
            ready.set(w.tile(from + r, j), w.scale);
        }
        for (c, sums) in chunks.clone().zip(sums.chunks_mut(SAMPLES)) {
            let mut b = 0;
            while b < sums.len() {
                b += match sums.len() - b {
                    4.. => add::<4>(tiles, (dy, c, from, b), sums),
                    2.. => add::<2>(tiles, (dy, c, from, b), sums),
                    _ => add::<1>(tiles, (dy, c, from, b), sums),
                };
            }
        }
    }
    let used = w.cols_in(j);
    for (b, sums) in sums.iter().enumerate() {
        // SAFETY: the caller owns these columns.
        unsafe { dx.part(first + b, j * BITS, used) }.copy_from_slice(&sums.as_flattened()[..used]);
    }
}

/// Adds what the tiles from tile `from` on contribute to the sums of chunk `c`, those of `B` samples from number `b` on; returns `B`.
///
/// While one table is looked up, the multiply-adds of the next are under way: an addition for each of the four, between them.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,fma")]
fn add<const B: usize>(tiles: &[Ready], (dy, c, from, b): (DyTiles<'_>, usize, usize, usize), sums: &mut [Sums]) -> usize {
    let upstream = |r: usize| -> &[[f32; TILE_ROWS]; B] {
        match dy.rows(c, from + r)[b..].first_chunk() {
            Some(upstream) => upstream,
            None => unreachable!("as many samples as sums"),
        }
    };
    let Some(out) = sums[b..].first_chunk_mut::<B>() else { unreachable!("as many sums as asked for") };
    let mut sums = [[_mm512_setzero_ps(); BITS / LANES]; B];
    // Loops over numbers, here and below: those of iterators would keep the sums in memory.
    for b in 0..B {
        for q in 0..BITS / LANES {
            sums[b][q] = load(&out[b][q]);
        }
    }
    let mut next_dy = upstream(0);
    let mut next = [_mm512_setzero_ps(); B];
    for i in 0..GROUP {
        for b in 0..B {
            next[b] = _mm512_fmadd_ps(load(&tiles[0].levels[0][i]), _mm512_set1_ps(next_dy[b][i]), next[b]);
        }
    }
    for r in 0..tiles.len() {
        for g in 0..GROUPS {
            let tables = next;
            // After the last group once more the same: nobody looks it up.
            let following = if g + 1 < GROUPS { r } else { (r + 1).min(tiles.len() - 1) };
            if g + 1 == GROUPS {
                next_dy = upstream(following);
            }
            let following = &tiles[following].levels[(g + 1) % GROUPS];
            for q in 0..BITS / LANES {
                let at = load_words(&tiles[r].index[g][q]);
                let levels = load(&following[q]);
                for b in 0..B {
                    sums[b][q] = _mm512_add_ps(sums[b][q], _mm512_permutexvar_ps(at, tables[b]));
                    let dy = _mm512_set1_ps(next_dy[b][(g + 1) % GROUPS * GROUP + q]);
                    next[b] = if q == 0 { _mm512_mul_ps(levels, dy) } else { _mm512_fmadd_ps(levels, dy, next[b]) };
                }
            }
        }
    }
    for b in 0..B {
        for q in 0..BITS / LANES {
            store(&mut out[b][q], sums[b][q]);
        }
    }
    B
}
