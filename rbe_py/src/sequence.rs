//! Operations of sequences: attention and recurrent layers.

use pyo3::prelude::*;
use rbe_core::RbeError;
use rbe_core::op::{AttentionOptions, Cell, KeptKeys};

use crate::class::NewTensor;
use crate::error::raise;
use crate::gil::enter;
use crate::tensor::RBETensor;

/// Attention of queries (…, L, E) to keys (…, S, E) and values (…, S, F).
#[pyfunction]
#[pyo3(signature = (query, key, value, mask = None, causal = false, scale = None, dropout = 0.0))]
#[allow(clippy::too_many_arguments)] // torch's signature
pub fn attention(
    py: Python<'_>,
    query: &RBETensor,
    key: &RBETensor,
    value: &RBETensor,
    mask: Option<&RBETensor>,
    causal: bool,
    scale: Option<f64>,
    dropout: f64,
) -> PyResult<NewTensor> {
    let (options, mask) = (AttentionOptions { causal, scale, dropout }, mask.map(|m| &m.inner));
    enter(py, || query.inner.attention(&key.inner, &value.inner, mask, options)).map(NewTensor::from)
}

/// Attention of every head of a sequence to itself, from queries, keys and values side by side.
#[pyfunction]
#[pyo3(signature = (x, heads, mask = None, causal = false, scale = None, dropout = 0.0))]
pub fn self_attention(
    py: Python<'_>,
    x: &RBETensor,
    heads: usize,
    mask: Option<&RBETensor>,
    causal: bool,
    scale: Option<f64>,
    dropout: f64,
) -> PyResult<NewTensor> {
    let (options, mask) = (AttentionOptions { causal, scale, dropout }, mask.map(|m| &m.inner));
    enter(py, || x.inner.self_attention(heads, mask, options)).map(NewTensor::from)
}

/// Attention of the next positions of a sequence to all so far, whose keys and values are written into those kept.
#[pyfunction]
pub fn cached_self_attention(
    py: Python<'_>,
    x: &RBETensor,
    heads: usize,
    keys: &RBETensor,
    values: &RBETensor,
    length: usize,
    causal: bool,
) -> PyResult<NewTensor> {
    let kept = KeptKeys { keys: &keys.inner, values: &values.inner, length };
    enter(py, || x.inner.cached_self_attention(heads, kept, causal)).map(NewTensor::from)
}

/// All time steps of one direction of a recurrent layer: states, last state and, of an LSTM, last cells.
#[pyfunction]
#[pyo3(signature = (x, cell, weight, bias, h, c = None, reverse = false))]
#[allow(clippy::too_many_arguments)] // one for each input
pub fn recurrent(
    py: Python<'_>,
    x: &RBETensor,
    cell: &str,
    weight: &RBETensor,
    bias: Option<&RBETensor>,
    h: &RBETensor,
    c: Option<&RBETensor>,
    reverse: bool,
) -> PyResult<(NewTensor, NewTensor, Option<NewTensor>)> {
    let cell = match cell {
        "tanh" => Cell::Tanh,
        "relu" => Cell::Relu,
        "lstm" => Cell::Lstm,
        "gru" => Cell::Gru,
        other => return Err(raise(RbeError::value("recurrent", "cell tanh, relu, lstm or gru", format!("{other:?}")))),
    };
    let (bias, first) = (bias.map(|b| &b.inner), (&h.inner, c.map(|c| &c.inner)));
    let (states, last, cells) = enter(py, || x.inner.recurrent(cell, &weight.inner, bias, first, reverse))?;
    Ok((states.into(), last.into(), cells.map(NewTensor::from)))
}
