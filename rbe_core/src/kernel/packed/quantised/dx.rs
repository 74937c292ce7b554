//! `dx = dy W` in integers with samples in lanes: four rows of a column have sixteen possible sums `Σ w`, one for each way their bits can
//! be; as 16-bit vectors of `N` samples they make a table that serves the block's 64 columns.

use super::operands::{PANEL_ROWS, QuantisedDx};
use super::quantise::ROUNDING;
use super::short_lanes::ShortLanes;
use crate::kernel::dense::lane_sum::fold;
use crate::kernel::packed::samples_in_lanes::{from_lanes, table};
use crate::kernel::packed::tile_levels::tile_levels;
use crate::kernel::packed::view::View;
use crate::packed::{BITS, TILE_ROWS};

/// Rows whose bits are the position in a table.
const GROUP: usize = 4;
const SUBSETS: usize = 1 << GROUP;
/// Groups of a panel: their tables have 256 entries together, as many as a byte names.
const GROUPS: usize = PANEL_ROWS / GROUP;
pub(in crate::kernel) const SUMS: usize = GROUPS * SUBSETS;
const _: () = assert!(SUMS == 1 << u8::BITS);
/// Panels whose sums stay inside 16 bits.
pub(in crate::kernel) const PART: usize = 4;
const _: () = assert!(PART * PANEL_ROWS * 127 <= i16::MAX as usize);

/// A panel of a block column made ready for many samples.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
pub(in crate::kernel) struct Panel {
    /// Of every column the entry of each group.
    entries: [[u8; GROUPS]; BITS],
    /// `v0` and `v1` of every row, see [`Fractions`].
    levels: [[i16; 2]; PANEL_ROWS],
}

/// Levels of the sixteen rows of a tile, `v0` and `v1`, as fractions of the block column's largest one, in units of 2^-15.
pub(in crate::kernel) type Fractions = [[i16; TILE_ROWS]; 2];

/// The levels of block column `j`, those of a tile for each of `out`, zero beyond the last row. What a sum of rounded products is to be
/// multiplied by, beside the scale of the sample.
#[inline(always)]
pub(in crate::kernel) fn fractions(w: &View<'_>, j: usize, out: &mut [Fractions]) -> f32 {
    let mut levels = crate::Buffer::dirty(w.row_tiles() * 2 * TILE_ROWS * size_of::<f32>());
    let levels: &mut [[f32; TILE_ROWS]] = levels.slice_mut::<f32>().as_chunks_mut().0; // (tiles, 2, rows)
    let mut largest = [0.0f32; TILE_ROWS];
    for r in 0..w.row_tiles() {
        let (v0, v1) = levels[2 * r..].split_at_mut(1);
        tile_levels(w.tile(r, j), w.scale, &mut v0[0], &mut v1[0]);
        for i in 0..TILE_ROWS {
            let (a, b) = (v0[0][i].abs(), v1[0][i].abs());
            let larger = if a > b { a } else { b };
            largest[i] = if larger > largest[i] { larger } else { largest[i] };
        }
    }
    let most = fold(largest, |a, b| if a > b { a } else { b });
    let inverse = if most > 0.0 { 32767.0 / most } else { 0.0 };
    let inverse = if inverse.is_finite() { inverse } else { 0.0 };
    out.fill([[0; TILE_ROWS]; 2]);
    for (out, levels) in out.as_flattened_mut().iter_mut().zip(levels.iter()) {
        for (out, level) in out.iter_mut().zip(levels) {
            *out = (level * inverse + ROUNDING).to_bits() as i16;
        }
    }
    if inverse > 0.0 { 256.0 * 32768.0 / inverse } else { 0.0 }
}

/// A block column made ready in `panels`. What [`fractions`] returns.
#[inline(always)]
pub(in crate::kernel) fn prepare<S: ShortLanes<N>, const N: usize>(s: S, w: &View<'_>, j: usize, panels: &mut [Panel]) -> f32 {
    let mut levels = crate::Buffer::dirty(panels.len() * PANEL_ROWS * size_of::<[i16; 2]>());
    let levels: &mut [Fractions] = levels.slice_mut::<i16>().as_chunks_mut().0.as_chunks_mut().0;
    let unit = fractions(w, j, levels);
    for (p, panel) in panels.iter_mut().enumerate() {
        let mut bits = [0u64; BITS];
        for t in 0..PANEL_ROWS / TILE_ROWS {
            let r = p * (PANEL_ROWS / TILE_ROWS) + t;
            if r < w.row_tiles() {
                for (bits, of_tile) in bits.iter_mut().zip(s.column_bits(w.tile(r, j))) {
                    *bits |= u64::from(of_tile) << (TILE_ROWS * t);
                }
            }
            for i in 0..TILE_ROWS {
                panel.levels[t * TILE_ROWS + i] = [levels[r][0][i], levels[r][1][i]];
            }
        }
        for (bits, entries) in bits.iter().zip(&mut panel.entries) {
            // Each half's eight groups of four bits spread over eight bytes, and the number of the group above them.
            let mut words = [bits & 0xffff_ffff, bits >> 32];
            for (half, word) in words.iter_mut().enumerate() {
                *word = (*word | *word << 16) & 0x0000_ffff_0000_ffff;
                *word = (*word | *word << 8) & 0x00ff_00ff_00ff_00ff;
                *word = (*word | *word << 4) & 0x0f0f_0f0f_0f0f_0f0f;
                *word |= 0x7060_5040_3020_1000 | (0x8080_8080_8080_8080 * half as u64);
            }
            *entries = bytemuck::cast(words.map(u64::to_le));
        }
    }
    unit
}

