//! Peak rates of this machine, for the roofline of `benches/python/compare.py`: the operations of which products consist,
//! on registers and first-level cache alone. Throughput is in multiply-adds, as in `kernels.rs`.
//!
//! - `fma`: a fused multiply-add, one multiply-add a lane: the limit of every dense float32 product.
//! - `add+permute`: a table lookup in a register and an addition, the step of kernels with rows in lanes: 4 inputs a lane on
//!   AVX-512 (tables of 16 sums), 3 on AVX2 (tables of 8).
//! - `add+load`: an addition of a vector in the first-level cache, the step of kernels with samples in lanes: 64 inputs of a
//!   block in 13 lookups.
//! - `int8`: products of bytes summed in 32 bits (`vpdpbusd`; AVX2 has `vpmaddwd`, of 16-bit numbers).
//! - `int8 tiles`: the same with the tile registers of AMX.
//!
//! `RBE_ISA` and `RBE_NUM_THREADS` choose the instruction set and the number of threads; every thread has its own work.
#![allow(missing_docs)] // criterion's macros

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
#[cfg(target_arch = "x86_64")]
use rbe_core::isa::VectorIsa;
use rbe_core::isa::{self, Isa, init};
use rbe_core::parallel;

/// Runs the operation `TIMES` times in each of `n` rounds.
type Loop = unsafe fn(u64);

/// Operations a round.
const TIMES: u64 = 12;

/// An operation: its name, multiply-adds of one, and its loop.
struct Peak {
    name: &'static str,
    macs: f64,
    run: Loop,
}

