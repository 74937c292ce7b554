//! Levels of a tile's sixteen rows at once: branch-free plain Rust, compiled anew for every instruction set.

use super::view::View;
use crate::kernel::dense::lane_sum::fold;
use crate::packed::{BITS, TILE_ROWS, Tile};

/// `2 artanh(√t)/√t` on `[0, NEAR]` by Chebyshev interpolation, relative error 1.1e-7 evaluated in f32.
const NEAR_SERIES: [f32; 10] =
    [2.0, 0.666_680_9, 0.399_229_5, 0.301_713_6, 0.056_071_41, 1.153_219_1, -3.205_24, 6.995_217, -7.636_032, 3.971_313_5];
/// Largest `|z|²` of the series.
const NEAR: f32 = 0.6;

/// `v0` and `v1` of every row: `scale · log_0(z)`, relative error below 1e-6 for `|z|` up to `1 - 1e-3`.
#[inline(always)]
pub(in crate::kernel) fn tile_levels(tile: &Tile, scale: f32, v0: &mut [f32; TILE_ROWS], v1: &mut [f32; TILE_ROWS]) {
    let ratio = log_ratios(tile);
    for r in 0..TILE_ROWS {
        let factor = scale * ratio[r];
        v0[r] = tile.z0[r] * factor;
        v1[r] = tile.z1[r] * factor;
    }
}

/// Levels of the sixteen rows of a tile: `v0`, and `v1 - v0`.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(in crate::kernel) struct Levels {
    pub v0: [f32; TILE_ROWS],
    pub gap: [f32; TILE_ROWS],
}

impl Levels {
    #[inline(always)]
    pub(in crate::kernel) fn of(tile: &Tile, scale: f32) -> Levels {
        let mut out = Levels { v0: [0.0; TILE_ROWS], gap: [0.0; TILE_ROWS] };
        tile_levels(tile, scale, &mut out.v0, &mut out.gap);
        for r in 0..TILE_ROWS {
            out.gap[r] -= out.v0[r];
        }
        out
    }
}

/// The rows of tile `r` of `G (rows, blocks, 64)` times `v_{1-b} - v_b`; their sums over the bits that are 0 and 1 go to
/// `sums (rows, blocks, 2)`.
#[inline(always)]
pub(in crate::kernel) fn flips(w: &View<'_>, r: usize, g: &mut [f32], sums: &mut [f32]) {
    for j in 0..w.blocks {
        let tile = w.tile(r, j);
        let (mut v0, mut v1) = ([0.0; TILE_ROWS], [0.0; TILE_ROWS]);
        tile_levels(tile, w.scale, &mut v0, &mut v1);
        for (i, row) in g.chunks_exact_mut(w.blocks * BITS).enumerate() {
            let (hi, gap) = (tile.hi(i), (v1[i] - v0[i]).to_bits());
            let (mut all, mut set) = ([0.0f32; 16], [0.0f32; 16]);
            for (q, sixteen) in row[j * BITS..][..BITS].as_chunks_mut::<16>().0.iter_mut().enumerate() {
                let bits = (hi >> (16 * q)) as u32;
                for (k, g) in sixteen.iter_mut().enumerate() {
                    let bit = bits >> k & 1;
                    all[k] += *g;
                    set[k] += f32::from_bits(g.to_bits() & 0u32.wrapping_sub(bit));
                    *g *= f32::from_bits(gap ^ bit << 31);
                }
            }
            let (all, set) = (fold(all, |a, b| a + b), fold(set, |a, b| a + b));
            sums[2 * (i * w.blocks + j)..][..2].copy_from_slice(&[all - set, set]);
        }
    }
}

/// `2 artanh|z| / |z|` of every row.
#[inline(always)]
pub(in crate::kernel) fn log_ratios(tile: &Tile) -> [f32; TILE_ROWS] {
    let (mut t, mut out) = ([0.0f32; TILE_ROWS], [0.0f32; TILE_ROWS]);
    let mut far = false;
    for r in 0..TILE_ROWS {
        t[r] = tile.z0[r] * tile.z0[r] + tile.z1[r] * tile.z1[r];
    }
    for r in 0..TILE_ROWS {
        far |= t[r] > NEAR;
    }
    if far {
        for r in 0..TILE_ROWS {
            out[r] = far_factor(tile.z0[r], tile.z1[r]);
        }
    } else {
        // Row by row a compiler would mix the rows of several steps into one vector.
        out = [NEAR_SERIES[9]; TILE_ROWS];
        for c in NEAR_SERIES[..9].iter().rev() {
            for r in 0..TILE_ROWS {
                out[r] = out[r].mul_add(t[r], *c);
            }
        }
    }
    out
}

/// `2 artanh|z| / |z|` anywhere in the disk: with `q = (1+r)/(1-r)` and any `e` near `log2 q`,
/// `2 artanh r = e ln 2 + 2 artanh s`, `s = ((1+r) - 2^e (1-r)) / ((1+r) + 2^e (1-r))`, where `|s| < 0.18` and `s = r` for `e = 0`.
#[inline(always)]
fn far_factor(z0: f32, z1: f32) -> f32 {
    let (a, b) = (z0.abs().max(z1.abs()), z0.abs().min(z1.abs()));
    // |z|² = sum + rest, to twice the precision: 1 - r has lost its digits at the boundary otherwise.
    let (p, q) = (a * a, b * b);
    let sum = p + q;
    let rest = q - (sum - p) + (a.mul_add(a, -p) + b.mul_add(b, -q));
    let r = sum.sqrt();
    let dr = if r > 0.0 { ((-r).mul_add(r, sum) + rest) / (r + r) } else { 0.0 };
    // 2^e, e = floor(log2(q √2)): the exponent bits of q √2.
    let near = (1.0 + r) / (1.0 - r) * std::f32::consts::SQRT_2;
    let bits = near.to_bits() & 0x7f80_0000;
    let power = f32::from_bits(bits);
    let e = (bits >> 23) as i32 - 127;
    let up = r.mul_add(1.0 + power, 1.0 - power) + dr * (1.0 + power);
    let down = r.mul_add(1.0 - power, 1.0 + power) + dr * (1.0 - power);
    let s = up / down;
    let t = s * s;
    let series = t.mul_add(t.mul_add(t.mul_add(t.mul_add(2.0 / 9.0, 2.0 / 7.0), 2.0 / 5.0), 2.0 / 3.0), 2.0);
    if e == 0 { series } else { (e as f32).mul_add(std::f32::consts::LN_2, s * series) / r }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_decode_as_single_points() {
        const BOUND: f64 = 1e-6;
        for exponent in 0..=600 {
            let r = 10f64.powf(-30.0 * (f64::from(exponent) / 600.0).powi(3)) * (1.0 - 1e-3);
            let angle = |i: usize| i as f64 * 0.41 + 0.1;
            let tile = Tile {
                low: [0; 16],
                high: [0; 16],
                z0: std::array::from_fn(|i| (r * angle(i).cos()) as f32),
                z1: std::array::from_fn(|i| (r * angle(i).sin()) as f32),
            };
            let (mut v0, mut v1) = ([0.0; 16], [0.0; 16]);
            tile_levels(&tile, 0.125, &mut v0, &mut v1);
            for i in 0..16 {
                let want = crate::packed::levels([f64::from(tile.z0[i]), f64::from(tile.z1[i])], 0.125);
                for (got, want) in [v0[i], v1[i]].into_iter().zip(want) {
                    assert!((f64::from(got) - want).abs() <= BOUND * want.abs(), "r {r}: {got} {want}");
                }
            }
        }
    }
}