/// Memory for a block column.
pub(in crate::kernel) fn panel_scratch(w: &View<'_>) -> crate::Buffer {
    crate::Buffer::dirty(w.rows.div_ceil(PANEL_ROWS) * size_of::<Panel>())
}

/// The tables of a panel of `dy (rows, N)`.
#[inline(always)]
fn build<S: ShortLanes<N>, const N: usize>(s: S, panel: &Panel, dy: &[[i16; N]], noise: &[[u8; N]], tables: &mut [[i16; N]; SUMS]) {
    for (g, out) in tables.as_chunks_mut::<SUBSETS>().0.iter_mut().enumerate() {
        let (mut base, mut gap) = (s.zero(), [s.zero(); GROUP]);
        for i in 0..GROUP {
            let n = g * GROUP + i;
            let (dy, noise) = (s.load(&dy[n]), s.load_bytes(&noise[n]));
            let mut w = [s.zero(); 2];
            for of in 0..2 {
                w[of] = s.upper_byte(s.add(s.mul_fraction(dy, s.splat_short(panel.levels[n][of])), noise));
            }
            base = s.add(base, w[0]);
            gap[i] = s.sub(w[1], w[0]);
        }
        // The first four sums, those with the third row's bit, and those with the fourth's.
        let mut sums = [base; SUBSETS / 2];
        sums[1] = s.add(base, gap[0]);
        sums[2] = s.add(base, gap[1]);
        sums[3] = s.add(sums[1], gap[1]);
        for i in 0..4 {
            sums[4 + i] = s.add(sums[i], gap[2]);
        }
        for (i, sum) in sums.into_iter().enumerate() {
            s.store(&mut out[i], sum);
            s.store(&mut out[SUBSETS / 2 + i], s.add(sum, gap[3]));
        }
    }
}

/// A vector for each column of a block, none of them across two cache lines.
#[repr(align(64))]
pub(in crate::kernel) struct Columns<T, const N: usize>(pub [[T; N]; BITS]);

/// Writes to the first `used` columns of `total` what the rows of `panels` give for `N` samples, in units of the block column; `sums` is
/// scratch.
#[inline(always)]
pub(in crate::kernel) fn column_sums<S: ShortLanes<N>, const N: usize>(
    s: S,
    (panels, used): (&[Panel], usize),
    (values, noise): (&[[i16; N]], &[[u8; N]]),
    tables: &mut [[i16; N]; SUMS],
    sums: &mut Columns<i16, N>,
    total: &mut Columns<f32, N>,
) {
    let of_parts = values.chunks(PART * PANEL_ROWS).zip(noise.chunks(PART * PANEL_ROWS));
    for (part, (panels, (values, noise))) in panels.chunks(PART).zip(of_parts).enumerate() {
        let of_panels = panels.iter().zip(values.chunks_exact(PANEL_ROWS)).zip(noise.chunks_exact(PANEL_ROWS));
        for (p, ((panel, values), noise)) in of_panels.enumerate() {
            build(s, panel, values, noise, tables);
            for (sum, entries) in sums.0.iter_mut().zip(&panel.entries).take(used) {
                let mut halves = [if p > 0 { s.load(sum) } else { s.zero() }, s.zero()];
                for g in 0..GROUPS {
                    halves[g % 2] = s.add(halves[g % 2], s.load(&tables[usize::from(entries[g])]));
                }
                s.store(sum, s.add(halves[0], halves[1]));
            }
        }
        for (total, sum) in total.0.iter_mut().zip(&sums.0).take(used) {
            let more = s.floats(s.load(sum));
            s.store_floats(total, if part > 0 { s.add_floats(s.load_floats(total), more) } else { more });
        }
    }
}

/// See [`QuantisedDx`].
///
/// # Safety
/// Nobody else may touch these columns of these samples of `dx`.
#[inline(always)]
pub(in crate::kernel) unsafe fn dx<S: ShortLanes<N>, const N: usize>(s: S, p: QuantisedDx<'_>) {
    let QuantisedDx { dy, w, j, dx, .. } = p;
    let mut panels = panel_scratch(&w);
    let panels: &mut [Panel] = panels.slice_mut();
    let unit = prepare(s, &w, j, panels);
    let mut tables = crate::Buffer::dirty(SUMS * N * size_of::<i16>());
    let tables: &mut [[i16; N]; SUMS] = table(tables.slice_mut());
    let rows = panels.len() * PANEL_ROWS;
    let (values, noise) = (dy.values.as_chunks::<N>().0, dy.noise.as_chunks::<N>().0);
    let (mut sums, mut total) = (Columns([[0i16; N]; BITS]), Columns([[0.0f32; N]; BITS]));
    for c in 0..dy.scales.len().div_ceil(N) {
        let of_chunk = (&values[c * rows..][..rows], &noise[c * rows..][..rows]);
        column_sums(s, (panels, w.cols_in(j)), of_chunk, tables, &mut sums, &mut total);
        let samples = (dy.scales.len() - c * N).min(N);
        let mut scales = [0.0f32; N];
        for (scale, of_sample) in scales.iter_mut().zip(&dy.scales[c * N..][..samples]) {
            *scale = of_sample * unit;
        }
        for total in &mut total.0 {
            let scaled = s.mul_floats(s.load_floats(total), s.load_floats(&scales));
            s.store_floats(total, scaled);
        }
        // SAFETY: the caller owns these columns.
        let part = |b: usize, k: usize, n: usize| unsafe { dx.part(c * N + b, j * BITS + k, n) };
        from_lanes(s, &total.0, w.cols_in(j), samples, part);
    }
}
