//! Dense matrix products through the `gemm` crate.

use super::apply::apply;
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule, dense, linear_cost, multiply_adds};
use super::table;
use crate::array::{Array, Dims, broadcast_shapes};
use crate::dispatch_float;
use crate::dtype::{DType, Element};
use crate::error::{RbeError, Result};
use crate::kernel::dense::gemm::gemm_shared;
use crate::kernel::dense::matrix::Matrix;
use crate::parallel;
use crate::tape::RBETensor;

/// The last two axes as a matrix with strides the kernel takes, copying only where a stride is negative.
fn plain(a: &Array) -> Array {
    if a.strides().iter().all(|s| *s >= 0) { a.clone() } else { a.copy() }
}

/// Matrices of one array's memory, one for every place of a batch.
pub(super) struct Batch {
    /// Whose storage holds the elements.
    pub array: Array,
    starts: Vec<usize>, // of each matrix
}

impl Batch {
    /// The last two axes of `a` as matrices, the others broadcast to `batch`.
    pub fn new(a: &Array, batch: &[usize]) -> Result<Batch> {
        let shape: Dims = batch.iter().chain(&a.shape()[a.ndim() - 2..]).copied().collect();
        let array = plain(a).broadcast_to(&shape)?;
        let lead = batch.len();
        let starts = crate::array::positions(&array.without_axis(lead).without_axis(lead));
        Ok(Batch { array, starts })
    }

    /// Matrix `i` in `data`, the elements of the array's storage.
    pub fn matrix<'a, T>(&self, data: &'a [T], i: usize) -> Matrix<'a, T> {
        let [.., rows, cols] = *self.array.strides() else { unreachable!("a batch has two axes more than its shape") };
        // Offsets of empty operands may lie beyond the storage; their products read nothing.
        Matrix { data: data.get(self.starts[i]..).unwrap_or(&[]), rows, cols }
    }
}

/// Batched product of arrays of two or more axes of one type, float or int64: (…, m, k) by (…, k, n).
pub(crate) fn matmul(a: &Array, b: &Array) -> Result<Array> {
    const OP: &str = "matmul";
    let (p, q) = (a.ndim() - 2, b.ndim() - 2);
    let (m, k, n) = (a.shape()[p], a.shape()[p + 1], b.shape()[q + 1]);
    if b.shape()[q] != k {
        return Err(RbeError::shape(OP, format!("(…, {k}, n) for the second operand of {:?}", a.shape()), format!("{:?}", b.shape())));
    }
    let batch = broadcast_shapes(OP, &a.shape()[..p], &b.shape()[..q])?;
    let (a, b) = (Batch::new(a, &batch)?, Batch::new(b, &batch)?);
    let shape: Dims = batch.iter().copied().chain([m, n]).collect();
    if a.array.dtype() == DType::I64 {
        return Ok(each(&a, &b, &shape, |a, b, c| whole_numbers(n, k, a, b, c)));
    }
    dispatch_float!(OP, a.array.dtype(), T => Ok(each(&a, &b, &shape, |a, b, c: &mut [T]| gemm_shared(m, n, k, a, b, c))))
}

/// The results (…, m, n) of `multiply(a, b, c)` for every pair of matrices.
fn each<T: Element>(
    a: &Batch,
    b: &Batch,
    shape: &[usize],
    multiply: impl Fn(Matrix<'_, T>, Matrix<'_, T>, &mut [T]) + Sync + Send,
) -> Array {
    let (x, y) = (a.array.read_storage::<T>(), b.array.read_storage::<T>());
    let size: usize = shape[shape.len() - 2..].iter().product();
    Array::build(shape, |out: &mut [T]| {
        if size > 0 {
            parallel::for_each_piece(out, size, |i, c| multiply(a.matrix(&x, i), b.matrix(&y, i), c));
        }
    })
}

/// Product of integers, which wraps around as NumPy's and torch's do.
fn whole_numbers(n: usize, k: usize, a: Matrix<'_, i64>, b: Matrix<'_, i64>, c: &mut [i64]) {
    for (i, row) in c.chunks_exact_mut(n).enumerate() {
        row.fill(0);
        for l in 0..k {
            let v = a.data[i * a.rows as usize + l * a.cols as usize];
            for (j, o) in row.iter_mut().enumerate() {
                *o = o.wrapping_add(v.wrapping_mul(b.data[l * b.rows as usize + j * b.cols as usize]));
            }
        }
    }
}

struct Matmul;

impl Op for Matmul {
    fn rule(&self) -> &Rule {
        &table::MATMUL
    }

