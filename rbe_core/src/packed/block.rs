//! One block of 64 weights.

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
}
