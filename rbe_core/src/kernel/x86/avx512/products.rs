//! The products, for AVX-512.

use std::arch::x86_64::*;
use std::ops::Range;

use super::lanes::{Avx512, load, store};
use super::update::both_sums;
use crate::kernel::packed::lane_layout::Family;
use crate::kernel::packed::operands::{Dx, Forward, LevelGradient};
use crate::kernel::packed::tile_levels::Levels;
use crate::kernel::packed::view::View;
use crate::kernel::packed::{rows_in_lanes, samples_in_lanes, samples_in_lanes_dx};
use crate::packed::BITS;

/// See [`Forward`].
///
/// # Safety
/// The machine must have AVX-512 F, DQ, BW and VL with FMA and BMI2.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn forward(family: Family, f: Forward<'_>) {
    // SAFETY: as the caller vouches.
    unsafe {
        let s = Avx512::new();
        match family {
            Family::Rows => rows_in_lanes::forward(s, f),
            Family::Eight => no_kernel(family),
            Family::Sixteen => samples_in_lanes::forward::<_, 16>(s, f),
        }
    }
}

/// Samples up to which tables are made without preparing tiles. At 768 x 3072 on an EPYC (Zen 4) one, two, three and four samples take 59,
/// 85, 123 and 137 µs so, else 90, 100, 129 and 134.
const FEW: usize = 3;

/// See [`Dx`]; for the samples of some chunks.
///
/// # Safety
/// The machine must have AVX-512 F, DQ, BW and VL with FMA and BMI2.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn dx_of(chunks: Range<usize>, p: Dx<'_>) {
    // SAFETY: as the caller vouches.
    unsafe {
        if chunks.len() == 1 && p.dy.samples(chunks.start) <= FEW {
            let mut columns = samples_in_lanes_dx::column_scratch(&p.w);
            samples_in_lanes_dx::columns::<_, 16>(Avx512::new(), &p.w, p.j, columns.slice_mut());
            super::dx_few::rows(columns.slice(), chunks.start, p);
        } else {
            super::dx::dx(chunks, p);
        }
    }
}

/// See [`Dx`].
///
/// # Safety
/// As [`dx_of`].
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn dx(p: Dx<'_>) {
    // SAFETY: as the caller vouches.
    unsafe { dx_of(0..p.dy.chunks(), p) }
}

/// See [`LevelGradient`].
///
/// # Safety
/// The machine must have AVX-512 F, DQ, BW and VL with FMA and BMI2.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn level_gradient(p: LevelGradient<'_>) {
    // SAFETY: as the caller vouches.
    unsafe {
        let s = Avx512::new();
        // At any batch: the sums of the lanes, which samples in lanes need at the end of every row, cost more than they save.
        rows_in_lanes::level_gradient(s, 0..p.dy.chunks(), p);
    }
}

/// Twin of [`tile_levels::flips`](crate::kernel::packed::tile_levels::flips): a mask of sixteen bits turns the sign of the gap.
///
/// # Safety
/// The machine must have AVX-512.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn flips(w: &View<'_>, r: usize, g: &mut [f32], sums: &mut [f32]) {
    let minus = _mm512_set1_ps(-0.0);
    for j in 0..w.blocks {
        let tile = w.tile(r, j);
        let gaps = Levels::of(tile, w.scale).gap;
        for (i, row) in g.chunks_exact_mut(w.blocks * BITS).enumerate() {
            let (hi, gap) = (tile.hi(i), _mm512_set1_ps(gaps[i]));
            let (mut all, mut set) = (_mm512_setzero_ps(), _mm512_setzero_ps());
            for (q, sixteen) in row[j * BITS..][..BITS].as_chunks_mut::<16>().0.iter_mut().enumerate() {
                let (bits, g) = ((hi >> (16 * q)) as u16, load(sixteen));
                all = _mm512_add_ps(all, g);
                set = _mm512_mask_add_ps(set, bits, set, g);
                store(sixteen, _mm512_mul_ps(g, _mm512_mask_xor_ps(gap, bits, gap, minus)));
            }
            sums[2 * (i * w.blocks + j)..][..2].copy_from_slice(&both_sums(_mm512_sub_ps(all, set), set));
        }
    }
}

fn no_kernel(family: Family) {
    unreachable!("AVX-512 has no kernels for {family:?}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::{Isa, VectorIsa};
    use crate::kernel::packed::dy_layout::{DyOrder, DyTiles};
    use crate::kernel::shared::Shared;
    use crate::packed::PackedTensor;
    use crate::random::Generator;

    #[test]
    fn chunks_one_by_one_are_all_of_them() {
        if !Isa::for_tests().iter().any(|isa| isa.vectors() == Some(VectorIsa::Avx512)) {
            return;
        }
        let (rows, cols) = (203, 130);
        let w = PackedTensor::random(&[rows, cols], None, Generator::new(1).stream()).unwrap();
        let tiles = w.tiles();
        let view = View::new(&w, &tiles);
        for batch in [21, 18, 33] {
            let mut dy = vec![0.0f32; batch * rows];
            Generator::new(2).stream().normal(&mut dy);
            let mut data = vec![0.0; DyTiles::len(batch, &view, Family::Rows, DyOrder::Rows)];
            let each = |n: usize, task: &(dyn Fn(usize) + Sync)| (0..n).for_each(task);
            // SAFETY: no function is given.
            let dy = unsafe { DyTiles::order(&dy, &view, (Family::Rows, DyOrder::Rows), &mut data, each) };
            let (mut all, mut one_by_one) = (vec![0.0f32; batch * cols], vec![f32::NAN; batch * cols]);
            for j in 0..view.blocks {
                // SAFETY: AVX-512 is available, and nobody else has the outputs.
                unsafe {
                    dx(Dx { dy, w: view, j, dx: Shared::new(&mut all, cols) });
                    let one = Dx { dy, w: view, j, dx: Shared::new(&mut one_by_one, cols) };
                    (0..dy.chunks()).for_each(|c| dx_of(c..c + 1, one));
                }
            }
            let size = all.iter().fold(0.0f32, |most, v| most.max(v.abs()));
            for (a, b) in all.iter().zip(&one_by_one) {
                assert!((a - b).abs() <= 1e-5 * size, "{batch}: {a} {b}"); // few samples have a kernel of their own
            }
        }
    }
}
