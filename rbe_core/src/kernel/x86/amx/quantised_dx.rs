//! `dx = dy W` in integers by products of int8 tiles (`tdpbsud`): for every row and sample the rounded products with both levels are bytes,
//! those with `v1` times the bits, those with `v0` times the bits that are not set.

use std::arch::x86_64::*;

use super::tiles::{LINE, Tiles, load, product, store, zero};
use crate::Buffer;
use crate::kernel::packed::quantised::dx::{Fractions, PART, fractions};
use crate::kernel::packed::quantised::operands::{PANEL_ROWS, QuantisedDx};
use crate::kernel::packed::view::View;
use crate::kernel::x86::avx512::{column_bits, load_words};
use crate::packed::{BITS, TILE_ROWS};

/// Samples of a tile register.
const GROUP: usize = 16;
/// Columns of a tile register.
const COLUMNS: usize = 16;
/// Tile registers of a block's columns.
const REGISTERS: usize = BITS / COLUMNS;
/// Rows whose bytes share a lane.
const FOUR: usize = 4;
/// Row tiles of a panel.
const TILES: usize = PANEL_ROWS / TILE_ROWS;

/// Sixteen lines of sixteen words.
type Lines = [[u32; 16]; 16];
/// The bits of a panel as bytes, those that are not set first: a line has four rows of sixteen columns.
type Bits = [[Lines; 2]; REGISTERS];
/// The rounded products of a panel with `v0` and with `v1`: a line has the rows of a sample.
type Products = [Lines; 2];
/// The levels of a panel in the order of the upstream gradient.
type Levels = [Fractions; TILES];

/// First row of the four in word `word` of a line of [`Products`]: where instructions that pack 16-bit integers leave it.
const fn first_row(word: usize) -> usize {
    word / 4 * 8 + word % 2 * 4 + word % 4 / 2 * 32
}

/// A part of a block column: panels whose sums are added as integers.
struct Part<'a> {
    p: &'a QuantisedDx<'a>,
    bits: &'a [Bits],
    levels: &'a [Levels],
    /// First panel.
    panel: usize,
    /// What sums of the last part are multiplied by, beside the scale of the sample.
    unit: Option<f32>,
}

/// See [`QuantisedDx`], whose upstream gradient lies as with one sample in lanes.
///
/// # Safety
/// The machine must have AMX with int8 beside AVX-512 F, DQ, BW, VL and VBMI; nobody else may touch these columns of `dx`.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx512vbmi,bmi2,fma")]
pub(super) unsafe fn dx(p: QuantisedDx<'_>) {
    let panels = p.w.rows.div_ceil(PANEL_ROWS);
    let mut levels = Buffer::dirty(panels * size_of::<Levels>());
    let levels: &mut [Fractions] = levels.slice_mut::<i16>().as_chunks_mut().0.as_chunks_mut().0;
    let unit = fractions(&p.w, p.j, levels);
    let levels = levels.as_chunks::<TILES>().0;
    let groups = p.dy.scales.len().div_ceil(GROUP);
    let at_once = panels.min(PART);
    let (mut bits, mut products) = (Buffer::dirty(at_once * size_of::<Bits>()), Buffer::dirty(2 * at_once * size_of::<Products>()));
    let mut sums = Buffer::dirty(2 * size_of::<[Lines; REGISTERS]>());
    let sums: &mut [[Lines; REGISTERS]] = sums.slice_mut::<Lines>().as_chunks_mut().0;
    // SAFETY: as the caller vouches.
    let registers = unsafe { Tiles::new() };
    for panel in (0..panels).step_by(PART) {
        let here = PART.min(panels - panel);
        let bits: &mut [Bits] = bits.slice_mut::<Lines>().as_chunks_mut().0.as_chunks_mut().0;
        for (i, bits) in bits.iter_mut().enumerate().take(here) {
            set_bits(&p.w, panel + i, p.j, bits);
        }
        let last = panel + here == panels;
        let part = Part { p: &p, bits: &bits[..here], levels: &levels[panel..][..here], panel, unit: last.then_some(unit) };
        let products: &mut [Products] = products.slice_mut::<Lines>().as_chunks_mut().0;
        let (even, odd) = products.split_at_mut(at_once);
        for panel in 0..here {
            (0..GROUP / FOUR).for_each(|q| part.round(0, panel, FOUR * q, even));
        }
        for g in 0..groups {
            let (now, next) = if g % 2 == 0 { (&*even, &mut *odd) } else { (&*odd, &mut *even) };
            let (to, from) = sums.split_at_mut(1);
            let (to, from) = if g % 2 == 0 { (&mut to[0], &from[0]) } else { (&mut from[0], &to[0]) };
            // SAFETY: as the caller vouches.
            unsafe {
                part.multiply(&registers, now, to, |panel, q| {
                    if g + 1 < groups {
                        part.round(g + 1, panel, FOUR * q, next);
                    }
                    if g > 0 && panel + 1 == here {
                        part.finish(g - 1, q, &from[q]);
                    }
                });
            }
        }
        for q in 0..REGISTERS {
            // SAFETY: as the caller vouches.
            unsafe { part.finish(groups - 1, q, &sums[(groups - 1) % 2][q]) };
        }
    }
}

