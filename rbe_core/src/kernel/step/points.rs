//! Steps of sixteen points at a time, in double precision without branches, so that a compiler can keep them in vectors.
//! The plain twins are `packed::pull_back` and the verbs of [`crate::disk`].

use crate::disk::MAX_RADIUS;
use crate::packed::{TILE_ROWS, Tile};

/// Sixteen numbers, one a row.
type Rows = [f64; TILE_ROWS];

/// `f` of every row.
#[inline(always)]
fn rows(f: impl Fn(usize) -> f64) -> Rows {
    let mut out = [0.0; TILE_ROWS];
    let mut r = 0;
    while r < TILE_ROWS {
        out[r] = f(r);
        r += 1;
    }
    out
}

/// Natural logarithm of a normal `t >= 1`: `t = 2^e m` with m near 1, and the series of `2 artanh((m - 1)/(m + 1))` up to
/// the 17th power (relative error below 1e-14).
#[inline(always)]
fn ln(t: f64) -> f64 {
    const SQRT_HALF_BITS: u64 = 0x3fe6_a09e_667f_3bcd;
    const TWO_52: f64 = 4_503_599_627_370_496.0;
    let bits = t.to_bits().wrapping_sub(SQRT_HALF_BITS);
    // The exponent as a float without an integer conversion: 2^52 + e as bits.
    let e = f64::from_bits(0x4330_0000_0000_0000 | bits >> 52) - TWO_52;
    let m = f64::from_bits((bits & 0x000f_ffff_ffff_ffff).wrapping_add(SQRT_HALF_BITS));
    let s = (m - 1.0) / (m + 1.0);
    let q = s * s;
    let mut p = 1.0 / 17.0;
    p = p * q + 1.0 / 15.0;
    p = p * q + 1.0 / 13.0;
    p = p * q + 1.0 / 11.0;
    p = p * q + 1.0 / 9.0;
    p = p * q + 1.0 / 7.0;
    p = p * q + 1.0 / 5.0;
    p = p * q + 1.0 / 3.0;
    e * std::f64::consts::LN_2 + 2.0 * s * (p * q + 1.0)
}

/// `2 artanh(r) / r` for `r² = q < 1`: the logarithm, and the series where r is small.
#[inline(always)]
fn log_ratio(q: f64) -> f64 {
    let r = q.sqrt();
    let far = ln((1.0 + r) / (1.0 - r)) / r;
    let near = 2.0 + q * (2.0 / 3.0 + q * (2.0 / 5.0));
    if q < 1e-8 { near } else { far }
}

/// `tanh(x) / x` for `x >= 0`, given `x²` too: by `e^(2x) - 1`, and the series where x is small.
#[inline(always)]
fn tanh_ratio(x: f64) -> f64 {
    const SHIFT: f64 = 6_755_399_441_055_744.0; // 1.5 · 2^52: adding it rounds to an integer in the low bits
    let y = if x < 19.0 { 2.0 * x } else { 38.0 };
    let shifted = y * std::f64::consts::LOG2_E + SHIFT;
    let k = shifted - SHIFT;
    let f = y - k * std::f64::consts::LN_2; // |f| <= 0.35
    // e^f - 1 = f (1 + f/2 (1 + f/3 (1 + …))) to the 13th power: relative error below 1e-15.
    let mut p = 1.0;
    let mut n = 13.0;
    while n > 1.0 {
        p = 1.0 + p * f / n;
        n -= 1.0;
    }
    let power = f64::from_bits((shifted.to_bits() << 52).wrapping_add(0x3ff0_0000_0000_0000));
    let em1 = power * (f * p) + (power - 1.0);
    let far = em1 / ((em1 + 2.0) * x);
    let near = 1.0 - x * x / 3.0;
    if x < 1e-5 { near } else { far }
}

/// Sixteen points with their gradients and moments.
pub(in super::super) struct Points<'a> {
    /// The points, moved in place.
    pub tile: &'a mut Tile,
    /// Gradient of the levels of each row.
    pub levels: [[f32; TILE_ROWS]; 2],
    /// First moments, `(rows, 2)`.
    pub m: [[f32; TILE_ROWS]; 2],
    /// Second moments.
    pub v: [f32; TILE_ROWS],
    /// Receives the new first moments.
    pub m_out: &'a mut [[f32; TILE_ROWS]; 2],
    /// Receives the new second moments.
    pub v_out: &'a mut [f32; TILE_ROWS],
    /// Factor of the levels.
    pub scale: f64,
    /// Rate of the points.
    pub lr: f64,
    /// Decays of the moments.
    pub betas: [f64; 2],
    /// `1 - beta^t` of both.
    pub corrections: [f64; 2],
}

