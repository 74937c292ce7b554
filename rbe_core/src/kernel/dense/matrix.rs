//! Operands of dense products.

/// A matrix inside a slice: element `(i, j)` is at `i * rows + j * cols`.
#[derive(Clone, Copy)]
pub struct Matrix<'a, T> {
    /// The elements.
    pub data: &'a [T],
    /// Distance of neighbouring rows.
    pub rows: isize,
    /// Distance of neighbouring columns.
    pub cols: isize,
}

impl<'a, T> Matrix<'a, T> {
    /// A row-major matrix of `width` columns.
    pub fn row_major(data: &'a [T], width: usize) -> Matrix<'a, T> {
        Matrix { data, rows: width as isize, cols: 1 }
    }

    /// The transpose.
    pub fn t(self) -> Matrix<'a, T> {
        Matrix { data: self.data, rows: self.cols, cols: self.rows }
    }

    /// Without the first `rows` rows.
    pub fn below(self, rows: usize) -> Matrix<'a, T> {
        Matrix { data: &self.data[(rows * self.rows as usize).min(self.data.len())..], ..self }
    }

    pub(super) fn fits(&self, rows: usize, cols: usize) -> bool {
        rows == 0
            || cols == 0
            || (self.rows >= 0
                && self.cols >= 0
                && (rows - 1)
                    .checked_mul(self.rows as usize)
                    .zip((cols - 1).checked_mul(self.cols as usize))
                    .is_some_and(|(a, b)| a.checked_add(b).is_some_and(|last| last < self.data.len())))
    }
}

/// Where a product goes: into row-major `data` with rows `width` apart, or, with `add`, onto what is there.
pub struct Destination<'a, T> {
    /// The elements.
    pub data: &'a mut [T],
    /// Distance of neighbouring rows.
    pub width: usize,
    /// Whether the product is added.
    pub add: bool,
}

impl<'a, T> Destination<'a, T> {
    /// To overwrite row-major elements, or to add to them.
    pub fn new(data: &'a mut [T], width: usize, add: bool) -> Destination<'a, T> {
        Destination { data, width, add }
    }
}
