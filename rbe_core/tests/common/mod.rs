//! What integration tests share: random inputs, leaves, and gradients to read.

#![allow(dead_code)] // each test uses a part of it

#[cfg(target_os = "linux")]
#[allow(unsafe_code)] // maps pages
pub mod fenced;
pub mod network;

use rbe_core::gradient::Gradient;
use rbe_core::packed::{BITS, PackedTensor};
use rbe_core::{Float, RBETensor, RbeError, Result};

/// The generator of all random inputs of these tests: SplitMix64.
pub struct Random(pub u64);

impl Random {
    /// 64 random bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// An integer from 0 to `n - 1`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// A number from `low` to `high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Numbers of mean 0 and standard deviation `size`.
    pub fn normal(&mut self, n: usize, size: f64) -> Vec<f32> {
        (0..n).map(|_| (size * (0..12).map(|_| self.between(-0.5, 0.5)).sum::<f64>()) as f32).collect()
    }
}

/// Numbers from -1 to 1.
pub fn numbers<T: Float>(seed: u64, n: usize) -> Vec<T> {
    let mut random = Random(seed);
    (0..n).map(|_| T::of(random.between(-1.0, 1.0))).collect()
}

/// Random bits, and points whose coordinates go from `-reach` to `reach`.
pub fn packed(seed: u64, [rows, cols]: [usize; 2], reach: f32, scale: Option<f32>) -> PackedTensor {
    let blocks = cols.div_ceil(BITS);
    let last = if cols.is_multiple_of(BITS) { u64::MAX } else { (1 << (cols % BITS)) - 1 };
    let mut random = Random(!seed);
    let hi: Vec<u64> = (1..=rows * blocks).map(|i| random.next() & if i % blocks == 0 { last } else { u64::MAX }).collect();
    let lo: Vec<f32> = numbers(seed, rows * blocks * 2).into_iter().map(|v: f32| v * reach).collect();
    PackedTensor::new(&[rows, cols], &hi, &lo, scale).unwrap()
}

/// A leaf that wants a gradient.
pub fn leaf(data: &[f64], shape: &[usize]) -> Result<RBETensor> {
    RBETensor::new(data, shape)?.requiring_grad()
}

/// The dense gradient of a float64 tensor.
pub fn gradient(t: &RBETensor) -> Result<Vec<f64>> {
    match t.grad() {
        Some(Gradient::Dense(g)) => g.to_vec::<f64>(),
        other => Err(RbeError::graph("gradient", "a dense gradient", if other.is_some() { "a packed one" } else { "none" })),
    }
}
