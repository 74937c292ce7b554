//! What the products of windows take, whatever the instruction set.

use crate::kernel::packed::quantised::dx::Panel;
use crate::kernel::packed::quantised::operands::ShortDy;
use crate::kernel::packed::view::View;

/// The byte that stands for 0: bytes are int8 numbers plus this.
pub const ZERO: u8 = 128;

/// Positions that kernels take at a time, or half as many: the lanes of the widest vector.
pub const STEP: usize = 32;

/// A matrix (columns, positions) of rows that overlap in memory: row k is `values[starts[k]..][..positions]`. A position is that of a
/// window; a column is an element of a window. Rows are read, never used, up to the next multiple of [`STEP`] positions.
#[derive(Clone, Copy)]
pub struct WindowRows<'a> {
    /// int8 numbers plus [`ZERO`]
    pub values: &'a [u8],
    /// (columns)
    pub starts: &'a [usize],
    /// Windows, and perhaps gaps between those of two images.
    pub positions: usize,
}

impl WindowRows<'_> {
    /// # Panics
    /// If a row ends outside the values, or there are not as many as the filters have columns.
    pub(in crate::kernel) fn check(&self, cols: usize) {
        assert!(self.starts.len() == cols, "windows: columns");
        check_starts(self.starts, self.positions, self.values.len());
    }

    /// `N` bytes of row `k` from position `at` on.
    #[inline(always)]
    pub(in crate::kernel) fn bytes<const N: usize>(&self, k: usize, at: usize) -> &[u8; N] {
        match self.values[self.starts[k] + at..].first_chunk() {
            Some(bytes) => bytes,
            None => unreachable!("rows reach to the next multiple of STEP"),
        }
    }
}

/// # Panics
/// If a row of the next multiple of [`STEP`] positions ends after `len` values.
pub(in crate::kernel) fn check_starts(starts: &[usize], positions: usize, len: usize) {
    let reach = positions.next_multiple_of(STEP);
    assert!(starts.iter().all(|start| start + reach <= len), "windows: length");
}

/// `y (rows, positions)` of windows `x`, each position with a scale: as [`QuantisedForward`](super::super::operands::QuantisedForward)
/// of the windows as samples, with the same bits.
pub(in crate::kernel) struct ForwardOfWindows<'a> {
    pub x: WindowRows<'a>,
    /// (positions)
    pub scales: &'a [f32],
    pub w: View<'a>,
    pub bias: Option<&'a [f32]>,
    /// (rows, positions)
    pub y: &'a mut [f32],
}

/// Adds to row `k` of `dx`, `dx[starts[k]..]`, column k of `dy W`: block column after block column, [`STEP`] positions at a time, of these
/// column after column.
pub(in crate::kernel) struct DxOfWindows<'a> {
    /// Positions are the samples, up to the next multiple of [`STEP`].
    pub dy: ShortDy<'a>,
    /// (blocks, panels)
    pub panels: &'a [Panel],
    /// What a sum of a block column is to be multiplied by, beside the scale of its position.
    pub units: &'a [f32],
    /// (columns)
    pub starts: &'a [usize],
    pub dx: &'a mut [f32],
}

/// Sums `out (columns, rows) = Σ (x - ZERO) dy` of integers over some positions, in whole words of four.
#[derive(Clone, Copy)]
pub(in crate::kernel) struct DotOfWindows<'a> {
    pub x: WindowRows<'a>,
    /// First position.
    pub from: usize,
    /// (words, rows) of four int8 each; rows are a multiple of [`DOT_ROWS`]
    pub dy: &'a [u32],
    /// (rows): `ZERO` times the sum of a row of `dy`
    pub excess: &'a [i32],
}

/// Rows of [`DotOfWindows`] are a multiple of this: the words of a register.
pub(in crate::kernel) const DOT_ROWS: usize = 16;

impl DotOfWindows<'_> {
    /// Words of four positions.
    pub(in crate::kernel) fn words(&self) -> usize {
        self.dy.len() / self.excess.len().max(1)
    }

    /// Whether what the kernels read and write without looking is there.
    pub(in crate::kernel) fn fit(&self, out: &[i32]) -> bool {
        let rows = self.excess.len();
        let end = self.from + 4 * self.words();
        rows > 0
            && rows.is_multiple_of(DOT_ROWS)
            && self.dy.len().is_multiple_of(rows)
            && out.len() == self.x.starts.len() * rows
            && self.x.starts.iter().all(|start| start + end <= self.x.values.len())
    }
}
