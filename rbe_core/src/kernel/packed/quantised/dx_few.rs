//! `dx = dy W` in integers for few samples, one by one: the rounded products of a row go to the columns whose bit is set.

use super::dx::{Fractions, PART, fractions};
use super::operands::{PANEL_ROWS, QuantisedDx};
use super::short_lanes::{ColumnSums, ShortLanes};
use crate::packed::{BITS, TILE_ROWS};

/// See [`QuantisedDx`], whose upstream gradient lies as with one sample in lanes.
///
/// # Safety
/// Nobody else may touch these columns of `dx`.
#[inline(always)]
pub(in crate::kernel) unsafe fn dx<S: ShortLanes<TILE_ROWS>, C: ColumnSums>(s: S, c: C, p: QuantisedDx<'_>) {
    const TILES: usize = PART * PANEL_ROWS / TILE_ROWS;
    let QuantisedDx { dy, w, j, dx, .. } = p;
    let padded = w.rows.next_multiple_of(PANEL_ROWS);
    let mut levels = crate::Buffer::dirty(w.row_tiles() * size_of::<Fractions>());
    let levels: &mut [Fractions] = levels.slice_mut::<i16>().as_chunks_mut().0.as_chunks_mut().0;
    let unit = fractions(&w, j, levels);
    let samples = dy.values.chunks_exact(padded).zip(dy.noise.chunks_exact(padded)).zip(dy.scales);
    for (b, ((values, noise), scale)) in samples.enumerate() {
        let (values, noise) = (values.as_chunks::<TILE_ROWS>().0, noise.as_chunks::<TILE_ROWS>().0);
        let mut total = [0.0f32; BITS];
        for first in (0..levels.len()).step_by(TILES) {
            let (mut sums, mut base) = (c.zero_sums(), s.zero());
            for r in first..(first + TILES).min(levels.len()) {
                let (dy, noise) = (s.load(&values[r]), s.load_bytes(&noise[r]));
                let mut w01 = [s.zero(); 2];
                for of in 0..2 {
                    w01[of] = s.upper_byte(s.add(s.mul_fraction(dy, s.load(&levels[r][of])), noise));
                }
                base = s.add(base, w01[0]);
                let mut gaps = [0i16; TILE_ROWS];
                s.store(&mut gaps, s.sub(w01[1], w01[0]));
                let tile = w.tile(r, j);
                for i in 0..TILE_ROWS {
                    sums = c.add_where(sums, tile.hi(i), gaps[i]);
                }
            }
            let (mut bases, mut all) = ([0i16; TILE_ROWS], 0i16);
            s.store(&mut bases, base);
            for base in bases {
                all = all.wrapping_add(base);
            }
            for (total, sum) in total.iter_mut().zip(c.store_sums(sums)) {
                *total += f32::from(sum.wrapping_add(all));
            }
        }
        let used = w.cols_in(j);
        // SAFETY: the caller owns these columns.
        let out = unsafe { dx.part(b, j * BITS, used) };
        out.iter_mut().zip(total).for_each(|(out, total)| *out = total * (scale * unit));
    }
}
