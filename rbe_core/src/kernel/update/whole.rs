//! The gradient of a weight formed in integers as a whole, for uses of so many samples that it is smaller than its factors.

use super::Precision;
use super::source::Source;
use crate::isa::Isa;
use crate::kernel::noise::hash;
use crate::kernel::packed::row_panel::PANEL_ROWS;
use crate::packed::{BITS, FactorPair, PackedGradient, PackedTensor};
use crate::parallel;

/// `G = dyᵀ x` into `g (rows, blocks, 64)`, 0 at unused bits, from operands that are rounded to int8 without bias as those of a step. The
/// noise depends on the numbers alone. All numbers are finite.
///
/// # Panics
/// If a length does not fit.
pub(crate) fn rounded_gradient(isa: Isa, factor: FactorPair<'_>, w: &PackedTensor, g: &mut [f32]) {
    let width = w.blocks() * BITS;
    assert_eq!(g.len(), w.rows() * width, "rounded gradient: lengths");
    let factors = [factor];
    let gradient = PackedGradient { factors: &factors, ..PackedGradient::default() };
    gradient.check(w);
    let source = Source::new(isa, gradient, w, Precision::Int8, seed(&factor, w));
    parallel::for_each_piece(g, PANEL_ROWS * width, |s, g| {
        source.panel(w, s, g);
        for (r, row) in g.chunks_exact_mut(width).enumerate() {
            let unit = source.unit(s * PANEL_ROWS + r);
            row.iter_mut().for_each(|g| *g *= unit);
        }
    });
}

/// The seed of the noise: of a number of every sample.
fn seed(factor: &FactorPair<'_>, w: &PackedTensor) -> u32 {
    let of = |values: &[f32], n: usize, b: usize| values[b * n + b % n].to_bits();
    (0..factor.batch).fold(0, |seed, b| hash(of(factor.x, w.cols(), b), hash(of(factor.dy, w.rows(), b), seed)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::packed::weight_gradient;
    use crate::random::Generator;

    fn normal(n: usize, seed: u64) -> Vec<f32> {
        let mut out = vec![0.0f32; n];
        Generator::new(seed).stream().normal(&mut out);
        out
    }

    #[test]
    fn it_is_the_gradient_but_for_rounding_on_any_set_and_number_of_threads() {
        for (rows, cols, batch) in [(1, 1, 40), (37, 130, 64), (300, 64, 500)] {
            let w = PackedTensor::random(&[rows, cols], None, Generator::new(1).stream()).unwrap();
            let (x, dy) = (normal(batch * cols, 7), normal(batch * rows, 8));
            let factor = FactorPair { x: &x, dy: &dy, batch };
            let mut want = vec![0.0; rows * w.blocks() * BITS];
            weight_gradient(&[factor], &w, &mut want);
            let mut first = None;
            for isa in Isa::for_tests() {
                for threads in [1, 3] {
                    parallel::set_num_threads(threads).unwrap();
                    let mut got = vec![f32::NAN; want.len()];
                    rounded_gradient(isa, factor, &w, &mut got);
                    let error: f32 = got.iter().zip(&want).map(|(a, b)| (a - b).powi(2)).sum();
                    let size: f32 = want.iter().map(|b| b * b).sum();
                    assert!((error / size).sqrt() < 0.1, "{} {rows} {cols}: {}", isa.name(), (error / size).sqrt());
                    assert!(*first.get_or_insert_with(|| got.clone()) == got, "{} with {threads} threads", isa.name());
                }
            }
        }
    }
}
