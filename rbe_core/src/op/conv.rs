//! Convolutions: the windows of a few samples at a time as rows, times the filters; the rows are never kept.

use super::apply::apply;
use super::conv_rounded::RoundedConv;
use super::precision::MatmulPrecision;
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule, dense, multiply_adds};
use super::table;
use super::unfold::{Columns, samples, scratch};
use super::window::{Windows, check_size};
use crate::array::{Array, Dims};
use crate::dispatch_float;
use crate::dtype::{DType, Float};
use crate::error::{RbeError, Result};
use crate::gradient::{Gradient, GradientCache};
use crate::kernel::dense::gemm::gemm;
use crate::kernel::dense::matrix::{Destination, Matrix};
use crate::kernel::packed as kernel;
use crate::memory;
use crate::packed::PackedTensor;
use crate::parallel;
use crate::tape::{RBETensor, Value};

pub(super) const OP: &str = "conv";
/// Elements of the rows that are made at a time: they stay in the second-level cache.
const ROWS: usize = 1 << 16;
/// Most sums of the filters' gradient that are formed apart and then added in order.
pub(super) const PIECES: usize = 8;

/// Inputs: x (samples, channels, height, width), filters dense or packed (out, channels / groups, kernel), optional
/// bias (out).
pub(super) struct Conv {
    pub windows: Windows,
    pub groups: usize,
}

/// Filters of all groups, ready for products.
pub(super) enum Filters<T> {
    Dense(Vec<T>),             // (out, cols)
    Packed(Vec<PackedTensor>), // one (out / groups, cols) a group; T is f32
}

/// Sizes of one convolution.
pub(super) struct Plan {
    pub columns: Columns, // of the channels of one group
    pub samples: usize,
    pub groups: usize,
    pub outputs: usize, // filters of one group
    pub chunk: usize,   // samples whose rows are made at a time
}

impl Conv {
    pub(super) fn plan(&self, x: &[usize], w: &[usize]) -> Result<Plan> {
        let (n, channels, size) = samples(OP, x)?;
        let groups = self.groups;
        let kernel = self.windows.kernel();
        let fits = w.len() == 2 + kernel.len() && w[2..] == kernel[..] && groups > 0;
        if !fits || w[1] * groups != channels || w[0] == 0 || !w[0].is_multiple_of(groups) || channels == 0 {
            let expected = format!("filters (out, {channels} / {groups}, {kernel:?}) with out a multiple of {groups} for x {x:?}");
            return Err(RbeError::shape(OP, expected, format!("{w:?}")));
        }
        let columns = Columns::new(OP, &self.windows, channels / groups, size)?;
        check_size(OP, &[n, w[0], columns.rows()])?;
        let chunk = (ROWS / (columns.rows() * columns.cols()).max(1)).clamp(1, n.max(1));
        Ok(Plan { columns, samples: n, groups, outputs: w[0] / groups, chunk })
    }
}

/// The filters as `T`: packed ones stay packed in f32 and are decoded in f64.
pub(super) fn filters<T: Float>(w: &Value, plan: &Plan) -> Result<Filters<T>> {
    Ok(match w {
        Value::Dense(w) => Filters::Dense(w.cast(T::DTYPE).to_vec()?),
        Value::Packed(w) if T::DTYPE == DType::F64 => Filters::Dense(w.to_dense::<T>().to_vec()?),
        Value::Packed(w) => Filters::Packed(plan.by_group(w)?),
    })
}

/// Writes the transpose of `source` (rows, cols), in tiles of whole cache lines.
fn transpose<T: Float>(source: &[T], rows: usize, cols: usize, out: &mut [T]) {
    const TILE: usize = 16;
    for first in (0..rows).step_by(TILE) {
        let here = TILE.min(rows - first);
        for c in 0..cols {
            let to = &mut out[c * rows + first..][..here];
            to.iter_mut().enumerate().for_each(|(r, o)| *o = source[(first + r) * cols + c]);
        }
    }
}

impl Plan {
    /// The filters of each group.
    pub(super) fn by_group(&self, w: &PackedTensor) -> Result<Vec<PackedTensor>> {
        if self.groups == 1 {
            return Ok(vec![w.clone()]);
        }
        let (hi, lo, each) = (w.hi(), w.lo(), self.outputs * w.blocks());
        let part = |(hi, lo)| PackedTensor::new(&[self.outputs, w.cols()], hi, lo, Some(w.scale()));
        hi.chunks_exact(each).zip(lo.chunks_exact(2 * each)).map(part).collect()
    }

    /// Fails unless there is a bias for each filter.
    pub(super) fn check_bias(&self, bias: Option<&Array>) -> Result<()> {
        let out = self.groups * self.outputs;
        match bias {
            Some(bias) if bias.shape() != [out] => Err(RbeError::shape(OP, format!("bias ({out})"), format!("{:?}", bias.shape()))),
            _ => Ok(()),
        }
    }

    /// Shape of the result.
    pub(super) fn shape(&self) -> Dims {
        [self.samples, self.groups * self.outputs].into_iter().chain(self.columns.counts).collect()
    }

