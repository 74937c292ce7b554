//! Transposed convolutions with packed filters whose inputs are rounded to int8, each sample with a scale of its own.

use super::conv::{PIECES, Plan};
use super::conv_transpose::{ConvTranspose, OP};
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule, dense};
use super::sheets::Sheets;
use super::unfold::scratch;
use crate::array::Array;
use crate::dtype::DType;
use crate::error::Result;
use crate::gradient::{self, Gradient, GradientCache};
use crate::kernel::packed::quantised::windows::{self, DxFilters, WindowRows, round_row};
use crate::memory;
use crate::packed::PackedTensor;
use crate::parallel;
use crate::tape::Saves;

/// As [`ConvTranspose`], of packed filters and x in float32, which backward reads rounded: by-products are the int8 values (samples,
/// elements) of x and their scales (samples).
pub(super) struct RoundedConvTranspose(pub ConvTranspose);

/// A rule of [`table::CONV_TRANSPOSE`](super::table::CONV_TRANSPOSE), too, but for what it saves.
static RULE: Rule = Rule::new(OP, (2, 3), Saves::input(1));

/// The convolution from the result y to x, one sample at a time, so that the noise of a sample does not depend on the others.
struct OfSamples {
    plan: Plan,
    sheets: Sheets,
}

impl OfSamples {
    fn new(op: &ConvTranspose, plan: Plan, y: [usize; 4]) -> Result<OfSamples> {
        let sheets = Sheets::new(OP, &op.conv.windows, [1, y[1] / plan.groups], [y[2], y[3]])?;
        Ok(OfSamples { plan, sheets })
    }

    /// Elements of one group of a sample of x: its channels at every position.
    fn of_x(&self) -> usize {
        self.plan.outputs * self.plan.columns.rows()
    }

    /// Elements of one group of a sample of y.
    fn of_y(&self) -> usize {
        self.plan.columns.sample()
    }

    /// Writes y of a sample of x.
    fn forward(&self, x: &[f32], w: &[DxFilters], bias: Option<&[f32]>, y: &mut [f32]) {
        let mut sums = scratch::<f32>(self.sheets.len);
        let sums: &mut [f32] = sums.slice_mut();
        for ((w, x), y) in w.iter().zip(x.chunks_exact(self.of_x())).zip(y.chunks_exact_mut(self.of_y())) {
            sums.fill(0.0);
            w.dx(x, 0, &self.sheets.starts, sums);
            self.sheets.fold(0, sums, y);
        }
        if let Some(bias) = bias {
            let plane = y.len() / bias.len();
            for (row, bias) in y.chunks_exact_mut(plane).zip(bias) {
                row.iter_mut().for_each(|y| *y += bias);
            }
        }
    }

    /// Gradients of sample `s`, whose dy is rounded here: writes `dx` if there is one, and adds to that of the filters (groups, columns,
    /// padded rows) if there is one.
    fn backward(&self, s: usize, x: &[f32], dy: &[f32], w: &[PackedTensor], mut dx: Option<&mut [f32]>, mut dw: Option<&mut [f32]>) {
        let mut values = memory::zeros::<i8>(dy.len());
        let factor = round_row(dy, &memory::filled(1.0, dy.len()), s as u32, &mut values);
        let positions = self.plan.columns.rows();
        let scales = memory::filled(factor, positions);
        let mut sheet = self.sheets.blank();
        let values: &[u8] = bytemuck::cast_slice(&values);
        for (g, values) in values.chunks_exact(self.of_y()).enumerate() {
            self.sheets.fill(0, values, sheet.bytes_mut());
            let rows = WindowRows { values: sheet.bytes(), starts: &self.sheets.starts, positions };
            if let Some(dx) = dx.as_deref_mut() {
                windows::forward(rows, &scales, &w[g], None, &mut dx[g * self.of_x()..][..self.of_x()]);
            }
            if let Some(dw) = dw.as_deref_mut() {
                let of_filters = dw.len() / self.plan.groups;
                let (x, seed) = (&x[g * self.of_x()..][..self.of_x()], (s * self.plan.groups + g) as u32);
                windows::weight_gradient(rows, &scales, x, seed, &mut dw[g * of_filters..][..of_filters]);
            }
        }
    }

