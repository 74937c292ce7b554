//! `dx = dy W` in integers by dot products of bytes (`vpdpbusd`): for every row and sample the rounded products with both levels are bytes;
//! the bits of a block are masks that choose between them, for four rows of sixteen columns at once.

use std::arch::x86_64::*;

use crate::kernel::packed::quantised::dx::{Fractions, PART, fractions};
use crate::kernel::packed::quantised::operands::{PANEL_ROWS, QuantisedDx};
use crate::kernel::packed::view::View;
use crate::packed::{BITS, TILE_ROWS};

/// Rows whose bytes share a lane, and so are added by a product.
const FOUR: usize = 4;
/// Products of a panel for sixteen columns.
const STEPS: usize = PANEL_ROWS / FOUR;
/// Columns of a register.
const COLUMNS: usize = 16;
/// Registers of a block.
const REGISTERS: usize = BITS / COLUMNS;
const TILES: usize = PANEL_ROWS / TILE_ROWS;
/// Samples at once: their sums for a block's columns are in registers.
const AT_ONCE: usize = 6;

/// The bits of a panel: of every step the masks for the registers of columns, four rows to a column.
type Masks = [[u64; REGISTERS]; STEPS];
/// The rounded products of a sample's upstream gradient with both levels of a panel, four rows to a step.
type Products = [[i32; STEPS]; 2];

/// A block column made ready for many samples.
struct Column<'a> {
    masks: &'a [Masks],
    levels: &'a [[Fractions; TILES]],
    /// What [`fractions`] returns.
    unit: f32,
}

/// First row of a step: where instructions that pack 16-bit integers leave it.
const fn first_row(step: usize) -> usize {
    step / 4 * 8 + step % 2 * 4 + step % 4 / 2 * 32
}

/// See [`QuantisedDx`], whose upstream gradient lies as with one sample in lanes.
///
/// # Safety
/// The machine must have AVX-512 F, DQ, BW and VL with VNNI and BMI2; nobody else may touch these columns of `dx`.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx512vnni,bmi2,fma")]
pub(super) unsafe fn dx(p: QuantisedDx<'_>) {
    let panels = p.w.rows.div_ceil(PANEL_ROWS);
    let mut levels = crate::Buffer::dirty(panels * TILES * size_of::<Fractions>());
    let levels: &mut [Fractions] = levels.slice_mut::<i16>().as_chunks_mut().0.as_chunks_mut().0;
    let unit = fractions(&p.w, p.j, levels);
    let mut masks = crate::Buffer::dirty(panels * size_of::<Masks>());
    let masks: &mut [Masks] = masks.slice_mut::<u64>().as_chunks_mut().0.as_chunks_mut().0;
    for (n, masks) in masks.iter_mut().enumerate() {
        panel_masks(&p.w, n, p.j, masks);
    }
    let (column, samples) = (Column { masks, levels: levels.as_chunks::<TILES>().0, unit }, p.dy.scales.len());
    let mut products = [[[0i32; STEPS]; 2]; PART * AT_ONCE];
    let mut b = 0;
    while b < samples {
        // SAFETY: as the caller vouches.
        b += unsafe {
            match samples - b {
                AT_ONCE.. => of_samples::<AT_ONCE>(&p, &column, b, &mut products),
                4.. => of_samples::<4>(&p, &column, b, &mut products),
                2.. => of_samples::<2>(&p, &column, b, &mut products),
                _ => of_samples::<1>(&p, &column, b, &mut products),
            }
        };
    }
}

/// The masks of panel `n` of block column `j`.
#[inline]
#[target_feature(enable = "bmi2")]
fn panel_masks(w: &View<'_>, n: usize, j: usize, out: &mut Masks) {
    for (step, out) in out.iter_mut().enumerate() {
        let row = n * PANEL_ROWS + first_row(step);
        *out = [0; REGISTERS];
        if row / TILE_ROWS < w.row_tiles() {
            let tile = w.tile(row / TILE_ROWS, j);
            for i in 0..FOUR {
                let hi = tile.hi(row % TILE_ROWS + i);
                for (q, out) in out.iter_mut().enumerate() {
                    *out |= _pdep_u64(hi >> (COLUMNS * q), 0x1111_1111_1111_1111 << i);
                }
            }
        }
    }
}

