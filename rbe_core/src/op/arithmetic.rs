//! Arithmetic of two tensors under broadcasting.

use super::rule::{Cx, Grads, Inputs, Op, Output, Rule};
use super::table;
use crate::array::{Array, zip};
use crate::dispatch_float;
use crate::error::Result;

/// `a + b`.
pub struct Add;

impl Op for Add {
    fn rule(&self) -> &Rule {
        &table::ADD
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let (a, b) = (x.array(0)?, x.array(1)?);
        let dtype = a.dtype().promote(b.dtype());
        let (a, b) = (a.cast(dtype), b.cast(dtype));
        dispatch_float!("add", dtype, T => Ok(zip("add", &a, &b, |x: T, y: T| x + y)?.into()))
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        cx.two(|| Ok(cx.dy().clone()), || Ok(cx.dy().clone()))
    }
}

/// `a * b`.
pub struct Mul;

fn product(a: &Array, b: &Array) -> Result<Array> {
    let dtype = a.dtype().promote(b.dtype());
    let (a, b) = (a.cast(dtype), b.cast(dtype));
    dispatch_float!("mul", dtype, T => zip("mul", &a, &b, |x: T, y: T| x * y))
}

impl Op for Mul {
    fn rule(&self) -> &Rule {
        &table::MUL
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        Ok(product(x.array(0)?, x.array(1)?)?.into())
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let (a, b) = (cx.input(0)?, cx.input(1)?);
        cx.two(|| product(cx.dy(), b), || product(cx.dy(), a))
    }
}
