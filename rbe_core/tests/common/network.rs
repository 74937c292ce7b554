//! A small network to train, and its data.

use rbe_core::array::Array;
use rbe_core::nn::{BatchNorm1d, Linear, RBEActivation, RBELinear, RBEModel, Relu};
use rbe_core::op::CrossEntropyOptions;
use rbe_core::optim::{HybridOptimizer, Rates};
use rbe_core::{RBETensor, Result, Value, random};

/// Inputs of [`model`].
pub const INPUTS: usize = 20;
/// Classes of [`model`].
pub const CLASSES: usize = 5;

/// A network with every kind of parameter: dense, packed, a packed activation. Widths are no multiples of 64 or 16.
pub fn model() -> Result<RBEModel> {
    Ok(RBEModel::new()
        .with_layer(Linear::new(INPUTS, 150)?)
        .with_layer(BatchNorm1d::new(150)?)
        .with_layer(Relu)
        .with_layer(RBELinear::new(150, 203)?)
        .with_layer(BatchNorm1d::new(203)?)
        .with_layer(RBEActivation::new()?)
        .with_layer(RBELinear::new(203, CLASSES)?))
}

/// A batch whose class is that of the largest of its first [`CLASSES`] inputs.
pub fn batch(n: usize) -> Result<(RBETensor, RBETensor)> {
    let mut x = vec![0.0f32; n * INPUTS];
    random::stream().normal(&mut x);
    let class = |row: &[f32]| (0..CLASSES).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap_or(0) as i64;
    let y: Vec<i64> = x.chunks_exact(INPUTS).map(class).collect();
    Ok((RBETensor::new(&x, &[n, INPUTS])?, RBETensor::new(&y, &[n])?))
}

/// Loss of `model` on `data`.
pub fn loss(model: &RBEModel, data: &(RBETensor, RBETensor)) -> Result<RBETensor> {
    model.forward(&data.0)?.cross_entropy(&data.1, CrossEntropyOptions::default())
}

/// Trains the network of [`model`] from `seed`; the bits of all losses and of all parameters.
pub fn train(seed: u64, steps: usize) -> Result<(Vec<u64>, Vec<u64>)> {
    random::manual_seed(seed);
    let model = model()?;
    let optimizer = HybridOptimizer::new(model.parameters(), Rates::default())?;
    let mut losses = Vec::with_capacity(steps);
    for _ in 0..steps {
        let loss = loss(&model, &batch(96)?)?;
        optimizer.step_on(&loss)?;
        losses.push(loss.item()?.to_bits());
    }
    Ok((losses, bits(&model)?))
}

/// The bits of all parameters.
pub fn bits(model: &RBEModel) -> Result<Vec<u64>> {
    let dense = |a: &Array| Ok(a.to_vec::<f32>()?.into_iter().map(|v| u64::from(v.to_bits())).collect::<Vec<_>>());
    let of = |p: RBETensor| match p.value() {
        Value::Dense(a) => dense(a),
        Value::Packed(w) => Ok(w.hi().into_iter().chain(w.lo().into_iter().map(|v| u64::from(v.to_bits()))).collect()),
    };
    Ok(model.parameters().into_iter().map(of).collect::<Result<Vec<_>>>()?.concat())
}
