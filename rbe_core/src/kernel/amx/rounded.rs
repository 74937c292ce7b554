//! Evidence in whole numbers by products of int8 tiles: 64 samples of sixteen rows times sixteen columns in one instruction.

use super::tiles::{Tiles, load, product, store, zero};
use crate::kernel::step::rounded::{CHUNK_ROWS, WORDS, Words};
use crate::packed::{BITS, TILE_ROWS};

pub(in crate::kernel) use crate::kernel::avx512::{add_excess, maxima, quad, scaled};

/// Sums of a chunk's rows, (rows, width): two row tiles times two column tiles in registers.
///
/// # Safety
/// AMX with int8 must be available.
pub(in crate::kernel) unsafe fn sums(w: &Words<'_>, out: &mut [i32]) {
    let words = w.words();
    assert!(
        w.width.is_multiple_of(BITS)
            && w.x.len() == words * w.width
            && w.dy.len() == words * w.rows
            && words.is_multiple_of(WORDS)
            && w.first + CHUNK_ROWS <= w.rows
            && out.len() == CHUNK_ROWS * w.width,
        "sums: lengths"
    );
    // A row's samples side by side: (group, row, word).
    let mut dy = crate::Buffer::dirty(words * CHUNK_ROWS * size_of::<u32>());
    let dy: &mut [u32] = dy.slice_mut();
    for (group, lines) in dy.chunks_exact_mut(WORDS * CHUNK_ROWS).zip(w.dy.chunks_exact(WORDS * w.rows)) {
        for (r, row) in group.chunks_exact_mut(WORDS).enumerate() {
            for (word, line) in row.iter_mut().zip(lines.chunks_exact(w.rows)) {
                *word = line[w.first + r];
            }
        }
    }
    let (line, tile) = (w.width * size_of::<u32>(), WORDS * size_of::<u32>());
    // SAFETY: AMX is available as the caller vouches. Tiles of dy are TILE_ROWS rows of 16 words of a group, those of x 16 lines
    // of 16 columns of the same group, those of the sums TILE_ROWS rows of 16 columns: inside their slices by the lengths above.
    unsafe {
        let _tiles = Tiles::new();
        for k in (0..w.width).step_by(2 * TILE_ROWS) {
            zero!("0");
            zero!("1");
            zero!("2");
            zero!("3");
            for g in 0..words / WORDS {
                let x = w.x.as_ptr().add(g * WORDS * w.width + k);
                let dy = dy.as_ptr().add(g * WORDS * CHUNK_ROWS);
                load!("4", dy, tile);
                load!("6", x, line);
                product!("tdpbsud", "0", "4", "6");
                load!("7", x.add(TILE_ROWS), line);
                product!("tdpbsud", "1", "4", "7");
                load!("5", dy.add(TILE_ROWS * WORDS), tile);
                product!("tdpbsud", "2", "5", "6");
                product!("tdpbsud", "3", "5", "7");
            }
            let out = out.as_mut_ptr().add(k);
            store!("0", out, line);
            store!("1", out.add(TILE_ROWS), line);
            store!("2", out.add(TILE_ROWS * w.width), line);
            store!("3", out.add(TILE_ROWS * w.width + TILE_ROWS), line);
        }
    }
}
