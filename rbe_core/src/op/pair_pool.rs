//! Maximum pooling of windows of two by two that lie side by side.

use super::pool::{MaxPool, PIECE};
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule};
use super::table;
use super::window::with_size;
use crate::array::Array;
use crate::dispatch_float;
use crate::error::Result;
use crate::kernel::dense::pair_pool::{self, Planes};
use crate::memory;
use crate::parallel;

/// [`MaxPool`] of windows of two by two that lie side by side, without the places as a result: a by-product has them in a byte each.
pub(super) struct PairPool {
    pub planes: Planes,
}

/// A rule of [`table::MAX_POOL`], too, but for what it saves.
static PAIR_POOL: Rule = Rule::new(MaxPool::NAME, (1, 1), table::NOTHING);

impl PairPool {
    /// Planes of one parallel piece.
    fn each(&self) -> usize {
        PIECE.div_ceil((self.planes.size[0] * self.planes.size[1]).max(1))
    }

    /// Largest elements, and places in their windows as [`pair_pool::largest`] has them.
    pub fn largest(&self, x: &Array) -> Result<(Array, Array)> {
        let (shape, count, len) =
            (with_size(x.shape(), self.planes.windows), self.planes.count(), self.planes.size[0] * self.planes.size[1]);
        let x = x.contiguous();
        dispatch_float!(MaxPool::NAME, x.dtype(), T => {
            let (source, places) = (x.read::<T>(), Array::build(&shape, |_: &mut [u8]| {}));
            let values = Array::build(&shape, |values: &mut [T]| {
                let (mut places, each) = (places.write::<u8>(), self.each());
                let mut pieces = memory::collect(values.chunks_mut(each * count).zip(places.chunks_mut(each * count)));
                parallel::for_each_mut(&mut pieces, |p, (values, places)| {
                    let first = p * each * len;
                    pair_pool::largest(&source[first..first + values.len() / count * len], self.planes, values, places);
                });
            });
            Ok((values, places))
        })
    }
}

impl Op for PairPool {
    fn rule(&self) -> &Rule {
        &PAIR_POOL
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let (values, places) = self.largest(x.array(0)?)?;
        Ok(Output::keeping(values, [places]))
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let (dy, places) = (cx.dy().contiguous(), cx.kept(0)?);
        let (count, each) = (self.planes.count(), self.each());
        let size = each * self.planes.size[0] * self.planes.size[1];
        cx.one(|| {
            dispatch_float!(MaxPool::NAME, dy.dtype(), T => {
                let (dy, places) = (dy.read::<T>(), places.read::<u8>());
                Ok(Array::build(cx.shape(0), |dx: &mut [T]| parallel::for_each_piece(dx, size, |p, dx| {
                    let first = p * each * count;
                    let of = first..(first + each * count).min(dy.len());
                    pair_pool::spread(&dy[of.clone()], &places[of], self.planes, dx);
                })))
            })
        })
    }
}
