//! Sums of int8 products by products of int8 tiles: 64 samples of sixteen rows times sixteen columns in one instruction.

use super::tiles::{Tiles, load, product, store};
use crate::kernel::update::int8::{CHUNK_ROWS, Int8Operands, PANEL, WORDS};
use crate::packed::TILE_ROWS;

pub(in crate::kernel) use crate::kernel::x86::avx512::{add_excess, measure, round_four, scaled};

/// See [`Int8Operands`]: sums (rows of the chunk, columns), two row tiles times two panels in registers.
///
/// # Safety
/// AMX with int8 must be available.
pub(in crate::kernel) unsafe fn dot_u8_i8(w: &Int8Operands<'_>, out: &mut [i32]) {
    assert!(w.fit(out), "sums: lengths");
    let (words, groups) = (w.words(), w.used.div_ceil(WORDS));
    let width = w.x.len() / words;
    for (out, excess) in out.chunks_exact_mut(width).zip(w.excess) {
        out.fill(excess.wrapping_neg());
    }
    let (tile, line) = (WORDS * size_of::<u32>(), width * size_of::<u32>());
    // SAFETY: AMX is available as the caller vouches. Tiles of dy are TILE_ROWS rows of 16 words of a group, those of x 16 words
    // of the 16 columns of a panel in the same group, those of the sums TILE_ROWS rows of 16 columns: inside their slices by the
    // lengths above.
    unsafe {
        let _tiles = Tiles::new();
        for k in (0..width).step_by(2 * PANEL) {
            let out = out.as_mut_ptr().add(k);
            load!("0", out, line);
            load!("1", out.add(PANEL), line);
            load!("2", out.add(TILE_ROWS * width), line);
            load!("3", out.add(TILE_ROWS * width + PANEL), line);
            for g in 0..groups {
                let x = w.x.as_ptr().add(k * words + g * WORDS * PANEL);
                let dy = w.dy.as_ptr().add(g * WORDS * CHUNK_ROWS);
                load!("4", dy, tile);
                load!("6", x, tile);
                product!("tdpbsud", "0", "4", "6");
                load!("7", x.add(words * PANEL), tile);
                product!("tdpbsud", "1", "4", "7");
                load!("5", dy.add(TILE_ROWS * WORDS), tile);
                product!("tdpbsud", "2", "5", "6");
                product!("tdpbsud", "3", "5", "7");
            }
            store!("0", out, line);
            store!("1", out.add(PANEL), line);
            store!("2", out.add(TILE_ROWS * width), line);
            store!("3", out.add(TILE_ROWS * width + PANEL), line);
        }
    }
}
