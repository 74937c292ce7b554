//! The products, with eight or sixteen samples in lanes: NEON has no lookup of floats that would make rows in lanes worth while.

use super::lanes::Neon;
use crate::kernel::packed::lane_layout::Family;
use crate::kernel::packed::operands::{Dx, Forward, LevelGradient};
use crate::kernel::packed::view::View;
use crate::kernel::packed::{samples_in_lanes, samples_in_lanes_dx};

/// See [`Forward`].
///
/// # Safety
/// The machine must have NEON; nobody else may touch these elements of `y`.
pub(in crate::kernel) unsafe fn forward(family: Family, f: Forward<'_>) {
    // SAFETY: as the caller vouches.
    unsafe {
        let s = Neon::new();
        match family {
            Family::Rows | Family::Eight => samples_in_lanes::forward::<_, 8>(s, f),
            Family::Sixteen => samples_in_lanes::forward::<_, 16>(s, f),
        }
    }
}

/// See [`Dx`].
///
/// # Safety
/// The machine must have NEON; nobody else may touch these columns of `dx`.
pub(in crate::kernel) unsafe fn dx(p: Dx<'_>) {
    let mut columns = samples_in_lanes_dx::column_scratch(&p.w);
    // SAFETY: as the caller vouches.
    unsafe {
        let s = Neon::new();
        samples_in_lanes_dx::columns::<_, 8>(s, &p.w, p.j, columns.slice_mut());
        for c in 0..p.dy.chunks() {
            match p.dy.family(c) {
                Family::Rows | Family::Eight => samples_in_lanes_dx::dx::<_, 8>(s, columns.slice(), c, p),
                Family::Sixteen => samples_in_lanes_dx::dx::<_, 16>(s, columns.slice(), c, p),
            }
        }
    }
}

/// See [`LevelGradient`].
///
/// # Safety
/// The machine must have NEON; nobody else may touch this block column of `gv`.
pub(in crate::kernel) unsafe fn level_gradient(p: LevelGradient<'_>) {
    // SAFETY: as the caller vouches.
    unsafe {
        let s = Neon::new();
        let sixteens = p.dy.sixteens();
        let rest = LevelGradient { fresh: p.fresh && sixteens.is_empty(), ..p };
        if !sixteens.is_empty() || p.dy.rest().is_none() {
            samples_in_lanes::level_gradient::<_, 16>(s, sixteens, p);
        }
        if let Some((c, _)) = p.dy.rest() {
            samples_in_lanes::level_gradient::<_, 8>(s, c..c + 1, rest);
        }
    }
}

/// Writes `dy (samples, rows)` of one chunk as (row tile, row, sample).
///
/// # Safety
/// The machine must have NEON.
pub(in crate::kernel) unsafe fn order(family: Family, dy: &[f32], w: &View<'_>, out: &mut [f32]) {
    // SAFETY: as the caller vouches.
    let s = unsafe { Neon::new() };
    match family {
        Family::Rows | Family::Eight => samples_in_lanes::order::<_, 8>(s, dy, w, out),
        Family::Sixteen => samples_in_lanes::order::<_, 16>(s, dy, w, out),
    }
}
