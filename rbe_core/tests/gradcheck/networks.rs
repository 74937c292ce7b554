//! Cases of the operations of layers.

use rbe_core::array::Array;
use rbe_core::op::{AttentionOptions, Cell, CrossEntropyOptions, Reduction, Running, Windows, mse_loss};
use rbe_core::packed::{Cycle, Family, PackedTensor};
use rbe_core::{DType, RBETensor};

use super::common::numbers;
use super::{Cases, ints, positive, t};

/// Products with dense and with packed weights.
pub fn products(c: &mut Cases) {
    for (a, b) in [
        (vec![3, 4], vec![4, 2]),
        (vec![2, 3, 4], vec![4, 5]),
        (vec![2, 1, 3, 4], vec![3, 4, 2]),
        (vec![4], vec![4]),
        (vec![4], vec![4, 3]),
        (vec![2, 3, 4], vec![4]),
    ] {
        c.add("matmul", vec![t(1, &a), t(2, &b)], |x| x[0].matmul(&x[1]));
    }
    c.add("matmul", vec![t(1, &[4, 3]), t(2, &[2, 4])], |x| x[0].transpose(0, 1)?.matmul(&x[1].transpose(0, 1)?));
    c.add("linear", vec![t(1, &[2, 3, 4]), t(2, &[5, 4]), t(3, &[5])], |x| x[0].linear(&x[1], Some(&x[2])));
    c.add("linear", vec![t(1, &[3, 4]), t(2, &[5, 4])], |x| x[0].linear(&x[1], None));

    let (rows, cols) = (5, 70); // a partial block of 6 weights
    let hi: Vec<u64> =
        (0..rows as u64 * 2).map(|i| (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) & if i % 2 == 1 { 63 } else { u64::MAX }).collect();
    let z = || {
        let small: Vec<f64> = numbers(9, rows * 2 * 2).into_iter().map(|v: f64| v * 0.65).collect();
        RBETensor::new(&small, &[rows, 2, 2]).unwrap().requiring_grad().unwrap()
    };
    let words = hi.clone();
    c.add("two_level_linear", vec![t(1, &[2, 3, cols]), z(), t(3, &[rows])], move |x| {
        x[0].two_level_linear(&words, &x[1], 0.2, Some(&x[2]))
    });
    c.add("two_level_linear", vec![t(1, &[3, cols]), z()], move |x| x[0].two_level_linear(&hi, &x[1], 0.2, None));
    // The packed tensor itself is no float64 input; x and bias are, and hi, lo, interaction have tests of their own.
    let lo: Vec<f32> = numbers(8, rows * 2 * 2).into_iter().map(|v: f32| v * 0.6).collect();
    let bits: Vec<u64> = (0..rows as u64 * 2).map(|i| if i % 2 == 1 { i } else { !i << 3 }).collect();
    let w = RBETensor::from_packed(PackedTensor::new(&[rows, cols], &bits, &lo, None).unwrap(), true);
    c.add("packed_linear", vec![t(1, &[2, 3, cols]), t(3, &[rows])], move |x| x[0].packed_linear(&w, Some(&x[1])));
}

