//! The gradients of packed tensors against their definitions, and the kernels against their plain twins.

mod common;

use common::numbers;
use rbe_core::array::Array;
use rbe_core::gradient::{Gradient, RBEGradient};
use rbe_core::kernel::packed::reference::{self, TwoLevel};
use rbe_core::kernel::packed::{self as kernel, Grads};
use rbe_core::op::MatmulPrecision;
use rbe_core::packed::{Cycle, FactorPair, Family, PackedTensor, levels};
use rbe_core::{DType, RBETensor};

fn packed(seed: u64, rows: usize, cols: usize) -> PackedTensor {
    common::packed(seed + 50, [rows, cols], 0.6, None)
}

fn wide_levels(w: &PackedTensor) -> Vec<f64> {
    w.lo().chunks_exact(2).flat_map(|z| levels([f64::from(z[0]), f64::from(z[1])], f64::from(w.scale()))).collect()
}

fn tensor(data: &[f32], shape: &[usize]) -> RBETensor {
    RBETensor::new(data, shape).unwrap()
}

fn read(w: &RBETensor) -> RBEGradient {
    match w.grad() {
        Some(Gradient::Packed(cache)) => cache.read().unwrap(),
        _ => panic!("no packed gradient"),
    }
}

#[test]
fn hi_is_the_loss_change_of_a_flip_and_interaction_its_derivative() {
    // The gradient in int8 is that of rounded inputs.
    MatmulPrecision::replace_of_thread(Some(MatmulPrecision::Float32));
    let (rows, cols, batch, blocks) = (3, 70, 4, 2);
    let (x, c) = (numbers(1, batch * cols), numbers(2, batch * rows));
    let w = packed(3, rows, cols);
    let weight = RBETensor::from_packed(w.clone(), true);
    let y = tensor(&x, &[batch, cols]).packed_matmul(&weight).unwrap();
    y.mul(&tensor(&c, &[batch, rows])).unwrap().sum(None, false).unwrap().backward().unwrap();
    let found = read(&weight);
    let (hi_grad, lo_grad, interaction) =
        (found.hi.to_vec::<f32>().unwrap(), found.lo.to_vec::<f32>().unwrap(), found.interaction.to_vec::<f32>().unwrap());

    let (hi, lo, scale) = (w.hi(), w.lo().iter().map(|v| f64::from(*v)).collect::<Vec<_>>(), f64::from(w.scale()));
    let wide: Vec<f64> = x.iter().map(|v| f64::from(*v)).collect();
    // Linear in W, in float64: Σ c ∘ (x Wᵀ).
    let loss = |hi: &[u64], lo: &[f64]| {
        let v: Vec<f64> = lo.chunks_exact(2).flat_map(|z| levels([z[0], z[1]], scale)).collect();
        let mut y = vec![0.0; batch * rows];
        reference::forward(&wide, batch, TwoLevel { hi, v: &v, rows, cols }, None, &mut y);
        y.iter().zip(&c).map(|(y, c): (&f64, &f32)| y * f64::from(*c)).sum::<f64>()
    };
    let base = loss(&hi, &lo);
    let h = 1e-5;
    for block in 0..rows * blocks {
        let used = if block % blocks == blocks - 1 { cols - 64 } else { 64 };
        for axis in 0..2 {
            let moved = |by: f64| {
                let mut lo = lo.clone();
                lo[2 * block + axis] += by;
                lo
            };
            let slope = (loss(&hi, &moved(h)) - loss(&hi, &moved(-h))) / (2.0 * h);
            let got = f64::from(lo_grad[2 * block + axis]);
            assert!((slope - got).abs() < 1e-5 * (1.0 + slope.abs()), "lo {block} {axis}: {got} {slope}");
        }
        for k in 0..64 {
            let at = block * 64 + k;
            if k >= used {
                assert_eq!((hi_grad[at], interaction[2 * at], interaction[2 * at + 1]), (0.0, 0.0, 0.0));
                continue;
            }
            let mut flipped = hi.clone();
            flipped[block] ^= 1 << k;
            let change = loss(&flipped, &lo) - base;
            assert!((change - f64::from(hi_grad[at])).abs() < 1e-5, "hi {block} {k}: {} {change}", hi_grad[at]);
            for axis in 0..2 {
                let delta = |by: f64| {
                    let mut lo = lo.clone();
                    lo[2 * block + axis] += by;
                    loss(&flipped, &lo) - loss(&hi, &lo)
                };
                let mixed = (delta(h) - delta(-h)) / (2.0 * h);
                let got = f64::from(interaction[2 * at + axis]);
                assert!((mixed - got).abs() < 1e-5 * (1.0 + mixed.abs()), "interaction {block} {k} {axis}: {got} {mixed}");
            }
        }
    }
}

