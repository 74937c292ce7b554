//! What a user sets of a step.

/// In which numbers flip scores are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// Single precision.
    Exact,
    /// Integers of at most 8 bits, rounded stochastically without bias; sums are exact. Networks train as well with them (design/results.md).
    #[default]
    Int8,
}

/// Rates and constants of a step.
#[derive(Debug, Clone, Copy)]
pub struct StepParams {
    /// Rate of the charges.
    pub lr_hi: f32,
    /// Rate of the level parameters: length of a step in the disk.
    pub lr_lo: f32,
    /// Decays of the level parameters' first and second moments.
    pub betas: (f32, f32),
    /// Weight of the post-flip correction of the level parameters' gradient, 0 for none.
    pub interaction: f32,
    /// Seed of the stochastic rounding.
    pub seed: u64,
    /// Numbers in which flip scores are computed.
    pub evidence: Precision,
}
