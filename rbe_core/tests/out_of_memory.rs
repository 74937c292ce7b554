//! Memory that the system refuses: every large allocation of an operation in turn, and address space that is short.
//!
//! Refused are each allocation of 2 KiB and more of some forty operations and their gradients, on one thread and on three, of a pass over
//! a packed layer, and of batch_norm with its update of statistics. Address space grows in steps of 200 KiB until a step of each kind of
//! optimiser fits, on one thread and on three.
//!
//! One test at a time, for allocations and limits are those of the process.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout};
use std::sync::Mutex;
use std::sync::atomic::{AtomicIsize, Ordering};

use rbe_core::array::Array;
use rbe_core::gradient::Gradient;
use rbe_core::memory::Allocator;
use rbe_core::nn::{Layer, RBEActivation, RBELinear};
use rbe_core::op::{AttentionOptions, Cell, CrossEntropyOptions, Running, Windows};
use rbe_core::optim::{DenseOptimizer, DenseRates, DenseRule, NonFinite, Rates};
use rbe_core::packed::{Family, PackedTensor};
use rbe_core::{DType, GradientPool, HybridOptimizer, RBETensor, RbeError, Result, parallel, random};

/// An allocator that refuses large requests from the n-th on.
struct Failing;

/// Requests that are small: the reserve is there for them.
const SMALL: usize = 2048;
/// Alignment of what the `gemm` crate allocates by itself: that is lent to it beforehand.
const LENT: usize = 128;
/// Large requests that are still granted; negative: all.
static GRANTED: AtomicIsize = AtomicIsize::new(-1);

fn refuses(layout: Layout) -> bool {
    layout.size() >= SMALL
        && layout.align() != LENT
        && GRANTED.load(Ordering::Relaxed) >= 0
        && GRANTED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n > 0).then(|| n - 1)).is_err()
}

// SAFETY: all that is granted comes from another allocator.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller vouches.
        if refuses(layout) { std::ptr::null_mut() } else { unsafe { Allocator.alloc(layout) } }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller vouches.
        if refuses(layout) { std::ptr::null_mut() } else { unsafe { Allocator.alloc_zeroed(layout) } }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller vouches.
        unsafe { Allocator.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Failing = Failing;

/// Allocations of other threads, those of the test harness too, are refused with those of a test: so the tests are one for it.
#[test]
fn a_refused_allocation_is_an_error_that_changes_nothing() {
    Allocator::prepare();
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        GRANTED.store(-1, Ordering::Relaxed); // the report of a test that fails takes memory
        report(panic);
    }));
    operations_and_their_gradients_survive_every_refusal();
    a_pass_that_fails_leaves_every_gradient_as_it_was();
    running_statistics_follow_a_batch_or_do_not();
    #[cfg(target_os = "linux")]
    steps_happen_whole_or_not_at_all_when_address_space_is_short();
}

fn normal(shape: &[usize]) -> RBETensor {
    RBETensor::from_array(Array::build(shape, |out: &mut [f32]| random::stream().normal(out)))
}

fn leaf(shape: &[usize]) -> RBETensor {
    normal(shape).requiring_grad().unwrap()
}

fn integers(below: i64, shape: &[usize]) -> RBETensor {
    RBETensor::from_array(Array::build(shape, |out: &mut [i64]| random::stream().integers(0, below, out)))
}

fn packed(shape: &[usize]) -> RBETensor {
    RBETensor::from_packed(PackedTensor::random(shape, None, random::stream()).unwrap(), true)
}

fn bytes_of_array(a: &Array, out: &mut Vec<u8>) {
    let a = a.contiguous();
    rbe_core::dispatch_size!(a.dtype(), T => out.extend(bytemuck::cast_slice::<T, u8>(&a.to_vec::<T>().unwrap())));
}

fn bytes_of_value(t: &RBETensor, out: &mut Vec<u8>) {
    match t.value() {
        rbe_core::Value::Dense(a) => bytes_of_array(a, out),
        rbe_core::Value::Packed(w) => {
            out.extend(bytemuck::cast_slice(&w.lo()[..]));
            out.extend(bytemuck::cast_slice(&w.hi()[..]));
        }
    }
}

