//! Chains of element-wise operations run as one: tile by tile, so that what lies between them never leaves the cache.

use std::sync::Arc;

use smallvec::SmallVec;

use super::rule::{Cx, Grads, Inputs, Op, Output, Rule, dense};
use super::table;
use crate::array::{Array, Operand, TILE, for_each_tile, read_tiles, scratches, straight, tile_length, tiled_with};
use crate::dispatch_float;
use crate::dtype::{DType, Element, Float};
use crate::error::{RbeError, Result};
use crate::memory;

/// An element-wise function of runs of `T`.
pub trait ElementwiseOf<T>: Send + Sync {
    /// `out = f(x)`.
    fn value(&self, x: &[&[T]], out: &mut [T]);
    /// `out = dy ∂f/∂x_k`, given `y = f(x)`.
    fn slope(&self, k: usize, dy: &[T], x: &[&[T]], y: &[T], out: &mut [T]);
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

/// Element-wise operations on inputs of one float type, under broadcasting.
pub struct Fused {
    inputs: usize,
    program: Vec<Instruction>,
}

/// Scratch of the backward pass over a program.
struct Scratch<T> {
    values: Vec<Vec<T>>, // results of the functions
    slopes: Vec<Vec<T>>, // their gradients
    reached: Vec<bool>,  // whether a gradient is there yet: of the inputs, then of the functions
    term: Vec<T>,
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

    /// Results of all functions but the last on a tile.
    fn evaluate<T: Float>(&self, inputs: &[&[T]], values: &mut [Vec<T>], n: usize)
    where
        dyn Elementwise: ElementwiseOf<T>,
    {
        for (j, step) in self.program[..self.program.len() - 1].iter().enumerate() {
            let (before, rest) = values.split_at_mut(j);
            ElementwiseOf::<T>::value(&*step.function, &self.arguments(step, inputs, before, n), &mut rest[0][..n]);
        }
    }

    fn arguments<'a, T>(&self, step: &Instruction, inputs: &[&'a [T]], values: &'a [Vec<T>], n: usize) -> SmallVec<[&'a [T]; 2]> {
        let argument = |a: &usize| if *a < self.inputs { inputs[*a] } else { &values[*a - self.inputs][..n] };
        step.arguments.iter().map(argument).collect()
    }

    fn scratch<T: Float>(&self) -> Scratch<T> {
        let tiles = || tiles(self.program.len());
        let reached = memory::filled(false, self.inputs + self.program.len());
        Scratch { values: tiles(), slopes: tiles(), reached, term: memory::filled(T::zero(), TILE) }
    }

    fn last(&self) -> &Instruction {
        &self.program[self.program.len() - 1]
    }

    /// Gradients of the inputs `wanted`, each in the shape of the result.
    fn differentiate<T: Float>(&self, arrays: &[&Array], dy: &Array, wanted: &[usize]) -> Result<Vec<Array>>
    where
        dyn Elementwise: ElementwiseOf<T>,
    {
        let shape = dy.shape();
        let arrays = straight(arrays);
        let dy = dy.contiguous();
        let operands = arrays.iter().map(|a| &**a).chain([&dy]).map(|a| Operand::new(a, shape)).collect::<Result<Vec<Operand<'_, T>>>>()?;
        let mut found = Vec::new();
        nest(wanted.len(), shape, Vec::new(), &mut found, &mut |outs: Vec<&mut [T]>| {
            let scratch = || (self.scratch(), scratches(operands.len()));
            for_each_tile(outs, tile_length(shape), scratch, |(scratch, scratches), at, into| {
                let n = into.first().map_or(0, |o| o.len());
                let mut x = read_tiles(&operands, scratches, at, n);
                let Some(dy) = x.pop() else { return };
                self.evaluate(&x, &mut scratch.values, n);
                let (before, last) = scratch.values.split_at_mut(self.program.len() - 1);
                ElementwiseOf::<T>::value(&*self.last().function, &self.arguments(self.last(), &x, before, n), &mut last[0][..n]);
                self.back(&x, scratch, dy, wanted, into);
            });
        });
        Ok(found)
    }

    /// The backward pass over a tile; what the functions return is added in their order, last to first.
    fn back<T: Float>(&self, x: &[&[T]], scratch: &mut Scratch<T>, dy: &[T], wanted: &[usize], into: &mut [&mut [T]])
    where
        dyn Elementwise: ElementwiseOf<T>,
    {
        let (n, last) = (dy.len(), self.program.len() - 1);
        let Scratch { values, slopes, reached, term, .. } = scratch;
        reached.fill(false);
        for (j, step) in self.program.iter().enumerate().rev() {
            if j != last && !reached[self.inputs + j] {
                continue; // nothing depends on it
            }
            let (before, rest) = slopes.split_at_mut(j);
            let up = if j == last { dy } else { &rest[0][..n] };
            let args = self.arguments(step, x, values, n);
            for (k, a) in step.arguments.iter().enumerate() {
                let target: &mut [T] = if *a >= self.inputs {
                    &mut before[*a - self.inputs][..n]
                } else if let Some(at) = wanted.iter().position(|w| w == a) {
                    &mut *into[at]
                } else {
                    continue;
                };
                let first = !std::mem::replace(&mut reached[*a], true);
                let to = if first { &mut *target } else { &mut term[..n] };
                ElementwiseOf::<T>::slope(&*step.function, k, up, &args, &values[j][..n], to);
                if !first {
                    target.iter_mut().zip(&term[..n]).for_each(|(t, v)| *t += *v);
                }
            }
        }
        // An input that no function reads.
        wanted.iter().zip(into).filter(|(w, _)| !reached[**w]).for_each(|(_, o)| o.fill(T::zero()));
    }
}

/// Scratch for `count` functions.
fn tiles<T: Float>(count: usize) -> Vec<Vec<T>> {
    memory::collect((0..count).map(|_| memory::filled(T::zero(), TILE)))
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

    fn cost(&self, x: Inputs<'_>) -> u64 {
        x.broadcast_elements().saturating_mul(self.program.len() as u64)
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let arrays = x.arrays()?;
        let dtype: DType = arrays[0].dtype();
        if let Some(other) = arrays.iter().find(|a| a.dtype() != dtype) {
            return Err(RbeError::dtype("fused", dtype, other.dtype()));
        }
        dispatch_float!("fused", dtype, T => {
            let scratch = || tiles::<T>(self.program.len() - 1);
            tiled_with("fused", &arrays, scratch, |values, x: &[&[T]], out| {
                self.evaluate(x, values, out.len());
                ElementwiseOf::<T>::value(&*self.last().function, &self.arguments(self.last(), x, values, out.len()), out);
            })
        })
        .map(Output::from)
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
