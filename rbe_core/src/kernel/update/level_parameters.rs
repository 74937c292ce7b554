//! Steps of the level parameters of sixteen rows at a time, in single precision without branches, so that a compiler can keep them in vectors.
//! The plain twins, in double precision, are `packed::pull_back` and the verbs of [`crate::disk`].

use super::bounds::Pace;
use crate::disk::MAX_RADIUS;
use crate::isa::multiversion;
use crate::kernel::packed::tile_levels::log_ratios;
use crate::packed::{PackedTensor, TILE_ROWS, Tile};
use crate::parallel;

/// Sixteen numbers, one a row.
pub(in crate::kernel) type Rows = [f32; TILE_ROWS];

/// `f` of every row.
#[inline(always)]
fn rows(f: impl Fn(usize) -> f32) -> Rows {
    let mut out = [0.0; TILE_ROWS];
    let mut r = 0;
    while r < TILE_ROWS {
        out[r] = f(r);
        r += 1;
    }
    out
}

/// Largest argument of the series of [`tanh_ratios`].
const NEAR: f32 = 0.4;

/// `tanh(x) / x` of every `x >= 0` whose square is given: its series up to x^12, relative error below 1e-7 up to [`NEAR`], and the
/// library beyond, where steps of ordinary rates do not come.
#[inline(always)]
fn tanh_ratios(squares: Rows) -> Rows {
    const SERIES: [f32; 7] = [1.0, -1.0 / 3.0, 2.0 / 15.0, -17.0 / 315.0, 62.0 / 2835.0, -1382.0 / 155_925.0, 21_844.0 / 6_081_075.0];
    let series = rows(|r| SERIES[..6].iter().rev().fold(SERIES[6], |sum, c| sum.mul_add(squares[r], *c)));
    let mut far = false;
    for q in squares {
        far |= q > NEAR * NEAR;
    }
    let exact = |q: f32| q.sqrt().tanh() / q.sqrt();
    if far { rows(|r| if squares[r] > NEAR * NEAR { exact(squares[r]) } else { series[r] }) } else { series }
}

/// Level parameters of sixteen rows, as points of the disk.
#[derive(Clone, Copy)]
struct Places {
    x: Rows,
    y: Rows,
    q: Rows,       // |z|²
    across: Rows,  // 2 artanh|z| / |z|
    shrink: Rows,  // 1 - |z|², 2 / λ
    inverse: Rows, // its inverse
}

impl Places {
    #[inline(always)]
    fn of(tile: &Tile) -> Places {
        let (x, y) = (tile.z0, tile.z1);
        let q = rows(|r| x[r] * x[r] + y[r] * y[r]);
        let shrink = rows(|r| 1.0 - q[r]);
        Places { x, y, q, across: log_ratios(tile), shrink, inverse: rows(|r| 1.0 / shrink[r]) }
    }

    /// `e = Jᵀ g = across g + (λ - across) r̂ (r̂ · g)`, times `scale`.
    #[inline(always)]
    fn pull_back(&self, scale: f32, g: &[Rows; 2]) -> [Rows; 2] {
        let along = rows(|r| {
            let dot = self.x[r] * g[0][r] + self.y[r] * g[1][r];
            (2.0 * self.inverse[r] - self.across[r]) * if self.q[r] > 1e-30 { dot / self.q[r] } else { 0.0 }
        });
        [
            rows(|r| scale * (self.across[r] * g[0][r] + along[r] * self.x[r])),
            rows(|r| scale * (self.across[r] * g[1][r] + along[r] * self.y[r])),
        ]
    }
}

/// Gradient of the levels (rows, blocks, 2) to that of the level parameters, `Jᵀ g_v`.
///
/// # Panics
/// If `gv` has another length.
pub fn to_level_parameters(w: &PackedTensor, gv: &mut [f32]) {
    let blocks = w.blocks();
    assert!(gv.len() == w.rows() * blocks * 2, "gradient of the level parameters: length");
    let tiles = w.tiles();
    const ROW_TILES: usize = 16; // of a piece
    parallel::for_each_piece(gv, ROW_TILES * TILE_ROWS * blocks * 2, |p, piece| {
        for (gv, tiles) in piece.chunks_mut(TILE_ROWS * blocks * 2).zip(tiles[p * ROW_TILES * blocks..].chunks_exact(blocks)) {
            tile_to_level_parameters(tiles, w.scale(), gv);
        }
    });
}

