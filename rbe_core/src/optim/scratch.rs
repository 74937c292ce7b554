//! How much memory a step takes besides what it updates: it is asked for before anything changes.

use crate::array::Array;
use crate::gradient::{Factor, Gradient, GradientCache};
use crate::kernel::dense::gemm::scratch_bytes;
use crate::kernel::packed::row_panel::PANEL_ROWS;
use crate::packed::{BITS, CYCLE_BITS};
use crate::parallel;
use crate::tape::RBETensor;

/// Bytes for lists and results of tasks.
const SMALL: usize = 1 << 18;

/// Bytes that the update of one tensor after another takes at most at a time, by the gradients that they have now.
pub(super) fn of_all<'a>(tensors: impl Iterator<Item = &'a RBETensor>) -> usize {
    tensors.filter_map(|tensor| Some(of(tensor, &tensor.grad()?))).max().unwrap_or(0)
}

/// Bytes that the update of `tensor` by `gradient` takes at most.
pub(super) fn of(tensor: &RBETensor, gradient: &Gradient) -> usize {
    match gradient {
        Gradient::Dense(g) => {
            let is_plain = |a: &Array| a.is_contiguous();
            let plain = is_plain(g) && tensor.array("step").is_ok_and(is_plain);
            // A scaled copy of the gradient; copies of both that lie row by row.
            g.nbytes() + SMALL + if plain { 0 } else { 2 * g.nbytes() }
        }
        Gradient::Packed(cache) if cache.is_activation() => of_activation(cache),
        Gradient::Packed(cache) => of_weights(cache),
    }
}

/// Numbers of all samples, of x and dy together, with their count.
fn factors(cache: &GradientCache) -> (usize, usize) {
    let of_factor = |f: &Factor| match f {
        Factor::Product { x, dy } | Factor::Activation { x, dy, .. } => (x.numel() + dy.numel(), x.shape()[0]),
        // Inputs are made anew in f32, once more than the others.
        Factor::Rounded { values, dy, .. } => (values.numel() * 3 / 2 + dy.numel(), values.shape()[0]),
    };
    cache.factors().iter().map(of_factor).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
}

fn of_activation(cache: &GradientCache) -> usize {
    let (units, (numbers, _)) = (cache.weight().rows(), factors(cache));
    // Sums of every unit, one set for each chunk of rows, and a flip and two derivatives for each bit.
    numbers / 2 + units * (CYCLE_BITS * 3 * 8 * 4 + 512) + SMALL
}

fn of_weights(cache: &GradientCache) -> usize {
    let w = cache.weight();
    let (rows, width, (numbers, samples)) = (w.rows().next_multiple_of(PANEL_ROWS), w.blocks() * BITS, factors(cache));
    let panels = rows / PANEL_ROWS;
    // Factors scaled, and rounded in two orders; what measures them.
    let rounded = 8 * numbers + 4 * (samples + BITS) * (rows + width) + 256 * (rows + width) + 32 * samples;
    let folded = 2 * cache.folded().map_or(0, Array::nbytes);
    // Moments of every row panel, before and after.
    let moments = 4 * panels * (width + PANEL_ROWS) * size_of::<f64>();
    let task = PANEL_ROWS * width * size_of::<f32>() + 64 * width + scratch_bytes::<f32>(PANEL_ROWS, width, samples);
    rounded + folded + moments + 2 * parallel::num_threads().min(panels + 1) * task + SMALL
}
