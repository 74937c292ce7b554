//! `dx = dy W` with tiles: with `u = dy (v1 - v0)`, a column of a block gets `Σ dy v0` and the product of u with the bits.

use std::arch::x86_64::*;

use super::set_sums::{LINE, ONE, PARTS, Pairs, pairs, split, turn};
use super::tiles::{Tiles, load, product, store, zero};
use crate::Buffer;
use crate::kernel::avx512;
use crate::kernel::avx512::Avx512;
use crate::kernel::dy_tiles::DyTiles;
use crate::kernel::family::{Family, SAMPLES};
use crate::kernel::lanes::Lanes;
use crate::kernel::samples::Levels;
use crate::kernel::samples_dx;
use crate::kernel::view::{Shared, View};
use crate::packed::{BITS, TILE_ROWS, Tile};

/// Columns of a tile register.
const WIDTH: usize = 16;

/// A pair of row tiles of a block column: row i of both beside each other, (sixteen columns, i, column).
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct Rows {
    bits: [Pairs; BITS / WIDTH],
    levels: [Levels; 2], // gaps over ONE
}

/// Columns of block `j` of `dx (batch, cols)`.
///
/// # Safety
/// The machine must have AMX with bfloat16 beside AVX-512; nobody else may touch these columns of `dx`.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn dx(dy: DyTiles<'_>, w: View<'_>, j: usize, dx: Shared<'_, f32>) {
    // SAFETY: as the caller vouches.
    let s = unsafe { Avx512::new() };
    let sixteens = dy.sixteens();
    if !sixteens.is_empty() {
        let pairs = w.row_tiles().div_ceil(2);
        let mut rows = Buffer::dirty(pairs * size_of::<Rows>());
        let rows: &mut [Rows] = rows.slice_mut();
        for (p, rows) in rows.iter_mut().enumerate() {
            let second = (2 * p + 1 < w.row_tiles()).then(|| w.tile(2 * p + 1, j));
            rows.set(w.tile(2 * p, j), second, w.scale);
        }
        // SAFETY: as the caller vouches.
        let registers = unsafe { Tiles::new() };
        for c in sixteens.clone() {
            // SAFETY: as the caller vouches.
            unsafe { chunk(s, &registers, rows, dy, c, &w, j, dx) };
        }
    }
    if let Some((c, Family::Rows)) = dy.rest() {
        let mut columns = samples_dx::column_scratch(&w);
        samples_dx::columns::<_, 16>(s, &w, j, columns.slice_mut());
        // SAFETY: as the caller vouches.
        unsafe { avx512::dx_rows(columns.slice(), dy, c, &w, j, dx) };
    }
}

impl Rows {
    #[target_feature(enable = "avx512f,avx512bw,bmi2,avx2,fma")]
    fn set(&mut self, first: &Tile, second: Option<&Tile>, scale: f32) {
        let none: Tile = bytemuck::Zeroable::zeroed();
        let second = second.unwrap_or(&none);
        self.levels = [Levels::of(first, scale), Levels::of(second, scale)];
        for levels in &mut self.levels {
            levels.gap.iter_mut().for_each(|gap| *gap *= 1.0 / ONE);
        }
        let turns: [u32; 16] = std::array::from_fn(|k| turn(k as u32));
        // SAFETY: sixteen words.
        let turns = unsafe { _mm512_loadu_si512(turns.as_ptr().cast()) };
        for i in 0..TILE_ROWS {
            let words = [(first.low[i], second.low[i]), (first.high[i], second.high[i])];
            for (half, (a, b)) in words.into_iter().enumerate() {
                // Sixteen columns of one row beside those of the other, twice.
                for (q, word) in [a & 0xffff | b << 16, a >> 16 | b & 0xffff_0000].into_iter().enumerate() {
                    let line = pairs(_mm512_set1_epi32(word.cast_signed()), turns);
                    // SAFETY: sixteen words.
                    unsafe { _mm512_storeu_si512(self.bits[2 * half + q][i].as_mut_ptr().cast(), line) };
                }
            }
        }
    }
}

