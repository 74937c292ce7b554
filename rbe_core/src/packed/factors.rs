//! The gradient of a packed weight as the factors that it is the product of.

/// One use of a packed tensor: `x (batch, cols)` went in, `dy (batch, rows)` came back. Its gradient is the sum of `dyᵀ x` over all uses.
#[derive(Clone, Copy)]
pub struct FactorPair<'a> {
    /// (batch, cols)
    pub x: &'a [f32],
    /// (batch, rows)
    pub dy: &'a [f32],
    /// Rows of both.
    pub batch: usize,
}
