//! Losses with a fused forward and backward.

use super::apply::apply;
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule};
use super::table;
use crate::array::{Array, Dims, zip};
use crate::dispatch_float;
use crate::dtype::Float;
use crate::error::{RbeError, Result};
use crate::kernel::dense::elementary::largest;
use crate::kernel::dense::softmax::{scaled_exp, sum_exp};
use crate::memory;
use crate::parallel;
use crate::tape::RBETensor;

/// How the losses of single elements become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    /// Their mean.
    Mean,
    /// Their sum.
    Sum,
    /// They stay.
    Elements,
}

impl Reduction {
    /// The reduction of torch's name.
    ///
    /// # Errors
    /// `Value` for another name.
    pub fn by_name(name: &str) -> Result<Reduction> {
        match name {
            "mean" => Ok(Reduction::Mean),
            "sum" => Ok(Reduction::Sum),
            "none" => Ok(Reduction::Elements),
            _ => Err(RbeError::value("reduction", "mean, sum or none", format!("{name:?}"))),
        }
    }
}

/// Mean of squared differences. Inputs: prediction, target of the same shape.
struct Mse;

impl Op for Mse {
    fn rule(&self) -> &Rule {
        &table::MSE
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let (a, b) = (x.array(0)?, x.array(1)?);
        if a.shape() != b.shape() {
            return Err(RbeError::shape("mse_loss", format!("a target of shape {:?}", a.shape()), format!("{:?}", b.shape())));
        }
        let dtype = super::arithmetic::promote(a, b);
        let (a, b) = (a.cast(dtype), b.cast(dtype));
        dispatch_float!("mse_loss", dtype, T => {
            let squares = zip("mse_loss", &a, &b, |a: T, b: T| (a - b) * (a - b))?;
            let axes: Vec<usize> = (0..squares.ndim()).collect();
            Ok(squares.mean_axes(&axes).into())
        })
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let dy = cx.dy();
        let (a, b) = (cx.input(0)?.cast(dy.dtype()), cx.input(1)?.cast(dy.dtype()));
        let scale = 2.0 * dy.item()? / a.numel() as f64;
        let run =
            |sign: f64| dispatch_float!("mse_loss", dy.dtype(), T => zip("mse_loss", &a, &b, |a: T, b: T| (a - b) * T::of(sign * scale)));
        cx.two(|| run(1.0), || run(-1.0))
    }
}

/// Rows of one parallel piece.
const ROWS: usize = 32;

/// Cross entropy of logits (rows, classes) and class indices (rows).
struct CrossEntropy {
    smoothing: f64,
    ignore: i64,
    weight: Option<Vec<f64>>, // by class
    reduction: Reduction,
}

impl CrossEntropy {
    fn class_weight(&self, class: usize) -> f64 {
        self.weight.as_ref().map_or(1.0, |w| w[class])
    }

    /// Weight of every row, 0 for ignored ones; their sum.
    fn row_weights(&self, target: &[i64], classes: usize) -> Result<(Vec<f64>, f64)> {
        let mut weights = memory::with_capacity(target.len());
        for t in target {
            weights.push(match *t {
                t if t == self.ignore => 0.0,
                t if t >= 0 && (t as usize) < classes => self.class_weight(t as usize),
                t => {
                    let expected = format!("classes from 0 to {} (or {} to ignore)", classes.saturating_sub(1), self.ignore);
                    return Err(RbeError::index("cross_entropy", expected, t));
                }
            });
        }
        let total = weights.iter().sum();
        Ok((weights, total))
    }

    /// Probability mass that smoothing puts on `class` for a row of `target`, times the class weight.
    fn mass(&self, class: usize, target: usize, classes: usize) -> f64 {
        let spread = self.smoothing / classes as f64;
        let hit = if class == target { 1.0 - self.smoothing } else { 0.0 };
        (spread + hit) * self.class_weight(class)
    }
}

