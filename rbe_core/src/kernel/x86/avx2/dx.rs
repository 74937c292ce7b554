//! `dx = dy W` with eight columns of a block in lanes: subset sums of three rows, looked up by `vpermps`.

use std::arch::x86_64::*;

use crate::kernel::packed::lane_layout::SAMPLES;
use crate::kernel::packed::operands::Dx;
use crate::kernel::packed::samples_in_lanes_dx::Columns;
use crate::packed::{BITS, TILE_ROWS};

/// Groups of a tile's rows: five of three and one of one.
const GROUPS: usize = 6;

/// Columns of block `j` of `dx (batch, cols)` for the samples of chunk `c`.
///
/// # Safety
/// The machine must have AVX2 with FMA; nobody else may touch these columns of `dx`.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn rows(tiles: &[Columns], c: usize, p: Dx<'_>) {
    let Dx { dy, w, j, dx } = p;
    for b in 0..dy.samples(c) {
        let out = sample(tiles, |r| &dy.rows(c, r)[b]);
        let used = w.cols_in(j);
        // SAFETY: the caller owns these columns.
        unsafe { dx.part(c * SAMPLES + b, j * BITS, used) }.copy_from_slice(&out[..used]);
    }
}

/// One sample, `dy(r)` being the sixteen rows of tile `r`.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn sample<'a>(tiles: &[Columns], dy: impl Fn(usize) -> &'a [f32; TILE_ROWS]) -> [f32; BITS] {
    let mut sums = [_mm256_setzero_ps(); BITS / 8];
    let mut base = [0.0f32; TILE_ROWS];
    for (r, tile) in tiles.iter().enumerate() {
        let mut u = [0.0f32; 3 * GROUPS];
        for ((i, d), base) in dy(r).iter().enumerate().zip(&mut base) {
            *base = d.mul_add(tile.levels.v0[i], *base);
            u[i] = d * tile.levels.gap[i];
        }
        let tables: [__m256; GROUPS] = std::array::from_fn(|g| {
            let zero = _mm256_setzero_ps();
            let one = _mm256_blend_ps::<0xaa>(zero, _mm256_set1_ps(u[3 * g]));
            let two = _mm256_blend_ps::<0xcc>(zero, _mm256_set1_ps(u[3 * g + 1]));
            let three = _mm256_blend_ps::<0xf0>(zero, _mm256_set1_ps(u[3 * g + 2]));
            _mm256_add_ps(_mm256_add_ps(one, two), three)
        });
        for (bits, sum) in tile.bits.as_chunks::<8>().0.iter().zip(&mut sums) {
            // SAFETY: eight words of 16 bits are readable.
            let at = _mm256_cvtepu16_epi32(unsafe { _mm_loadu_si128(bits.as_ptr().cast()) });
            macro_rules! look_up {
                ($g:literal) => {
                    _mm256_permutevar8x32_ps(tables[$g], _mm256_srli_epi32::<{ 3 * $g }>(at))
                };
            }
            let a = _mm256_add_ps(look_up!(0), look_up!(1));
            let b = _mm256_add_ps(look_up!(2), look_up!(3));
            let c = _mm256_add_ps(look_up!(4), look_up!(5));
            *sum = _mm256_add_ps(*sum, _mm256_add_ps(_mm256_add_ps(a, b), c));
        }
    }
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            base[i] += base[i + half];
        }
    }
    let mut out = [0.0; BITS];
    for (out, sum) in out.as_chunks_mut::<8>().0.iter_mut().zip(sums) {
        // SAFETY: eight floats are writable.
        unsafe { _mm256_storeu_ps(out.as_mut_ptr(), _mm256_add_ps(sum, _mm256_set1_ps(base[0]))) };
    }
    out
}
