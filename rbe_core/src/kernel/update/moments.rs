//! Second moments of the gradient of a weight, factored over rows and columns.

use super::bounds::{BETA_G, correction};
use super::source::Source;
use crate::kernel::packed::row_panel::{PANEL_ROWS, panels, rows_of};
use crate::kernel::scratch::scratch;
use crate::memory;
use crate::packed::{BITS, PackedTensor};
use crate::parallel;

/// Second moments below this count as none.
const TINY: f32 = 1e-30;

/// Factors of the flip scores per row and column, `1 / sqrt(s_nk) = row · column`, from the running moments of rows and columns after some
/// steps.
pub(crate) fn running(rows: &[f32], cols: &[f32], steps: u64) -> (Vec<f32>, Vec<f32>) {
    inverse_roots(rows, cols, correction(BETA_G, steps))
}

/// Mean squares of G of one step.
pub(crate) struct OfStep {
    rows: Vec<f32>,
    cols: Vec<f32>,
}

impl OfStep {
    /// As [`running`], from G of this very step.
    pub(crate) fn inverse_roots(&self) -> (Vec<f32>, Vec<f32>) {
        inverse_roots(&self.rows, &self.cols, 1.0)
    }

    /// Mean square of G.
    pub(crate) fn square(&self) -> f64 {
        self.rows.iter().map(|v| f64::from(*v)).sum::<f64>() / self.rows.len() as f64
    }
}

/// Mean squares of the rows and columns of G, which is formed for them alone.
pub(crate) fn of_step(w: &PackedTensor, source: &Source<'_>) -> OfStep {
    let (rows, cols, width) = (w.rows(), w.cols(), w.blocks() * BITS);
    let partial = parallel::map(panels(w), |s| {
        let here = rows_of(w, s);
        let mut g = scratch(here * width);
        source.panel(w, s, g.slice_mut());
        let mut columns = memory::zeros::<f64>(cols);
        let sums = g.slice::<f32>().chunks_exact(width).enumerate().map(|(r, row)| {
            let unit = source.unit(s * PANEL_ROWS + r);
            let square = |(g, c): (&f32, &mut f64)| {
                let gg = f64::from(unit * g) * f64::from(unit * g);
                *c += gg;
                gg
            };
            row[..cols].iter().zip(&mut columns).map(square).sum::<f64>()
        });
        (memory::collect(sums), columns)
    });
    let mut columns = memory::zeros::<f64>(cols);
    let mut row_means = memory::with_capacity(rows);
    for (r, c) in partial {
        row_means.extend(r.into_iter().map(|v| (v / cols as f64) as f32));
        columns.iter_mut().zip(c).for_each(|(a, b)| *a += b);
    }
    let col_means = memory::collect(columns.into_iter().map(|v| (v / rows as f64) as f32));
    OfStep { rows: row_means, cols: col_means }
}

/// `s_nk = r_n t_k / mean(r)`: the two factors of `1 / sqrt(s_nk)`, zero where there is no moment.
fn inverse_roots(rows: &[f32], cols: &[f32], correction: f64) -> (Vec<f32>, Vec<f32>) {
    let mean = rows.iter().map(|v| f64::from(*v)).sum::<f64>() / rows.len() as f64;
    let inverse = |v: f64| if v > f64::from(TINY) { (1.0 / v.sqrt()) as f32 } else { 0.0 };
    // Each factor carries its own bias correction: s = (r/c)(t/c)/(mean/c).
    let of_rows = memory::collect(rows.iter().map(|r| if mean > 0.0 { inverse(f64::from(*r) / mean) } else { 0.0 }));
    let of_cols = memory::collect(cols.iter().map(|t| inverse(f64::from(*t) / correction)));
    (of_rows, of_cols)
}