#[cfg(target_arch = "x86_64")]
fn peaks(isa: Isa) -> Vec<Peak> {
    let peak = |name, macs, run| Peak { name, macs, run };
    match isa.vectors() {
        None => Vec::new(),
        Some(VectorIsa::Avx2) => vec![
            peak("fma", 8.0, x86::fma_256 as Loop),
            peak("add+permute", 24.0, x86::permute_256),
            peak("add+load", 8.0 * 64.0 / 13.0, x86::load_256),
            peak("int8", 16.0, x86::int8_256),
        ],
        Some(set @ (VectorIsa::Avx512 | VectorIsa::Amx)) => {
            let mut all = vec![
                peak("fma", 16.0, x86::fma_512 as Loop),
                peak("add+permute", 64.0, x86::permute_512),
                peak("add+load", 16.0 * 64.0 / 13.0, x86::load_512),
            ];
            if is_x86_feature_detected!("avx512vnni") {
                all.push(peak("int8", 64.0, x86::int8_512));
            }
            if set == VectorIsa::Amx {
                all.push(peak("int8 tiles", 16.0 * 16.0 * 64.0, x86::int8_tiles));
            }
            all
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn peaks(_: Isa) -> Vec<Peak> {
    Vec::new()
}

/// The loops. Operands pass through an empty assembler statement without instructions, so that the compiler neither precomputes
/// nor hoists anything out of the loop.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod x86 {
    use std::arch::{asm, x86_64::*};
    use std::hint::black_box;

    use super::TIMES;

    const N: usize = TIMES as usize;

    macro_rules! hide {
        ($class:ident, $value:ident) => {
            // SAFETY: no instruction; the register is an output, so that its value counts as unknown.
            unsafe { asm!("/* {0} */", inout($class) $value, options(nomem, nostack, preserves_flags)) }
        };
    }

    /// `TIMES` operations on as many accumulators in each round; `$operand` is computed from `$value` every time.
    macro_rules! registers {
        ($name:ident, $features:literal, $class:ident, $zero:expr, $value:expr, $acc:ident, $operand:ident => $step:expr) => {
            #[target_feature(enable = $features)]
            pub fn $name(rounds: u64) {
                let mut accumulators = [$zero; N];
                let mut $operand = black_box($value);
                for _ in 0..rounds {
                    hide!($class, $operand);
                    for $acc in &mut accumulators {
                        *$acc = $step;
                    }
                }
                black_box(accumulators);
            }
        };
    }

    registers!(fma_512, "avx512f", zmm_reg, _mm512_setzero_ps(), _mm512_set1_ps(0.5), a, x => _mm512_fmadd_ps(x, x, *a));
    registers!(fma_256, "avx2,fma", ymm_reg, _mm256_setzero_ps(), _mm256_set1_ps(0.5), a, x => _mm256_fmadd_ps(x, x, *a));
    registers!(int8_512, "avx512f,avx512vnni", zmm_reg, _mm512_setzero_si512(), _mm512_set1_epi8(1), a, x => {
        _mm512_dpbusd_epi32(*a, x, x)
    });

    /// `TIMES` additions of operations on `$operand` and on one of six further registers, which have to be told apart.
    macro_rules! looked_up {
        ($name:ident, $features:literal, $class:ident, $zero:expr, $value:expr, $index:expr,
         $acc:ident, $i:ident, $operand:ident => $step:expr) => {
            #[target_feature(enable = $features)]
            pub fn $name(rounds: u64) {
                let mut accumulators = [$zero; 6];
                let indices = black_box([$index; 6]);
                let mut $operand = black_box($value);
                for _ in 0..rounds {
                    for _ in 0..N / 6 {
                        hide!($class, $operand);
                        for ($acc, $i) in accumulators.iter_mut().zip(indices) {
                            *$acc = $step;
                        }
                    }
                }
                black_box(accumulators);
            }
        };
    }

    looked_up!(permute_512, "avx512f", zmm_reg, _mm512_setzero_ps(), _mm512_set1_ps(0.5), _mm512_set1_epi32(3), a, i, table => {
        _mm512_add_ps(*a, _mm512_permutexvar_ps(i, table))
    });
    looked_up!(permute_256, "avx2", ymm_reg, _mm256_setzero_ps(), _mm256_set1_ps(0.5), _mm256_set1_epi32(3), a, i, table => {
        _mm256_add_ps(*a, _mm256_permutevar8x32_ps(table, i))
    });
    looked_up!(int8_256, "avx2", ymm_reg, _mm256_setzero_si256(), _mm256_set1_epi16(1), _mm256_set1_epi16(2), a, i, x => {
        _mm256_add_epi32(*a, _mm256_madd_epi16(x, i))
    });

    /// `TIMES` additions of vectors in memory for each round.
    macro_rules! loaded {
        ($name:ident, $features:literal, $lanes:literal, $zero:expr, $load:ident, $add:ident) => {
            #[target_feature(enable = $features)]
            pub fn $name(rounds: u64) {
                #[repr(align(64))]
                struct Table([f32; $lanes * N]);
                let table = Table([1.0; $lanes * N]);
                let mut accumulators = [$zero; N];
                let mut at = table.0.as_ptr();
                for _ in 0..rounds {
                    // SAFETY: no instruction; the address counts as unknown, and stays what it is.
                    unsafe { asm!("/* {0} */", inout(reg) at, options(readonly, nostack, preserves_flags)) };
                    for (i, a) in accumulators.iter_mut().enumerate() {
                        // SAFETY: `at` is the start of the table, which holds N vectors, aligned.
                        *a = $add(*a, unsafe { $load(at.add($lanes * i)) });
                    }
                }
                black_box(accumulators);
            }
        };
    }

    /// `TIMES` products of tiles for each round, on four accumulators.
    pub fn int8_tiles(rounds: u64) {
        #[repr(C, align(64))]
        struct Config([u8; 64]);
        let mut config = Config([0; 64]);
        config.0[0] = 1; // palette
        config.0[16..32].copy_from_slice(&[64, 0].repeat(8)); // bytes of a row of each tile
        config.0[48..56].fill(16); // rows of each tile
        // SAFETY: `peaks` lists this where tiles are available; the configuration is one of palette 1, and is released here.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const config, options(nostack, preserves_flags));
            for _ in 0..rounds {
                for _ in 0..N / 4 {
                    asm!(
                        "tdpbsud tmm0, tmm4, tmm6",
                        "tdpbsud tmm1, tmm4, tmm7",
                        "tdpbsud tmm2, tmm5, tmm6",
                        "tdpbsud tmm3, tmm5, tmm7",
                        options(nomem, nostack, preserves_flags)
                    );
                }
            }
            asm!("tilerelease", options(nostack, preserves_flags));
        }
    }

    loaded!(load_512, "avx512f", 16, _mm512_setzero_ps(), _mm512_load_ps, _mm512_add_ps);
    loaded!(load_256, "avx2", 8, _mm256_setzero_ps(), _mm256_load_ps, _mm256_add_ps);
}

/// Time of `rounds` rounds on every thread at once.
#[allow(unsafe_code)]
fn together(threads: usize, run: Loop, rounds: u64) -> Duration {
    // SAFETY: `peaks` lists loops of the live instruction set alone, which this machine has.
    let go = || unsafe { run(rounds) };
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(go);
        }
        go();
    });
    start.elapsed()
}

fn machine(criterion: &mut Criterion) {
    init().expect("RBE_ISA names an instruction set of this machine");
    let threads = parallel::num_threads();
    let mut group = criterion.benchmark_group(format!("peak {} {threads}t", isa::current().name()));
    for peak in peaks(isa::current()) {
        group.throughput(Throughput::Elements((1000.0 * TIMES as f64 * peak.macs * threads as f64) as u64));
        group.bench_function(peak.name, |b| b.iter_custom(|n| together(threads, peak.run, 1000 * n)));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(300));
    targets = machine
}
criterion_main!(benches);
