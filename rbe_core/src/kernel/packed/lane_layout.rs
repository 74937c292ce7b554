//! Which family of kernels a chunk of samples goes to. It depends on the shapes alone, and so do the sums.

use crate::isa::VectorIsa;

/// Samples of a chunk.
pub(in crate::kernel) const SAMPLES: usize = 16;

/// What the lanes of a kernel hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kernel) enum Family {
    /// Sixteen rows.
    Rows,
    /// Eight samples.
    Eight,
    /// Sixteen samples.
    Sixteen,
}

impl Family {
    /// Samples in lanes.
    pub(in crate::kernel) fn lanes(self) -> Option<usize> {
        match self {
            Family::Rows => None,
            Family::Eight => Some(8),
            Family::Sixteen => Some(16),
        }
    }

    /// Family of the last chunk of a batch, `samples` in number and fewer than [`SAMPLES`].
    ///
    /// Rows in lanes cost the same for every sample, samples in lanes the same for a vector of them, full or not. At 768 x 3072 on
    /// AVX2 three samples take 180 µs forward and 278 for dx with rows in lanes, and 206 and 267 with samples in lanes, as eight do. On
    /// AVX-512, whose dx has a family of its own, rows in lanes reach 111 GMAC/s forward, sixteen samples 120 to 160. So they meet at 3 of
    /// eight and at 12 to 13 of sixteen. NEON has no lookup of floats in a register, and so no rows in lanes.
    pub(in crate::kernel) fn of_rest(set: VectorIsa, samples: usize) -> Family {
        match (set, samples) {
            #[cfg(target_arch = "x86_64")]
            (VectorIsa::Avx512 | VectorIsa::Amx, ..=12) | (VectorIsa::Avx2, ..=3) => Family::Rows,
            #[cfg(target_arch = "x86_64")]
            (VectorIsa::Avx2, ..=8) => Family::Eight,
            #[cfg(target_arch = "x86_64")]
            (VectorIsa::Avx2 | VectorIsa::Avx512 | VectorIsa::Amx, _) => Family::Sixteen,
            #[cfg(target_arch = "aarch64")]
            (VectorIsa::Neon, ..=8) => Family::Eight,
            #[cfg(target_arch = "aarch64")]
            (VectorIsa::Neon, _) => Family::Sixteen,
        }
    }
}
