//! Trains a packed and a dense network to tell two spirals apart, on data it makes.
//!
//! `cargo run --release -p rbe_core --example train`

use rbe_core::nn::{BatchNorm1d, Linear, RBELinear, RBEModel, Relu};
use rbe_core::op::CrossEntropyOptions;
use rbe_core::optim::{HybridOptimizer, Rates};
use rbe_core::{RBETensor, Result, random};

const STEPS: usize = 600;
const BATCH: usize = 256;

/// Points of two spirals of one turn and a half, with the number of their spiral.
fn spirals(n: usize) -> Result<(RBETensor, RBETensor)> {
    let (mut along, mut noise) = (vec![0.0f32; n], vec![0.0f32; 2 * n]);
    random::stream().uniform(&mut along);
    random::stream().normal(&mut noise);
    let point = |i: usize| {
        let (t, side) = (along[i].sqrt() * 9.4, if i.is_multiple_of(2) { 1.0 } else { -1.0 });
        [side * t * t.cos() / 5.0 + 0.02 * noise[2 * i], side * t * t.sin() / 5.0 + 0.02 * noise[2 * i + 1]]
    };
    let x: Vec<f32> = (0..n).flat_map(point).collect();
    let y: Vec<i64> = (0..n).map(|i| (i % 2) as i64).collect();
    Ok((RBETensor::new(&x, &[n, 2])?, RBETensor::new(&y, &[n])?))
}

fn build(packed: bool) -> Result<RBEModel> {
    let mut model = RBEModel::new().with_layer(Linear::new(2, 128)?).with_layer(Relu);
    for _ in 0..2 {
        model = if packed { model.with_layer(RBELinear::new(128, 128)?) } else { model.with_layer(Linear::new(128, 128)?) };
        model = model.with_layer(BatchNorm1d::new(128)?).with_layer(Relu);
    }
    Ok(model.with_layer(Linear::new(128, 2)?))
}

fn main() -> Result<()> {
    for packed in [true, false] {
        random::manual_seed(1);
        let mut model = build(packed)?;
        let optimizer = HybridOptimizer::new(model.parameters(), Rates::default())?;
        let mut last = f64::NAN;
        for step in 0..STEPS {
            let (x, y) = spirals(BATCH)?;
            let factor = 0.5 * (1.0 + (std::f64::consts::PI * step as f64 / STEPS as f64).cos());
            let rates = Rates::default();
            optimizer.set_rates(0, Rates { lr: rates.lr * factor, lr_lo: rates.lr_lo * factor, lr_hi: rates.lr_hi * factor, ..rates })?;
            let loss = model.forward(&x)?.cross_entropy(&y, CrossEntropyOptions::default())?;
            optimizer.step_on(&loss)?;
            last = loss.item()?;
            if step % 100 == 0 {
                println!("{} step {step:4}: loss {last:.4}", if packed { "packed" } else { " dense" });
            }
        }
        model.set_training(false);
        let (x, y) = spirals(4000)?;
        let hits = model.forward(&x)?.argmax(Some(1), false)?.compare(&y, rbe_core::op::Comparison::Eq)?;
        let accuracy = hits.cast(rbe_core::DType::F32)?.mean(None, false)?.item()?;
        println!(
            "{} loss {last:.4}, accuracy {:.2} %, state {} bytes\n",
            if packed { "packed" } else { " dense" },
            100.0 * accuracy,
            optimizer.state_bytes()
        );
    }
    Ok(())
}
