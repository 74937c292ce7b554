//! Runs a network that Python trained: packed or dense linear layers with a ReLU between each two, in a file that
//! `rbe.save(MODEL, model.state_dict())` wrote. INPUT holds `x` (n, inputs); `y` (n, outputs) is written to OUTPUT.
//!
//! `cargo run --release -p rbe_core --example run_trained -- MODEL INPUT OUTPUT`
//!
//! As in Python, the variable `RBE_PACKED_MATMUL_PRECISION` decides in what products with packed weights are computed.

use std::collections::BTreeMap;
use std::path::Path;

use rbe_core::io::{Texts, load, save};
use rbe_core::op::MatmulPrecision;
use rbe_core::{RBETensor, RbeError, Result, Value};

fn tensors(path: &str) -> Result<BTreeMap<String, RBETensor>> {
    let tensor = |value| match value {
        Value::Dense(array) => RBETensor::from_array(array),
        Value::Packed(weight) => RBETensor::from_packed(weight, false),
    };
    Ok(load(Path::new(path), &|| Ok(()))?.tensors.into_iter().map(|(name, value)| (name, tensor(value))).collect())
}

/// Weight and bias of every layer, in the order of the numbers that `nn.Sequential` gives layers.
fn layers(model: &BTreeMap<String, RBETensor>) -> Vec<(&RBETensor, Option<&RBETensor>)> {
    let number = |name: &str| name.strip_suffix(".weight")?.parse::<usize>().ok();
    let mut numbers: Vec<usize> = model.keys().filter_map(|name| number(name)).collect();
    numbers.sort_unstable();
    numbers.iter().map(|i| (&model[&format!("{i}.weight")], model.get(&format!("{i}.bias")))).collect()
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, input, output] = arguments.as_slice() else {
        return Err(RbeError::value("run_trained", "three paths: MODEL INPUT OUTPUT", format!("{arguments:?}")));
    };
    MatmulPrecision::init()?;
    let model = tensors(model)?;
    let mut x = tensors(input)?.remove("x").ok_or_else(|| RbeError::value("run_trained", "a tensor \"x\" as input", "none"))?;
    for (i, (weight, bias)) in layers(&model).into_iter().enumerate() {
        if i > 0 {
            x = x.relu()?;
        }
        x = if weight.is_packed() { x.packed_linear(weight, bias)? } else { x.linear(weight, bias)? };
    }
    println!("y {:?}", x.shape());
    save(Path::new(output), &[("y".to_owned(), x.value().clone())], Texts::new(), None, &|| Ok(()))
}
