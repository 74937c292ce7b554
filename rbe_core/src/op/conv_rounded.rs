//! Convolutions with packed filters whose images are rounded to int8, each with a scale of its own.

use super::conv::{Conv, OP, PIECES, Plan};
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule, dense};
use super::sheets::Sheets;
use super::unfold::scratch;
use crate::array::{Array, Dims};
use crate::dtype::DType;
use crate::error::Result;
use crate::gradient::{self, Gradient, GradientCache};
use crate::kernel::packed::quantised::windows::{self, DxFilters, WindowRows};
use crate::memory;
use crate::packed::PackedTensor;
use crate::parallel;
use crate::tape::Saves;

/// As [`Conv`], of packed filters and x in float32, which backward reads rounded: by-products are the int8 values (samples, elements) of the
/// images and their scales (samples).
pub(super) struct RoundedConv(pub Conv);

/// A rule of [`table::CONV`](super::table::CONV), too, but for what it saves.
static RULE: Rule = Rule::new(OP, (2, 3), Saves::input(1));

/// A convolution of rounded images.
struct Rounded<'a> {
    plan: Plan,
    sheets: Sheets,
    values: &'a [u8], // int8
    scales: &'a [f32],
}

impl<'a> Rounded<'a> {
    fn new(op: &RoundedConv, x: &[usize], w: &PackedTensor, values: &'a [u8], scales: &'a [f32]) -> Result<Rounded<'a>> {
        let plan = op.0.plan(x, w.shape())?;
        let sheets = Sheets::new(OP, &op.0.windows, [plan.samples, x[1] / plan.groups], [x[2], x[3]])?;
        Ok(Rounded { plan, sheets, values, scales })
    }

    /// Elements of a sample of the result.
    fn out(&self) -> usize {
        self.plan.groups * self.plan.outputs * self.plan.columns.rows()
    }

    /// Elements of a sample of x.
    fn sample(&self) -> usize {
        self.plan.groups * self.plan.columns.sample()
    }

    /// Writes group `g` of the samples from `first` on to a sheet.
    fn fill(&self, first: usize, images: usize, g: usize, sheet: &mut [u8]) {
        let of_group = self.plan.columns.sample();
        for i in 0..images {
            let start = (first + i) * self.sample() + g * of_group;
            self.sheets.fill(i, &self.values[start..start + of_group], sheet);
        }
    }

    /// The result for the samples from `first` on, as many as a sheet has or fewer: `y (samples, out, windows)`.
    fn forward(&self, first: usize, w: &[PackedTensor], bias: Option<&[f32]>, y: &mut [f32]) {
        let (o, l) = (self.plan.outputs, self.plan.columns.rows());
        let images = y.len() / self.out();
        let positions = self.sheets.positions(images);
        let (mut sheet, mut scales) = (self.sheets.blank(), scratch::<f32>(positions));
        let scales = scales.slice_mut();
        self.sheets.spread(&self.scales[first..first + images], scales);
        let mut apart = scratch::<f32>(if images > 1 { o * positions } else { 0 });
        for (g, w) in w.iter().enumerate() {
            self.fill(first, images, g, sheet.bytes_mut());
            let x = WindowRows { values: sheet.bytes(), starts: &self.sheets.starts, positions };
            let bias = bias.map(|bias| &bias[g * o..(g + 1) * o]);
            if images == 1 {
                windows::forward(x, scales, w, bias, &mut y[g * o * l..][..o * l]);
            } else {
                windows::forward(x, scales, w, bias, apart.slice_mut());
                self.sheets.scatter(images, self.out(), apart.slice(), &mut y[g * o * l..]);
            }
        }
    }

    /// Gradients for the samples from `first` on, of which there are as many as a sheet has or fewer: writes `dx` if there is one, and adds to
    /// that of the filters (groups, columns, padded rows) if there is one.
    fn backward(&self, first: usize, dy: &[f32], w: &[DxFilters], mut dx: Option<&mut [f32]>, mut dw: Option<&mut [f32]>) {
        let (o, l, of_group) = (self.plan.outputs, self.plan.columns.rows(), self.plan.columns.sample());
        let images = dy.len() / self.out();
        let positions = self.sheets.positions(images);
        let place = (first * l) as u32;
        let mut gathered = scratch::<f32>(if images > 1 { o * positions } else { 0 });
        let mut sums = scratch::<f32>(if dx.is_some() { self.sheets.len } else { 0 });
        let mut sheet = if dw.is_some() { self.sheets.blank() } else { scratch::<u8>(0) };
        let mut scales = scratch::<f32>(positions);
        let scales = scales.slice_mut();
        self.sheets.spread(&self.scales[first..first + images], scales);
        for g in 0..self.plan.groups {
            let dy = if images == 1 {
                &dy[g * o * l..][..o * l]
            } else {
                self.sheets.gather(images, self.out(), &dy[g * o * l..], gathered.slice_mut());
                gathered.slice()
            };
            if let Some(dx) = dx.as_deref_mut() {
                let sums: &mut [f32] = sums.slice_mut();
                sums.fill(0.0);
                w[g].dx(dy, place, &self.sheets.starts, sums);
                for i in 0..images {
                    self.sheets.fold(i, sums, &mut dx[i * self.sample() + g * of_group..][..of_group]);
                }
            }
            if let Some(dw) = dw.as_deref_mut() {
                self.fill(first, images, g, sheet.bytes_mut());
                let x = WindowRows { values: sheet.bytes(), starts: &self.sheets.starts, positions };
                let of_filters = dw.len() / self.plan.groups;
                windows::weight_gradient(x, scales, dy, place.wrapping_add(g as u32), &mut dw[g * of_filters..][..of_filters]);
            }
        }
    }

    /// Gradients of all samples: `dx` if there is one is written, that of the filters (out, columns) returned if wanted.
    ///
    /// Samples are cut into pieces that do not depend on the threads, and the pieces' sums added in order.
    fn gradients(&self, dy: &[f32], w: &[DxFilters], dx: Option<&mut [f32]>, wanted: bool) -> Vec<f32> {
        let (o, k, rows) = (self.plan.outputs, self.plan.columns.cols(), windows::padded_rows(self.plan.outputs));
        let len = if wanted { self.plan.groups * k * rows } else { 0 };
        let each = self.plan.samples.div_ceil(PIECES).max(1).next_multiple_of(self.sheets.images);
        let pieces = self.plan.samples.div_ceil(each);
        let mut parts: Vec<Option<&mut [f32]>> = match dx {
            Some(dx) => memory::collect(dx.chunks_mut((each * self.sample()).max(1)).map(Some)),
            None => memory::collect((0..pieces).map(|_| None)),
        };
        parts.resize_with(pieces, || None);
        let sums = parallel::map_mut(&mut parts, |p, dx| {
            let mut dw = memory::zeros::<f32>(len);
            let last = ((p + 1) * each).min(self.plan.samples);
            for first in (p * each..last).step_by(self.sheets.images) {
                let n = self.sheets.images.min(last - first);
                let start = (first - p * each) * self.sample();
                let dx = dx.as_deref_mut().map(|dx| &mut dx[start..start + n * self.sample()]);
                let dy = &dy[first * self.out()..(first + n) * self.out()];
                self.backward(first, dy, w, dx, wanted.then_some(&mut dw));
            }
            dw
        });
        let mut total = memory::zeros::<f32>(len);
        for part in sums {
            total.iter_mut().zip(part).for_each(|(t, p)| *t += p);
        }
        let row = |n: usize| (0..k).map(move |c| (n / o * k + c) * rows + n % o);
        let out = if wanted { self.plan.groups * o } else { 0 };
        memory::collect((0..out).flat_map(row).map(|at| total[at]))
    }
}