/// Bytes of a value and its gradient.
fn bytes_of(t: &RBETensor, out: &mut Vec<u8>) {
    bytes_of_value(t, out);
    match t.grad() {
        Some(Gradient::Dense(g)) => bytes_of_array(&g, out),
        Some(Gradient::Packed(g)) => [g.hi().unwrap(), g.lo().unwrap()].iter().for_each(|g| bytes_of_array(g, out)),
        None => {}
    }
}

fn state(tensors: &[RBETensor]) -> Vec<u8> {
    let mut out = random::state().1.to_le_bytes().to_vec();
    tensors.iter().for_each(|t| bytes_of(t, &mut out));
    out
}

/// Runs `work` with every large allocation refused in turn. Each time it must fail by `Memory` and leave `watched` alone.
fn refuse_each(name: &str, watched: &dyn Fn() -> Vec<u8>, work: &dyn Fn() -> Result<()>) {
    let before = watched();
    for granted in 0.. {
        GradientPool::global().clear();
        GRANTED.store(granted, Ordering::Relaxed);
        let result = work();
        GRANTED.store(-1, Ordering::Relaxed);
        match result {
            Ok(()) => {
                assert!(granted > 0, "{name}: nothing was allocated");
                return;
            }
            Err(RbeError::Memory(_)) => assert!(watched() == before, "{name}: allocation {granted} left something changed"),
            Err(other) => panic!("{name}: allocation {granted}: {other}"),
        }
    }
}

fn sum_of(t: &RBETensor) -> Result<()> {
    t.sum(None, false)?.backward()
}

fn operations_and_their_gradients_survive_every_refusal() {
    let options = || AttentionOptions { causal: true, ..AttentionOptions::default() };
    for threads in [1, 3] {
        parallel::set_num_threads(threads).unwrap();
        let (a, b) = (leaf(&[96, 96]), leaf(&[96, 96]));
        let unary = |name: &str, f: &dyn Fn(&RBETensor) -> Result<RBETensor>| {
            refuse_each(&format!("{name}, {threads} threads"), &|| state(&[a.detach(), b.detach()]), &|| {
                a.set_grad(None)?;
                let y = f(&a)?;
                if y.requires_grad() { sum_of(&y) } else { Ok(()) }
            });
        };
        unary("add", &|a| a.add(&b));
        unary("broadcast", &|a| a.unsqueeze(0)?.broadcast_to(&[3, 96, 96])?.mul(&b));
        unary("matmul", &|a| a.matmul(&b.transpose(0, 1)?));
        unary("double", &|a| a.cast(DType::F64)?.matmul(&b.cast(DType::F64)?));
        unary("exp", &|a| a.transpose(0, 1)?.exp());
        unary("softmax", &|a| a.softmax(0));
        unary("sum", &|a| a.sum(Some(&[0]), false));
        unary("var", &|a| a.var(Some(&[0]), 1.0, false));
        unary("concat", &|a| RBETensor::concat(&[a, &b, a], 1));
        unary("sort", &|a| Ok(a.sort(0, true)?.0));
        unary("topk", &|a| Ok(a.topk(40, -1, true)?.0));
        unary("cumsum", &|a| a.cumsum(0));
        unary("nonzero", &RBETensor::nonzero);
        unary("repeat", &|a| a.repeat(&[2, 2]));
        unary("dropout", &|a| a.detach().dropout(0.5, true)); // a pass that fails later has drawn its mask
        unary("tril", &|a| a.tril(0));
        unary("layer_norm", &|a| a.layer_norm(&[96], Some(&b.narrow(0, 0, 1)?.reshape(&[96])?), None, 1e-5));
        let (rows, places, classes) = (integers(96, &[400]), integers(96, &[96, 60]), integers(96, &[96]));
        unary("index_select", &|a| a.index_select(0, &rows));
        unary("gather", &|a| a.gather(1, &places));
        unary("cross_entropy", &|a| a.cross_entropy(&classes, CrossEntropyOptions::default()));
        unary("encode", &|a| PackedTensor::encode(a.array("encode")?, None).map(|w| RBETensor::from_packed(w, false)));
        unary("attention", &|a| a.attention(&b, &b, None, options()));
        unary("self_attention", &|a| a.self_attention(4, None, options()));
        let windows = Windows::new("conv", &[3, 3], &[1, 1], &[(1, 1), (1, 1)], &[1, 1]).unwrap();
        let filters = [packed(&[8, 4, 3, 3]), leaf(&[8, 4, 3, 3])];
        for filters in &filters {
            unary("conv", &|a| a.reshape(&[4, 4, 24, 24])?.conv(filters, None, &windows, 1));
        }
        let filters = [packed(&[4, 8, 3, 3]), leaf(&[4, 8, 3, 3])];
        for filters in &filters {
            unary("conv_transpose", &|a| a.reshape(&[4, 4, 24, 24])?.conv_transpose(filters, None, &windows, &[0, 0], 1));
        }
        unary("max_pool", &|a| a.reshape(&[4, 4, 24, 24])?.max_pool(&windows, false));
        unary("sort", &|a| Ok(a.sort(0, false)?.0));
        unary("unfold", &|a| a.reshape(&[4, 4, 24, 24])?.unfold(&windows));
        let (weight, table, some) = (packed(&[80, 96]), packed(&[96, 96]), integers(96, &[200]));
        unary("packed_linear", &|a| a.packed_linear(&weight, None));
        unary("packed_embedding", &|_| table.embedding(&some, None));
        let activation = RBEActivation::with(96, Family::Tanh).unwrap();
        unary("activation", &|a| activation.forward(a));
        let (recurrent, first) = (packed(&[4 * 40, 40]), normal(&[24, 40]));
        unary("LSTM", &|a| {
            let x = RBETensor::concat(&[a, &b, a], 0)?.narrow(0, 0, 240)?.reshape(&[6, 24, 160])?;
            let (states, last, _) = x.recurrent(Cell::Lstm, &recurrent, None, (&first, Some(&first)), false)?;
            states.add(&last)
        });
    }
}

