//! Trainable activations whose state is a block: `y = d · g(ω x + θ)`, `d = 2 artanh|z|`, `θ = arg z`.

use crate::disk;
use crate::dtype::Float;
use crate::memory;
use crate::packed::{CYCLE_BITS, Cycle};
use crate::parallel;

/// Smallest distance of an activation's point from the origin: θ needs a direction.
pub const MIN_RADIUS: f64 = 1e-3;

/// Rows of one partial sum.
const CHUNK: usize = 256;

/// One activation, decoded.
#[derive(Debug, Clone, Copy)]
pub struct Unit<T> {
    /// Cycle state.
    pub state: Cycle,
    /// Frequency.
    pub omega: T,
    /// Amplitude.
    pub d: T,
    /// Phase angle.
    pub theta: T,
}

impl<T: Float> Unit<T> {
    /// The activation of `state` at the point `z`.
    pub fn new(state: Cycle, z: [T; 2]) -> Unit<T> {
        let wide = z.map(T::wide);
        let d = 2.0 * disk::length(wide).atanh();
        Unit { state, omega: state.omega(), d: T::of(d), theta: T::of(wide[1].atan2(wide[0])) }
    }

    /// `g(ω x + θ)` and `g'(ω x + θ)`.
    fn pair(&self, x: T) -> (T, T) {
        let u = self.omega * x + self.theta;
        (self.state.value(u), self.state.slope(u))
    }
}

/// `(∂d/∂z, ∂θ/∂z)`.
fn polar_gradients(z: [f64; 2]) -> ([f64; 2], [f64; 2]) {
    let r = disk::length(z);
    let s = disk::conformal_factor(z) / r;
    ([s * z[0], s * z[1]], [-z[1] / (r * r), z[0] / (r * r)])
}

/// `y (batch, features)` of `x (batch, features)`; one unit for each feature, or one for all.
pub fn forward<T: Float>(x: &[T], features: usize, units: &[Unit<T>], y: &mut [T]) {
    parallel::for_each_piece(y, CHUNK * features, |p, piece| {
        for (i, o) in piece.iter_mut().enumerate() {
            let unit = &units[if units.len() == 1 { 0 } else { i % features }];
            *o = unit.d * unit.pair(x[p * CHUNK * features + i]).0;
        }
    });
}

/// `dx (batch, features)`.
pub fn dx<T: Float>(x: &[T], dy: &[T], features: usize, units: &[Unit<T>], dx: &mut [T]) {
    parallel::for_each_piece(dx, CHUNK * features, |p, piece| {
        for (i, o) in piece.iter_mut().enumerate() {
            let unit = &units[if units.len() == 1 { 0 } else { i % features }];
            let at = p * CHUNK * features + i;
            *o = dy[at] * unit.d * unit.pair(x[at]).1 * unit.omega;
        }
    });
}

/// Sums of `f(unit, x, dy)` over the batch, `(units, N)`: chunks of rows, folded in order.
fn sums<T: Float, const N: usize>(
    x: &[T],
    dy: &[T],
    features: usize,
    units: &[Unit<T>],
    f: impl Fn(&Unit<T>, T, T) -> [f64; N] + Sync + Send,
) -> Vec<[f64; N]> {
    let partial = parallel::map(x.len().div_ceil(CHUNK * features), |p| {
        let mut out = memory::filled([0.0; N], units.len());
        let range = p * CHUNK * features..((p + 1) * CHUNK * features).min(x.len());
        for i in range {
            let u = if units.len() == 1 { 0 } else { i % features };
            let add = f(&units[u], x[i], dy[i]);
            (0..N).for_each(|k| out[u][k] += add[k]);
        }
        out
    });
    let mut total = memory::filled([0.0; N], units.len());
    for part in partial {
        total.iter_mut().zip(part).for_each(|(t, p)| (0..N).for_each(|k| t[k] += p[k]));
    }
    total
}

/// Euclidean gradient of the points `z (units, 2)`.
pub fn dz<T: Float>(x: &[T], dy: &[T], features: usize, units: &[Unit<T>], z: &[T]) -> Vec<T> {
    let total = sums(x, dy, features, units, |unit, x, dy| {
        let (g, slope) = unit.pair(x);
        [(dy * g).wide(), (dy * unit.d * slope).wide()]
    });
    let points = z.chunks_exact(2);
    memory::collect(total.into_iter().zip(points).flat_map(|([dd, dt], z)| {
        let (d, t) = polar_gradients([z[0].wide(), z[1].wide()]);
        [T::of(dd * d[0] + dt * t[0]), T::of(dd * d[1] + dt * t[1])]
    }))
}

/// Change of the loss for each flip, `Δ (units, 11)`, and its derivative with respect to the point `(units, 11, 2)`;
/// a flip into an invalid state is `+inf` with derivative 0.
pub fn flips<T: Float>(x: &[T], dy: &[T], features: usize, units: &[Unit<T>], z: &[T]) -> (Vec<f64>, Vec<f64>) {
    let (mut delta, mut interaction) =
        (memory::filled(f64::INFINITY, units.len() * CYCLE_BITS), memory::zeros(units.len() * CYCLE_BITS * 2));
    for j in 0..CYCLE_BITS {
        let total = sums(x, dy, features, units, |unit, x, dy| {
            let Some(state) = unit.state.flip(j) else { return [0.0; 2] };
            let other = Unit { state, omega: state.omega(), ..*unit };
            let ((g, slope), (h, other_slope)) = (unit.pair(x), other.pair(x));
            [(dy * (h - g)).wide(), (dy * unit.d * (other_slope - slope)).wide()]
        });
        for (u, ([dg, ds], unit)) in total.into_iter().zip(units).enumerate() {
            if unit.state.flip(j).is_none() {
                continue;
            }
            let (d, t) = polar_gradients([z[2 * u].wide(), z[2 * u + 1].wide()]);
            delta[u * CYCLE_BITS + j] = dg * unit.d.wide();
            for axis in 0..2 {
                interaction[(u * CYCLE_BITS + j) * 2 + axis] = dg * d[axis] + ds * t[axis];
            }
        }
    }
    (delta, interaction)
}