    /// Elements of group `g` of sample `s`, which holds `len` of every group.
    fn part<T>(&self, of: &[T], s: usize, g: usize, len: usize) -> std::ops::Range<usize> {
        let start = (s * self.groups + g) * len;
        debug_assert!(start + len <= of.len());
        start..start + len
    }

    /// `y` (samples, out, windows) of the samples `x`.
    pub(super) fn forward<T: Float>(&self, x: &[T], w: &Filters<T>, y: &mut [T]) {
        let (l, k, o) = (self.columns.rows(), self.columns.cols(), self.outputs);
        let n = y.len() / (self.groups * o * l);
        let (mut pad, mut rows) = (scratch::<T>(self.columns.scratch()), scratch::<T>(n * l * k));
        let mut across = scratch::<T>(if matches!(w, Filters::Packed(_)) { n * l * o } else { 0 });
        let (rows, across) = (rows.slice_mut::<T>(), across.slice_mut::<T>());
        for g in 0..self.groups {
            for (s, rows) in rows.chunks_exact_mut(l * k).enumerate() {
                self.columns.unfold(&x[self.part(x, s, g, self.columns.sample())], pad.slice_mut(), rows);
            }
            match w {
                Filters::Dense(w) => {
                    let w = Matrix::row_major(&w[g * o * k..], k);
                    for (s, rows) in rows.chunks_exact(l * k).enumerate() {
                        let range = self.part(y, s, g, o * l);
                        gemm((o, l, k), w, Matrix::row_major(rows, k).t(), Destination::new(&mut y[range], l, false));
                    }
                }
                Filters::Packed(w) => {
                    kernel::forward(bytemuck::cast_slice(rows), n * l, &w[g], None, bytemuck::cast_slice_mut(across));
                    for (s, across) in across.chunks_exact(l * o).enumerate() {
                        let range = self.part(y, s, g, o * l);
                        transpose(across, l, o, &mut y[range]);
                    }
                }
            }
        }
    }

    /// Gradients of a chunk of samples: writes `dx` if there is one and adds to that of the filters, `dw` (out, cols).
    fn backward<T: Float>(&self, x: &[T], dy: &[T], w: &Filters<T>, dx: Option<&mut [T]>, dw: Option<&mut [T]>) {
        let (l, k, o) = (self.columns.rows(), self.columns.cols(), self.outputs);
        let n = dy.len() / (self.groups * o * l);
        let (mut pad, mut rows) = (scratch::<T>(self.columns.scratch()), scratch::<T>(n * l * k));
        let (pad, rows) = (pad.slice_mut::<T>(), rows.slice_mut::<T>());
        if let Some(dw) = dw {
            let row = &mut rows[..l * k];
            for (s, g) in (0..n * self.groups).map(|i| (i / self.groups, i % self.groups)) {
                self.columns.unfold(&x[self.part(x, s, g, self.columns.sample())], pad, row);
                let dy = Matrix::row_major(&dy[self.part(dy, s, g, o * l)], l);
                gemm((o, k, l), dy, Matrix::row_major(row, k), Destination::new(&mut dw[g * o * k..], k, true));
            }
        }
        let Some(dx) = dx else { return };
        for g in 0..self.groups {
            match w {
                Filters::Dense(w) => {
                    let w = Matrix::row_major(&w[g * o * k..], k);
                    for (s, rows) in rows.chunks_exact_mut(l * k).enumerate() {
                        let dy = Matrix::row_major(&dy[self.part(dy, s, g, o * l)], l);
                        gemm((l, k, o), dy.t(), w, Destination::new(&mut *rows, k, false));
                    }
                }
                Filters::Packed(w) => {
                    let mut across = scratch::<T>(n * l * o);
                    let across = across.slice_mut::<T>();
                    for (s, across) in across.chunks_exact_mut(l * o).enumerate() {
                        transpose(&dy[self.part(dy, s, g, o * l)], o, l, across);
                    }
                    kernel::dx(bytemuck::cast_slice(across), n * l, &w[g], bytemuck::cast_slice_mut(rows));
                }
            }
            for (s, rows) in rows.chunks_exact(l * k).enumerate() {
                let range = self.part(dx, s, g, self.columns.sample());
                self.columns.fold(rows, pad, &mut dx[range]);
            }
        }
    }

