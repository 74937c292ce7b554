//! One strip with sixteen weights or rows in a vector. The twin is [`super::plain`].

use super::{Context, Evidence, FULL_CHARGE, Strip, charge, follow, points};
use crate::kernel::isa::Isa;
use crate::kernel::scalar;
use crate::kernel::strip::{STRIP_ROWS, scratch};
use crate::packed::{BITS, TILE_ROWS};

/// Calls the kernel of the instruction set.
macro_rules! by_isa {
    ($isa:expr, $kernel:ident($($argument:expr),*)) => {
        match $isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => crate::kernel::avx512::$kernel($($argument),*),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => crate::kernel::avx2::$kernel($($argument),*),
            _ => unreachable!("only sets with kernels of their own come here"),
        }
    };
}

/// Updates a strip; bits flipped and column sums of G².
pub(super) fn strip(isa: Isa, cx: &Context<'_>, strip: &mut Strip<'_>, evidence: Evidence<'_>) -> (u64, Vec<f64>) {
    let (w, blocks) = (cx.w, cx.w.blocks());
    let (width, rows) = (blocks * BITS, strip.row_moment.len());
    let by_rows = evidence.by_rows();
    let mut buffer = scratch(if by_rows { width } else { rows * width });
    if by_rows {
        buffer.slice_mut().fill(0.0f32);
    } else {
        evidence.strip(w, strip.first / STRIP_ROWS, buffer.slice_mut());
    }
    // Gradient of the levels, where backward has not computed it.
    let mut own = if cx.levels.is_none() { vec![0.0f32; rows * blocks * 2] } else { Vec::new() };
    let (mut squares, mut flips) = (vec![0.0f32; width], 0);
    let (mut hi, mut rate) = (vec![0u64; blocks], vec![0.0f32; blocks]);
    for r in 0..rows {
        let n = strip.first + r;
        let g = if by_rows {
            let g: &mut [f32] = buffer.slice_mut();
            // SAFETY: `isa` is one of this machine's.
            unsafe { by_isa!(isa, accumulate_row(evidence.factors, w.rows(), w.cols(), n, g)) };
            &*g
        } else {
            &buffer.slice()[r * width..(r + 1) * width]
        };
        for j in 0..blocks {
            let (tile, lane) = (&strip.tiles[r / TILE_ROWS * blocks + j], r % TILE_ROWS);
            hi[j] = tile.hi(lane);
            let up = f32::from(u8::from(tile.z1[lane] > tile.z0[lane])) - f32::from(u8::from(tile.z1[lane] < tile.z0[lane]));
            rate[j] = cx.p.lr_hi * FULL_CHARGE * charge::PARTS * up * cx.row_scale[n];
        }
        if cx.levels.is_none() {
            scalar::level_gradient(g, &hi, &mut own[2 * r * blocks..2 * (r + 1) * blocks]);
        }
        let mut square = 0.0f32;
        let row = charge::Row {
            g,
            hi: &mut hi,
            rate: &rate,
            col_scale: cx.col_scale,
            charges: &mut strip.charges[r * width..(r + 1) * width],
            squares: &mut squares,
            square: &mut square,
            block: n * blocks,
            stream: cx.stream,
        };
        // SAFETY: as above.
        flips += u64::from(unsafe { by_isa!(isa, charge_row(row)) });
        for j in 0..blocks {
            strip.tiles[r / TILE_ROWS * blocks + j].set_hi(r % TILE_ROWS, hi[j]);
        }
        strip.row_moment[r] = follow(strip.row_moment[r], f64::from(square) / w.cols() as f64);
    }
    let levels = cx.levels.map_or(&own[..], |l| &l[strip.first * blocks * 2..]);
    for t in 0..rows.div_ceil(TILE_ROWS) {
        for j in 0..blocks {
            move_points(isa, cx, strip, levels, t, j);
        }
    }
    (flips, squares[..w.cols()].iter().map(|v| f64::from(*v)).collect())
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
