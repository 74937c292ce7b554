//! Which family of kernels a chunk of samples goes to. It depends on the shapes alone, and so do the sums.

use super::isa::Isa;

/// Samples of a chunk.
pub(super) const SAMPLES: usize = 16;

/// What the lanes of a kernel hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Sixteen rows.
    Rows,
    /// Eight samples.
    Eight,
    /// Sixteen samples.
    Sixteen,
}

impl Family {
    /// Samples in lanes.
    pub(super) fn lanes(self) -> Option<usize> {
        match self {
            Family::Rows => None,
            Family::Eight => Some(8),
            Family::Sixteen => Some(16),
        }
    }

    /// Family of the last chunk of a batch, `samples` in number and fewer than [`SAMPLES`].
    ///
    /// Rows in lanes cost the same for every sample, samples in lanes the same for a vector of them, full or not. At 768 x 3072
    /// rows in lanes reach on AVX2 27 (forward) and 20 GMAC/s (dx), eight samples 70 and 50, sixteen 107 and 62; on AVX-512 111 and
    /// 71, sixteen samples 120 to 160 and 90. So they meet at 3 of eight and at 12 to 13 of sixteen.
    pub(super) fn of_rest(isa: Isa, samples: usize) -> Family {
        match (isa, samples) {
            (Isa::Avx512 | Isa::Amx, ..=12) | (Isa::Avx2, ..=3) => Family::Rows,
            (Isa::Avx2, ..=8) => Family::Eight,
            _ => Family::Sixteen,
        }
    }
}