fn a_pass_that_fails_leaves_every_gradient_as_it_was() {
    parallel::set_num_threads(2).unwrap();
    let (layer, x, other) = (RBELinear::new(96, 80).unwrap(), leaf(&[64, 96]), leaf(&[64, 80]));
    let forward = || layer.forward(&x)?.mul(&other)?.tanh();
    sum_of(&forward().unwrap()).unwrap();
    let watched: Vec<RBETensor> = layer.parameters().into_iter().chain([x.clone(), other.clone()]).collect();
    let ready = Mutex::new(None);
    // The forward pass is run beforehand, whenever the state is looked at, so that what is refused is refused to the pass.
    refuse_each(
        "backward",
        &|| {
            *ready.lock().unwrap() = Some(forward().unwrap());
            state(&watched)
        },
        &|| {
            let y = ready.lock().unwrap().take();
            y.map_or(Ok(()), |y| sum_of(&y))
        },
    );
}

fn running_statistics_follow_a_batch_or_do_not() {
    const WIDTH: usize = 1024;
    let full = |v: f64| Array::full(DType::F32, &[WIDTH], v);
    let (x, weight, bias, mean, var) = (normal(&[64, WIDTH]), leaf(&[WIDTH]), leaf(&[WIDTH]), full(0.0), full(1.0));
    let watched = || state(&[RBETensor::from_array(mean.clone()), RBETensor::from_array(var.clone())]);
    let fresh = watched();
    refuse_each("batch_norm", &watched, &|| {
        let running = Running { mean: mean.clone(), var: var.clone(), momentum: 0.1 };
        x.batch_norm(Some(running), Some(&weight), Some(&bias), true, 1e-5).map(|_| ())
    });
    assert!(watched() != fresh);
}

/// Address space of the process now, in bytes.
#[cfg(target_os = "linux")]
fn used() -> u64 {
    let pages: u64 = std::fs::read_to_string("/proc/self/statm").unwrap().split_whitespace().next().unwrap().parse().unwrap();
    pages * 4096
}