    /// Gradients of all samples: `dx` if there is one is written, that of the filters (out, columns) returned if wanted.
    ///
    /// Samples are cut into pieces that do not depend on the threads, and the pieces' sums added in order.
    fn gradients(&self, x: &[f32], dy: &[f32], w: &[PackedTensor], dx: Option<&mut [f32]>, wanted: bool) -> Vec<f32> {
        let (o, k, rows) = (self.plan.outputs, self.plan.columns.cols(), windows::padded_rows(self.plan.outputs));
        let (groups, samples) = (self.plan.groups, self.plan.samples);
        let (of_x, of_y) = (groups * self.of_x(), groups * self.of_y());
        let len = if wanted { groups * k * rows } else { 0 };
        let each = samples.div_ceil(PIECES).max(1);
        let pieces = samples.div_ceil(each);
        let mut parts: Vec<Option<&mut [f32]>> = match dx {
            Some(dx) => memory::collect(dx.chunks_mut(each * of_x).map(Some)),
            None => memory::collect((0..pieces).map(|_| None)),
        };
        let sums = parallel::map_mut(&mut parts, |p, dx| {
            let mut dw = memory::zeros::<f32>(len);
            for s in p * each..((p + 1) * each).min(samples) {
                let dx = dx.as_deref_mut().map(|dx| &mut dx[(s - p * each) * of_x..][..of_x]);
                self.backward(s, &x[s * of_x..][..of_x], &dy[s * of_y..][..of_y], w, dx, wanted.then_some(&mut dw));
            }
            dw
        });
        let mut total = memory::zeros::<f32>(len);
        for part in sums {
            total.iter_mut().zip(part).for_each(|(t, p)| *t += p);
        }
        let row = |n: usize| (0..k).map(move |c| (n / o * k + c) * rows + n % o);
        memory::collect((0..if wanted { groups * o } else { 0 }).flat_map(row).map(|at| total[at]))
    }
}

impl Op for RoundedConvTranspose {
    fn rule(&self) -> &Rule {
        &RULE
    }

    fn cost(&self, x: Inputs<'_>) -> u64 {
        self.0.cost(x)
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let (a, w, bias) = (x.array(0)?, x.packed(1)?, x.optional(2)?);
        let (plan, shape) = self.0.plan(a.shape(), w.shape())?;
        ConvTranspose::check_bias(bias, shape[1])?;
        let a = a.cast(DType::F32).contiguous();
        let bias = bias.map(|b| b.cast(DType::F32).contiguous());
        let of_x = plan.groups * plan.outputs * plan.columns.rows();
        let (values, scales) = gradient::quantised(&a.reshape_to(&[plan.samples, of_x])?);
        let rounded = gradient::restored(&values, &scales, a.shape());
        let value = {
            let (x, bias) = (rounded.read::<f32>(), bias.as_ref().map(|b| b.read::<f32>()));
            let filters = memory::collect(plan.by_group(w)?.iter().map(DxFilters::new));
            let conv = OfSamples::new(&self.0, plan, shape)?;
            Array::build(&shape, |y: &mut [f32]| {
                let of_y = shape[1] * shape[2] * shape[3];
                parallel::for_each_piece(y, of_y, |s, y| conv.forward(&x[s * of_x..][..of_x], &filters, bias.as_deref(), y));
            })
        };
        Ok(Output::keeping(value, [values, scales]))
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let dy = cx.dy().cast(DType::F32).contiguous();
        let w = cx.packed(1)?;
        let mut grads = Grads::new();
        {
            let (plan, shape) = self.0.plan(cx.shape(0), w.shape())?;
            let by_group = plan.by_group(w)?;
            let conv = OfSamples::new(&self.0, plan, shape)?;
            let rounded = gradient::restored(cx.kept(0)?, cx.kept(1)?, cx.shape(0));
            let (x, dy) = (rounded.read::<f32>(), dy.read::<f32>());
            let dx = cx.needs(0).then(|| Array::build(cx.shape(0), |_: &mut [f32]| {}));
            let dw = conv.gradients(&x, &dy, &by_group, dx.as_ref().map(Array::write::<f32>).as_deref_mut(), cx.needs(1));
            grads.push(dx.and_then(dense));
            grads.push(if cx.needs(1) {
                Some(Gradient::Packed(GradientCache::of_cotangent(w, &Array::from_slice(&dw, &[w.rows(), w.cols()])?)))
            } else {
                None
            });
        }
        if cx.arity() > 2 {
            grads.push(if cx.needs(2) { dense(dy.sum_axes(&[0, 2, 3])) } else { None });
        }
        Ok(grads)
    }
}