    /// Gradients of all samples: `dx` if there is one is written, that of the filters (out, cols) returned if wanted; only
    /// the latter reads `x`.
    ///
    /// Samples are cut into pieces that do not depend on the threads, and the pieces' sums added in order.
    pub(super) fn gradients<T: Float>(&self, x: &[T], dy: &[T], w: &Filters<T>, dx: Option<&mut [T]>, wanted: bool) -> Vec<T> {
        let (sample, out) = (self.columns.sample() * self.groups, self.outputs * self.groups * self.columns.rows());
        let len = if wanted { self.outputs * self.groups * self.columns.cols() } else { 0 };
        let each = self.samples.div_ceil(PIECES).max(1);
        let pieces = self.samples.div_ceil(each);
        let mut parts: Vec<Option<&mut [T]>> = match dx {
            Some(dx) => memory::collect(dx.chunks_mut((each * sample).max(1)).map(Some)),
            None => memory::collect((0..pieces).map(|_| None)),
        };
        let sums = parallel::map_mut(&mut parts, |p, dx| {
            let mut dw = memory::filled(T::zero(), len);
            let end = ((p + 1) * each).min(self.samples);
            let mut dx = dx.as_deref_mut();
            for s in (p * each..end).step_by(self.chunk) {
                let n = self.chunk.min(end - s);
                let here = dx.take().map(|dx| dx.split_at_mut(n * sample));
                let (here, rest) = here.map_or((None, None), |(here, rest)| (Some(here), Some(rest)));
                let x = if wanted { &x[s * sample..(s + n) * sample] } else { &[] };
                let dy = &dy[s * out..(s + n) * out];
                self.backward(x, dy, w, here, wanted.then_some(&mut dw));
                dx = rest;
            }
            dw
        });
        let mut total = memory::filled(T::zero(), len);
        for part in sums {
            total.iter_mut().zip(part).for_each(|(t, p)| *t += p);
        }
        total
    }
}

impl Op for Conv {
    fn rule(&self) -> &Rule {
        &table::CONV
    }

    fn cost(&self, x: Inputs<'_>) -> u64 {
        let filters = x.shape(1).first().map_or(1, |n| *n as u64) / self.groups.max(1) as u64;
        x.elements(0).saturating_add(multiply_adds(self.windows.visited(x.elements(0)).saturating_mul(filters)))
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let (a, w, bias) = (x.array(0)?, x.value(1), x.optional(2)?);
        let plan = self.plan(a.shape(), w.shape())?;
        let (out, windows) = (plan.groups * plan.outputs, plan.columns.rows());
        plan.check_bias(bias)?;
        let dtype = a.dtype().promote(w.dtype());
        let a = a.cast(dtype).contiguous();
        let bias = bias.map(|b| b.cast(dtype).contiguous());
        let shape = plan.shape();
        dispatch_float!(OP, dtype, T => {
            let (w, x, bias) = (filters::<T>(w, &plan)?, a.read::<T>(), bias.as_ref().map(Array::read::<T>));
            let sample = plan.columns.sample() * plan.groups;
            Ok(Array::build(&shape, |y: &mut [T]| parallel::for_each_piece(y, (plan.chunk * out * windows).max(1), |p, piece| {
                plan.forward(&x[p * plan.chunk * sample..], &w, piece);
                if let Some(bias) = &bias {
                    for (i, row) in piece.chunks_exact_mut(windows).enumerate() {
                        row.iter_mut().for_each(|y| *y += bias[i % out]);
                    }
                }
            }))
            .into())
        })
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let dy = cx.dy().contiguous();
        let (x, w) = (cx.input(0)?.cast(dy.dtype()).contiguous(), cx.value(1)?);
        let plan = self.plan(x.shape(), w.shape())?;
        let mut grads = Grads::new();
        dispatch_float!(OP, dy.dtype(), T => {
            let filters = filters::<T>(w, &plan)?;
            let (x, dy) = (x.read::<T>(), dy.read::<T>());
            let dx = cx.needs(0).then(|| Array::build(cx.shape(0), |_: &mut [T]| {}));
            let dw = plan.gradients(&x, &dy, &filters, dx.as_ref().map(Array::write::<T>).as_deref_mut(), cx.needs(1));
            grads.push(dx.and_then(dense));
            grads.push(match w {
                _ if !cx.needs(1) => None,
                Value::Dense(w) => dense(Array::from_slice(&dw, w.shape())?),
                // G is smaller than the factors a convolution has, one row for every window.
                Value::Packed(w) => {
                    let g = Array::from_slice(&dw, &[w.rows(), w.cols()])?.cast(DType::F32);
                    Some(Gradient::Packed(GradientCache::of_cotangent(w, &g)))
                }
            });
            Ok(())
        })?;
        if cx.arity() > 2 {
            grads.push(if cx.needs(2) { dense(dy.sum_axes(&[0, 2, 3])) } else { None });
        }
        Ok(grads)
    }
}

impl RBETensor {
    /// Correlation of x (samples, channels, one or two spatial axes) with filters (out, channels / groups, kernel), dense
    /// or packed: (samples, out, windows along each axis). Group `g` of the outputs sees group `g` of the channels only.
    ///
    /// # Errors
    /// `Shape` if shapes, groups and windows do not fit; `DType` for a packed x or integers.
    pub fn conv(&self, weight: &RBETensor, bias: Option<&RBETensor>, windows: &Windows, groups: usize) -> Result<RBETensor> {
        windows.over(self, |x| {
            let op = Conv { windows: windows.clone(), groups };
            let rounded = MatmulPrecision::current() == MatmulPrecision::Int8 && weight.is_packed() && x.dtype() != DType::F64;
            match (bias, rounded) {
                (Some(bias), true) => apply(RoundedConv(op), &[x, weight, bias]),
                (Some(bias), false) => apply(op, &[x, weight, bias]),
                (None, true) => apply(RoundedConv(op), &[x, weight]),
                (None, false) => apply(op, &[x, weight]),
            }
        })
    }
}
