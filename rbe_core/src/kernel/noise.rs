//! Random numbers by counter: they do not depend on the order of the work. Those of a step are counted by block.

/// 32 random bits of a counter (a variant of the integer hash "lowbias32" by C. Wellons).
#[inline(always)] // compiled anew for every instruction set
pub(in crate::kernel) fn hash(counter: u32, seed: u32) -> u32 {
    let mut x = counter.wrapping_add(seed);
    x = (x ^ (x >> 16)).wrapping_mul(0x21f0_aaad);
    x = (x ^ (x >> 15)).wrapping_mul(0x735a_2d97);
    x ^ (x >> 15)
}

/// Seed of one step's stream: SplitMix64 of (seed, step).
pub(crate) fn stream(seed: u64, step: u64) -> u32 {
    let mut z = seed.wrapping_add(step.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 32) as u32
}

/// The 16 words of random bits of block `block`: byte `k` of them, in little-endian order, is that of weight `k`.
#[inline(always)]
pub(in crate::kernel) fn words(block: usize, stream: u32) -> [u32; 16] {
    let mut out = [0; 16];
    for (i, word) in out.iter_mut().enumerate() {
        *word = hash((block * 16 + i) as u32, stream); // no closure: it would not be compiled for the caller's instruction set
    }
    out
}

/// Random byte of weight `k` of block `block`.
pub(crate) fn byte(block: usize, k: usize, stream: u32) -> u8 {
    hash((block * 16 + k / 4) as u32, stream).to_le_bytes()[k % 4]
}
