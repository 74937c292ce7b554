//! One block of 64 weights.

use crate::disk;
use crate::error::{RbeError, Result};

/// Weights in a block.
pub const BITS: usize = 64;

/// Largest allowed distance of a block's point from the origin of the unit disk.
pub const MAX_RADIUS: f32 = 1.0 - 1e-3;

/// 64 weights of one row: 2 bits a weight.
///
/// Bit `k` of `hi` selects the level of weight `k`; `lo` holds the point `(z0, z1)` of the Poincaré disk whose
/// logarithm at the origin gives the two levels, `z0` in the low half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(16))]
pub struct Packed128 {
    /// State bits.
    pub hi: u64,
    /// The point: two `f32` bit patterns.
    pub lo: u64,
}

const _: () = assert!(size_of::<Packed128>() == 16 && align_of::<Packed128>() == 16);

impl Packed128 {
    /// Block of the given state bits and point.
    pub fn new(hi: u64, point: [f32; 2]) -> Packed128 {
        Packed128 { hi, lo: u64::from(point[0].to_bits()) | u64::from(point[1].to_bits()) << 32 }
    }

    /// The point `(z0, z1)` of the disk.
    pub fn point(self) -> [f32; 2] {
        [f32::from_bits(self.lo as u32), f32::from_bits((self.lo >> 32) as u32)]
    }

    /// Distance `r = |z|` of the point from the centre of the disk, below 1.
    pub fn radius(self) -> f32 {
        let [a, b] = self.point();
        a.hypot(b)
    }

    /// Angle `θ = arg z` of the point, in radians from -π to π; 0 at the centre.
    pub fn theta(self) -> f32 {
        let [a, b] = self.point();
        b.atan2(a)
    }

    /// Distance `d = 2 artanh r` of the point from the centre in the metric of the disk.
    pub fn distance(self) -> f32 {
        let z = self.point().map(f64::from);
        (2.0 * disk::length(z).atanh()) as f32
    }

    /// Block whose point lies at distance `d` (in the metric) and angle `theta` (radians), held within `|z| <= 1 - 1e-3`.
    ///
    /// # Errors
    /// `NonFinite` for a distance or angle that is not finite.
    pub fn from_polar(hi: u64, d: f32, theta: f32) -> Result<Packed128> {
        if !(d.is_finite() && theta.is_finite()) {
            return Err(RbeError::non_finite("from_polar", "a finite distance and angle", format!("{d} and {theta}")));
        }
        let (sin, cos) = f64::from(theta).sin_cos();
        let d = f64::from(d);
        Ok(Packed128::new(hi, disk::project(disk::exp_at_origin([d * cos, d * sin])).map(|v| v as f32)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_and_polar_form_are_the_same_point() {
        let block = Packed128::new(7, [0.3, -0.4]);
        assert_eq!((block.hi, block.point()), (7, [0.3, -0.4]));
        assert_eq!(block.lo as u32, 0.3f32.to_bits());
        assert!((block.radius() - 0.5).abs() < 1e-7 && (block.theta() - (-0.4f32).atan2(0.3)).abs() < 1e-7);
        assert!((block.distance() - 2.0 * 0.5f32.atanh()).abs() < 1e-6);
        let again = Packed128::from_polar(7, block.distance(), block.theta()).unwrap().point();
        assert!((again[0] - 0.3).abs() < 1e-6 && (again[1] + 0.4).abs() < 1e-6);
        for (d, theta) in [(f32::NAN, 0.0), (1.0, f32::INFINITY)] {
            assert!(matches!(Packed128::from_polar(0, d, theta), Err(RbeError::NonFinite(_))));
        }
        assert!(Packed128::from_polar(0, 50.0, 1.0).unwrap().radius() <= MAX_RADIUS * (1.0 + f32::EPSILON));
    }
}
