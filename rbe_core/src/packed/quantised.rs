//! Inputs of a product rounded to int8.

/// `x (batch, cols)` as `scales[b] · values[b, k]`: every row has a scale of its own, its largest magnitude over [`Quantised::MOST`].
#[derive(Clone, Copy)]
pub struct Quantised<'a> {
    /// (batch, cols), between -127 and 127
    pub values: &'a [i8],
    /// (batch). NaN for a row with a number that is not finite.
    pub scales: &'a [f32],
}

impl<'a> Quantised<'a> {
    /// Largest magnitude of a value.
    pub const MOST: i8 = 127;

    /// Number of rows.
    pub fn batch(&self) -> usize {
        self.scales.len()
    }

    /// Some of the rows.
    pub(crate) fn rows(&self, rows: std::ops::Range<usize>) -> Quantised<'a> {
        let cols = self.values.len() / self.scales.len().max(1);
        Quantised { values: &self.values[rows.start * cols..rows.end * cols], scales: &self.scales[rows] }
    }
}