impl Op for CrossEntropy {
    fn rule(&self) -> &Rule {
        &table::CROSS_ENTROPY
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        const OP: &str = "cross_entropy";
        let (a, target) = (x.array(0)?, x.array(1)?);
        if !target.dtype().is_integer() {
            return Err(RbeError::dtype(OP, "integer class indices", target.dtype()));
        }
        let [rows, classes] = *a.shape() else {
            return Err(RbeError::shape(OP, "logits (rows, classes)", format!("{:?}", a.shape())));
        };
        if target.shape() != [rows] || (classes == 0 && rows > 0) {
            let expected = format!("targets ({rows}) for logits {:?}, of one class at least", a.shape());
            return Err(RbeError::shape(OP, expected, format!("{:?}", target.shape())));
        }
        if self.weight.as_ref().is_some_and(|w| w.len() != classes) {
            return Err(RbeError::shape(OP, format!("a weight for each of {classes} classes"), self.weight.as_ref().map_or(0, Vec::len)));
        }
        let targets = target.to_vec::<i64>()?;
        let (weights, total) = self.row_weights(&targets, classes)?;
        let a = a.floating().contiguous();
        dispatch_float!(OP, a.dtype(), T => {
            let source = a.read::<T>();
            // The largest logit of a row, and one over the sum of the exponentials of the others' distances from it.
            let (mut stats, mut losses) = (memory::filled([T::of(0.0); 2], rows), memory::zeros::<f64>(rows));
            let mut pieces = memory::collect(stats.chunks_mut(ROWS).zip(losses.chunks_mut(ROWS)));
            parallel::for_each_mut(&mut pieces, |p, (stats, losses)| {
                let loss = |(i, stats): (usize, &mut [T; 2])| {
                    let r = p * ROWS + i;
                    let row = &source[r * classes..(r + 1) * classes];
                    let top = largest(row);
                    let total = sum_exp(row, top);
                    *stats = [top, T::of(1.0 / total)];
                    if targets[r] == self.ignore {
                        return 0.0;
                    }
                    // -ln p = ln Σ e^(x - top) - (x - top)
                    let t = targets[r] as usize;
                    let minus_log = |class: usize| total.ln() - (row[class].wide() - top.wide());
                    if self.smoothing == 0.0 {
                        return minus_log(t) * weights[r];
                    }
                    (0..classes).map(|class| self.mass(class, t, classes) * minus_log(class)).sum()
                };
                losses.iter_mut().zip(stats.iter_mut().enumerate().map(loss)).for_each(|(to, loss)| *to = loss);
            });
            let value = match self.reduction {
                Reduction::Elements => Array::build(&[rows], |out: &mut [T]| out.iter_mut().zip(&losses).for_each(|(o, l)| *o = T::of(*l))),
                Reduction::Sum => Array::scalar(T::of(losses.iter().sum())),
                Reduction::Mean => Array::scalar(T::of(losses.iter().sum::<f64>() / total)),
            };
            let stats = Array::from_slice(stats.as_flattened(), &[rows, 2])?;
            Ok(Output::keeping(value, [stats]))
        })
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let dy = cx.dy().contiguous();
        let (x, stats) = (cx.input(0)?.cast(dy.dtype()).contiguous(), cx.kept(0)?);
        let targets = cx.input(1)?.to_vec::<i64>()?;
        let [rows, classes] = *x.shape() else { return Ok(Grads::new()) };
        let (_, total) = self.row_weights(&targets, classes)?;
        let mut grads = cx.one(|| {
            dispatch_float!("cross_entropy", dy.dtype(), T => {
                let (x, stats, dy) = (x.read::<T>(), stats.read::<T>(), dy.read::<T>());
                let stats = stats.as_chunks::<2>().0;
                Ok(Array::build(&[rows, classes], |out: &mut [T]| parallel::for_each_piece(out, (ROWS * classes).max(1), |piece, out| {
                    for (r, o) in out.chunks_mut(classes).enumerate() {
                        let at = piece * ROWS + r;
                        if targets[at] == self.ignore {
                            o.fill(T::of(0.0));
                            continue;
                        }
                        let t = targets[at] as usize;
                        let up = match self.reduction {
                            Reduction::Elements => dy[at].wide(),
                            Reduction::Sum => dy[0].wide(),
                            Reduction::Mean => dy[0].wide() / total,
                        };
                        let (row, [top, share]) = (&x[at * classes..][..classes], stats[at]);
                        if self.smoothing == 0.0 {
                            let weight = T::of(up * self.class_weight(t));
                            scaled_exp(row, top, share * weight, o);
                            o[t] -= weight;
                        } else {
                            let all: f64 = (0..classes).map(|class| self.mass(class, t, classes)).sum();
                            scaled_exp(row, top, share * T::of(up * all), o);
                            for (class, o) in o.iter_mut().enumerate() {
                                *o -= T::of(up * self.mass(class, t, classes));
                            }
                        }
                    }
                })))
            })
        })?;
        grads.push(None);
        Ok(grads)
    }
}

