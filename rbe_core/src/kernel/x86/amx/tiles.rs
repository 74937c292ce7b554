//! Tile registers: eight of sixteen rows of 64 bytes. `std::arch` has no stable intrinsics for them, so each instruction is a
//! line of assembly; the compiler itself never touches these registers.

use std::arch::asm;

/// Bytes of a row of a tile register.
pub(super) const LINE: usize = 64;

/// The tile registers, configured as sixteen rows of 64 bytes each until this is dropped.
pub(super) struct Tiles(());

impl Tiles {
    /// # Safety
    /// This machine has AMX.
    pub(super) unsafe fn new() -> Tiles {
        #[repr(C, align(64))]
        struct Config([u8; 64]);
        let mut config = Config([0; 64]);
        config.0[0] = 1; // palette
        for t in 0..8 {
            config.0[16 + 2 * t] = 64; // bytes of a row
            config.0[48 + t] = 16; // rows
        }
        // SAFETY: the configuration is one of palette 1; tiles are available as the caller vouches.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const config, options(nostack, preserves_flags)) };
        Tiles(())
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: a Tiles exists only where tiles do.
        unsafe { asm!("tilerelease", options(nostack, preserves_flags)) };
    }
}

/// Sets a tile register to zero. Needs a live [`Tiles`].
macro_rules! zero {
    ($t:literal) => {
        ::std::arch::asm!(concat!("tilezero tmm", $t), options(nomem, nostack, preserves_flags))
    };
}

/// Loads a tile register from rows that lie `$stride` bytes apart. Needs a live [`Tiles`] and sixteen readable rows of 64 bytes.
macro_rules! load {
    ($t:literal, $from:expr, $stride:expr) => {
        ::std::arch::asm!(
            concat!("tileloadd tmm", $t, ", [{p} + {s}*1]"),
            p = in(reg) $from, s = in(reg) $stride, options(readonly, nostack, preserves_flags)
        )
    };
}

/// Stores a tile register to rows that lie `$stride` bytes apart. Needs a live [`Tiles`] and sixteen writable rows of 64 bytes.
macro_rules! store {
    ($t:literal, $to:expr, $stride:expr) => {
        ::std::arch::asm!(
            concat!("tilestored [{p} + {s}*1], tmm", $t),
            p = in(reg) $to, s = in(reg) $stride, options(nostack, preserves_flags)
        )
    };
}

/// `$c += $a $b` by the instruction `$product`. Needs a live [`Tiles`].
macro_rules! product {
    ($product:literal, $c:literal, $a:literal, $b:literal) => {
        ::std::arch::asm!(concat!($product, " tmm", $c, ", tmm", $a, ", tmm", $b), options(nomem, nostack, preserves_flags))
    };
}

pub(super) use {load, product, store, zero};
