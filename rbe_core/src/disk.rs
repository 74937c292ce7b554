//! Riemannian geometry of the Poincaré disk: the open unit disk with metric `λ(z)² (dx² + dy²)`, `λ = 2 / (1 - |z|²)`.
//!
//! Formulas: Ganea, Bécigneul, Hofmann, "Hyperbolic Neural Networks" (2018), curvature -1.
//! Single-precision callers widen first: near the boundary `1 - |z|` loses its digits in f32.

/// A point of the disk or a tangent vector.
pub type Vec2 = [f64; 2];

/// Largest distance from the origin that [`project`] leaves.
pub const MAX_RADIUS: f64 = 1.0 - 1e-3;

/// `|z|`, without overflow or underflow on the way.
pub fn length(z: Vec2) -> f64 {
    z[0].hypot(z[1])
}

fn dot(a: Vec2, b: Vec2) -> f64 {
    a[0] * b[0] + a[1] * b[1]
}

fn scaled(a: Vec2, s: f64) -> Vec2 {
    [a[0] * s, a[1] * s]
}

/// Conformal factor `2 / (1 - r²)`, from `(1 - r)(1 + r)`.
pub fn conformal_factor(z: Vec2) -> f64 {
    let r = length(z);
    2.0 / ((1.0 - r) * (1.0 + r))
}

/// The point moved radially to `|z| <= 1 - 1e-3` if it lies outside.
pub fn project(z: Vec2) -> Vec2 {
    let r = length(z);
    if r > MAX_RADIUS { scaled(z, MAX_RADIUS / r) } else { z }
}

/// Riemannian gradient of a Euclidean one: `λ⁻² g`.
pub fn egrad_to_rgrad(z: Vec2, g: Vec2) -> Vec2 {
    let l = conformal_factor(z);
    scaled(g, 1.0 / (l * l))
}

/// Inner product of two tangent vectors at `z`: `λ² u·v`.
pub fn inner(z: Vec2, u: Vec2, v: Vec2) -> f64 {
    let l = conformal_factor(z);
    l * l * dot(u, v)
}

/// Möbius addition `z ⊕ w`.
pub fn mobius_add(z: Vec2, w: Vec2) -> Vec2 {
    let (zw, zz, ww) = (dot(z, w), dot(z, z), dot(w, w));
    let (a, b) = (1.0 + 2.0 * zw + ww, 1.0 - zz);
    let d = 1.0 + 2.0 * zw + zz * ww;
    [(a * z[0] + b * w[0]) / d, (a * z[1] + b * w[1]) / d]
}

/// `f(r) / r`, and `limit` at `r = 0`.
fn ratio(f: f64, r: f64, limit: f64) -> f64 {
    if r > 0.0 { f / r } else { limit }
}

/// Exponential map at the origin: `tanh(|v|/2) v/|v|`.
pub fn exp_at_origin(v: Vec2) -> Vec2 {
    let r = length(v);
    scaled(v, ratio((r * 0.5).tanh(), r, 0.5))
}

/// Logarithmic map at the origin: `2 artanh|z| z/|z|`.
pub fn log_at_origin(z: Vec2) -> Vec2 {
    let r = length(z);
    scaled(z, ratio(2.0 * r.atanh(), r, 2.0))
}

/// Exponential map at `z`: the end of the geodesic that leaves `z` with velocity `v`.
pub fn exp(z: Vec2, v: Vec2) -> Vec2 {
    let r = length(v);
    let l = conformal_factor(z);
    mobius_add(z, scaled(v, ratio((0.5 * l * r).tanh(), r, 0.5 * l)))
}

/// Logarithmic map at `z`: the velocity that reaches `w` in unit time.
pub fn log(z: Vec2, w: Vec2) -> Vec2 {
    let d = mobius_add([-z[0], -z[1]], w);
    let (r, l) = (length(d), conformal_factor(z));
    scaled(d, ratio(2.0 / l * r.min(1.0 - f64::EPSILON).atanh(), r, 2.0 / l))
}