/// Activations, norms and losses.
pub fn layers(c: &mut Cases) {
    for family in Family::ALL {
        for phase in 0..2 {
            let hi: Vec<u64> = (0..3).map(|i| Cycle { family, phase, frequency: 28 + 3 * i }.bits()).collect();
            let point = || RBETensor::new(&[0.3, 0.2, -0.5, 0.4, 0.1, -0.6], &[3, 2]).unwrap().requiring_grad().unwrap();
            c.add("rbe_activation", vec![t(1, &[4, 3]), point()], move |x| x[0].rbe_activation(&hi, &x[1]));
        }
    }
    for (cols, blocks) in [(5, 1), (64, 1), (70, 2)] {
        let hi: Vec<u64> = (0..3 * blocks)
            .map(|i| Cycle { family: [Family::Circular, Family::Tanh, Family::Log][i % 3], phase: 0, frequency: 26 + i as u8 }.bits())
            .collect();
        let z =
            RBETensor::new(&numbers::<f64>(9, 6 * blocks), &[3 * blocks, 2]).unwrap().mul(&RBETensor::new(&[0.6], &[]).unwrap()).unwrap();
        let inputs = vec![t(1, &[2, 4, cols]), z.requiring_grad().unwrap(), t(3, &[3])];
        c.add("rbe_activation", inputs, move |x| x[0].cycle_linear_of(&hi, &x[1], 0.3, Some(&x[2])));
    }
    let shared = vec![Cycle::initial(Family::Circular).bits()];
    c.add("rbe_activation", vec![t(1, &[4, 3]), positive(1, &[1, 2])], move |x| {
        x[0].rbe_activation(&shared, &x[1].mul(&RBETensor::new(&[0.3], &[])?)?)
    });

    for affine in 0..2 {
        c.add("rms_norm", vec![t(1, &[2, 3, 4]), positive(2, &[3, 4])], move |x| {
            x[0].rms_norm(&[3, 4], (affine > 0).then_some(&x[1]), 1e-5)?.add(&x[1])
        });
    }
    for affine in 0..3 {
        c.add("layer_norm", vec![t(1, &[2, 3, 4]), positive(2, &[3, 4]), t(3, &[3, 4])], move |x| {
            let y = x[0].layer_norm(&[3, 4], (affine > 0).then_some(&x[1]), (affine > 1).then_some(&x[2]), 1e-5)?;
            // Keep every input on the tape, so that each is checked.
            y.add(&x[1].mul(&x[2])?)
        });
        for shape in [vec![6, 3], vec![3, 3, 2]] {
            for training in [true, false] {
                c.add("batch_norm", vec![t(1, &shape), positive(2, &[3]), t(3, &[3])], move |x| {
                    let running =
                        Running { mean: Array::full(DType::F64, &[3], 0.1), var: Array::full(DType::F64, &[3], 0.7), momentum: 0.1 };
                    let y = x[0].batch_norm(Some(running), (affine > 0).then_some(&x[1]), (affine > 1).then_some(&x[2]), training, 1e-5)?;
                    y.square()?.sum(None, false)?.add(&x[1].mul(&x[2])?.sum(None, false)?)
                });
            }
        }
    }
    c.add("mse_loss", vec![t(1, &[3, 4]), t(2, &[3, 4])], |x| mse_loss(&x[0], &x[1]));
    for reduction in [Reduction::Mean, Reduction::Sum, Reduction::Elements] {
        for label_smoothing in [0.0, 0.1] {
            for weight in [None, Some(vec![0.5, 1.0, 2.0, 0.25])] {
                let options = CrossEntropyOptions { label_smoothing, ignore_index: 1, weight, reduction };
                c.add("cross_entropy", vec![t(1, &[5, 4])], move |x| x[0].cross_entropy(&ints(&[0, 3, 1, 2, 3], &[5]), options.clone()));
            }
        }
        let options = CrossEntropyOptions { reduction, ..Default::default() };
        c.add("cross_entropy", vec![t(1, &[2, 4, 3])], move |x| x[0].cross_entropy(&ints(&[0, 3, 1, 2, 3, 0], &[2, 3]), options.clone()));
    }
}

