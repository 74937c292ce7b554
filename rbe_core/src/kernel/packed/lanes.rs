//! What the kernels with samples in lanes need of an instruction set.

use crate::packed::{BITS, Tile};

/// Proof that an instruction set is there, with its transposes of small matrices.
pub(in crate::kernel) trait Transpose: Copy {
    /// Columns of eight rows of eight.
    fn transpose(self, rows: [&[f32; 8]; 8]) -> [[f32; 8]; 8];
    /// The bits of the sixteen rows at every column, row 0 in bit 0.
    fn column_bits(self, tile: &Tile) -> [u16; BITS];
}

/// Proof that an instruction set is there, with its operations on `N` numbers, one a sample.
///
/// Every method is inlined into a function compiled for that instruction set.
pub(in crate::kernel) trait Lanes<const N: usize>: Transpose {
    /// `N` numbers in registers.
    type V: Copy;

    fn splat(self, v: f32) -> Self::V;
    fn load(self, from: &[f32; N]) -> Self::V;
    fn store(self, to: &mut [f32; N], v: Self::V);
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, rounded once.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// Sums of the numbers of each of eight vectors.
    fn across(self, rows: &[[f32; N]; 8]) -> [f32; 8];
}
