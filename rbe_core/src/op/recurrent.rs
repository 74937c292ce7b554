//! Recurrent layers: all time steps of one direction in one operation.

use super::apply::apply_many;
use super::matmul::matmul;
use super::packed::dense_weight;
use super::precision::MatmulPrecision;
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule, dense, multiply_adds};
use super::table;
use crate::array::{Array, Read};
use crate::dispatch_float;
use crate::dtype::{DType, Float};
use crate::error::{RbeError, Result};
use crate::gradient::{Factor, Gradient, GradientCache};
use crate::kernel::dense::elementary::Elementary;
use crate::kernel::dense::gemm::gemm_shared;
use crate::kernel::dense::matrix::Matrix;
use crate::kernel::dense::recurrent;
use crate::kernel::packed as kernel;
use crate::kernel::packed::quantised;
use crate::memory;
use crate::packed::PackedTensor;
use crate::tape::{RBETensor, Value};

pub use recurrent::Cell;

const OP: &str = "recurrent";

/// Inputs: products of the layer's inputs (T, N, gates · H), weight of the state (gates · H, H) dense or packed, first state
/// (N, H), for an LSTM first cells (N, H), optional bias of the state's products (gates · H). Outputs: states (T, N, H), last state
/// (N, H), and for an LSTM last cells (N, H).
struct Recurrent {
    cell: Cell,
    reverse: bool, // from the last time step to the first
    precision: MatmulPrecision,
}

/// A weight of the state, dense in `T` or packed (in f32).
enum Weight<'a, T> {
    Dense(Read<'a, T>), // for the forward product transposed, which spares packing it at every time step
    Packed(&'a PackedTensor, MatmulPrecision),
}

impl<T: Float> Weight<'_, T> {
    /// `out (n, rows) = h (n, cols) Wᵀ + bias`.
    fn forward(&self, h: &[T], n: usize, bias: Option<&[T]>, out: &mut [T]) {
        if n == 0 {
            return;
        }
        match self {
            Weight::Packed(w, precision) => {
                let (h, bias, out) = (bytemuck::cast_slice(h), bias.map(bytemuck::cast_slice), bytemuck::cast_slice_mut(out));
                match precision {
                    MatmulPrecision::Float32 => kernel::forward(h, n, w, bias, out),
                    MatmulPrecision::Int8 => quantised::round_and_forward(h, n, w, bias, out),
                }
            }
            Weight::Dense(w) => {
                let (rows, cols) = (out.len() / n, h.len() / n);
                gemm_shared(n, rows, cols, Matrix::row_major(h, cols), Matrix::row_major(w, rows), out);
                if let Some(bias) = bias {
                    out.chunks_exact_mut(rows).for_each(|row| row.iter_mut().zip(bias).for_each(|(o, b)| *o += *b));
                }
            }
        }
    }

    /// `out (n, cols) = da (n, rows) W`.
    fn backward(&self, da: &[T], n: usize, out: &mut [T]) {
        if n == 0 {
            return;
        }
        match self {
            Weight::Packed(w, MatmulPrecision::Float32) => kernel::dx(bytemuck::cast_slice(da), n, w, bytemuck::cast_slice_mut(out)),
            Weight::Packed(w, MatmulPrecision::Int8) => quantised::dx(bytemuck::cast_slice(da), n, w, bytemuck::cast_slice_mut(out)),
            Weight::Dense(w) => {
                let (rows, cols) = (da.len() / n, out.len() / n);
                gemm_shared(n, cols, rows, Matrix::row_major(da, rows), Matrix::row_major(w, cols), out);
            }
        }
    }
}

/// The weight where it is dense, or has to be: packed kernels are of float32.
fn dense_of(weight: &Value, dtype: DType) -> Option<Array> {
    match weight {
        Value::Dense(a) => Some(a.cast(dtype)),
        Value::Packed(w) if dtype == DType::F64 => Some(dense_weight(w)),
        Value::Packed(_) => None,
    }
}

impl Recurrent {
    fn view<'a, T: crate::dtype::Element>(&self, dense: Option<&'a Array>, weight: &'a Value) -> Weight<'a, T> {
        match (dense, weight) {
            (Some(a), _) | (None, Value::Dense(a)) => Weight::Dense(a.read()),
            (None, Value::Packed(w)) => Weight::Packed(w, self.precision),
        }
    }

    /// Where the bias stands among the inputs.
    fn bias_at(&self) -> usize {
        if self.cell == Cell::Lstm { 4 } else { 3 }
    }

    /// The time step that comes as `k`-th.
    fn time(&self, k: usize, steps: usize) -> usize {
        if self.reverse { steps - 1 - k } else { k }
    }

