//! Computes one product with int8 inputs of a layer 768 to 128 again and again, for `.ci/arm count`, which counts the instructions:
//! `int8_products forward|dx SAMPLES TIMES`.

use rbe_core::kernel::packed::quantised;
use rbe_core::packed::{PackedTensor, Quantised};
use rbe_core::random::Generator;

const ROWS: usize = 768;
const COLS: usize = 128;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [product, samples, times] = &arguments[..] else { panic!("int8_products forward|dx SAMPLES TIMES") };
    let (samples, times): (usize, usize) = (samples.parse().expect("a number of samples"), times.parse().expect("a number of times"));
    let w = PackedTensor::random(&[ROWS, COLS], None, Generator::new(1).stream()).expect("a weight");
    let mut dy = vec![0.0f32; samples * ROWS];
    Generator::new(2).stream().normal(&mut dy);
    let (values, scales) = (vec![1i8; samples * COLS], vec![0.5f32; samples]);
    let (mut y, mut dx) = (vec![0.0f32; samples * ROWS], vec![0.0f32; samples * COLS]);
    for _ in 0..times {
        match &product[..] {
            "forward" => quantised::forward(Quantised { values: &values, scales: &scales }, &w, None, &mut y),
            "dx" => quantised::dx(&dy, samples, &w, &mut dx),
            other => panic!("forward or dx, got {other}"),
        }
    }
}