#[cfg(target_os = "linux")]
fn limit(bytes: u64) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the limit is a value.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
}

/// Runs `work` with more and more address space until it succeeds. Each failure must be `Memory` and leave `watched` alone.
#[cfg(target_os = "linux")]
fn squeeze(name: &str, step: u64, watched: &dyn Fn() -> Vec<u8>, work: &dyn Fn() -> Result<()>) {
    let before = watched();
    for k in 0..2000 {
        GradientPool::global().clear();
        limit(used() + k * step);
        let result = work();
        limit(libc::RLIM_INFINITY);
        match result {
            Ok(()) => {
                assert!(k > 0, "{name}: it needed nothing");
                return;
            }
            Err(RbeError::Memory(_)) => assert!(watched() == before, "{name}: something changed with {} KiB", k * step / 1024),
            Err(other) => panic!("{name}: {other}"),
        }
    }
    panic!("{name}: never enough");
}

#[cfg(target_os = "linux")]
fn steps_happen_whole_or_not_at_all_when_address_space_is_short() {
    use rbe_core::kernel::update::Precision;
    for threads in [1, 3] {
        parallel::set_num_threads(threads).unwrap();
        for evidence in [Precision::Int8, Precision::Exact] {
            let layers: Vec<RBELinear> = [(1024, 768), (64, 1024), (2048, 256)].map(|(i, o)| RBELinear::new(i, o).unwrap()).into();
            let activation = RBEActivation::with(512, Family::Tanh).unwrap();
            let params: Vec<RBETensor> = layers.iter().flat_map(Layer::parameters).chain(activation.parameters()).collect();
            let rates = Rates { evidence, ..Rates::default() };
            let optimizer = HybridOptimizer::with_groups(vec![(params.clone(), rates)], NonFinite::Error, false, 0).unwrap();
            for layer in &layers {
                let x = normal(&[200, layer.weight().shape()[1]]);
                sum_of(&layer.forward(&x).unwrap().tanh().unwrap()).unwrap();
            }
            // Few samples, for the step works out eleven functions of each; how many there are does not change what it allocates.
            sum_of(&activation.forward(&normal(&[12, 512])).unwrap()).unwrap();
            let watched = || {
                let mut out = optimizer.steps().to_le_bytes().to_vec();
                for (i, p) in params.iter().enumerate() {
                    bytes_of_value(p, &mut out);
                    for (_, a) in optimizer.state_of(i).unwrap().0 {
                        bytes_of_array(&a, &mut out);
                    }
                }
                out
            };
            squeeze(&format!("{evidence:?} step, {threads} threads"), 200 << 10, &watched, &|| optimizer.step());
        }
        let tensors = [leaf(&[700, 900]), leaf(&[50, 40, 30]), leaf(&[900, 100])];
        let rule = DenseRule::Adam { betas: (0.9, 0.999), eps: 1e-8, decoupled: true, amsgrad: false };
        let rates = DenseRates { lr: 0.1, weight_decay: 0.0, maximize: false };
        let optimizer = Mutex::new(DenseOptimizer::new(rule, vec![(tensors.to_vec(), rates)]).unwrap());
        // Gradients that are not contiguous take copies.
        tensors.iter().for_each(|t| t.set_grad(Some(Gradient::Dense(transposed(t)))).unwrap());
        let watched = || {
            let mut out = state(&tensors);
            for s in optimizer.lock().unwrap().states() {
                s.arrays.iter().for_each(|a| bytes_of_array(a, &mut out));
            }
            out
        };
        squeeze("dense step", 200 << 10, &watched, &|| optimizer.lock().unwrap().step());
    }
}

/// A gradient of the tensor's shape, column by column in memory.
fn transposed(t: &RBETensor) -> Array {
    let mut shape = t.shape().to_vec();
    shape.reverse();
    let axes: Vec<isize> = (0..shape.len() as isize).rev().collect();
    normal(&shape).array("gradient").unwrap().permute(&axes).unwrap()
}