/// Tiles whose gradients [`tile_to_level_parameters`] collects at a time: their pairs are a cache line of each row.
const COLLECTED: usize = 8;

multiversion! {
    /// Gradients of the levels of the rows of a row tile, `g (rows, blocks, 2)`, to those of its level parameters.
    fn tile_to_level_parameters(tiles: &[Tile], scale: f32, g: &mut [f32]) {
        let (blocks, (g, _)) = (tiles.len(), g.as_chunks_mut::<2>());
        let count = g.len() / blocks;
        let mut pairs = [[[0.0f32; 2]; TILE_ROWS]; COLLECTED];
        for (c, tiles) in tiles.chunks(COLLECTED).enumerate() {
            let of_row = |r: usize| r * blocks + c * COLLECTED..r * blocks + c * COLLECTED + tiles.len();
            for r in 0..count {
                pairs.iter_mut().zip(&g[of_row(r)]).for_each(|(pairs, pair)| pairs[r] = *pair);
            }
            for (pairs, tile) in pairs.iter_mut().zip(tiles) {
                let e = Places::of(tile).pull_back(scale, &[rows(|r| pairs[r][0]), rows(|r| pairs[r][1])]);
                for r in 0..TILE_ROWS {
                    pairs[r] = [e[0][r], e[1][r]];
                }
            }
            for r in 0..count {
                g[of_row(r)].iter_mut().zip(&pairs).for_each(|(pair, pairs)| *pair = pairs[r]);
            }
        }
    }
}

/// Level parameters of sixteen rows with their gradients and moments.
pub(in crate::kernel) struct AdamStep<'a> {
    /// The level parameters, moved in place.
    pub tile: &'a mut Tile,
    /// Gradient of the levels of each row.
    pub levels: &'a [Rows; 2],
    /// First moments, replaced.
    pub m: &'a mut [Rows; 2],
    /// Second moments, replaced.
    pub v: &'a mut Rows,
    /// Receives, added up, the squares that were added to the second moments.
    pub added: &'a mut Rows,
    /// Factor of the levels.
    pub scale: f32,
    /// What applies to all blocks.
    pub pace: &'a Pace,
}

/// Added to the root of the second moment.
pub(super) const EPS: f64 = 1e-12;
/// Largest number of a gradient and of a first moment: the square of it stays inside single precision.
pub(super) const LARGEST: f32 = 1e18;
/// Largest number of a step, in the metric: no point of the disk is so far from another.
pub(super) const LONGEST: f32 = 60.0;

/// Every number, or the end of `-most..most` that is nearer. NaN becomes `most`.
#[inline(always)]
fn bounded(v: Rows, most: Rows) -> Rows {
    let v = rows(|r| if v[r] < most[r] { v[r] } else { most[r] });
    rows(|r| if v[r] > -most[r] { v[r] } else { -most[r] })
}

/// Points no farther from the centre than [`MAX_RADIUS`], in the same direction.
#[inline(always)]
fn inside(z: [Rows; 2]) -> [Rows; 2] {
    const MOST: f32 = MAX_RADIUS as f32;
    let squares = rows(|r| z[0][r] * z[0][r] + z[1][r] * z[1][r]);
    let mut far = false;
    for q in squares {
        far |= q > MOST * MOST;
    }
    if !far {
        return z;
    }
    let factor = rows(|r| if squares[r] > MOST * MOST { MOST / squares[r].sqrt() } else { 1.0 });
    [rows(|r| z[0][r] * factor[r]), rows(|r| z[1][r] * factor[r])]
}

