//! What the kernels with tables of 16-bit integers need of an instruction set.

use crate::kernel::packed::lanes::Transpose;
use crate::packed::{BITS, TILE_ROWS, Tile};

/// Proof that an instruction set is there, with its operations on `N` integers of 16 bits, one a sample, and on as many floats.
///
/// Every method is inlined into a function compiled for that instruction set.
pub(in crate::kernel) trait ShortLanes<const N: usize>: Transpose {
    /// `N` integers in registers.
    type Shorts: Copy;
    /// `N` floats in registers.
    type Floats: Copy;

    fn zero(self) -> Self::Shorts;
    fn load(self, from: &[i16; N]) -> Self::Shorts;
    fn store(self, to: &mut [i16; N], v: Self::Shorts);
    fn splat_short(self, v: i16) -> Self::Shorts;
    /// Unsigned bytes as integers.
    fn load_bytes(self, from: &[u8; N]) -> Self::Shorts;
    /// Sums and differences modulo 2^16: those of the kernels stay inside 16 bits.
    fn add(self, a: Self::Shorts, b: Self::Shorts) -> Self::Shorts;
    fn sub(self, a: Self::Shorts, b: Self::Shorts) -> Self::Shorts;
    /// `a b / 2^15` to the nearest, ties up.
    fn mul_fraction(self, a: Self::Shorts, b: Self::Shorts) -> Self::Shorts;
    /// `floor(v / 256)`.
    fn upper_byte(self, v: Self::Shorts) -> Self::Shorts;
    /// The integers as floats, exactly.
    fn floats(self, v: Self::Shorts) -> Self::Floats;
    fn splat(self, v: f32) -> Self::Floats;
    fn load_floats(self, from: &[f32; N]) -> Self::Floats;
    fn store_floats(self, to: &mut [f32; N], v: Self::Floats);
    fn add_floats(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    fn mul_floats(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// `a * b + c`, rounded once.
    fn mul_add(self, a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats;
}

/// Proof that an instruction set is there, with sums of 16 bits for the 64 columns of a block.
pub(in crate::kernel) trait ColumnSums: Copy {
    /// 64 sums in registers.
    type Sums: Copy;

    fn zero_sums(self) -> Self::Sums;
    /// Adds `v` to the sums of the columns whose bit is set, modulo 2^16.
    fn add_where(self, sums: Self::Sums, hi: u64, v: i16) -> Self::Sums;
    fn store_sums(self, sums: Self::Sums) -> [i16; BITS];
}

/// Sixteen samples in plain Rust.
#[derive(Clone, Copy)]
pub(in crate::kernel) struct Portable;

impl Portable {
    /// Samples in lanes.
    pub(in crate::kernel) const LANES: usize = 16;
}

impl Transpose for Portable {
    #[inline(always)]
    fn transpose(self, rows: [&[f32; 8]; 8]) -> [[f32; 8]; 8] {
        std::array::from_fn(|c| std::array::from_fn(|r| rows[r][c]))
    }
    #[inline(always)]
    fn column_bits(self, tile: &Tile) -> [u16; BITS] {
        let mut out = [0; BITS];
        for r in 0..TILE_ROWS {
            for (k, out) in out.iter_mut().enumerate() {
                *out |= ((tile.hi(r) >> k & 1) as u16) << r;
            }
        }
        out
    }
}

impl ShortLanes<16> for Portable {
    type Shorts = [i16; 16];
    type Floats = [f32; 16];

    #[inline(always)]
    fn zero(self) -> [i16; 16] {
        [0; 16]
    }
    #[inline(always)]
    fn load(self, from: &[i16; 16]) -> [i16; 16] {
        *from
    }
    #[inline(always)]
    fn store(self, to: &mut [i16; 16], v: [i16; 16]) {
        *to = v;
    }
    #[inline(always)]
    fn add(self, a: [i16; 16], b: [i16; 16]) -> [i16; 16] {
        std::array::from_fn(|i| a[i].wrapping_add(b[i]))
    }
    #[inline(always)]
    fn splat_short(self, v: i16) -> [i16; 16] {
        [v; 16]
    }
    #[inline(always)]
    fn load_bytes(self, from: &[u8; 16]) -> [i16; 16] {
        from.map(i16::from)
    }
    #[inline(always)]
    fn sub(self, a: [i16; 16], b: [i16; 16]) -> [i16; 16] {
        std::array::from_fn(|i| a[i].wrapping_sub(b[i]))
    }
    #[inline(always)]
    fn mul_fraction(self, a: [i16; 16], b: [i16; 16]) -> [i16; 16] {
        std::array::from_fn(|i| ((((i32::from(a[i]) * i32::from(b[i])) >> 14) + 1) >> 1) as i16)
    }
    #[inline(always)]
    fn upper_byte(self, v: [i16; 16]) -> [i16; 16] {
        v.map(|v| v >> 8)
    }
    #[inline(always)]
    fn floats(self, v: [i16; 16]) -> [f32; 16] {
        v.map(f32::from)
    }
    #[inline(always)]
    fn splat(self, v: f32) -> [f32; 16] {
        [v; 16]
    }
    #[inline(always)]
    fn load_floats(self, from: &[f32; 16]) -> [f32; 16] {
        *from
    }
    #[inline(always)]
    fn store_floats(self, to: &mut [f32; 16], v: [f32; 16]) {
        *to = v;
    }
    #[inline(always)]
    fn add_floats(self, a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        std::array::from_fn(|i| a[i] + b[i])
    }
    #[inline(always)]
    fn mul_floats(self, a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        std::array::from_fn(|i| a[i] * b[i])
    }
    #[inline(always)]
    fn mul_add(self, a: [f32; 16], b: [f32; 16], c: [f32; 16]) -> [f32; 16] {
        std::array::from_fn(|i| a[i].mul_add(b[i], c[i]))
    }
}

impl ColumnSums for Portable {
    type Sums = [i16; BITS];

    #[inline(always)]
    fn zero_sums(self) -> [i16; BITS] {
        [0; BITS]
    }
    #[inline(always)]
    fn add_where(self, mut sums: [i16; BITS], hi: u64, v: i16) -> [i16; BITS] {
        for (k, sum) in sums.iter_mut().enumerate() {
            *sum = sum.wrapping_add(v & 0i16.wrapping_sub((hi >> k & 1) as i16));
        }
        sums
    }
    #[inline(always)]
    fn store_sums(self, sums: [i16; BITS]) -> [i16; BITS] {
        sums
    }
}
