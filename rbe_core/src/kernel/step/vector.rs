//! One strip with sixteen weights or rows in a vector. The twin is [`super::plain`].

use super::{Context, FULL_CHARGE, Strip, charge, follow, points};
use crate::kernel::isa::Isa;
use crate::kernel::scalar;
use crate::kernel::strip::scratch;
use crate::packed::{BITS, TILE_ROWS, Tile};

/// Calls the kernel of the instruction set.
macro_rules! by_isa {
    ($isa:expr, $kernel:ident($($argument:expr),*)) => {
        match $isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Amx => crate::kernel::amx::$kernel($($argument),*),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => crate::kernel::avx512::$kernel($($argument),*),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => crate::kernel::avx2::$kernel($($argument),*),
            _ => unreachable!("only sets with kernels of their own come here"),
        }
    };
}

/// Updates a strip; bits flipped and column sums of G².
pub(super) fn strip(isa: Isa, cx: &Context<'_>, strip: &mut Strip<'_>) -> (u64, Vec<f64>) {
    let (w, blocks, source) = (cx.w, cx.w.blocks(), cx.source);
    let (width, rows, chunk) = (blocks * BITS, strip.row_moment.len(), source.chunk());
    let mut buffer = scratch(chunk * width);
    if chunk == 1 {
        buffer.slice_mut().fill(0.0f32);
    }
    let levels = source.levels();
    // Gradient of the levels, where it is not known.
    let mut own = if levels.is_none() { vec![0.0f32; rows * blocks * 2] } else { Vec::new() };
    let (mut squares, mut flips) = (vec![0.0f32; width], 0);
    // Bits and rates of the rows of a tile, (row, block).
    let (mut hi_of_tile, mut rate) = (vec![0u64; TILE_ROWS * blocks], vec![0.0f32; TILE_ROWS * blocks]);
    for r in 0..rows {
        let n = strip.first + r;
        if chunk == 1 {
            // SAFETY: `isa` is one of this machine's.
            unsafe { by_isa!(isa, accumulate_row(source.evidence.factors, w.rows(), w.cols(), n, buffer.slice_mut())) };
        } else if r % chunk == 0 {
            source.rows(w, n / chunk, buffer.slice_mut());
        }
        let g = &buffer.slice()[r % chunk * width..][..width];
        let lane = r % TILE_ROWS;
        if lane == 0 {
            let scale = &cx.row_scale[n..(n + TILE_ROWS).min(w.rows())];
            unpack(
                &strip.tiles[r / TILE_ROWS * blocks..][..blocks],
                cx.p.lr_hi * FULL_CHARGE * charge::PARTS,
                scale,
                &mut hi_of_tile,
                &mut rate,
            );
        }
        let hi = &mut hi_of_tile[lane * blocks..(lane + 1) * blocks];
        if levels.is_none() {
            scalar::level_gradient(g, hi, &mut own[2 * r * blocks..2 * (r + 1) * blocks]);
        }
        let mut square = 0.0f32;
        let row = charge::Row {
            g,
            hi,
            rate: &rate[lane * blocks..(lane + 1) * blocks],
            col_scale: cx.col_scale,
            charges: &mut strip.charges[r * width..(r + 1) * width],
            squares: &mut squares,
            square: &mut square,
            block: n * blocks,
            stream: cx.stream,
        };
        // SAFETY: as above.
        flips += u64::from(unsafe { by_isa!(isa, charge_row(row)) });
        strip.row_moment[r] = follow(strip.row_moment[r], f64::from(square) / w.cols() as f64);
        if lane == TILE_ROWS - 1 || r == rows - 1 {
            for (j, tile) in strip.tiles[r / TILE_ROWS * blocks..][..blocks].iter_mut().enumerate() {
                (0..=lane).for_each(|lane| tile.set_hi(lane, hi_of_tile[lane * blocks + j]));
            }
        }
    }
    let levels = levels.map_or(&own[..], |l| &l[strip.first * blocks * 2..]);
    for t in 0..rows.div_ceil(TILE_ROWS) {
        for j in 0..blocks {
            move_points(isa, cx, strip, levels, t, j);
        }
    }
    (flips, squares[..w.cols()].iter().map(|v| f64::from(*v)).collect())
}

/// Bits of the rows of a row tile, and their rates: `rate sign(v1 - v0)` times the scale of the row; (row, block) both.
fn unpack(tiles: &[Tile], rate: f32, scale: &[f32], hi: &mut [u64], rates: &mut [f32]) {
    for (j, tile) in tiles.iter().enumerate() {
        for (lane, scale) in scale.iter().enumerate() {
            let up = f32::from(u8::from(tile.z1[lane] > tile.z0[lane])) - f32::from(u8::from(tile.z1[lane] < tile.z0[lane]));
            hi[lane * tiles.len() + j] = tile.hi(lane);
            rates[lane * tiles.len() + j] = rate * up * scale;
        }
    }
}

/// Moves the points of one tile along `levels`, the gradient of the strip's levels.
fn move_points(isa: Isa, cx: &Context<'_>, strip: &mut Strip<'_>, levels: &[f32], t: usize, j: usize) {
    let blocks = cx.w.blocks();
    let rows = (strip.row_moment.len() - t * TILE_ROWS).min(TILE_ROWS);
    let at = |r: usize| (t * TILE_ROWS + r) * blocks + j;
    let mut gradient = [[0.0f32; TILE_ROWS]; 2];
    let (mut m, mut v) = ([[0.0f32; TILE_ROWS]; 2], [0.0f32; TILE_ROWS]);
    for r in 0..rows {
        for a in 0..2 {
            gradient[a][r] = levels[2 * at(r) + a];
            m[a][r] = strip.m[2 * at(r) + a];
        }
        v[r] = strip.v[at(r)];
    }
    let (mut m_out, mut v_out) = ([[0.0f32; TILE_ROWS]; 2], [0.0f32; TILE_ROWS]);
    let points = points::Points {
        tile: &mut strip.tiles[t * blocks + j],
        levels: gradient,
        m,
        v,
        m_out: &mut m_out,
        v_out: &mut v_out,
        scale: cx.w.scale(),
        lr: cx.p.lr_lo,
        betas: [cx.p.betas.0, cx.p.betas.1],
        corrections: cx.corrections.map(|c| c as f32),
    };
    // SAFETY: `isa` is one of this machine's.
    unsafe { by_isa!(isa, points(points)) };
    for r in 0..rows {
        for a in 0..2 {
            strip.m[2 * at(r) + a] = m_out[a][r];
        }
        strip.v[at(r)] = v_out[r];
    }
}