#[test]
fn hi_is_the_first_order_term_of_a_curved_loss() {
    // The gradient in int8 is that of rounded inputs.
    MatmulPrecision::replace_of_thread(Some(MatmulPrecision::Float32));
    // loss = Σ (x Wᵀ)²; the error of Δ over the level gap must vanish with the gap.
    let (cols, batch) = (64, 3);
    let x = numbers(1, batch * cols);
    let mut errors = Vec::new();
    for gap in [0.2f32, 0.02, 0.002] {
        let w = PackedTensor::new(&[1, cols], &[0x0f0f_3355_aa00_ff12], &[0.3 + gap, 0.3 - gap], Some(1.0)).unwrap();
        let weight = RBETensor::from_packed(w.clone(), true);
        let y = tensor(&x, &[batch, cols]).packed_matmul(&weight).unwrap();
        y.square().unwrap().sum(None, false).unwrap().backward().unwrap();
        let found = read(&weight).hi.to_vec::<f32>().unwrap();
        let v = wide_levels(&w);
        let wide: Vec<f64> = x.iter().map(|v| f64::from(*v)).collect();
        let loss = |hi: u64| {
            let mut y = vec![0.0; batch];
            reference::forward(&wide, batch, TwoLevel { hi: &[hi], v: &v, rows: 1, cols }, None, &mut y);
            y.iter().map(|y| y * y).sum::<f64>()
        };
        let hi = w.hi()[0];
        let worst = (0..64).map(|k| (loss(hi ^ (1 << k)) - loss(hi) - f64::from(found[k])).abs()).fold(0.0, f64::max);
        errors.push(worst / f64::from(gap));
    }
    assert!(errors[1] < errors[0] / 5.0 && errors[2] < errors[1] / 5.0, "{errors:?}");
}

#[test]
fn uses_add_up_and_reading_after_a_change_is_refused() {
    let weight = RBETensor::from_packed(packed(1, 5, 64), true);
    let (x, y) = (tensor(&numbers(1, 128), &[2, 64]), tensor(&numbers(2, 192), &[3, 64]));
    let run = |inputs: &[&RBETensor]| {
        weight.set_grad(None).unwrap();
        for x in inputs {
            x.packed_matmul(&weight).unwrap().square().unwrap().sum(None, false).unwrap().backward().unwrap();
        }
        read(&weight).hi.to_vec::<f32>().unwrap()
    };
    let (a, b, both) = (run(&[&x]), run(&[&y]), run(&[&x, &y]));
    assert!(a.iter().zip(&b).zip(&both).all(|((a, b), c)| (a + b - c).abs() < 1e-4 * (1.0 + c.abs())));
    // One graph with two uses of the weight.
    weight.set_grad(None).unwrap();
    let sum = |x: &RBETensor| x.packed_matmul(&weight).unwrap().square().unwrap().sum(None, false).unwrap();
    sum(&x).add(&sum(&y)).unwrap().backward().unwrap();
    assert_eq!(read(&weight).hi.to_vec::<f32>().unwrap(), both);
    drop(weight.packed("test").unwrap().tiles_mut());
    let Some(Gradient::Packed(cache)) = weight.grad() else { panic!() };
    assert!(cache.hi().unwrap_err().to_string().contains("zero_grad"));
}

