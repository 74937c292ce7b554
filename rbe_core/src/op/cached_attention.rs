//! Attention of further positions of a sequence, whose earlier keys and values are kept.

use super::attention::{AttentionOptions, Call, Problem, parts_of_heads};
use super::rule::multiply_adds;
use crate::array::{Array, Dims, SliceSpec, map_into};
use crate::dispatch_float;
use crate::error::{RbeError, Result};
use crate::memory;
use crate::parallel;
use crate::tape::{RBETensor, is_grad_enabled};

const OP: &str = "cached_self_attention";

/// Keys and values of the positions of a sequence so far.
#[derive(Clone, Copy)]
pub struct KeptKeys<'a> {
    /// (…, heads, capacity, E)
    pub keys: &'a RBETensor,
    /// (…, heads, capacity, E)
    pub values: &'a RBETensor,
    /// Positions held.
    pub length: usize,
}

/// Positions `from..from + len` of keys or values.
fn positions(kept: &Array, from: usize, len: usize) -> Result<Array> {
    kept.slice_axis(kept.ndim() - 2, SliceSpec { start: from, step: 1, len })
}

impl RBETensor {
    /// [`RBETensor::self_attention`] of the next positions (…, L, 3 · heads · E) of a sequence to all so far: their keys and values are
    /// written after those that `kept` holds, and queries, with `causal`, see no keys of later positions. Returns (…, L, heads · E).
    ///
    /// # Errors
    /// `Graph` while recording is on, for gradients do not flow through what is kept; `Shape` if the shapes do not fit or the capacity is
    /// too small; `DType` if the types differ. Then nothing is written.
    pub fn cached_self_attention(&self, heads: usize, kept: KeptKeys<'_>, causal: bool) -> Result<RBETensor> {
        if is_grad_enabled() {
            return Err(RbeError::graph(OP, "no recording (use no_grad())", "gradients that are recorded"));
        }
        let (keys, values) = (kept.keys.writable(OP)?, kept.values.writable(OP)?);
        self.resolve()?;
        let x = self.array(OP)?;
        let [q, k, v] = parts_of_heads(OP, x, heads)?;
        let new = k.shape()[k.ndim() - 2];
        let total = kept.length + new;
        for held in [keys, values] {
            let mut shape = Dims::from_slice(k.shape());
            let capacity = shape.len() - 2;
            shape[capacity] = held.shape().get(capacity).copied().unwrap_or(0);
            if held.shape() != shape.as_slice() || shape[capacity] < total {
                let expected = format!("keys and values like {:?} with room for {total} positions", k.shape());
                return Err(RbeError::shape(OP, expected, format!("{:?}", held.shape())));
            }
            if held.dtype() != x.dtype() || !x.dtype().is_float() {
                return Err(RbeError::dtype(OP, format!("floats of the type of the keys, {}", held.dtype()), x.dtype()));
            }
        }
        let cost = multiply_adds((x.numel() as u64).saturating_mul(total as u64));
        let work = || {
            let (all_keys, all_values) = (positions(keys, 0, total)?, positions(values, 0, total)?);
            let call = Call::plain(AttentionOptions { causal, ..AttentionOptions::default() });
            let problem = Problem::new(&q, &all_keys, &all_values, None, heads, call)?.after(kept.length);
            let mut shape = Dims::from_slice(x.shape());
            if let Some(width) = shape.last_mut() {
                *width /= 3;
            }
            dispatch_float!(OP, x.dtype(), T => {
                for (held, fresh) in [(keys, &k), (values, &v)] {
                    map_into(&positions(held, kept.length, new)?, fresh, |_: T, v: T| v)?;
                }
                problem.forward::<T>().0.reshape_to(&shape)
            })
        };
        parallel::long_work(cost, || memory::guard(OP, work)).map(RBETensor::from_array)
    }
}
