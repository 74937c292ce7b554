//! Products and update of packed layers. Throughput is in multiply-adds: 1 Gelem/s is 1 GMAC/s.
//!
//! `cargo bench -p rbe_benches -- 768x3072/32` measures one shape; `RBE_ISA` and `RBE_NUM_THREADS` choose the kernels.
#![allow(missing_docs)] // criterion's macros

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rbe_benches::{BATCHES, Case, LAYERS};
use rbe_core::isa::{self, Isa};
use rbe_core::kernel::packed::{Grads, backward, dx, forward, level_gradient, weight_gradient};
use rbe_core::kernel::update::{Precision, StepParams};
use rbe_core::optim::{PackedState, step_weights};
use rbe_core::packed::{FactorPair, PackedGradient};
use rbe_core::parallel;

type Run = fn(&Case, &mut criterion::Bencher<'_>);

fn factor(case: &Case) -> FactorPair<'_> {
    FactorPair { x: &case.x, dy: &case.dy, batch: case.batch }
}

/// Name, number of products of the layer's size, and the function to run.
fn products() -> [(&'static str, u64, Run); 6] {
    [
        ("forward", 1, |c, b| {
            let mut y = vec![0.0; c.dy.len()];
            b.iter(|| forward(&c.x, c.batch, &c.weight, None, &mut y));
        }),
        ("dx", 1, |c, b| {
            let mut out = vec![0.0; c.x.len()];
            b.iter(|| dx(&c.dy, c.batch, &c.weight, &mut out));
        }),
        ("levels", 1, |c, b| {
            let mut out = vec![0.0; c.weight.rows() * c.weight.blocks() * 2];
            b.iter(|| level_gradient(&[factor(c)], &c.weight, &mut out));
        }),
        ("backward", 2, |c, b| {
            let mut levels = vec![0.0; c.weight.rows() * c.weight.blocks() * 2];
            let (mut out, mut bias) = (vec![0.0; c.x.len()], vec![0.0; c.weight.rows()]);
            b.iter(|| {
                let wanted = Grads { dx: Some(&mut out), levels: Some(&mut levels), bias: Some(&mut bias) };
                backward(factor(c), &c.weight, wanted);
            });
        }),
        ("hi", 1, |c, b| {
            let mut out = vec![0.0; c.weight.rows() * c.weight.blocks() * 64];
            b.iter(|| weight_gradient(&[factor(c)], &c.weight, &mut out));
        }),
        ("step", 1, |c, b| {
            let mut state = PackedState::new(&c.weight, 0);
            let params =
                StepParams { lr_hi: 0.05, lr_lo: 0.03, betas: (0.9, 0.999), interaction: 0.0, seed: 0, evidence: Precision::default() };
            b.iter(|| step_weights(&c.weight, &mut state, PackedGradient { factors: &[factor(c)], ..PackedGradient::default() }, &params));
        }),
    ]
}

fn kernels(criterion: &mut Criterion) {
    let (isa, threads): (Isa, usize) = (isa::current(), parallel::num_threads());
    for (name, products, run) in products() {
        let mut group = criterion.benchmark_group(format!("{name} {} {threads}t", isa.name()));
        for (inputs, outputs) in LAYERS {
            for batch in BATCHES {
                let case = Case::new(inputs, outputs, batch).expect("positive sizes");
                group.throughput(Throughput::Elements(products * case.macs()));
                group.bench_with_input(BenchmarkId::new(format!("{inputs}x{outputs}"), batch), &case, |b, c| run(c, b));
            }
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(15).warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(300));
    targets = kernels
}
criterion_main!(benches);