/// Error bound of a sum of `n` products of numbers up to 1, in units of their largest sum.
fn bound(n: usize) -> f64 {
    4.0 * f64::from(f32::EPSILON) * (n as f64).sqrt().max(4.0)
}

#[test]
fn products_agree_with_the_plain_twin_on_awkward_shapes() {
    for rows in [1, 2, 15, 16, 17, 31, 33, 64, 65, 130] {
        for cols in [1, 5, 63, 64, 65, 127, 128, 200] {
            for batch in [0, 1, 2, 3, 7, 8, 15, 16, 17, 33, 70] {
                if (rows * cols * batch) % 3 == 1 {
                    continue; // a third of the combinations is enough
                }
                check(rows, cols, batch);
            }
        }
    }
}

fn check(rows: usize, cols: usize, batch: usize) {
    let (w, x, dy, bias) = (packed(7, rows, cols), numbers(1, batch * cols), numbers(2, batch * rows), numbers(3, rows));
    let blocks = w.blocks();
    let wide = |v: &[f32]| v.iter().map(|v| f64::from(*v)).collect::<Vec<f64>>();
    let v = wide_levels(&w);
    let hi = w.hi();
    let two = TwoLevel { hi: &hi, v: &v, rows, cols };
    let close = |what: &str, got: &[f32], want: &[f64], n: usize| {
        let top = want.iter().fold(1.0f64, |m, v| m.max(v.abs()));
        for (i, (g, w)) in got.iter().zip(want).enumerate() {
            assert!((f64::from(*g) - w).abs() <= bound(n) * top, "{what} {rows}x{cols} batch {batch} at {i}: {g} {w}");
        }
    };
    let mut y = vec![f32::NAN; batch * rows];
    kernel::forward(&x, batch, &w, Some(&bias), &mut y);
    let mut want = vec![0.0; batch * rows];
    reference::forward(&wide(&x), batch, two, Some(&wide(&bias)), &mut want);
    close("forward", &y, &want, cols);

    let (mut dx, mut gv, mut db) = (vec![f32::NAN; batch * cols], vec![f32::NAN; rows * blocks * 2], vec![f32::NAN; rows]);
    kernel::backward(FactorPair { x: &x, dy: &dy, batch }, &w, Grads { dx: Some(&mut dx), levels: Some(&mut gv), bias: Some(&mut db) });
    let mut want = vec![0.0; batch * cols];
    reference::dx(&wide(&dy), batch, two, &mut want);
    close("dx", &dx, &want, rows);
    let mut g = vec![0.0; rows * blocks * 64];
    reference::weight_gradient(&wide(&x), &wide(&dy), batch, rows, cols, &mut g);
    let mut want = vec![0.0; rows * blocks * 2];
    reference::level_gradient(&g, &hi, &mut want);
    close("levels", &gv, &want, batch * 64);
    let want: Vec<f64> = (0..rows).map(|n| (0..batch).map(|b| f64::from(dy[b * rows + n])).sum()).collect();
    close("bias", &db, &want, batch);
    let mut got = vec![f32::NAN; rows * blocks * 64];
    let half = batch / 2;
    let factors = [
        FactorPair { x: &x[..half * cols], dy: &dy[..half * rows], batch: half },
        FactorPair { x: &x[half * cols..], dy: &dy[half * rows..], batch: batch - half },
    ];
    kernel::weight_gradient(&factors, &w, &mut got);
    close("G", &got, &g, batch);
}

