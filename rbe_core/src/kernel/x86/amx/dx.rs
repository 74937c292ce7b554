//! `dx = dy W` with tiles: with `u = dy (v1 - v0)`, a column of a block gets `Σ dy v0` and the product of u with the bits.

use std::arch::x86_64::*;

use super::set_sums::{ONE, PARTS, Pairs, pairs, split, turn};
use super::tiles::{LINE, Tiles, load, product, store, zero};
use crate::Buffer;
use crate::kernel::packed::dy_layout::DyTiles;
use crate::kernel::packed::lane_layout::{Family, SAMPLES};
use crate::kernel::packed::lanes::Lanes;
use crate::kernel::packed::operands::Dx;
use crate::kernel::packed::tile_levels::Levels;
use crate::kernel::packed::view::View;
use crate::kernel::x86::avx512;
use crate::kernel::x86::avx512::Avx512;
use crate::packed::{BITS, TILE_ROWS, Tile};

/// Pairs of row tiles for which u is made before it is used: what is stored reaches the cache when the products before it are done.
const AHEAD: usize = 2;
/// Columns of a tile register.
const WIDTH: usize = 16;

/// A pair of row tiles of a block column: row i of both beside each other, (sixteen columns, i, column).
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct Rows {
    bits: [Pairs; BITS / WIDTH],
    levels: [Levels; 2], // gaps over ONE
}

/// See [`Dx`].
///
/// # Safety
/// The machine must have AMX with bfloat16 beside AVX-512.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn dx(p: Dx<'_>) {
    let Dx { dy, w, j, .. } = p;
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
            unsafe { chunk(s, &registers, rows, c, p) };
        }
    }
    if let Some((c, Family::Rows)) = dy.rest() {
        // SAFETY: as the caller vouches.
        unsafe { avx512::dx_of(c..c + 1, p) };
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
unsafe fn chunk(s: Avx512, _: &Tiles, rows: &[Rows], c: usize, p: Dx<'_>) {
    let Dx { dy, w, j, dx } = p;
    #[repr(C, align(64))]
    struct Aligned<T>(T);
    let mut u = Aligned([[[[0u32; 16]; SAMPLES]; PARTS]; AHEAD + 1]); // (turn, part, sample, pair of rows)
    let mut base = [[0.0f32; TILE_ROWS]; SAMPLES]; // sums of dy v0, still in lanes
    let samples = dy.samples(c);
    // SAFETY: tiles are configured, as the argument shows.
    unsafe {
        zero!("0");
        zero!("1");
        zero!("2");
        zero!("3");
    }
    let upstream = |p: usize| Upstream::of(s, rows, dy, c, p, &w);
    for (p, u) in u.0.iter_mut().enumerate().take(rows.len().min(AHEAD)) {
        let first = upstream(p);
        (0..SAMPLES).for_each(|i| first.set(u, &mut base, i));
    }
    for (p, this) in rows.iter().enumerate() {
        // The last have no next: one is set once more, and adds nothing.
        let mut next = upstream((p + AHEAD).min(rows.len() - 1));
        if p + AHEAD >= rows.len() {
            next.v0 = [_mm512_setzero_ps(); 2];
        }
        // SAFETY: as above; every tile is sixteen lines of 64 bytes.
        unsafe {
            let [a, b, c] = &u.0[p % (AHEAD + 1)];
            load!("4", a.as_ptr(), LINE);
            load!("5", b.as_ptr(), LINE);
            load!("6", c.as_ptr(), LINE);
        }
        let later = &mut u.0[(p + AHEAD) % (AHEAD + 1)];
        // Sixteen columns of sums, and between the products a quarter of the next u.
        macro_rules! columns {
            ($sums:literal, $bits:expr, $from:literal) => {
                load!("7", $bits, LINE);
                product!("tdpbf16ps", $sums, "4", "7");
                next.set(later, &mut base, $from);
                product!("tdpbf16ps", $sums, "5", "7");
                next.set(later, &mut base, $from + 1);
                product!("tdpbf16ps", $sums, "6", "7");
                next.set(later, &mut base, $from + 2);
                next.set(later, &mut base, $from + 3);
            };
        }
        // SAFETY: as above.
        unsafe {
            columns!("0", this.bits[0].as_ptr(), 0);
            columns!("1", this.bits[1].as_ptr(), 4);
            columns!("2", this.bits[2].as_ptr(), 8);
            columns!("3", this.bits[3].as_ptr(), 12);
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

/// What `u` is made of for a pair of row tiles.
struct Upstream<'a> {
    s: Avx512,
    dy: [&'a [[f32; TILE_ROWS]]; 2], // samples of either row tile
    v0: [__m512; 2],
    gap: [__m512; 2],
}

impl<'a> Upstream<'a> {
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
    fn of(s: Avx512, rows: &[Rows], dy: DyTiles<'a>, c: usize, p: usize, w: &View<'_>) -> Upstream<'a> {
        let levels = &rows[p].levels;
        let (mut v0, mut gap) = (levels.each_ref().map(|l| s.load(&l.v0)), levels.each_ref().map(|l| s.load(&l.gap)));
        let both = 2 * p + 1 < w.row_tiles();
        if !both {
            // The first stands in for the second, times nothing.
            (v0[1], gap[1]) = (_mm512_setzero_ps(), _mm512_setzero_ps());
        }
        Upstream { s, dy: [dy.rows(c, 2 * p), dy.rows(c, 2 * p + usize::from(both))], v0, gap }
    }

    /// Sets the parts of `u` of sample `i` if there is one, and adds its `dy v0` to `base`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
    fn set(&self, u: &mut [[[u32; 16]; SAMPLES]; PARTS], base: &mut [[f32; TILE_ROWS]; SAMPLES], i: usize) {
        let s = self.s;
        let (Some(a), Some(b)) = (self.dy[0].get(i), self.dy[1].get(i)) else { return };
        let (a, b) = (s.load(a), s.load(b));
        let sum = s.mul_add(a, self.v0[0], s.mul_add(b, self.v0[1], s.load(&base[i])));
        s.store(&mut base[i], sum);
        for (part, words) in u.iter_mut().zip(split(s.mul(a, self.gap[0]), s.mul(b, self.gap[1]))) {
            // SAFETY: sixteen words.
            unsafe { _mm512_storeu_si512(part[i].as_mut_ptr().cast(), words) };
        }
    }
}