    /// Steps, samples and width of the state.
    fn sizes(&self, x: Inputs<'_>) -> Result<[usize; 3]> {
        let (a, gates) = (x.array(0)?, self.cell.gates());
        let wrong = |expected: String, got: &[usize]| Err(RbeError::shape(OP, expected, format!("{got:?}")));
        let [steps, n, rows] = *a.shape() else { return wrong(format!("products (T, N, {gates} H)"), a.shape()) };
        if rows == 0 || rows % gates != 0 {
            return wrong(format!("products (T, N, {gates} H)"), a.shape());
        }
        let h = rows / gates;
        if x.value(1).shape() != [rows, h] {
            return wrong(format!("a weight ({rows}, {h})"), x.value(1).shape());
        }
        for i in 2..self.bias_at() {
            if x.array(i)?.shape() != [n, h] {
                return wrong(format!("a first state ({n}, {h})"), x.array(i)?.shape());
            }
        }
        match x.optional(self.bias_at())? {
            Some(bias) if bias.shape() != [rows] => wrong(format!("a bias ({rows})"), bias.shape()),
            _ => Ok([steps, n, h]),
        }
    }

    fn run<T: Elementary>(&self, x: Inputs<'_>, [steps, n, h]: [usize; 3]) -> Result<Output> {
        let ready = |i: usize| -> Result<Array> { Ok(x.array(i)?.cast(T::DTYPE).contiguous()) };
        let (products, first) = (ready(0)?, ready(2)?);
        let lstm = self.cell == Cell::Lstm;
        let cells = if lstm { Some(ready(3)?) } else { None };
        let bias = if x.optional(self.bias_at())?.is_some() { Some(ready(self.bias_at())?) } else { None };
        let whole = dense_of(x.value(1), T::DTYPE).map(|w| Ok(w.transpose(0, 1)?.contiguous())).transpose()?;
        let weight = self.view::<T>(whole.as_ref(), x.value(1));
        let (rows, kept_width, size) = (self.cell.gates() * h, self.cell.kept() * h, n * h);
        let out = Array::build(&[steps, n, h], |_: &mut [T]| {});
        let kept = Array::build(&[steps, n, kept_width], |_: &mut [T]| {});
        let held = Array::build(&[if lstm { steps + 1 } else { 0 }, n, h], |_: &mut [T]| {}); // cells before each step, and the last
        let (last, cells) = {
            let (products, bias) = (products.read::<T>(), bias.as_ref().map(Array::read::<T>));
            let (mut out, mut kept, mut held) = (out.write::<T>(), kept.write::<T>(), held.write::<T>());
            let mut state = memory::copied(&first.read::<T>());
            let mut c = cells.map_or(Vec::new(), |c| memory::copied(&c.read::<T>()));
            let mut a = memory::filled(T::zero(), n * rows);
            for k in 0..steps {
                let t = self.time(k, steps);
                held[k * c.len()..][..c.len()].copy_from_slice(&c);
                weight.forward(&state, n, bias.as_deref(), &mut a);
                let step = recurrent::Forward {
                    x: &products[t * n * rows..][..n * rows],
                    a: &a,
                    kept: &mut kept[t * n * kept_width..][..n * kept_width],
                    h: &mut state,
                    c: &mut c,
                };
                recurrent::forward(self.cell, h, step);
                out[t * size..][..size].copy_from_slice(&state);
            }
            if lstm {
                held[steps * size..].copy_from_slice(&c);
            }
            (Array::from_slice(&state, &[n, h])?, lstm.then(|| Array::from_slice(&c, &[n, h])).transpose()?)
        };
        Ok(Output { values: [out, last].into_iter().chain(cells).collect(), kept: vec![kept, held] })
    }