#[test]
fn results_are_bit_equal_for_any_thread_count() {
    let run = || {
        let w = packed(7, 200, 300);
        let (x, dy) = (numbers(1, 40 * 300), numbers(2, 40 * 200));
        let (mut y, mut dx, mut gv) = (vec![0.0; 40 * 200], vec![0.0; 40 * 300], vec![0.0; 200 * 5 * 2]);
        kernel::forward(&x, 40, &w, None, &mut y);
        kernel::backward(FactorPair { x: &x, dy: &dy, batch: 40 }, &w, Grads { dx: Some(&mut dx), levels: Some(&mut gv), bias: None });
        let big = Array::from_slice(&numbers::<f32>(5, 70_000), &[70, 1000]).unwrap();
        let sums = (
            big.sum_axes(&[0]).to_vec::<f32>().unwrap(),
            big.sum_axes(&[1]).to_vec::<f32>().unwrap(),
            big.sum_axes(&[0, 1]).item().unwrap(),
        );
        let a = tensor(&numbers(6, 300 * 170), &[300, 170]);
        let product = a.matmul(&a.transpose(0, 1).unwrap()).unwrap().array("test").unwrap().to_vec::<f32>().unwrap();
        (y, dx, gv, sums, product)
    };
    rbe_core::parallel::set_num_threads(1).unwrap();
    let one = run();
    for threads in [2, 4, 8] {
        rbe_core::parallel::set_num_threads(threads).unwrap();
        assert!(run() == one, "{threads} threads");
    }
}

#[test]
fn the_packed_activation_follows_its_float64_twin() {
    let (features, batch) = (3, 300);
    let states: Vec<u64> = [Family::Circular, Family::Tanh, Family::Log].map(|f| Cycle::initial(f).bits()).to_vec();
    let lo = [0.3f32, 0.2, -0.5, 0.4, 0.1, -0.6];
    let w = RBETensor::from_packed(PackedTensor::new(&[features, 11], &states, &lo, Some(1.0)).unwrap(), true);
    let (x, c) = (numbers(1, batch * features), numbers(2, batch * features));
    let narrow = tensor(&x, &[batch, features]).requiring_grad().unwrap();
    narrow.packed_activation(&w).unwrap().mul(&tensor(&c, &[batch, features])).unwrap().sum(None, false).unwrap().backward().unwrap();
    let found = read(&w);

    let wide = |t: &RBETensor| t.cast(DType::F64).unwrap().detach().requiring_grad().unwrap();
    let loss = |hi: &[u64], z: &[f64]| {
        let z = RBETensor::new(z, &[features, 2]).unwrap();
        let y = tensor(&x, &[batch, features]).cast(DType::F64).unwrap().rbe_activation(hi, &z).unwrap();
        y.mul(&tensor(&c, &[batch, features])).unwrap().sum(None, false).unwrap().item().unwrap()
    };
    let (x64, z64) = (wide(&tensor(&x, &[batch, features])), wide(&tensor(&lo, &[features, 2])));
    x64.rbe_activation(&states, &z64).unwrap().mul(&tensor(&c, &[batch, features])).unwrap().sum(None, false).unwrap().backward().unwrap();
    let dense = |t: &RBETensor| match t.grad() {
        Some(Gradient::Dense(g)) => g.cast(DType::F64).to_vec::<f64>().unwrap(),
        _ => panic!(),
    };
    let near = |a: f64, b: f64| (a - b).abs() <= 2e-4 * (1.0 + b.abs());
    assert!(dense(&narrow).iter().zip(dense(&x64)).all(|(a, b)| near(*a, b)));
    assert!(found.lo.to_vec::<f32>().unwrap().iter().zip(dense(&z64)).all(|(a, b)| near(f64::from(*a), b)));

    // Flips and the mixed differences, from the loss itself.
    let z: Vec<f64> = lo.iter().map(|v| f64::from(*v)).collect();
    let (hi, interaction) = (found.hi.to_vec::<f32>().unwrap(), found.interaction.to_vec::<f32>().unwrap());
    let base = loss(&states, &z);
    for unit in 0..features {
        for j in 0..64 {
            let at = unit * 64 + j;
            if j >= 11 {
                assert_eq!(hi[at], 0.0);
                continue;
            }
            let mut flipped = states.clone();
            flipped[unit] ^= 1 << j;
            if Cycle::from_bits(flipped[unit]).is_none() {
                assert_eq!(hi[at], f32::INFINITY);
                continue;
            }
            assert!(near(f64::from(hi[at]), loss(&flipped, &z) - base), "unit {unit} bit {j}: {} {}", hi[at], loss(&flipped, &z) - base);
            for axis in 0..2 {
                let delta = |by: f64| {
                    let mut z = z.clone();
                    z[2 * unit + axis] += by;
                    loss(&flipped, &z) - loss(&states, &z)
                };
                let mixed = (delta(1e-5) - delta(-1e-5)) / 2e-5;
                assert!(near(f64::from(interaction[2 * at + axis]), mixed), "unit {unit} bit {j}");
            }
        }
    }
}