/// Settings of [`RBETensor::cross_entropy`], torch's defaults.
#[derive(Debug, Clone)]
pub struct CrossEntropyOptions {
    /// Share of the probability mass spread over all classes, in `[0, 1]`.
    pub label_smoothing: f64,
    /// Target that takes no part.
    pub ignore_index: i64,
    /// Weight of each class.
    pub weight: Option<Vec<f64>>,
    /// How the rows' losses become one; the mean is weighted.
    pub reduction: Reduction,
}

impl Default for CrossEntropyOptions {
    fn default() -> Self {
        CrossEntropyOptions { label_smoothing: 0.0, ignore_index: -100, weight: None, reduction: Reduction::Mean }
    }
}

/// Mean of squared differences of a prediction and a target of one shape.
///
/// # Errors
/// `Shape` if the shapes differ.
pub fn mse_loss(prediction: &RBETensor, target: &RBETensor) -> Result<RBETensor> {
    apply(Mse, &[prediction, target])
}

impl RBETensor {
    /// Cross entropy of logits (N, C) or (N, C, …) and class indices (N) or (N, …), as torch's.
    ///
    /// # Errors
    /// `Shape` if the shapes do not fit; `Index` for a class outside; `Value` for a smoothing outside `[0, 1]`.
    pub fn cross_entropy(&self, target: &RBETensor, options: CrossEntropyOptions) -> Result<RBETensor> {
        const OP: &str = "cross_entropy";
        if !(0.0..=1.0).contains(&options.label_smoothing) {
            return Err(RbeError::value(OP, "label_smoothing in [0, 1]", options.label_smoothing));
        }
        let op = CrossEntropy {
            smoothing: options.label_smoothing,
            ignore: options.ignore_index,
            weight: options.weight,
            reduction: options.reduction,
        };
        let shape = self.shape();
        match shape.len() {
            1 => {
                let one = apply(op, &[&self.unsqueeze(0)?, &target.reshape(&[1])?])?;
                if options.reduction == Reduction::Elements { one.reshape(&[]) } else { Ok(one) }
            }
            2 => apply(op, &[self, target]),
            n if n > 2 => {
                let wanted: Dims = std::iter::once(shape[0]).chain(shape[2..].iter().copied()).collect();
                if target.shape() != wanted.as_slice() {
                    return Err(RbeError::shape(OP, format!("targets {:?}", wanted.as_slice()), format!("{:?}", target.shape())));
                }
                let order: Vec<isize> = std::iter::once(0).chain(2..n as isize).chain([1]).collect();
                let count: usize = wanted.iter().product();
                let rows = self.permute(&order)?.reshape(&[count as isize, shape[1] as isize])?;
                let loss = apply(op, &[&rows, &target.reshape(&[-1])?])?;
                if options.reduction == Reduction::Elements {
                    let back: Vec<isize> = wanted.iter().map(|n| *n as isize).collect();
                    return loss.reshape(&back);
                }
                Ok(loss)
            }
            _ => Err(RbeError::shape(OP, "logits (N, C, …)", "a scalar")),
        }
    }
}
