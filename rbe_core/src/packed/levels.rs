//! From a block's point to its two weight levels and back.

use super::block::MAX_RADIUS;
use crate::disk;
use crate::dtype::Float;
use crate::error::{RbeError, Result};

fn wide<T: Float>(z: [T; 2]) -> [f64; 2] {
    z.map(T::wide)
}

/// The two levels `(v0, v1) = scale · log_0(z)` of the point `z`.
pub fn levels<T: Float>(z: [T; 2], scale: T) -> [T; 2] {
    disk::log_at_origin(wide(z)).map(|v| T::of(scale.wide() * v))
}

/// The point whose levels are nearest to `v`: `exp_0(v / scale)`, projected into `|z| <= 1 - 1e-3`.
pub fn point_of_levels<T: Float>(v: [T; 2], scale: T) -> [T; 2] {
    disk::project(disk::exp_at_origin(wide(v).map(|v| v / scale.wide()))).map(T::of)
}

/// Jacobian `∂(v0, v1)/∂(z0, z1) = scale · [λ r̂ r̂ᵀ + (d/r)(I - r̂ r̂ᵀ)]`, symmetric; `d/r -> 2` as `r -> 0`.
pub fn jacobian<T: Float>(z: [T; 2], scale: T) -> [[T; 2]; 2] {
    let (z, scale) = (wide(z), scale.wide());
    let r = disk::length(z);
    let across = if r > 0.0 { 2.0 * r.atanh() / r } else { 2.0 };
    let u = if r > 0.0 { [z[0] / r, z[1] / r] } else { [1.0, 0.0] };
    let along = disk::conformal_factor(z) - across;
    let off = T::of(scale * along * u[0] * u[1]);
    [[T::of(scale * (across + along * u[0] * u[0])), off], [off, T::of(scale * (across + along * u[1] * u[1]))]]
}

/// Gradient of the point from the gradient of the levels: `Jᵀ g`.
pub fn pull_back<T: Float>(z: [T; 2], scale: T, g: [T; 2]) -> [T; 2] {
    let j = jacobian(z, scale);
    [j[0][0] * g[0] + j[1][0] * g[1], j[0][1] * g[0] + j[1][1] * g[1]]
}

/// Fails for a point that is not finite or outside `|z| <= 1 - 1e-3`.
pub(crate) fn check_points<T: Float>(op: &'static str, z: &[T]) -> Result<()> {
    for z in z.chunks_exact(2) {
        if !(z[0].is_finite() && z[1].is_finite()) {
            return Err(RbeError::non_finite(op, "finite points", format!("({}, {})", z[0].wide(), z[1].wide())));
        }
        if z[0].hypot(z[1]).wide() > f64::from(MAX_RADIUS) * (1.0 + f64::from(f32::EPSILON)) {
            return Err(RbeError::value(op, "points with |z| <= 1 - 1e-3", format!("({}, {})", z[0].wide(), z[1].wide())));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `2 artanh r / r` to double precision, from the series below 1e-2 and `ln((1 + r) / (1 - r))` above.
    fn reference(r: f64) -> f64 {
        if r < 1e-2 { (0..12).map(|k| 2.0 * r.powi(2 * k) / f64::from(2 * k + 1)).sum() } else { ((1.0 + r) / (1.0 - r)).ln() / r }
    }

    #[test]
    fn levels_are_accurate_over_the_whole_disk() {
        for exponent in 0..=300 {
            let r = 10f64.powf(-30.0 * f64::from(exponent) / 300.0) * (1.0 - 1e-3);
            for angle in 0..16 {
                let t = f64::from(angle) * 0.41 + 0.1;
                let z = [(r * t.cos()) as f32, (r * t.sin()) as f32];
                let exact = z.map(f64::from);
                let factor = reference(exact[0].hypot(exact[1]));
                for (got, want) in levels(z, 0.125f32).into_iter().zip(exact) {
                    let want = want * factor * 0.125;
                    assert!((f64::from(got) - want).abs() <= 1e-6 * want.abs(), "{z:?}: {got} {want}");
                }
            }
        }
        assert_eq!(levels([0.0f32, 0.0], 1.0), [0.0, 0.0]);
    }

    #[test]
    fn the_jacobian_is_the_derivative_of_the_levels() {
        for z in [[0.3, -0.5], [0.0, 0.0], [1e-9, 2e-9], [0.7, 0.7], [0.0, 0.998]] {
            let j = jacobian(z, 0.7f64);
            for axis in 0..2 {
                let h = 1e-6;
                let (mut up, mut down) = (z, z);
                up[axis] += h;
                down[axis] -= h;
                let (a, b) = (levels(up, 0.7), levels(down, 0.7));
                for row in 0..2 {
                    let slope = (a[row] - b[row]) / (2.0 * h);
                    assert!((slope - j[row][axis]).abs() <= 1e-6 * (1.0 + slope.abs()), "{z:?} {row} {axis}: {slope} {}", j[row][axis]);
                }
            }
        }
    }

    #[test]
    fn points_of_levels_invert_inside_the_disk() {
        for v in [[1.0f64, -1.0], [0.0, 0.3], [-4.0, 2.0], [0.0, 0.0]] {
            let back = levels(point_of_levels(v, 0.5), 0.5);
            let reach = 0.5 * 2.0 * disk::MAX_RADIUS.atanh();
            if v[0].hypot(v[1]) < reach {
                assert!((back[0] - v[0]).abs() < 1e-9 && (back[1] - v[1]).abs() < 1e-9, "{v:?} {back:?}");
            }
        }
    }
}