#[test]
fn bad_blocks_are_refused() {
    let bad = |shape: &[usize], hi: &[u64], lo: &[f32], scale| {
        PackedTensor::new(shape, hi, lo, scale).err().map(|e| e.to_string()).unwrap_or_default()
    };
    assert!(bad(&[1, 5], &[32], &[0.1, 0.2], None).contains("unused"));
    assert!(bad(&[1, 5], &[1], &[0.9, 0.9], None).contains("|z|"));
    assert!(bad(&[1, 5], &[1], &[f32::NAN, 0.9], None).contains("finite"));
    assert!(bad(&[1, 5], &[1, 2], &[0.1, 0.9], None).contains("(1, 1)"));
    assert!(bad(&[1, 5], &[1], &[0.1], None).contains("(1, 1, 2)"));
    assert!(bad(&[1, 5], &[1], &[0.1, 0.1], Some(0.0)).contains("scale"));
    assert!(bad(&[5], &[1], &[0.1, 0.1], None).contains("two or more axes"));
}

#[test]
fn rows_of_a_packed_table_are_products_with_unit_vectors() {
    let (rows, cols) = (37, 70);
    // Few rows of the table, and more than it is wide, with repetitions.
    for index in [vec![3i64, 0, 3, 36], (0..148).map(|i| i * 5 % 37).collect()] {
        let table = RBETensor::from_packed(PackedTensor::random(&[rows, cols], Some(1.0), rbe_core::random::stream()).unwrap(), true);
        let n = index.len();
        let up = RBETensor::new(&(0..n * cols).map(|i| (i as f32 * 0.7).sin()).collect::<Vec<_>>(), &[n, cols]).unwrap();
        let gradient = |y: &RBETensor| {
            table.set_grad(None).unwrap();
            y.mul(&up).unwrap().sum(None, false).unwrap().backward().unwrap();
            match table.grad() {
                Some(Gradient::Packed(cache)) => {
                    let read = cache.read().unwrap();
                    [read.hi, read.lo, read.interaction].map(|a| a.to_vec::<f32>().unwrap())
                }
                _ => panic!("no packed gradient"),
            }
        };
        let indices = RBETensor::new(&index, &[n]).unwrap();
        let found = table.embedding(&indices, None).unwrap();
        // Row i of the table is column i of `unit Wᵀ` transposed, with the unit matrix as x.
        let unit: Vec<f32> = (0..cols * cols).map(|i| f32::from(i % (cols + 1) == 0)).collect();
        let dense = RBETensor::new(&unit, &[cols, cols]).unwrap().packed_matmul(&table).unwrap().transpose(0, 1).unwrap();
        let wanted = dense.embedding(&indices, None).unwrap();
        assert_eq!(found.array("test").unwrap().to_vec::<f32>().unwrap(), wanted.array("test").unwrap().to_vec::<f32>().unwrap());
        for (a, b) in gradient(&found).iter().zip(gradient(&wanted)) {
            let largest = b.iter().fold(0.0f32, |m, v| m.max(v.abs()));
            assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= 1e-5 * largest), "{n} rows asked for");
        }
    }
}