impl Op for RoundedConv {
    fn rule(&self) -> &Rule {
        &RULE
    }

    fn cost(&self, x: Inputs<'_>) -> u64 {
        self.0.cost(x)
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let (a, w, bias) = (x.array(0)?, x.packed(1)?, x.optional(2)?);
        let plan = self.0.plan(a.shape(), w.shape())?;
        plan.check_bias(bias)?;
        let a = a.cast(DType::F32).contiguous();
        let bias = bias.map(|b| b.cast(DType::F32).contiguous());
        let (values, scales) = gradient::quantised(&a.reshape_to(&[plan.samples, plan.groups * plan.columns.sample()])?);
        let value = {
            let (values, scales, bias) = (values.read::<u8>(), scales.read::<f32>(), bias.as_ref().map(|b| b.read::<f32>()));
            let (conv, w) = (Rounded::new(self, a.shape(), w, &values, &scales)?, plan.by_group(w)?);
            let piece = (conv.sheets.images * conv.out()).max(1);
            Array::build(&plan.shape(), |y: &mut [f32]| {
                parallel::for_each_piece(y, piece, |p, y| conv.forward(p * conv.sheets.images, &w, bias.as_deref(), y));
            })
        };
        Ok(Output::keeping(value, [values, scales]))
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let dy = cx.dy().cast(DType::F32).contiguous();
        let w = cx.packed(1)?;
        let mut grads = Grads::new();
        {
            let (values, scales, dy) = (cx.kept(0)?.read::<u8>(), cx.kept(1)?.read::<f32>(), dy.read::<f32>());
            let conv = Rounded::new(self, cx.shape(0), w, &values, &scales)?;
            let by_group = if cx.needs(0) { conv.plan.by_group(w)? } else { Vec::new() };
            let filters = memory::collect(by_group.iter().map(DxFilters::new));
            let dx = cx.needs(0).then(|| Array::build(cx.shape(0), |_: &mut [f32]| {}));
            let dw = conv.gradients(&dy, &filters, dx.as_ref().map(Array::write::<f32>).as_deref_mut(), cx.needs(1));
            grads.push(dx.and_then(dense));
            grads.push(if cx.needs(1) {
                // G is smaller than the factors a convolution has, one row for every window.
                let shape: Dims = [w.rows(), w.cols()].into_iter().collect();
                Some(Gradient::Packed(GradientCache::of_cotangent(w, &Array::from_slice(&dw, &shape)?)))
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