    fn gradients<T: Elementary>(&self, cx: &Cx<'_>) -> Result<Grads> {
        let [steps, n, rows] = *cx.shape(0) else { unreachable!("forward checked the shape") };
        let h = rows / self.cell.gates();
        let (lstm, gru) = (self.cell == Cell::Lstm, self.cell == Cell::Gru);
        let (out, first) = (cx.output()?, cx.input(2)?.cast(T::DTYPE).contiguous());
        let dys = [0, 1, 2].map(|k| cx.dy_of(k).map(Array::contiguous));
        let (kept_width, size) = (self.cell.kept() * h, n * h);
        let value = cx.value(1)?;
        let whole = dense_of(value, T::DTYPE).map(|w| w.contiguous());
        let dx = Array::build(&[steps, n, rows], |_: &mut [T]| {});
        let da = Array::build(&[if gru { steps } else { 0 }, n, rows], |_: &mut [T]| {});
        let before = Array::build(&[steps, n, h], |_: &mut [T]| {}); // the state before each time step
        let (dh, dc) = {
            let weight = self.view::<T>(whole.as_ref(), value);
            let (out, first, kept, held) = (out.read::<T>(), first.read::<T>(), cx.kept(0)?.read::<T>(), cx.kept(1)?.read::<T>());
            let [dy, d_last, d_cells] = dys.each_ref().map(|dy| dy.as_ref().map(Array::read::<T>));
            let start = |d: Option<Read<'_, T>>| d.map_or_else(|| memory::filled(T::zero(), size), |d| memory::copied(&d));
            let (mut dx, mut da, mut before) = (dx.write::<T>(), da.write::<T>(), before.write::<T>());
            let mut dh = start(d_last);
            let mut dc = if lstm { start(d_cells) } else { Vec::new() };
            let mut through = memory::filled(T::zero(), size);
            for k in (0..steps).rev() {
                let t = self.time(k, steps);
                let earlier = if k == 0 { &first[..] } else { &out[self.time(k - 1, steps) * size..][..size] };
                before[t * size..][..size].copy_from_slice(earlier);
                if let Some(dy) = &dy {
                    dh.iter_mut().zip(&dy[t * size..]).for_each(|(o, d)| *o += *d);
                }
                let at = t * n * rows..(t + 1) * n * rows;
                let cell = |k: usize| if lstm { &held[k * size..][..size] } else { &[][..] };
                let step = recurrent::Backward {
                    kept: &kept[t * n * kept_width..][..n * kept_width],
                    before: earlier,
                    after: &out[t * size..][..size],
                    cells: [cell(k), cell(k + 1)],
                    dh: &mut dh,
                    dc: &mut dc,
                    dx: &mut dx[at.clone()],
                    da: if gru { &mut da[at.clone()] } else { &mut [] },
                };
                recurrent::backward(self.cell, h, step);
                weight.backward(if gru { &da[at] } else { &dx[at] }, n, &mut through);
                dh.iter_mut().zip(&through).for_each(|(o, d)| *o += *d);
            }
            (dh, dc)
        };
        let da = if gru { da } else { dx.clone() };
        let (flat_h, flat_a) = (before.reshape_to(&[steps * n, h])?, da.reshape_to(&[steps * n, rows])?);
        let dw = match value {
            _ if !cx.needs(1) => None,
            Value::Dense(_) => dense(matmul(&flat_a.transpose(0, 1)?, &flat_h)?),
            // One factor for all time steps: the optimiser and a reader form G in one product.
            Value::Packed(w) => {
                let (x, dy) = (flat_h.cast(DType::F32), flat_a.cast(DType::F32));
                // float64 states were not rounded.
                Some(Gradient::Packed(match self.precision {
                    MatmulPrecision::Int8 if T::DTYPE == DType::F32 => GradientCache::of_rounded(w, Factor::rounded(&x, dy)),
                    _ => GradientCache::new(w, Factor::Product { x, dy }),
                }))
            }
        };
        let mut grads: Grads = [dense(dx), dw, dense(Array::from_slice(&dh, &[n, h])?)].into_iter().collect();
        if lstm {
            grads.push(dense(Array::from_slice(&dc, &[n, h])?));
        }
        if cx.arity() > self.bias_at() {
            grads.push(dense(flat_a.sum_axes(&[0])));
        }
        Ok(grads)
    }
}

impl Op for Recurrent {
    fn rule(&self) -> &Rule {
        &table::RECURRENT
    }

    fn cost(&self, x: Inputs<'_>) -> u64 {
        let width = x.shape(1).last().map_or(1, |n| *n as u64);
        x.elements(0).saturating_add(multiply_adds(x.elements(0).saturating_mul(width)))
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let sizes = self.sizes(x)?;
        let dense = (0..x.len()).filter(|i| matches!(x.value(*i), Value::Dense(_)));
        let dtype = dense.map(|i| x.value(i).dtype()).reduce(DType::promote).unwrap_or(DType::F32);
        dispatch_float!(OP, dtype, T => self.run::<T>(x, sizes))
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        dispatch_float!(OP, cx.dtype_of(0), T => self.gradients::<T>(cx))
    }
}

impl RBETensor {
    /// All time steps of one direction of a recurrent layer. `self` are the products of its inputs with biases
    /// (T, N, gates · H), `weight` (gates · H, H) and `bias` those of the state, `first` the state (N, H) and for an LSTM the
    /// cells (N, H) it starts from. Returns the states (T, N, H), the last state (N, H) and, of an LSTM, the last cells (N, H).
    ///
    /// # Errors
    /// `Shape` if the shapes do not fit; `Value` for cells where there are none, or the reverse.
    pub fn recurrent(
        &self,
        cell: Cell,
        weight: &RBETensor,
        bias: Option<&RBETensor>,
        first: (&RBETensor, Option<&RBETensor>),
        reverse: bool,
    ) -> Result<(RBETensor, RBETensor, Option<RBETensor>)> {
        if first.1.is_some() != (cell == Cell::Lstm) {
            return Err(RbeError::value(OP, "first cells for an LSTM and for no other", format!("{cell:?}")));
        }
        let inputs: Vec<&RBETensor> = [Some(self), Some(weight), Some(first.0), first.1, bias].into_iter().flatten().collect();
        let op = Recurrent { cell, reverse, precision: MatmulPrecision::current() };
        if cell == Cell::Lstm {
            let [states, last, cells] = apply_many(op, &inputs)?;
            return Ok((states, last, Some(cells)));
        }
        let [states, last] = apply_many(op, &inputs)?;
        Ok((states, last, None))
    }
}