/// Geodesic distance: `2 artanh |(-z) ⊕ w|`.
pub fn distance(z: Vec2, w: Vec2) -> f64 {
    2.0 * length(mobius_add([-z[0], -z[1]], w)).min(1.0 - f64::EPSILON).atanh()
}

/// Parallel transport of `v` from `z` to `w` along the geodesic: `gyr[w, -z] v · λ(z)/λ(w)`.
///
/// In the plane a gyration is the rotation by the argument of `(1 - w z̄) / (1 - w̄ z)`.
pub fn transport(z: Vec2, w: Vec2, v: Vec2) -> Vec2 {
    // c = 1 - w z̄; gyr[w, -z] = c / c̄ = c² / |c|²
    let c = [1.0 - (w[0] * z[0] + w[1] * z[1]), -(w[1] * z[0] - w[0] * z[1])];
    let n = dot(c, c);
    let (cos, sin) = ((c[0] * c[0] - c[1] * c[1]) / n, 2.0 * c[0] * c[1] / n);
    let s = conformal_factor(z) / conformal_factor(w);
    [(cos * v[0] - sin * v[1]) * s, (sin * v[0] + cos * v[1]) * s]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A point with radius spread from 1e-30 to the boundary.
    fn point() -> impl Strategy<Value = Vec2> {
        let radius = prop_oneof![(-30.0f64..0.0).prop_map(|e| 10f64.powf(e) * MAX_RADIUS), Just(MAX_RADIUS), 0.5..MAX_RADIUS, Just(0.0)];
        (radius, 0.0..std::f64::consts::TAU).prop_map(|(r, t)| [r * t.cos(), r * t.sin()])
    }

    fn close(a: Vec2, b: Vec2, tol: f64) -> bool {
        length([a[0] - b[0], a[1] - b[1]]) <= tol * (length(a) + length(b)) + 1e-300
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn exp_and_log_at_the_origin_invert(z in point()) {
            prop_assert!(close(exp_at_origin(log_at_origin(z)), z, 1e-12));
        }

        #[test]
        fn exp_and_log_invert(z in point(), w in point()) {
            let v = log(z, w);
            // Near the boundary 1 - r is the accurate quantity: compare in the metric.
            prop_assert!(distance(exp(z, v), w) <= 1e-6 * (1.0 + distance(z, w)), "{z:?} {w:?} {:?}", exp(z, v));
        }

        #[test]
        fn the_length_of_log_is_the_distance(z in point(), w in point()) {
            let (v, d) = (log(z, w), distance(z, w));
            prop_assert!((inner(z, v, v).sqrt() - d).abs() <= 1e-9 * d + 1e-300);
            prop_assert!((distance(w, z) - d).abs() <= 1e-7 * d + 1e-300);
        }

        #[test]
        fn transport_is_an_isometry_and_inverts(z in point(), w in point(), u in point(), v in point()) {
            let (a, b) = (transport(z, w, u), transport(z, w, v));
            let scale = (inner(z, u, u) * inner(z, v, v)).sqrt();
            prop_assert!((inner(w, a, b) - inner(z, u, v)).abs() <= 1e-9 * scale + 1e-300);
            prop_assert!(close(transport(w, z, a), u, 1e-9));
        }

        #[test]
        fn transport_carries_the_geodesic_along(z in point(), w in point()) {
            prop_assume!(distance(z, w) > 1e-3 && distance(z, w) < 12.0);
            let back = log(w, z);
            prop_assert!(close(transport(z, w, log(z, w)), [-back[0], -back[1]], 1e-5));
        }

        #[test]
        fn projection_stays_inside(x in -10.0f64..10.0, y in -10.0f64..10.0) {
            let z = project([x, y]);
            prop_assert!(length(z) <= MAX_RADIUS * (1.0 + f64::EPSILON));
            prop_assert!(close(project(z), z, 1e-15));
        }
    }

    #[test]
    fn the_riemannian_gradient_represents_the_differential() {
        let (z, g, v) = ([0.3, -0.6], [1.5, 0.2], [0.1, 0.7]);
        let differential: f64 = g[0] * v[0] + g[1] * v[1];
        assert!((inner(z, egrad_to_rgrad(z, g), v) - differential).abs() < 1e-14);
    }
}
