//! `dx = dy W` with windows in lanes. Its rows are added where the windows lie in the image: no matrix of windows is made.

use super::operands::{DxOfWindows, STEP};
use crate::kernel::packed::quantised::dx::{Columns, SUMS, column_sums};
use crate::kernel::packed::quantised::operands::PANEL_ROWS;
use crate::kernel::packed::quantised::short_lanes::ShortLanes;
use crate::kernel::packed::samples_in_lanes::table;
use crate::packed::BITS;

/// See [`DxOfWindows`].
#[inline(always)]
pub(in crate::kernel) fn dx<S: ShortLanes<N>, const N: usize>(s: S, p: DxOfWindows<'_>) {
    const MOST: usize = 2; // vectors of STEP positions
    const { assert!(STEP.is_multiple_of(N) && STEP / N <= MOST) };
    let DxOfWindows { dy, panels, units, starts, dx } = p;
    let mut tables = crate::Buffer::dirty(SUMS * N * size_of::<i16>());
    let tables: &mut [[i16; N]; SUMS] = table(tables.slice_mut());
    let of_block = panels.len() / units.len();
    let rows = of_block * PANEL_ROWS;
    let (values, noise, scales) = (dy.values.as_chunks::<N>().0, dy.noise.as_chunks::<N>().0, dy.scales.as_chunks::<N>().0);
    let mut sums = Columns([[0i16; N]; BITS]);
    let mut totals: [Columns<f32, N>; MOST] = [Columns([[0.0; N]; BITS]), Columns([[0.0; N]; BITS])];
    for ((panels, unit), starts) in panels.chunks_exact(of_block).zip(units).zip(starts.chunks(BITS)) {
        for step in 0..dy.scales.len() / STEP {
            let mut factors = [s.splat(0.0); MOST];
            for part in 0..STEP / N {
                let c = step * (STEP / N) + part;
                let of_part = (&values[c * rows..][..rows], &noise[c * rows..][..rows]);
                column_sums(s, (panels, starts.len()), of_part, tables, &mut sums, &mut totals[part]);
                factors[part] = s.mul_floats(s.load_floats(&scales[c]), s.splat(*unit));
            }
            for (k, start) in starts.iter().enumerate() {
                let out = dx[start + step * STEP..][..STEP].as_chunks_mut::<N>().0;
                for (part, out) in out.iter_mut().enumerate() {
                    let scaled = s.mul_floats(s.load_floats(&totals[part].0[k]), factors[part]);
                    s.store_floats(out, s.add_floats(s.load_floats(out), scaled));
                }
            }
        }
    }
}
