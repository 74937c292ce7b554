//! Chains of element-wise operations run as one: tile by tile, so that what lies between them never leaves the cache.

use std::sync::Arc;

use smallvec::SmallVec;

use super::rule::{Cx, Grads, Inputs, Op, Output, Rule, dense};
use super::table;
use crate::array::Array;
use crate::dispatch_float;
use crate::dtype::{DType, Element, Float};
use crate::error::{RbeError, Result};
use crate::parallel;

/// Elements of a tile: a few of them fit the innermost cache.
const TILE: usize = 1 << 10;
/// Elements of one parallel piece.
const PIECE: usize = 1 << 14;

/// An element-wise function of runs of `T`.
pub trait ElementwiseOf<T>: Send + Sync {
    /// `out = f(x)`.
    fn value(&self, x: &[&[T]], out: &mut [T]);
    /// `into += dy ∂f/∂x_k`, given `y = f(x)`.
    fn slope(&self, k: usize, dy: &[T], x: &[&[T]], y: &[T], into: &mut [T]);
}

/// An element-wise function of floats.
pub trait Elementwise: ElementwiseOf<f32> + ElementwiseOf<f64> {}

impl<E: ElementwiseOf<f32> + ElementwiseOf<f64>> Elementwise for E {}

/// One function of a program; an argument below the number of inputs is an input, else an earlier result.
#[derive(Clone)]
pub struct Instruction {
    /// Name of the operation.
    pub name: std::borrow::Cow<'static, str>,
    /// The function.
    pub function: Arc<dyn Elementwise>,
    /// What it is applied to.
    pub arguments: SmallVec<[usize; 2]>,
}

/// Element-wise operations on inputs of one float type, of the shape of the result or of one element each.
pub struct Fused {
    inputs: usize,
    program: Vec<Instruction>,
}

/// An input as a program reads it.
enum Source<T> {
    Whole(Array),
    One(Vec<T>), // a tile of one value
}

impl Fused {
    /// The operation of a program whose last function gives the result.
    ///
    /// # Errors
    /// `Graph` for an argument that comes after its use, or an empty program.
    pub fn new(inputs: usize, program: Vec<Instruction>) -> Result<Fused> {
        let early = |(i, step): (usize, &Instruction)| step.arguments.iter().all(|a| *a < inputs + i);
        if program.is_empty() || !program.iter().enumerate().all(early) {
            return Err(RbeError::graph("fused", "functions of inputs and earlier results", "another program"));
        }
        Ok(Fused { inputs, program })
    }

    fn sources<T: Float>(&self, arrays: &[&Array], shape: &[usize]) -> Result<Vec<Source<T>>> {
        let read = |a: &&Array| -> Result<Source<T>> {
            if a.dtype() != T::DTYPE {
                return Err(RbeError::dtype("fused", T::DTYPE, a.dtype()));
            }
            if a.numel() == 1 && shape.iter().product::<usize>() != 1 {
                return Ok(Source::One(vec![a.to_vec::<T>()?[0]; TILE]));
            }
            Ok(Source::Whole(a.broadcast_to(shape)?.contiguous()))
        };
        arrays.iter().map(read).collect()
    }

    /// Results of all functions on a tile.
    fn evaluate<T: Float>(&self, inputs: &[&[T]], values: &mut [Vec<T>], n: usize)
    where
        dyn Elementwise: ElementwiseOf<T>,
    {
        for (j, step) in self.program.iter().enumerate() {
            let (before, rest) = values.split_at_mut(j);
            let x: SmallVec<[&[T]; 2]> = step.arguments.iter().map(|a| self.argument(*a, inputs, before, n)).collect();
            ElementwiseOf::<T>::value(&*step.function, &x, &mut rest[0][..n]);
        }
    }