/// The bits of panel `n` of block column `j`; those of missing rows count as not set.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx512vbmi")]
fn set_bits(w: &View<'_>, n: usize, j: usize, out: &mut Bits) {
    let one = _mm512_set1_epi8(1);
    let mut columns = [[0u16; BITS]; TILES];
    for (t, columns) in columns.iter_mut().enumerate() {
        if n * TILES + t < w.row_tiles() {
            *columns = column_bits(w.tile(n * TILES + t, j));
        }
    }
    for (q, [clear, set]) in out.iter_mut().enumerate() {
        for line in 0..16 {
            let row = first_row(line);
            let place = (row % TILE_ROWS) as i64;
            // From the sixteen rows of each of two columns four, brought to the ends of bytes.
            let places = _mm512_set1_epi64(0x2322_2120_0302_0100 + place * 0x0101_0101_0101_0101);
            let words = &columns[row / TILE_ROWS][q * COLUMNS..][..COLUMNS];
            // SAFETY: sixteen short integers are readable, sixteen words are writable.
            unsafe {
                let words = _mm512_cvtepu16_epi32(_mm256_loadu_si256(words.as_ptr().cast()));
                let bits = _mm512_and_si512(_mm512_multishift_epi64_epi8(places, words), one);
                _mm512_storeu_si512(set[line].as_mut_ptr().cast(), bits);
                _mm512_storeu_si512(clear[line].as_mut_ptr().cast(), _mm512_xor_si512(bits, one));
            }
        }
    }
}

