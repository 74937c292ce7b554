//! Transposed convolutions: what a convolution does to gradients, as an operation of its own.

use super::apply::apply;
use super::conv::{Conv, Plan, filters};
use super::conv_transpose_rounded::RoundedConvTranspose;
use super::precision::MatmulPrecision;
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule, dense, multiply_adds};
use super::table;
use super::unfold::samples;
use super::window::Windows;
use crate::array::Array;
use crate::dispatch_float;
use crate::dtype::DType;
use crate::error::{RbeError, Result};
use crate::gradient::{Gradient, GradientCache};
use crate::parallel;
use crate::tape::{RBETensor, Value};

pub(super) const OP: &str = "conv_transpose";

/// Inputs: x (samples, channels, height, width), filters dense or packed (channels, out / groups, kernel), optional bias (out).
///
/// The result y is what the convolution of these filters, given y, maps to the shape of x.
pub(super) struct ConvTranspose {
    pub conv: Conv,
    /// Rows and columns that y has beyond those that the windows visit.
    pub more: [usize; 2],
}

impl ConvTranspose {
    /// The plan of the convolution from y to x, and the shape of y.
    pub(super) fn plan(&self, x: &[usize], w: &[usize]) -> Result<(Plan, [usize; 4])> {
        let (n, channels, size) = samples(OP, x)?;
        let kernel = self.conv.windows.kernel();
        if w.len() != 2 + kernel.len() || w[0] != channels || w[1] == 0 || size.contains(&0) {
            let expected = format!("filters ({channels}, out / groups, {kernel:?}) for x {x:?}, with at least one element a plane");
            return Err(RbeError::shape(OP, expected, format!("{w:?}")));
        }
        let mut y = [n, w[1].saturating_mul(self.conv.groups), 0, 0];
        for (axis, slide) in self.conv.windows.slides.iter().enumerate() {
            let reached = ((size[axis] - 1).saturating_mul(slide.stride)).saturating_add(slide.reach() + self.more[axis]);
            y[2 + axis] = reached.saturating_sub(slide.padding.0 + slide.padding.1);
            if y[2 + axis] == 0 {
                let cut = slide.padding.0 + slide.padding.1;
                return Err(RbeError::shape(OP, format!("padding of less than {reached} elements on both sides"), cut));
            }
        }
        let plan = self.conv.plan(&y, w)?;
        debug_assert_eq!(plan.columns.counts, size);
        Ok((plan, y))
    }

    /// Fails unless there is a bias for each of `out` channels.
    pub(super) fn check_bias(bias: Option<&Array>, out: usize) -> Result<()> {
        match bias {
            Some(bias) if bias.shape() != [out] => Err(RbeError::shape(OP, format!("bias ({out})"), format!("{:?}", bias.shape()))),
            _ => Ok(()),
        }
    }
}

impl Op for ConvTranspose {
    fn rule(&self) -> &Rule {
        &table::CONV_TRANSPOSE
    }

    fn cost(&self, x: Inputs<'_>) -> u64 {
        let filter = x.shape(1).iter().skip(1).fold(1_u64, |n, len| n.saturating_mul(*len as u64));
        multiply_adds(x.elements(0).saturating_mul(filter))
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let (a, w, bias) = (x.array(0)?, x.value(1), x.optional(2)?);
        let (plan, shape) = self.plan(a.shape(), w.shape())?;
        ConvTranspose::check_bias(bias, shape[1])?;
        let dtype = a.dtype().promote(w.dtype());
        let a = a.cast(dtype).contiguous();
        let bias = bias.map(|b| b.cast(dtype).contiguous());
        dispatch_float!(OP, dtype, T => {
            let (w, x, bias) = (filters::<T>(w, &plan)?, a.read::<T>(), bias.as_ref().map(Array::read::<T>));
            let y = Array::build(&shape, |y: &mut [T]| {
                plan.gradients(&[], &x, &w, Some(&mut *y), false);
            });
            if let Some(bias) = &bias {
                let plane = shape[2] * shape[3];
                parallel::for_each_piece(&mut y.write::<T>(), (shape[1] * plane).max(1), |_, sample| {
                    for (row, bias) in sample.chunks_exact_mut(plane).zip(&bias[..]) {
                        row.iter_mut().for_each(|y| *y += *bias);
                    }
                });
            }
            Ok(y.into())
        })
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let dy = cx.dy().contiguous();
        let (x, w) = (cx.input(0)?.cast(dy.dtype()).contiguous(), cx.value(1)?);
        let (plan, shape) = self.plan(x.shape(), w.shape())?;
        let mut grads = Grads::new();
        dispatch_float!(OP, dy.dtype(), T => {
            let (x, dy) = (x.read::<T>(), dy.read::<T>());
            let filters = filters::<T>(w, &plan)?;
            let (from, to) = (shape[1] * shape[2] * shape[3], plan.groups * plan.outputs * plan.columns.rows());
            let dx = cx.needs(0).then(|| Array::build(cx.shape(0), |dx: &mut [T]| {
                parallel::for_each_piece(dx, (plan.chunk * to).max(1), |p, dx| plan.forward(&dy[p * plan.chunk * from..], &filters, dx));
            }));
            grads.push(dx.and_then(dense));
            let dw = if cx.needs(1) { plan.gradients(&dy, &x, &filters, None, true) } else { Vec::new() };
            grads.push(match w {
                _ if !cx.needs(1) => None,
                Value::Dense(w) => dense(Array::from_slice(&dw, w.shape())?),
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
    /// The transpose of the convolution with filters (channels, out / groups, kernel), dense or packed: x (samples, channels, one
    /// or two spatial axes) becomes (samples, out, …), with `more` elements after each axis beyond what the windows visit.
    ///
    /// # Errors
    /// `Shape` if shapes, groups and windows do not fit, or padding takes away all; `Value` if `more` is not below the stride;
    /// `DType` for a packed x or integers.
    pub fn conv_transpose(
        &self,
        weight: &RBETensor,
        bias: Option<&RBETensor>,
        windows: &Windows,
        more: &[usize],
        groups: usize,
    ) -> Result<RBETensor> {
        let axes = windows.axes;
        let strides = windows.slides[2 - axes..].iter().map(|s| s.stride);
        if more.len() != axes || !more.iter().zip(strides).all(|(more, stride)| *more < stride) {
            return Err(RbeError::value(OP, "additional elements for each axis, fewer than its stride", format!("{more:?}")));
        }
        let mut after = [0; 2];
        after[2 - axes..].copy_from_slice(more);
        windows.over(self, |x| {
            let op = ConvTranspose { conv: Conv { windows: windows.clone(), groups }, more: after };
            let rounded = MatmulPrecision::current() == MatmulPrecision::Int8 && weight.is_packed() && x.dtype() != DType::F64;
            match (bias, rounded) {
                (Some(bias), true) => apply(RoundedConvTranspose(op), &[x, weight, bias]),
                (Some(bias), false) => apply(op, &[x, weight, bias]),
                (None, true) => apply(RoundedConvTranspose(op), &[x, weight]),
                (None, false) => apply(op, &[x, weight]),
            }
        })
    }
}