pub fn windows(c: &mut Cases) {
    let slide = |kernel: &[usize], stride: &[usize], padding: &[(usize, usize)], dilation: &[usize]| {
        Windows::new("test", kernel, stride, padding, dilation).unwrap()
    };
    let planes = [
        slide(&[3, 3], &[1, 1], &[(1, 1), (1, 1)], &[1, 1]),
        slide(&[2, 3], &[2, 1], &[(1, 0), (0, 2)], &[1, 2]),
        slide(&[1, 5], &[3, 2], &[(0, 0), (2, 2)], &[1, 1]),
        slide(&[2, 2], &[2, 2], &[(0, 0), (0, 0)], &[2, 1]),
    ];
    let line = slide(&[3], &[2], &[(1, 1)], &[2]);
    for w in planes.clone() {
        c.add("unfold", vec![t(1, &[2, 2, 5, 6])], move |x| x[0].unfold(&w));
    }
    let w = line.clone();
    c.add("unfold", vec![t(1, &[2, 2, 9])], move |x| x[0].unfold(&w));

    for (w, kernel) in planes.clone().into_iter().zip([[3, 3], [2, 3], [1, 5], [2, 2]]) {
        for groups in [1, 2] {
            let (filters, w) = (t(2, &[6, 4 / groups, kernel[0], kernel[1]]), w.clone());
            c.add("conv", vec![t(1, &[3, 4, 5, 6]), filters, t(3, &[6])], move |x| x[0].conv(&x[1], Some(&x[2]), &w, groups));
        }
    }
    let w = line.clone();
    c.add("conv", vec![t(1, &[2, 4, 9]), t(2, &[4, 1, 3])], move |x| x[0].conv(&x[1], None, &w, 4));
    // Packed filters are no float64 input; x and bias are, and the filters' gradients have tests of their own.
    for groups in [1, 2] {
        let filters = PackedTensor::random(&[6, 4 / groups, 3, 3], None, rbe_core::random::stream()).unwrap();
        let (filters, w) = (RBETensor::from_packed(filters, true), planes[0].clone());
        c.add("conv", vec![t(1, &[2, 4, 5, 6]), t(3, &[6])], move |x| x[0].conv(&filters, Some(&x[1]), &w, groups));
    }

    for (w, kernel, more) in planes.clone().into_iter().zip([[3, 3], [2, 3], [1, 5], [2, 2]]).map(|(w, k)| (w, k, [0, 0])).chain([(
        slide(&[2, 3], &[3, 2], &[(0, 0), (1, 1)], &[1, 1]),
        [2, 3],
        [2, 1],
    )]) {
        for groups in [1, 2] {
            let (filters, w) = (t(2, &[4, 3, kernel[0], kernel[1]]), w.clone());
            let inputs = vec![t(1, &[2, 4, 3, 4]), filters, t(3, &[3 * groups])];
            c.add("conv_transpose", inputs, move |x| x[0].conv_transpose(&x[1], Some(&x[2]), &w, &more, groups));
        }
    }
    let w = line.clone();
    c.add("conv_transpose", vec![t(1, &[2, 4, 5]), t(2, &[4, 1, 3])], move |x| x[0].conv_transpose(&x[1], None, &w, &[1], 4));
    for groups in [1, 2] {
        let filters = PackedTensor::random(&[4, 3, 3, 3], None, rbe_core::random::stream()).unwrap();
        let (filters, w) = (RBETensor::from_packed(filters, true), planes[0].clone());
        let inputs = vec![t(1, &[2, 4, 4, 3]), t(3, &[3 * groups])];
        c.add("conv_transpose", inputs, move |x| x[0].conv_transpose(&filters, Some(&x[1]), &w, &[0, 0], groups));
    }

    for w in [planes[0].clone(), planes[3].clone(), slide(&[3, 2], &[2, 3], &[(1, 1), (0, 0)], &[1, 2])] {
        for ceil in [false, true] {
            let w = w.clone();
            let again = w.clone();
            c.add("max_pool", vec![t(1, &[2, 2, 5, 6])], move |x| x[0].max_pool(&w, ceil));
            c.add("max_pool", vec![t(1, &[2, 2, 5, 6])], move |x| {
                let [values, places] = x[0].max_pool_with_indices(&again, ceil)?;
                values.mul(&places)
            });
        }
    }
    let w = line;
    c.add("max_pool", vec![t(1, &[2, 9])], move |x| x[0].max_pool(&w, false));
    let means = slide(&[3, 2], &[2, 1], &[(1, 1), (1, 1)], &[1, 1]);
    for (ceil, count_padding, divisor) in [(false, true, None), (true, false, None), (true, true, Some(5)), (true, true, None)] {
        let w = means.clone();
        c.add("avg_pool", vec![t(1, &[2, 2, 6, 5])], move |x| x[0].avg_pool(&w, ceil, count_padding, divisor));
    }
    let w = slide(&[2], &[2], &[(1, 1)], &[1]);
    c.add("avg_pool", vec![t(1, &[2, 7])], move |x| x[0].avg_pool(&w, false, false, None));
    for parts in [vec![Some(3), Some(2)], vec![None, Some(7)], vec![Some(4)]] {
        c.add("adaptive_avg_pool", vec![t(1, &[2, 3, 5, 6])], move |x| x[0].adaptive_avg_pool(&parts));
    }
}

