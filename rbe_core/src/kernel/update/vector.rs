//! One row panel with sixteen weights or rows in a vector: the same bits on every instruction set if G is. The twin is [`super::reference`].

// Without vector kernels there is no `VectorIsa`: code that is given one compiles there, and never runs.
#![cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), allow(unreachable_code, unused_mut, unused_variables))]

use super::int8::CHUNK_ROWS;
use super::level_parameters::Rows;
use super::panel::{RowPanel, Sums, WeightStep};
use super::source::{Piece, accumulate_row, row_of};
use super::{charge, level_parameters};
use crate::kernel::dispatch::vector_kernel;
use crate::kernel::packed::row_panel::PANEL_ROWS;
use crate::kernel::scratch::scratch;
use crate::memory;
use crate::packed::{BITS, TILE_ROWS};

/// Updates a row panel.
pub(super) fn update(step: &WeightStep<'_>, panel: &mut RowPanel<'_>) -> Sums {
    let (w, blocks, source, isa) = (step.w, step.w.blocks(), step.source, step.source.isa());
    let (width, rows) = (blocks * BITS, panel.row_moment.len());
    let (at_once, piece_blocks) = match source.piece() {
        Piece::Row => (1, blocks),
        Piece::Blocks(some) => (CHUNK_ROWS, some),
        Piece::RowPanel => (PANEL_ROWS, blocks),
    };
    let mut buffer = scratch(at_once * piece_blocks.min(blocks) * BITS);
    if at_once == 1 {
        buffer.slice_mut().fill(0.0f32);
    }
    let rates = rates(step, panel);
    let (mut squares, mut flips) = (memory::zeros::<f32>(width), 0);
    let mut square = [0.0f32; PANEL_ROWS];
    let mut levels = memory::zeros::<charge::Levels>(panel.tiles.len());
    let pieces = (0..rows)
        .step_by(at_once)
        .flat_map(|first| (0..blocks).step_by(piece_blocks).map(move |from| (first, from..(from + piece_blocks).min(blocks))));
    for (first, here) in pieces {
        let columns = here.start * BITS..here.end * BITS;
        let g = &mut buffer.slice_mut()[..at_once * columns.len()];
        let scale = match source.piece() {
            Piece::Row => {
                let factors = source.gradient.factors;
                vector_kernel!(isa, accumulate_row(factors, w.rows(), w.cols(), panel.first + first, g), else accumulate_row);
                None
            }
            _ => source.fill(w, panel.first + first, here.clone(), g),
        };
        for (r, g) in (first..rows).zip(g.chunks_exact(columns.len())) {
            let row = charge::Row {
                g: row_of(g, scale),
                unit: source.unit(panel.first + r),
                tiles: &mut panel.tiles[r / TILE_ROWS * blocks..][here.clone()],
                rates: &rates[r / TILE_ROWS * blocks..][here.clone()],
                col_scale: &step.col_scale[columns.clone()],
                charges: &mut panel.charges[r * width..][columns.clone()],
                squares: &mut squares[columns.clone()],
                square: &mut square[r],
                levels: &mut levels[r / TILE_ROWS * blocks..][here.clone()],
                lane: r % TILE_ROWS,
                block: (panel.first + r) * blocks + here.start,
                stream: step.stream,
            };
            let flipped: u32 = vector_kernel!(isa, charge_row(row), else charge::charge_row);
            flips += u64::from(flipped);
        }
    }
    for (moment, square) in panel.row_moment.iter_mut().zip(square) {
        *moment = step.bounds.follow(*moment, f64::from(square) / w.cols() as f64);
    }
    let (m, v) = (panel.m.as_chunks_mut().0.as_chunks_mut().0, panel.v.as_chunks_mut().0);
    let mut added = [0.0; TILE_ROWS];
    for (((tile, levels), m), v) in panel.tiles.iter_mut().zip(&levels).zip(m).zip(v) {
        let step = level_parameters::AdamStep { tile, levels, m, v, added: &mut added, scale: w.scale(), pace: &step.pace };
        vector_kernel!(isa, adam_step(step), else level_parameters::adam_step);
    }
    let wide = |sums: &[f32]| memory::collect(sums.iter().map(|v| f64::from(*v)));
    Sums { flips, columns: wide(&squares[..w.cols()]), points: wide(&added).into_iter().sum() }
}

/// `127 · 256 lr_hi sign(v1 - v0)` times the scale of the row and the unit of its G, of the rows of every tile.
fn rates(step: &WeightStep<'_>, panel: &RowPanel<'_>) -> Vec<Rows> {
    let mut out = memory::zeros::<Rows>(panel.tiles.len());
    for (t, (out, tiles)) in out.chunks_exact_mut(step.w.blocks()).zip(panel.tiles.chunks_exact(step.w.blocks())).enumerate() {
        let mut of_rows = [0.0; TILE_ROWS];
        for (r, rate) in (t * TILE_ROWS..panel.row_moment.len()).zip(&mut of_rows) {
            let n = panel.first + r;
            *rate = step.p.lr_hi * charge::FULL_CHARGE * charge::PARTS * step.row_scale[n] * step.source.unit(n);
        }
        for (out, tile) in out.iter_mut().zip(tiles) {
            for r in 0..TILE_ROWS {
                let (v0, v1) = (tile.z0[r], tile.z1[r]); // of the order of the levels
                out[r] = of_rows[r] * (f32::from(u8::from(v1 > v0)) - f32::from(u8::from(v1 < v0)));
            }
        }
    }
    out
}