/// Columns of block `j` of the samples of chunk `c`: four tiles of sums, to which every pair of row tiles adds twelve products.
///
/// # Safety
/// As [`dx`].
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
#[allow(clippy::too_many_arguments)] // the operands and their parts
unsafe fn chunk(s: Avx512, _: &Tiles, rows: &[Rows], dy: DyTiles<'_>, c: usize, w: &View<'_>, j: usize, dx: Shared<'_, f32>) {
    #[repr(C, align(64))]
    struct Aligned<T>(T);
    let mut u = Aligned([[[[0u32; 16]; SAMPLES]; PARTS]; 2]); // (turn, part, sample, pair of rows)
    let mut base = [[0.0f32; TILE_ROWS]; SAMPLES]; // sums of dy v0, still in lanes
    let samples = dy.samples(c);
    // SAFETY: tiles are configured, as the argument shows.
    unsafe {
        zero!("0");
        zero!("1");
        zero!("2");
        zero!("3");
    }
    // Sixteen columns of sums.
    macro_rules! columns {
        ($sums:literal, $bits:expr) => {
            load!("7", $bits, LINE);
            product!("tdpbf16ps", $sums, "4", "7");
            product!("tdpbf16ps", $sums, "5", "7");
            product!("tdpbf16ps", $sums, "6", "7");
        };
    }
    upstream(s, &mut u.0[0], &mut base, &rows[0], dy, c, 0, w);
    for (p, this) in rows.iter().enumerate() {
        // The next u before the products of this one: a tile is loaded only when what was stored has reached the cache.
        if let Some(next) = rows.get(p + 1) {
            upstream(s, &mut u.0[(p + 1) % 2], &mut base, next, dy, c, p + 1, w);
        }
        // SAFETY: as above; every tile is sixteen lines of 64 bytes.
        unsafe {
            let [a, b, c] = &u.0[p % 2];
            load!("4", a.as_ptr(), LINE);
            load!("5", b.as_ptr(), LINE);
            load!("6", c.as_ptr(), LINE);
            columns!("0", this.bits[0].as_ptr());
            columns!("1", this.bits[1].as_ptr());
            columns!("2", this.bits[2].as_ptr());
            columns!("3", this.bits[3].as_ptr());
        }
    }
    let mut sums = Aligned([[0.0f32; BITS]; SAMPLES]);
    // SAFETY: as above; a line of the sums is four lines of a tile.
    unsafe {
        let to = sums.0.as_mut_ptr().cast::<f32>();
        store!("0", to, 4 * LINE);
        store!("1", to.add(WIDTH), 4 * LINE);
        store!("2", to.add(2 * WIDTH), 4 * LINE);
        store!("3", to.add(3 * WIDTH), 4 * LINE);
    }
    let used = w.cols_in(j);
    for (b, (sums, base)) in sums.0.iter().zip(base).enumerate().take(samples) {
        let base = _mm512_reduce_add_ps(s.load(&base));
        // SAFETY: the caller owns these columns.
        let out = unsafe { dx.part(c * SAMPLES + b, j * BITS, used) };
        out.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum + base);
    }
}

/// The parts of `u` for pair `p` of row tiles, whose `dy v0` is added to `base`.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
#[allow(clippy::too_many_arguments)] // the operands and their parts
fn upstream(
    s: Avx512,
    u: &mut [[[u32; 16]; SAMPLES]; PARTS],
    base: &mut [[f32; TILE_ROWS]; SAMPLES],
    rows: &Rows,
    dy: DyTiles<'_>,
    c: usize,
    p: usize,
    w: &View<'_>,
) {
    let both = 2 * p + 1 < w.row_tiles();
    let (a, b) = (dy.rows(c, 2 * p), dy.rows(c, 2 * p + usize::from(both)));
    let levels = |t: usize| (s.load(&rows.levels[t].v0), s.load(&rows.levels[t].gap));
    // Without a second tile the first stands in for it, times nothing.
    let none = (_mm512_setzero_ps(), _mm512_setzero_ps());
    let ((v0, gap), (second_v0, second_gap)) = (levels(0), if both { levels(1) } else { none });
    for (i, ((a, b), base)) in a.iter().zip(b).zip(base).enumerate() {
        let (a, b) = (s.load(a), s.load(b));
        s.store(base, s.mul_add(a, v0, s.mul_add(b, second_v0, s.load(base))));
        for (part, words) in u.iter_mut().zip(split(s.mul(a, gap), s.mul(b, second_gap))) {
            // SAFETY: sixteen words.
            unsafe { _mm512_storeu_si512(part[i].as_mut_ptr().cast(), words) };
        }
    }
}
