//! Products of windows for NEON: sixteen positions of 16 bits in two registers.

use super::lanes::Neon;
use crate::kernel::packed::quantised::dx::{Panel, prepare};
use crate::kernel::packed::quantised::windows::operands::{DxOfWindows, ForwardOfWindows};
use crate::kernel::packed::quantised::windows::{dx, forward};
use crate::kernel::packed::view::View;

/// Positions of two registers.
const LANES: usize = 16;

/// Positions in lanes of the upstream gradient.
pub(in crate::kernel) fn lanes_of_windows() -> usize {
    LANES
}

/// See [`ForwardOfWindows`].
///
/// # Safety
/// The machine must have NEON.
pub(in crate::kernel) unsafe fn forward_of_windows(mut f: ForwardOfWindows<'_>) {
    let all = 0..f.x.positions;
    // SAFETY: as the caller vouches.
    forward::forward::<_, LANES>(unsafe { Neon::new() }, &mut f, all);
}

/// See [`prepare`].
///
/// # Safety
/// The machine must have NEON.
pub(in crate::kernel) unsafe fn prepare_dx(w: &View<'_>, j: usize, panels: &mut [Panel]) -> f32 {
    // SAFETY: as the caller vouches.
    prepare::<_, LANES>(unsafe { Neon::new() }, w, j, panels)
}

/// See [`DxOfWindows`].
///
/// # Safety
/// The machine must have NEON.
pub(in crate::kernel) unsafe fn dx_of_windows(p: DxOfWindows<'_>) {
    // SAFETY: as the caller vouches.
    dx::dx::<_, LANES>(unsafe { Neon::new() }, p);
}