/// The `S` samples from number `b` on; returns `S`. `products` is scratch.
///
/// # Safety
/// As [`dx`].
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx512vnni,bmi2,fma")]
unsafe fn of_samples<const S: usize>(p: &QuantisedDx<'_>, column: &Column<'_>, b: usize, products: &mut [Products]) -> usize {
    let QuantisedDx { dy, w, j, dx, .. } = p;
    let Column { masks, levels, unit } = column;
    let (panels, products) = (masks.len(), products.as_chunks_mut::<S>().0);
    let mut total = [[_mm512_setzero_ps(); REGISTERS]; S];
    for first in (0..panels).step_by(PART) {
        let here = first..panels.min(first + PART);
        for s in 0..S {
            let rows = ((b + s) * panels + first) * PANEL_ROWS..((b + s) * panels + here.end) * PANEL_ROWS;
            let (values, noise) = (dy.values[rows.clone()].as_chunks().0, dy.noise[rows].as_chunks().0);
            for (i, levels) in levels[here.clone()].iter().enumerate() {
                round(levels, &values[i], &noise[i], &mut products[i][s]);
            }
        }
        let mut sums = [[_mm512_setzero_si512(); REGISTERS]; S];
        for (masks, products) in masks[here].iter().zip(&*products) {
            add(&mut sums, masks, products);
        }
        for s in 0..S {
            for q in 0..REGISTERS {
                total[s][q] = _mm512_add_ps(total[s][q], _mm512_cvtepi32_ps(sums[s][q]));
            }
        }
    }
    let used = w.cols_in(*j);
    for s in 0..S {
        let scale = _mm512_set1_ps(dy.scales[b + s] * unit);
        // SAFETY: the caller owns these columns.
        let out = unsafe { dx.part(b + s, j * BITS, used) };
        for (out, total) in out.chunks_mut(COLUMNS).zip(total[s]) {
            let mask = u16::MAX >> (COLUMNS - out.len());
            // SAFETY: as many numbers as the mask has bits are writable.
            unsafe { _mm512_mask_storeu_ps(out.as_mut_ptr(), mask, _mm512_mul_ps(total, scale)) };
        }
    }
    S
}

/// The products of a panel of a sample's upstream gradient with both levels, rounded to bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn round(levels: &[Fractions; TILES], dy: &[i16; PANEL_ROWS], noise: &[u8; PANEL_ROWS], out: &mut Products) {
    const HALF: usize = PANEL_ROWS / 2;
    for of in 0..2 {
        let mut halves = [_mm512_setzero_si512(); 2];
        for h in 0..2 {
            // SAFETY: 32 integers or bytes, or twice sixteen levels, are readable.
            halves[h] = unsafe {
                let level = |t: usize| _mm256_loadu_si256(levels[2 * h + t][of].as_ptr().cast());
                let level = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(level(0)), level(1));
                let dy = _mm512_loadu_si512(dy[h * HALF..][..HALF].as_ptr().cast());
                let noise = _mm512_cvtepu8_epi16(_mm256_loadu_si256(noise[h * HALF..][..HALF].as_ptr().cast()));
                _mm512_srai_epi16::<8>(_mm512_add_epi16(_mm512_mulhrs_epi16(dy, level), noise))
            };
        }
        // SAFETY: sixteen words are writable.
        unsafe { _mm512_storeu_si512(out[of].as_mut_ptr().cast(), _mm512_packs_epi16(halves[0], halves[1])) };
    }
}

/// Adds a panel of `S` samples to the sums of the block's columns.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn add<const S: usize>(sums: &mut [[__m512i; REGISTERS]; S], masks: &Masks, products: &[Products; S]) {
    let ones = _mm512_set1_epi8(1);
    for (step, masks) in masks.iter().enumerate() {
        for s in 0..S {
            let (clear, set) = (_mm512_set1_epi32(products[s][0][step]), _mm512_set1_epi32(products[s][1][step]));
            for q in 0..REGISTERS {
                sums[s][q] = _mm512_dpbusd_epi32(sums[s][q], ones, _mm512_mask_blend_epi8(masks[q], clear, set));
            }
        }
    }
}