    fn argument<'a, T>(&self, a: usize, inputs: &[&'a [T]], values: &'a [Vec<T>], n: usize) -> &'a [T] {
        if a < self.inputs { inputs[a] } else { &values[a - self.inputs][..n] }
    }

    fn scratch<T: Float>(&self) -> Vec<Vec<T>> {
        vec![vec![T::zero(); TILE]; self.program.len()]
    }

    fn run<T: Float>(&self, arrays: &[&Array], shape: &[usize]) -> Result<Array>
    where
        dyn Elementwise: ElementwiseOf<T>,
    {
        let sources = self.sources::<T>(arrays, shape)?;
        let reads: Vec<Slices<'_, T>> = sources.iter().map(Slices::new).collect();
        let last = self.program.len() - 1;
        Ok(Array::build(shape, |out: &mut [T]| {
            parallel::for_each_piece(out, PIECE, |i, piece| {
                let mut values = self.scratch::<T>();
                for (t, tile) in piece.chunks_mut(TILE).enumerate() {
                    let n = tile.len();
                    let x: SmallVec<[&[T]; 4]> = reads.iter().map(|r| r.tile(i * PIECE + t * TILE, n)).collect();
                    self.evaluate(&x, &mut values, n);
                    tile.copy_from_slice(&values[last][..n]);
                }
            });
        }))
    }

    /// Gradients of the inputs `wanted`, each in the shape of the result.
    fn differentiate<T: Float>(&self, arrays: &[&Array], dy: &Array, wanted: &[usize]) -> Result<Vec<Array>>
    where
        dyn Elementwise: ElementwiseOf<T>,
    {
        let shape = dy.shape();
        let sources = self.sources::<T>(arrays, shape)?;
        let reads: Vec<Slices<'_, T>> = sources.iter().map(Slices::new).collect();
        let dy = dy.contiguous();
        let dy = dy.read::<T>();
        let mut arrays = Vec::new();
        nest(wanted.len(), shape, Vec::new(), &mut arrays, &mut |outs: Vec<&mut [T]>| {
            let mut pieces: Vec<Vec<&mut [T]>> = Vec::new();
            for out in outs {
                for (i, piece) in out.chunks_mut(PIECE).enumerate() {
                    if i == pieces.len() {
                        pieces.push(Vec::new());
                    }
                    pieces[i].push(piece);
                }
            }
            parallel::map_mut(&mut pieces, |i, outs| {
                let (mut values, mut slopes) = (self.scratch::<T>(), self.scratch::<T>());
                let length = outs[0].len();
                for start in (0..length).step_by(TILE) {
                    let n = TILE.min(length - start);
                    let at = i * PIECE + start;
                    let x: SmallVec<[&[T]; 4]> = reads.iter().map(|r| r.tile(at, n)).collect();
                    self.evaluate(&x, &mut values, n);
                    let mut into: Vec<&mut [T]> = outs.iter_mut().map(|o| &mut o[start..start + n]).collect();
                    self.back(&x, &values, &mut slopes, &dy[at..at + n], wanted, &mut into);
                }
            });
        });
        Ok(arrays)
    }

    /// Walks a tile back; what the functions return is added in their order, last to first.
    fn back<T: Float>(&self, x: &[&[T]], values: &[Vec<T>], slopes: &mut [Vec<T>], dy: &[T], wanted: &[usize], into: &mut [&mut [T]])
    where
        dyn Elementwise: ElementwiseOf<T>,
    {
        let n = dy.len();
        slopes.iter_mut().for_each(|s| s[..n].fill(T::zero()));
        into.iter_mut().for_each(|o| o.fill(T::zero()));
        slopes[self.program.len() - 1][..n].copy_from_slice(dy);
        for (j, step) in self.program.iter().enumerate().rev() {
            let (before, rest) = slopes.split_at_mut(j);
            let args: SmallVec<[&[T]; 2]> = step.arguments.iter().map(|a| self.argument(*a, x, values, n)).collect();
            for (k, a) in step.arguments.iter().enumerate() {
                let at = wanted.iter().position(|w| w == a);
                let target: &mut [T] = if *a >= self.inputs {
                    &mut before[*a - self.inputs][..n]
                } else if let Some(at) = at {
                    &mut *into[at]
                } else {
                    continue;
                };
                ElementwiseOf::<T>::slope(&*step.function, k, &rest[0][..n], &args, &values[j][..n], target);
            }
        }
    }
}

/// Read access to a source.
enum Slices<'a, T: Element> {
    Whole(crate::array::Read<'a, T>),
    One(&'a [T]),
}

impl<'a, T: Element> Slices<'a, T> {
    fn new(source: &'a Source<T>) -> Slices<'a, T> {
        match source {
            Source::Whole(a) => Slices::Whole(a.read::<T>()),
            Source::One(tile) => Slices::One(tile),
        }
    }

    fn tile(&self, at: usize, n: usize) -> &[T] {
        match self {
            Slices::Whole(a) => &a[at..at + n],
            Slices::One(tile) => &tile[..n],
        }
    }
}

/// `count` arrays of one shape, filled together.
fn nest<T: Element>(count: usize, shape: &[usize], slices: Vec<&mut [T]>, arrays: &mut Vec<Array>, fill: &mut dyn FnMut(Vec<&mut [T]>)) {
    if count == 0 {
        fill(slices);
        return;
    }
    let mut inner = Vec::new();
    let array = Array::build(shape, |out: &mut [T]| {
        let mut slices = slices;
        slices.push(out);
        nest(count - 1, shape, slices, &mut inner, fill);
    });
    arrays.push(array);
    arrays.append(&mut inner);
}

impl Op for Fused {
    fn describe(&self) -> String {
        let names: Vec<&str> = self.program.iter().map(|step| &*step.name).collect();
        format!("fused({})", names.join(", "))
    }

    fn rule(&self) -> &Rule {
        &table::FUSED
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let arrays = x.arrays()?;
        let mut shape = crate::array::Dims::new();
        for a in &arrays {
            shape = crate::array::broadcast_shapes("fused", &shape, a.shape())?;
        }
        let dtype: DType = arrays[0].dtype();
        dispatch_float!("fused", dtype, T => self.run::<T>(&arrays, &shape)).map(Output::from)
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let arrays = (0..cx.arity()).map(|i| cx.input(i)).collect::<Result<Vec<_>>>()?;
        let wanted: Vec<usize> = (0..cx.arity()).filter(|i| cx.needs(*i)).collect();
        let found = dispatch_float!("fused", cx.dy().dtype(), T => self.differentiate::<T>(&arrays, cx.dy(), &wanted))?;
        let mut grads: Grads = (0..cx.arity()).map(|_| None).collect();
        for (i, array) in wanted.into_iter().zip(found) {
            grads[i] = dense(array);
        }
        Ok(grads)
    }
}