impl Part<'_> {
    /// Rounds the products of panel `panel` of the part with both levels for [`FOUR`] samples of group `g`, from number `first` on.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn round(&self, g: usize, panel: usize, first: usize, out: &mut [Products]) {
        const HALF: usize = PANEL_ROWS / 2;
        let dy = &self.p.dy;
        let panels = self.p.w.rows.div_ceil(PANEL_ROWS);
        let of = &self.levels[panel];
        // SAFETY: two times sixteen levels are readable.
        let level = |of_level: usize, h: usize| unsafe {
            let half = |t: usize| _mm256_loadu_si256(of[2 * h + t][of_level].as_ptr().cast());
            _mm512_inserti64x4::<1>(_mm512_castsi256_si512(half(0)), half(1))
        };
        let levels = [[level(0, 0), level(0, 1)], [level(1, 0), level(1, 1)]];
        for s in first..first + FOUR {
            // Samples that are missing repeat the last one; nobody reads their sums.
            let b = (g * GROUP + s).min(dy.scales.len() - 1);
            let at = (b * panels + self.panel + panel) * PANEL_ROWS;
            let (values, noise) = (&dy.values[at..][..PANEL_ROWS], &dy.noise[at..][..PANEL_ROWS]);
            let mut halves = [[_mm512_setzero_si512(); 2]; 2];
            for h in 0..2 {
                // SAFETY: 32 integers or bytes are readable.
                let (dy, noise) = unsafe {
                    let noise = _mm512_cvtepu8_epi16(_mm256_loadu_si256(noise[h * HALF..].as_ptr().cast()));
                    (_mm512_loadu_si512(values[h * HALF..].as_ptr().cast()), noise)
                };
                for i in 0..2 {
                    halves[i][h] = _mm512_srai_epi16::<8>(_mm512_add_epi16(_mm512_mulhrs_epi16(dy, levels[i][h]), noise));
                }
            }
            for i in 0..2 {
                let bytes = _mm512_packs_epi16(halves[i][0], halves[i][1]);
                // SAFETY: sixteen words are writable.
                unsafe { _mm512_storeu_si512(out[panel][i][s].as_mut_ptr().cast(), bytes) };
            }
        }
    }

    /// The sums of the part for a group of samples: (sixteen columns, sample, column). `between(panel, q)` is called after the products with
    /// each of the [`REGISTERS`] sixteens of columns: a product takes sixteen cycles, and other work is done at the same time.
    ///
    /// # Safety
    /// As [`dx`].
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx512vbmi,bmi2,fma")]
    unsafe fn multiply(&self, _: &Tiles, products: &[Products], sums: &mut [Lines; REGISTERS], mut between: impl FnMut(usize, usize)) {
        macro_rules! add {
            ($q:literal, $sum:literal, $panel:expr, $bits:expr) => {
                load!("6", $bits[$q][0].as_ptr(), LINE);
                product!("tdpbsud", $sum, "4", "6");
                load!("7", $bits[$q][1].as_ptr(), LINE);
                product!("tdpbsud", $sum, "5", "7");
                between($panel, $q);
            };
        }
        // SAFETY: AMX is there, as the caller vouches; every tile is sixteen lines of 64 bytes.
        unsafe {
            zero!("0");
            zero!("1");
            zero!("2");
            zero!("3");
            for (panel, bits) in self.bits.iter().enumerate() {
                load!("4", products[panel][0].as_ptr(), LINE);
                load!("5", products[panel][1].as_ptr(), LINE);
                add!(0, "0", panel, bits);
                add!(1, "1", panel, bits);
                add!(2, "2", panel, bits);
                add!(3, "3", panel, bits);
            }
            store!("0", sums[0].as_mut_ptr(), LINE);
            store!("1", sums[1].as_mut_ptr(), LINE);
            store!("2", sums[2].as_mut_ptr(), LINE);
            store!("3", sums[3].as_mut_ptr(), LINE);
        }
    }

    /// Adds the sums of sixteen columns to `dx`, which has those of the parts before, and scales them after the last part.
    ///
    /// # Safety
    /// As [`dx`].
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx512vbmi,bmi2,fma")]
    unsafe fn finish(&self, g: usize, q: usize, sums: &Lines) {
        let QuantisedDx { dy, w, j, dx, .. } = self.p;
        let here = w.cols_in(*j).saturating_sub(q * COLUMNS).min(COLUMNS);
        if here == 0 {
            return;
        }
        let mask = u16::MAX >> (COLUMNS - here);
        for (s, sums) in sums.iter().enumerate().take(dy.scales.len() - g * GROUP) {
            let b = g * GROUP + s;
            // SAFETY: the caller owns these columns, as many as the mask has bits.
            unsafe {
                let out = dx.part(b, j * BITS + q * COLUMNS, here).as_mut_ptr();
                let mut total = _mm512_cvtepi32_ps(load_words(sums));
                if self.panel > 0 {
                    total = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, out), total);
                }
                if let Some(unit) = self.unit {
                    total = _mm512_mul_ps(total, _mm512_set1_ps(dy.scales[b] * unit));
                }
                _mm512_mask_storeu_ps(out, mask, total);
            }
        }
    }
}
