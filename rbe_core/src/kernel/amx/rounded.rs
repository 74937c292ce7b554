//! Evidence in whole numbers by products of int8 tiles: 64 samples of sixteen rows times sixteen columns in one instruction.

use super::tiles::{Tiles, load, product, store, zero};
use crate::kernel::step::rounded::{CHUNK_ROWS, WORDS, Words};
use crate::packed::TILE_ROWS;

pub(in crate::kernel) use crate::kernel::avx512::{add_excess, maxima, quad, scaled};

/// See [`Words`]: sums (rows of the chunk, columns), two row tiles times two column tiles in registers.
///
/// # Safety
/// AMX with int8 must be available.
pub(in crate::kernel) unsafe fn sums(w: &Words<'_>, out: &mut [i32]) {
    assert!(w.fit(out), "sums: lengths");
    let (width, groups) = (w.columns.len(), w.used.div_ceil(WORDS));
    let (lines, tile, line) = (w.width * size_of::<u32>(), WORDS * size_of::<u32>(), width * size_of::<u32>());
    // SAFETY: AMX is available as the caller vouches. Tiles of dy are TILE_ROWS rows of 16 words of a group, those of x 16 lines
    // of 16 columns of the same group, those of the sums TILE_ROWS rows of 16 columns: inside their slices by the lengths above.
    unsafe {
        let _tiles = Tiles::new();
        for k in (0..width).step_by(2 * TILE_ROWS) {
            zero!("0");
            zero!("1");
            zero!("2");
            zero!("3");
            for g in 0..groups {
                let x = w.x.as_ptr().add(g * WORDS * w.width + w.columns.start + k);
                let dy = w.dy.as_ptr().add(g * WORDS * CHUNK_ROWS);
                load!("4", dy, tile);
                load!("6", x, lines);
                product!("tdpbsud", "0", "4", "6");
                load!("7", x.add(TILE_ROWS), lines);
                product!("tdpbsud", "1", "4", "7");
                load!("5", dy.add(TILE_ROWS * WORDS), tile);
                product!("tdpbsud", "2", "5", "6");
                product!("tdpbsud", "3", "5", "7");
            }
            let out = out.as_mut_ptr().add(k);
            store!("0", out, line);
            store!("1", out.add(TILE_ROWS), line);
            store!("2", out.add(TILE_ROWS * width), line);
            store!("3", out.add(TILE_ROWS * width + TILE_ROWS), line);
        }
    }
}