pub fn attention(c: &mut Cases) {
    const RULE: &str = "scaled_dot_product_attention";
    let causal = AttentionOptions { causal: true, ..Default::default() };
    // 70 queries or keys are two tiles; broadcast batches; fewer keys than queries and the reverse.
    for (l, s) in [(3, 5), (70, 4), (4, 70), (66, 66)] {
        for options in [AttentionOptions::default(), causal, AttentionOptions { scale: Some(1.5), ..causal }] {
            let few = if l * s > 1000 { 1 } else { 2 };
            c.add(RULE, vec![t(1, &[few, 1, l, 2]), t(2, &[few, s, 2]), t(3, &[1, few, s, 3])], move |x| {
                x[0].attention(&x[1], &x[2], None, options)
            });
        }
    }
    let seen = |n: usize| RBETensor::new(&(0..n).map(|i| u8::from(i % 3 != 1)).collect::<Vec<_>>(), &[n]).unwrap();
    c.add(RULE, vec![t(1, &[2, 3, 4]), t(2, &[2, 5, 4]), t(3, &[2, 5, 4])], move |x| x[0].attention(&x[1], &x[2], Some(&seen(5)), causal));
    c.add(RULE, vec![t(1, &[2, 3, 4]), t(2, &[2, 5, 4]), t(3, &[2, 5, 4]), t(4, &[2, 3, 1])], |x| {
        x[0].attention(&x[1], &x[2], Some(&x[3]), AttentionOptions::default())
    });
    c.add(RULE, vec![t(1, &[3, 4]), t(2, &[5, 4]), t(3, &[5, 4]), t(4, &[3, 5])], move |x| {
        rbe_core::random::manual_seed(3); // the same elements are dropped in every call
        x[0].attention(&x[1], &x[2], Some(&x[3]), AttentionOptions { dropout: 0.4, ..causal })
    });
    c.add("self_attention", vec![t(1, &[2, 4, 18])], move |x| x[0].self_attention(2, None, causal));
    c.add("self_attention", vec![t(1, &[67, 12])], |x| x[0].self_attention(2, None, AttentionOptions::default()));
    c.add("self_attention", vec![t(1, &[2, 3, 12]), t(2, &[2, 1, 3, 3])], |x| {
        x[0].self_attention(2, Some(&x[1]), AttentionOptions::default())
    });
}

pub fn recurrent(c: &mut Cases) {
    let (steps, n, h) = (3, 2, 4);
    for cell in [Cell::Tanh, Cell::Relu, Cell::Lstm, Cell::Gru] {
        let rows = cell.gates() * h;
        for (reverse, uses) in [(false, 0), (true, 1), (false, 2), (true, 3)] {
            let inputs = || vec![t(1, &[steps, n, rows]), t(2, &[rows, h]), t(3, &[n, h]), t(4, &[rows]), t(5, &[n, h])];
            let run = move |x: &[RBETensor], bias: bool, weight: &RBETensor| {
                let cells = (cell == Cell::Lstm).then_some(&x[4]);
                let (y, last, cells) = x[0].recurrent(cell, weight, bias.then_some(&x[3]), (&x[2], cells), reverse)?;
                let y = match uses {
                    0 => y,
                    1 => y.mul(&last)?,
                    2 => last.unsqueeze(0)?,
                    _ => cells.unwrap_or(last).unsqueeze(0)?.square()?,
                };
                // Every input stays on the tape, so that each is checked.
                y.add(&x[4].mul(&x[3].sum(None, false)?)?)?.add(&x[1].sum(None, false)?)
            };
            c.add("recurrent", inputs(), move |x| run(x, true, &x[1]));
            c.add("recurrent", inputs(), move |x| run(x, false, &x[1]));
            let bits: Vec<u64> = (0..rows as u64).map(|i| (i * 7) & 15).collect();
            let lo: Vec<f32> = numbers(8, rows * 2).into_iter().map(|v: f32| v * 0.6).collect();
            let w = RBETensor::from_packed(PackedTensor::new(&[rows, h], &bits, &lo, None).unwrap(), false);
            c.add("recurrent", inputs(), move |x| run(x, true, &w));
        }
    }
}