/// Added to the root of the second moment.
pub(super) const EPS: f64 = 1e-12;

/// One step of Riemannian Adam for sixteen points; the formulas of `packed::pull_back`, `disk::exp` and `disk::transport`.
#[inline(always)]
pub(in super::super) fn points(p: Points<'_>) {
    let z = [rows(|r| f64::from(p.tile.z0[r])), rows(|r| f64::from(p.tile.z1[r]))];
    let [b1, b2] = p.betas;
    let mut next = [[0.0f32; TILE_ROWS]; 2];
    for r in 0..TILE_ROWS {
        let (x, y) = (z[0][r], z[1][r]);
        let q = x * x + y * y;
        let radius = q.sqrt();
        let shrink = (1.0 - radius) * (1.0 + radius); // 2 / λ
        // Jᵀ g = across g + (λ - across) r̂ (r̂ · g), times scale
        let across = log_ratio(q);
        let (g0, g1) = (f64::from(p.levels[0][r]), f64::from(p.levels[1][r]));
        let dot = if q > 0.0 { (x * g0 + y * g1) / q } else { 0.0 };
        let along = (2.0 / shrink - across) * dot;
        let (e0, e1) = (p.scale * (across * g0 + along * x), p.scale * (across * g1 + along * y));
        // Riemannian gradient λ⁻² e, moments, direction
        let metric = 0.25 * shrink * shrink;
        let (r0, r1) = (metric * e0, metric * e1);
        let m0 = b1 * f64::from(p.m[0][r]) + (1.0 - b1) * r0;
        let m1 = b1 * f64::from(p.m[1][r]) + (1.0 - b1) * r1;
        let v = b2 * f64::from(p.v[r]) + (1.0 - b2) * metric * (e0 * e0 + e1 * e1);
        let rate = -p.lr / p.corrections[0] / ((v / p.corrections[1]).sqrt() + EPS);
        let (d0, d1) = (m0 * rate, m1 * rate);
        // exp: z ⊕ tanh(λ|d|/2) d/|d|
        let half = (d0 * d0 + d1 * d1).sqrt() / shrink;
        let s = tanh_ratio(half) / shrink;
        let (w0, w1) = (s * d0, s * d1);
        let (zw, ww) = (x * w0 + y * w1, w0 * w0 + w1 * w1);
        let (a, b, c) = (1.0 + 2.0 * zw + ww, 1.0 - q, 1.0 + 2.0 * zw + q * ww);
        let (n0, n1) = ((a * x + b * w0) / c, (a * y + b * w1) / c);
        let far = (n0 * n0 + n1 * n1).sqrt();
        let inside = if far > MAX_RADIUS { MAX_RADIUS / far } else { 1.0 };
        next[0][r] = (n0 * inside) as f32;
        next[1][r] = (n1 * inside) as f32;
        // transport of m from z to the rounded next point: rotation by arg (1 - w z̄)², scaled by λ(z)/λ(w)
        let (u0, u1) = (f64::from(next[0][r]), f64::from(next[1][r]));
        let (c0, c1) = (1.0 - (u0 * x + u1 * y), -(u1 * x - u0 * y));
        let n = c0 * c0 + c1 * c1;
        let (cos, sin) = ((c0 * c0 - c1 * c1) / n, 2.0 * c0 * c1 / n);
        let reach = (u0 * u0 + u1 * u1).sqrt();
        let t = (1.0 - reach) * (1.0 + reach) / shrink;
        p.m_out[0][r] = ((cos * m0 - sin * m1) * t) as f32;
        p.m_out[1][r] = ((sin * m0 + cos * m1) * t) as f32;
        p.v_out[r] = v as f32;
    }
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
            let x = 10f64.powf(-12.0 + 14.0 * f64::from(i) / 2000.0);
            assert!((tanh_ratio(x) * x / x.tanh() - 1.0).abs() < 1e-9, "{x}");
            let q = (x / 1000.0).min(0.998);
            let r = q.sqrt();
            assert!((log_ratio(q) * r / (2.0 * r.atanh()) - 1.0).abs() < 1e-9, "{q}");
        }
        assert_eq!((tanh_ratio(0.0), log_ratio(0.0)), (1.0, 2.0));
    }

    #[test]
    fn points_follow_the_verbs_of_the_disk() {
        for (i, start) in [[0.3, -0.5], [0.0, 0.0], [1e-12, 3e-12], [0.7, 0.71], [0.9989, 0.0]].into_iter().enumerate() {
            let mut tile: Tile = bytemuck::Zeroable::zeroed();
            tile.z0 = [start[0] as f32; TILE_ROWS];
            tile.z1 = [start[1] as f32; TILE_ROWS];
            let g: [[f32; TILE_ROWS]; 2] = std::array::from_fn(|a| std::array::from_fn(|r| ((r + 3 * a + i) as f32 * 0.7).sin()));
            let m = [[1e-3f32; TILE_ROWS], [-2e-3; TILE_ROWS]];
            let (mut m_out, mut v_out) = ([[0.0f32; TILE_ROWS]; 2], [0.0f32; TILE_ROWS]);
            let (betas, corrections, lr, scale) = ([0.9, 0.999], [0.19, 0.002], 0.03, 0.2);
            points(Points {
                tile: &mut tile,
                levels: g,
                m,
                v: [1e-4; TILE_ROWS],
                m_out: &mut m_out,
                v_out: &mut v_out,
                scale,
                lr,
                betas,
                corrections,
            });
            for r in 0..TILE_ROWS {
                let z = [f64::from(start[0] as f32), f64::from(start[1] as f32)];
                let e = pull_back(z, scale, [f64::from(g[0][r]), f64::from(g[1][r])]);
                let rg = disk::egrad_to_rgrad(z, e);
                let mm = [0.9 * f64::from(m[0][r]) + 0.1 * rg[0], 0.9 * f64::from(m[1][r]) + 0.1 * rg[1]];
                let v = 0.999 * f64::from(1e-4f32) + 0.001 * disk::inner(z, rg, rg);
                let rate = -lr / corrections[0] / ((v / corrections[1]).sqrt() + EPS);
                let want = disk::project(disk::exp(z, [mm[0] * rate, mm[1] * rate]));
                let got = [f64::from(tile.z0[r]), f64::from(tile.z1[r])];
                assert!((got[0] - want[0]).abs() < 1e-7 && (got[1] - want[1]).abs() < 1e-7, "{start:?} {got:?} {want:?}");
                let moved = disk::transport(z, got, mm);
                assert!((f64::from(m_out[0][r]) - moved[0]).abs() < 1e-6 * (1e-3 + moved[0].abs()), "{start:?} {r}");
                assert!((f64::from(v_out[r]) - v).abs() < 1e-6 * v);
            }
        }
    }

    #[test]
    fn an_exactly_radial_gradient_keeps_the_direction() {
        let mut tile: Tile = bytemuck::Zeroable::zeroed();
        (tile.z0, tile.z1) = ([0.3; TILE_ROWS], [0.4; TILE_ROWS]);
        let (mut m_out, mut v_out) = ([[0.0f32; TILE_ROWS]; 2], [0.0f32; TILE_ROWS]);
        let levels = [[3.0f32; TILE_ROWS], [4.0; TILE_ROWS]];
        let (m, v) = ([[0.0f32; TILE_ROWS]; 2], [0.0f32; TILE_ROWS]);
        let (betas, corrections) = ([0.9, 0.999], [0.1, 0.001]);
        points(Points { tile: &mut tile, levels, m, v, m_out: &mut m_out, v_out: &mut v_out, scale: 1.0, lr: 0.03, betas, corrections });
        // Towards the centre by 0.03 in the metric.
        let r = f64::from(tile.z0[0].hypot(tile.z1[0]));
        assert!((2.0 * 0.5f64.atanh() - 2.0 * r.atanh() - 0.03).abs() < 1e-6, "{r}");
        assert!((tile.z1[0] / tile.z0[0] - 4.0 / 3.0).abs() < 1e-6);
    }
}
