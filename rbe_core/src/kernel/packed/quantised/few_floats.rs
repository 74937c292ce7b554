//! The forward product of few int8 inputs by a kernel for floats, whose sums of such integers are exact, too.

use super::operands::QuantisedForward;
use crate::kernel::packed::operands::Forward;
use crate::kernel::scratch::scratch;
use crate::packed::TILE_ROWS;

/// See [`QuantisedForward`]; by a kernel for floats.
///
/// # Safety
/// Nobody else may touch these elements of `y`.
#[inline(always)]
pub(in crate::kernel) unsafe fn forward(f: QuantisedForward<'_>, kernel: impl FnOnce(Forward<'_>)) {
    let QuantisedForward { x, first, w, tiles, bias, y, .. } = f;
    let mut floats = scratch(x.values.len());
    let floats: &mut [f32] = floats.slice_mut();
    floats.iter_mut().zip(x.values).for_each(|(float, value)| *float = f32::from(*value));
    let (from, to) = (tiles.start * TILE_ROWS, w.rows.min(tiles.end * TILE_ROWS));
    kernel(Forward { x: floats, first, w, tiles, bias: None, y });
    for (b, scale) in x.scales.iter().enumerate() {
        // SAFETY: the caller owns these rows of these samples.
        let row = unsafe { y.part(first + b, from, to - from) };
        match bias {
            Some(bias) => row.iter_mut().zip(&bias[from..to]).for_each(|(y, bias)| *y = scale.mul_add(*y, *bias)),
            None => row.iter_mut().for_each(|y| *y = scale.mul_add(*y, 0.0)),
        }
    }
}
