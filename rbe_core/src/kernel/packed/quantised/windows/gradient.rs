//! Sums of integers for the gradient of the filters, and their use.

use super::operands::{DotOfWindows, ZERO};
use crate::isa::multiversion;

/// See [`DotOfWindows`]; in plain Rust.
pub(in crate::kernel) fn dot(w: &DotOfWindows<'_>, out: &mut [i32]) {
    assert!(w.fit(out), "sums of windows: lengths");
    let rows = w.excess.len();
    for (k, out) in out.chunks_exact_mut(rows).enumerate() {
        out.fill(0);
        for (i, dy) in w.dy.chunks_exact(rows).enumerate() {
            let x = w.x.bytes::<4>(k, w.from + 4 * i).map(|x| i32::from(x) - i32::from(ZERO));
            for (out, dy) in out.iter_mut().zip(dy) {
                for (x, dy) in x.iter().zip(dy.to_le_bytes()) {
                    *out += x * i32::from(dy.cast_signed());
                }
            }
        }
    }
}

multiversion! {
    /// Adds the sums of integers (columns, rows), each times the factor of its row.
    pub(super) fn add_scaled(sums: &[i32], factors: &[f32], g: &mut [f32]) {
        for (g, sums) in g.chunks_exact_mut(factors.len()).zip(sums.chunks_exact(factors.len())) {
            for ((g, sum), factor) in g.iter_mut().zip(sums).zip(factors) {
                *g += *sum as f32 * factor;
            }
        }
    }
}
