//! Dense operations give the same bits on every instruction set and for every number of threads, and those of f32 agree with those
//! of f64. The instruction set belongs to the process: these tests have one of their own.

use std::sync::Mutex;

use rbe_core::array::Array;
use rbe_core::gradient::Gradient;
use rbe_core::isa::{Isa, set_isa};
use rbe_core::op::CrossEntropyOptions;
use rbe_core::{DType, RBETensor, Result, parallel};

const ROWS: usize = 173;
const WIDTH: usize = 301;

type Operation = (&'static str, fn(&RBETensor, &RBETensor) -> Result<RBETensor>);

const OPERATIONS: &[Operation] = &[
    ("exp", |x, _| x.exp()),
    ("log", |x, _| x.square()?.log()),
    ("expm1", |x, _| x.expm1()),
    ("log1p", |x, _| x.square()?.log1p()),
    ("sin", |x, _| x.sin()),
    ("cos", |x, _| x.cos()),
    ("powf", |x, _| x.square()?.powf(1.3)),
    ("pow", |x, y| x.square()?.pow(&y.sigmoid()?)),
    ("softplus", |x, _| x.softplus(1.5)),
    ("elu", |x, _| x.elu(1.2)),
    ("leaky_relu", |x, _| x.leaky_relu(0.1)),
    ("sqrt", |x, _| x.square()?.sqrt()),
    ("tanh", |x, _| x.tanh()),
    ("sigmoid", |x, _| x.sigmoid()),
    ("silu", |x, _| x.silu()),
    ("gelu", |x, _| x.gelu()),
    ("gelu_tanh", |x, _| x.gelu_tanh()),
    ("arithmetic", |x, y| x.mul(y)?.add(x)?.sub(&y.div(&x.exp()?.add(&y.exp()?)?)?)),
    ("row", |x, y| x.mul(&y.sum(Some(&[0]), true)?)),
    ("column", |x, y| x.sub(&y.mean(Some(&[1]), true)?)),
    ("transposed", |x, y| x.transpose(0, 1)?.mul(&y.transpose(0, 1)?.exp()?)),
    ("turned against straight", |x, y| x.transpose(0, 1)?.reshape(&[ROWS as isize, WIDTH as isize])?.mul(y)),
    ("softmax", |x, _| x.softmax(-1)),
    ("softmax of columns", |x, _| x.softmax(0)),
    ("log_softmax", |x, _| x.log_softmax(-1)),
    ("logsumexp", |x, _| x.logsumexp(None, false)),
    ("max", |x, y| x.max(None, false)?.add(&y.min(Some(&[1]), false)?)),
    ("norm", |x, y| x.norm(2.0, None, false)?.add(&y.var(Some(&[1]), 1.0, false)?)),
    ("layer_norm", |x, y| {
        let weight = y.sum(Some(&[0]), false)?;
        x.layer_norm(&[WIDTH], Some(&weight), Some(&weight.square()?), 1e-5)
    }),
    ("rms_norm", |x, y| x.rms_norm(&[WIDTH], Some(&y.sum(Some(&[0]), false)?), 1e-5)),
    ("cross_entropy", |x, _| x.cross_entropy(&classes()?, CrossEntropyOptions::default())),
    ("matmul", |x, y| x.matmul(&y.transpose(0, 1)?)),
];

fn classes() -> Result<RBETensor> {
    RBETensor::new(&(0..ROWS as i64).map(|i| i * 37 % WIDTH as i64).collect::<Vec<_>>(), &[ROWS])
}

fn input(seed: f64) -> Vec<f64> {
    (0..ROWS * WIDTH).map(|i| f64::from(((i as f64 * seed).sin() * 3.0 + 0.1) as f32)).collect()
}

/// Held by whoever changes the settings of the process.
static SETTINGS: Mutex<()> = Mutex::new(());

/// The result and the gradients of both inputs, where they take part.
fn run(operation: &Operation, dtype: DType) -> Vec<Array> {
    let leaf = |seed| RBETensor::new(&input(seed), &[ROWS, WIDTH]).unwrap().cast(dtype).unwrap().detach().requiring_grad().unwrap();
    let (x, y) = (leaf(0.37), leaf(0.11));
    let result = operation.1(&x, &y).unwrap();
    result.mul(&result).unwrap().sum(None, false).unwrap().backward().unwrap();
    let gradient = |t: &RBETensor| match t.grad() {
        Some(Gradient::Dense(g)) => Some(g),
        _ => None,
    };
    [Some(result.array("test").unwrap().clone()), gradient(&x), gradient(&y)].into_iter().flatten().collect()
}

#[test]
fn bits_depend_on_neither_threads_nor_instruction_set() {
    let _settings = SETTINGS.lock().unwrap_or_else(|e| e.into_inner());
    for operation in OPERATIONS {
        let mut first: Option<Vec<Vec<u32>>> = None;
        for isa in Isa::for_tests() {
            // The library of matrix products chooses its instructions itself; tiles add in another order.
            set_isa(Some(isa.name())).unwrap();
            if operation.0 == "matmul" && isa.name() == "amx" {
                first = None;
            }
            for threads in [1, 2, 3] {
                parallel::set_num_threads(threads).unwrap();
                let found = run(operation, DType::F32);
                let found: Vec<Vec<u32>> = found.iter().map(|a| bits(&a.to_vec::<f32>().unwrap())).collect();
                match &first {
                    Some(first) => assert!(*first == found, "{} on {} with {threads} threads", operation.0, isa.name()),
                    None => first = Some(found),
                }
            }
        }
    }
}

#[test]
fn single_precision_agrees_with_double() {
    for operation in OPERATIONS {
        let (narrow, wide) = (run(operation, DType::F32), run(operation, DType::F64));
        for (narrow, wide) in narrow.iter().zip(&wide) {
            let (narrow, wide) = (narrow.to_vec::<f32>().unwrap(), wide.to_vec::<f64>().unwrap());
            let largest = wide.iter().fold(0.0f64, |m, v| m.max(v.abs()));
            let worst = narrow.iter().zip(&wide).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
            assert!(worst <= 2e-5 * largest, "{}: {worst} of {largest}", operation.0);
        }
    }
}

#[test]
fn infinities_and_nan_go_where_they_go_in_torch() {
    const INF: f32 = f32::INFINITY;
    let of = |values: &[f32], f: fn(&RBETensor) -> Result<RBETensor>| {
        let t = RBETensor::new(values, &[1, values.len()]).unwrap();
        f(&t).unwrap().array("test").unwrap().to_vec::<f32>().unwrap()
    };
    let nan = |values: &[f32]| values.iter().all(|v| v.is_nan());
    let _settings = SETTINGS.lock().unwrap_or_else(|e| e.into_inner());
    for isa in Isa::for_tests() {
        set_isa(Some(isa.name())).unwrap();
        assert!(nan(&of(&[-INF; 40], |x| x.softmax(-1))) && nan(&of(&[-INF; 40], |x| x.log_softmax(-1))));
        assert!(nan(&of(&[1.0, INF, 2.0], |x| x.softmax(-1))) && nan(&of(&[1.0, f32::NAN, 2.0], |x| x.softmax(-1))));
        assert_eq!(of(&[-INF, 0.0, 0.0], |x| x.softmax(-1)), [0.0, 0.5, 0.5]);
        for at in [0, 5, 63, 64, 99] {
            let mut values = vec![1.0f32; 100];
            values[at] = f32::NAN;
            assert!(nan(&of(&values, |x| x.max(None, false))) && nan(&of(&values, |x| x.min(Some(&[1]), false))));
            values[at] = -INF;
            assert_eq!(of(&values, |x| x.min(None, false)), [-INF]);
        }
        assert_eq!(of(&[INF, 20.0], |x| x.gelu()), [INF, 20.0]);
        assert_eq!(of(&[INF, 1e30, -1e30], |x| x.gelu_tanh()), [INF, 1e30, -0.0]);
        assert!(nan(&of(&[-INF], |x| x.gelu())) && nan(&of(&[-INF], |x| x.silu())));
        assert_eq!(bits(&of(&[-0.0, 0.0], |x| x.tanh())), bits(&[-0.0, 0.0]));
        // Beyond the numbers that the fast circle reaches.
        assert_eq!(of(&[1e30, -3e38], |x| x.sin()), [1e30f32, -3e38].map(f32::sin));
        assert!(nan(&of(&[INF, -INF, f32::NAN], |x| x.cos())) && nan(&of(&[f32::NAN], |x| x.gelu())));
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}
