//! Latency of a parallel region without work, and of a small layer, whose time is mostly overhead.
//!
//! `RBE_NUM_THREADS=2 cargo bench -p rbe_benches --bench latency`
#![allow(missing_docs)] // criterion's macros

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use rbe_core::packed::PackedTensor;
use rbe_core::random::Generator;
use rbe_core::tape::{BackwardOptions, backward};
use rbe_core::{DType, RBETensor, array::Array, parallel};

/// One task for every thread, with nothing to do.
fn region() {
    parallel::for_each(parallel::num_threads(), |i| {
        black_box(i);
    });
}

/// One task for every thread, each waiting until all have started, so that no thread runs two.
fn meeting() {
    let (threads, present) = (parallel::num_threads(), AtomicUsize::new(0));
    parallel::for_each(threads, |_| {
        present.fetch_add(1, Ordering::AcqRel);
        while present.load(Ordering::Acquire) < threads {
            std::hint::spin_loop();
        }
    });
}

/// Time of `runs` regions, each after a `pause` without work for the threads.
fn after(pause: Duration, runs: u64, region: impl Fn()) -> Duration {
    let mut total = Duration::ZERO;
    for _ in 0..runs {
        std::thread::sleep(pause);
        let began = Instant::now();
        region();
        total += began.elapsed();
    }
    total
}

fn regions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(format!("region {}t", parallel::num_threads()));
    for (name, run) in [("empty", region as fn()), ("meeting", meeting)] {
        group.bench_function(format!("{name}, back to back"), |b| b.iter(run));
        for micros in [20, 1000] {
            let pause = Duration::from_micros(micros);
            group.bench_function(format!("{name}, after {micros} us idle"), |b| b.iter_custom(|n| after(pause, n, run)));
        }
    }
    group.finish();
}

fn layer(criterion: &mut Criterion) {
    const WIDTH: usize = 256;
    let mut generator = Generator::new(0);
    let weight = PackedTensor::random(&[WIDTH, WIDTH], None, generator.stream()).expect("positive sizes");
    let weight = RBETensor::from_packed(weight, true);
    let ones = || Array::full(DType::F32, &[1, WIDTH], 1.0);
    let bias = RBETensor::from_array(Array::full(DType::F32, &[WIDTH], 1.0)).requiring_grad().expect("a float");
    let mut group = criterion.benchmark_group("256 to 256, batch 1");
    for (name, wanted) in [("x constant", false), ("x wants a gradient", true)] {
        let x = RBETensor::from_array(ones());
        x.set_requires_grad(wanted).expect("a float");
        let forward = || x.packed_linear(&weight, Some(&bias)).expect("shapes that fit");
        group.bench_function(format!("forward, {name}"), |b| b.iter(forward));
        let upstream = [Some(ones())];
        group.bench_function(format!("forward and backward, {name}"), |b| {
            b.iter(|| {
                backward(&[&forward()], &upstream, BackwardOptions::default()).expect("a graph");
                for t in [&x, &weight, &bias] {
                    t.set_grad(None).expect("always");
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, regions, layer);
criterion_main!(benches);