/// One step of Riemannian Adam for sixteen rows; the formulas of `packed::pull_back`, `disk::exp` and `disk::transport`.
///
/// Differences of numbers that nearly agree are written out: the new point is the old one and a small vector, so that short
/// steps keep their digits. A step differs from the twin's by less than 1e-4 of its length (at the rim, where `1 - |z|²` has
/// lost digits; by 1e-6 elsewhere) and half a unit in the last place of the point.
#[inline(always)]
pub(in crate::kernel) fn adam_step(p: AdamStep<'_>) {
    let at = Places::of(p.tile);
    let Places { x, y, q, shrink, inverse, .. } = at;
    let Pace { lr, betas, corrections, gain, most } = *p.pace;
    let [b1, b2] = betas.map(|b| b as f32);
    let (step, bias) = (-(lr as f32) / corrections[0] as f32, 1.0 / corrections[1] as f32);
    let (gain, most) = (gain as f32, most.map(|m| m as f32));
    let e = at.pull_back(p.scale, p.levels).map(|e| bounded(e, [LARGEST; TILE_ROWS]));
    // Riemannian gradient λ⁻² e, and what of its square is added to the second moment
    let metric = rows(|r| 0.25 * shrink[r] * shrink[r]);
    let squares = rows(|r| metric[r] * (e[0][r] * e[0][r] + e[1][r] * e[1][r]) * (gain * gain));
    let limit = rows(|r| if most[0] * p.v[r] > most[1] { most[0] * p.v[r] } else { most[1] });
    let added = rows(|r| if squares[r] < limit[r] { squares[r] } else { limit[r] });
    let gain = rows(|r| if squares[r] > limit[r] { gain * (limit[r] / squares[r]).sqrt() } else { gain });
    // Moments, direction
    let of = rows(|r| metric[r] * gain[r]);
    let m = [rows(|r| b1 * p.m[0][r] + (1.0 - b1) * (of[r] * e[0][r])), rows(|r| b1 * p.m[1][r] + (1.0 - b1) * (of[r] * e[1][r]))];
    let v = rows(|r| b2 * p.v[r] + (1.0 - b2) * added[r]);
    let v = rows(|r| if v[r] < f32::MAX { v[r] } else { f32::MAX });
    let rate = rows(|r| step / ((v[r] * bias).sqrt() + EPS as f32));
    let longest = rows(|r| 0.5 * LONGEST * shrink[r]);
    let d = [0, 1].map(|a| bounded(rows(|r| m[a][r] * rate[r]), longest));
    // exp: z ⊕ w, w = tanh(λ|d|/2) d/|d|; z ⊕ w - z = (1 - |z|²) (w + |w|² z) / (1 + 2 z·w + |z|² |w|²)
    let tanh = tanh_ratios(rows(|r| (d[0][r] * d[0][r] + d[1][r] * d[1][r]) * inverse[r] * inverse[r]));
    let w = [rows(|r| tanh[r] * inverse[r] * d[0][r]), rows(|r| tanh[r] * inverse[r] * d[1][r])];
    let ww = rows(|r| w[0][r] * w[0][r] + w[1][r] * w[1][r]);
    let part = rows(|r| shrink[r] / (1.0 + 2.0 * (x[r] * w[0][r] + y[r] * w[1][r]) + q[r] * ww[r]));
    let next = [rows(|r| x[r] + part[r] * (w[0][r] + ww[r] * x[r])), rows(|r| y[r] + part[r] * (w[1][r] + ww[r] * y[r]))];
    let next = inside(next);
    // transport of m from z to the next point u: rotation by arg (1 - u z̄)², scaled by λ(z)/λ(u)
    let turn = rows(|r| {
        let moved = [next[0][r] - x[r], next[1][r] - y[r]];
        (moved[0] * y[r] - moved[1] * x[r]) / (1.0 - (next[0][r] * x[r] + next[1][r] * y[r]))
    });
    let mut moved = m;
    for r in 0..TILE_ROWS {
        let t = (1.0 - (next[0][r] * next[0][r] + next[1][r] * next[1][r])) * inverse[r] / (1.0 + turn[r] * turn[r]);
        let (cos, sin) = (t * (1.0 - turn[r] * turn[r]), t * 2.0 * turn[r]);
        moved[0][r] = cos * m[0][r] - sin * m[1][r];
        moved[1][r] = sin * m[0][r] + cos * m[1][r];
        p.v[r] = v[r];
        p.added[r] += added[r];
    }
    *p.m = moved.map(|m| bounded(m, [LARGEST; TILE_ROWS]));
    p.tile.z0 = next[0];
    p.tile.z1 = next[1];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk;
    use crate::packed::pull_back;

    #[test]
    fn ratios_follow_the_library() {
        for i in 0..2000 {
            let x = 10f32.powf(-12.0 + 14.0 * i as f32 / 2000.0);
            let want = f64::from(x).tanh() / f64::from(x);
            for beside in [0.0, 1.0] {
                // Alone, and where another row takes the way of large arguments.
                let got = tanh_ratios(rows(|r| if r == 3 { x * x } else { beside }))[3];
                assert!((f64::from(got) / want - 1.0).abs() < 3e-7, "{x} {got} {want}");
            }
        }
        assert_eq!(tanh_ratios([0.0; TILE_ROWS]), [1.0; TILE_ROWS]);
    }

    #[test]
    fn points_follow_the_verbs_of_the_disk() {
        for (i, start) in [[0.3, -0.5], [0.0, 0.0], [1e-12, 3e-12], [0.7, 0.71], [0.9989, 0.0]].into_iter().enumerate() {
            let mut tile: Tile = bytemuck::Zeroable::zeroed();
            tile.z0 = [start[0] as f32; TILE_ROWS];
            tile.z1 = [start[1] as f32; TILE_ROWS];
            let g: [[f32; TILE_ROWS]; 2] = std::array::from_fn(|a| std::array::from_fn(|r| ((r + 3 * a + i) as f32 * 0.7).sin()));
            let m = [[1e-3f32; TILE_ROWS], [-2e-3; TILE_ROWS]];
            let (mut m_out, mut v_out) = (m, [1e-4f32; TILE_ROWS]);
            let (betas, corrections, lr, scale) = ([0.9f32, 0.999], [0.19f32, 0.002], 0.03f32, 0.2f32);
            let wide = |v: f32| f64::from(v);
            let pace = Pace { lr: wide(lr), betas: betas.map(wide), corrections: corrections.map(wide), ..Pace::plain() };
            let mut added = [0.0; TILE_ROWS];
            adam_step(AdamStep { tile: &mut tile, levels: &g, m: &mut m_out, v: &mut v_out, added: &mut added, scale, pace: &pace });
            for r in 0..TILE_ROWS {
                let z = [f64::from(start[0] as f32), f64::from(start[1] as f32)];
                let e = pull_back(z, wide(scale), [wide(g[0][r]), wide(g[1][r])]);
                let rg = disk::egrad_to_rgrad(z, e);
                let [b1, b2] = betas.map(wide);
                let mm: [f64; 2] = std::array::from_fn(|a| b1 * wide(m[a][r]) + (1.0 - b1) * rg[a]);
                let v = b2 * wide(1e-4) + (1.0 - b2) * disk::inner(z, rg, rg);
                let rate = -wide(lr) / wide(corrections[0]) / ((v / wide(corrections[1])).sqrt() + EPS);
                let want = disk::project(disk::exp(z, [mm[0] * rate, mm[1] * rate]));
                let got = [wide(tile.z0[r]), wide(tile.z1[r])];
                let relative = if disk::length(z) > 0.99 { 1e-4 } else { 1e-6 };
                let length = disk::length([want[0] - z[0], want[1] - z[1]]);
                let bound = 6e-8 + relative * length;
                assert!((got[0] - want[0]).abs() < bound && (got[1] - want[1]).abs() < bound, "{start:?} {got:?} {want:?}");
                let moved = disk::transport(z, got, mm);
                let bound = relative * disk::length(moved);
                for a in 0..2 {
                    assert!((wide(m_out[a][r]) - moved[a]).abs() < bound, "{start:?} {r} {a} {} {moved:?}", m_out[a][r]);
                }
                assert!((wide(v_out[r]) - v).abs() < relative * v, "{start:?} {r}");
            }
        }
    }

    #[test]
    fn an_exactly_radial_gradient_keeps_the_direction() {
        let mut tile: Tile = bytemuck::Zeroable::zeroed();
        (tile.z0, tile.z1) = ([0.3; TILE_ROWS], [0.4; TILE_ROWS]);
        let (mut m_out, mut v_out) = ([[0.0f32; TILE_ROWS]; 2], [0.0f32; TILE_ROWS]);
        let levels = [[3.0f32; TILE_ROWS], [4.0; TILE_ROWS]];
        let (pace, mut added) = (Pace { lr: 0.03, ..Pace::plain() }, [0.0; TILE_ROWS]);
        adam_step(AdamStep { tile: &mut tile, levels: &levels, m: &mut m_out, v: &mut v_out, added: &mut added, scale: 1.0, pace: &pace });
        // Towards the centre by 0.03 in the metric.
        let r = f64::from(tile.z0[0].hypot(tile.z1[0]));
        assert!((2.0 * 0.5f64.atanh() - 2.0 * r.atanh() - 0.03).abs() < 1e-6, "{r}");
        assert!((tile.z1[0] / tile.z0[0] - 4.0 / 3.0).abs() < 1e-6);
    }
}