    fn cost(&self, x: Inputs<'_>) -> u64 {
        let columns = |i: usize, from_end: usize| x.shape(i).iter().rev().nth(from_end).map_or(1, |n| *n as u64);
        // Either operand may be repeated for the matrices of the other.
        let products = x.elements(0).saturating_mul(columns(1, 0)).max(x.elements(1).saturating_mul(columns(0, 1)));
        x.all_elements().saturating_add(multiply_adds(products))
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let (a, b) = (x.array(0)?, x.array(1)?);
        let dtype = a.dtype().promote(b.dtype());
        if !dtype.is_float() {
            return Ok(matmul(&a.cast(DType::I64), &b.cast(DType::I64))?.into());
        }
        Ok(matmul(&a.cast(dtype), &b.cast(dtype))?.into())
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let dy = cx.dy();
        let (a, b) = (cx.input(0)?.cast(dy.dtype()), cx.input(1)?.cast(dy.dtype()));
        cx.two(|| matmul(dy, &b.transpose(-1, -2)?), || matmul(&a.transpose(-1, -2)?, dy))
    }
}

/// `x Wᵀ + b`. Inputs: x (…, in), w (out, in), optional bias (out).
struct Linear;

fn flat(a: &Array) -> Result<Array> {
    let width = a.shape()[a.ndim() - 1];
    let rows = a.shape()[..a.ndim() - 1].iter().product();
    a.reshape_to(&[rows, width])
}

impl Op for Linear {
    fn rule(&self) -> &Rule {
        &table::LINEAR
    }

    fn cost(&self, x: Inputs<'_>) -> u64 {
        linear_cost(x)
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let (a, w, bias) = (x.array(0)?, x.array(1)?, x.optional(2)?);
        if a.ndim() == 0 || w.ndim() != 2 || a.shape()[a.ndim() - 1] != w.shape()[1] {
            return Err(RbeError::shape("linear", "x (…, in) and weight (out, in)", format!("{:?} and {:?}", a.shape(), w.shape())));
        }
        if bias.is_some_and(|b| b.shape() != &w.shape()[..1]) {
            return Err(RbeError::shape("linear", format!("bias ({})", w.shape()[0]), format!("{:?}", bias.map(Array::shape))));
        }
        let dtype = a.dtype().promote(w.dtype());
        let y = matmul(&flat(&a.cast(dtype))?, &w.cast(dtype).transpose(0, 1)?)?;
        if let Some(bias) = bias {
            let bias = bias.cast(dtype);
            dispatch_float!("linear", dtype, T => crate::array::map_into(&y, &bias.contiguous(), |y: T, b: T| y + b))?;
        }
        let shape: Dims = a.shape()[..a.ndim() - 1].iter().copied().chain([w.shape()[0]]).collect();
        Ok(y.reshape_to(&shape)?.into())
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let dy = flat(cx.dy())?;
        let (x, w) = (cx.input(0)?.cast(dy.dtype()), cx.input(1)?.cast(dy.dtype()));
        let mut grads = cx.two(|| matmul(&dy, &w)?.reshape_to(cx.shape(0)), || matmul(&dy.transpose(0, 1)?, &flat(&x)?))?;
        if cx.arity() > 2 {
            grads.push(if cx.needs(2) { dense(dy.sum_axes(&[0])) } else { None });
        }
        Ok(grads)
    }
}

impl RBETensor {
    /// Matrix product with NumPy's rules for one axis and for batches.
    ///
    /// # Errors
    /// `Shape` if the inner lengths differ or the batches do not broadcast; `DType` for a packed tensor.
    pub fn matmul(&self, other: &RBETensor) -> Result<RBETensor> {
        if self.shape().is_empty() || other.shape().is_empty() {
            return Err(RbeError::shape("matmul", "operands with axes", format!("{:?} and {:?}", self.shape(), other.shape())));
        }
        match (self.shape().len(), other.shape().len()) {
            (1, 1) => apply(Matmul, &[&self.unsqueeze(0)?, &other.unsqueeze(1)?])?.reshape(&[]),
            (1, _) => apply(Matmul, &[&self.unsqueeze(0)?, other])?.squeeze(Some(&[-2])),
            (_, 1) => apply(Matmul, &[self, &other.unsqueeze(1)?])?.squeeze(Some(&[-1])),
            _ => apply(Matmul, &[self, other]),
        }
    }

    /// `x Wᵀ + b` with a dense or packed weight (out, in): (…, in) to (…, out).
    ///
    /// # Errors
    /// `Shape` if the lengths do not fit; `DType` for a packed `x` or bias.
    pub fn linear(&self, weight: &RBETensor, bias: Option<&RBETensor>) -> Result<RBETensor> {
        match bias {
            _ if weight.is_packed() => self.packed_linear(weight, bias),
            Some(bias) => apply(Linear, &[self, weight, bias]),
            None => apply(Linear, &[self, weight]),
        }
    }
}
