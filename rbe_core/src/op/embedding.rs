//! Rows of a table by index.

use super::apply::apply;
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule};
use super::table;
use crate::array::{Array, Dims};
use crate::dtype::{DType, Float};
use crate::error::{RbeError, Result};
use crate::gradient::{Factor, Gradient, GradientCache};
use crate::memory;
use crate::packed::{BITS, TILE_ROWS, levels};
use crate::parallel;
use crate::tape::RBETensor;
use crate::{dispatch_float, dispatch_size};

/// Inputs: table (rows, width), index (int64, any shape).
struct Embedding {
    padding: Option<usize>, // row that receives no gradient
}

/// The indices, checked against the number of rows.
fn checked(index: &Array, rows: usize) -> Result<Vec<i64>> {
    if !index.dtype().is_integer() {
        return Err(RbeError::dtype("embedding", "integer indices", index.dtype()));
    }
    let values = index.wide().to_vec::<i64>()?;
    match values.iter().find(|v| **v < 0 || **v >= rows as i64) {
        Some(bad) => Err(RbeError::index("embedding", format!("indices from 0 to {}", rows as i64 - 1), bad)),
        None => Ok(values),
    }
}

impl Op for Embedding {
    fn rule(&self) -> &Rule {
        &table::EMBEDDING
    }

    fn cost(&self, x: Inputs<'_>) -> u64 {
        x.elements(1).saturating_mul(x.shape(0).last().map_or(1, |width| *width as u64))
    }

    fn takes(&self, _dtype: DType) -> bool {
        true // elements are moved
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let (w, index) = (x.array(0)?.contiguous(), x.array(1)?);
        let [rows, width] = *w.shape() else {
            return Err(RbeError::shape("embedding", "a table (rows, width)", format!("{:?}", w.shape())));
        };
        let at = checked(index, rows)?;
        let shape: Dims = index.shape().iter().copied().chain([width]).collect();
        Ok(dispatch_size!(w.dtype(), T => {
            let source = w.read::<T>();
            Array::build(&shape, |out: &mut [T]| parallel::for_each_piece(out, 256 * width.max(1), |p, piece| {
                for (o, i) in piece.chunks_mut(width.max(1)).zip(&at[p * 256..]) {
                    o.copy_from_slice(&source[*i as usize * width..][..width]);
                }
            }))
        })
        .relabel(w.dtype())
        .into())
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let mut grads = cx.one(|| {
            let shape = cx.shape(0);
            let at = checked(cx.input(1)?, shape[0])?;
            let dy = cx.dy().wide().contiguous();
            let total = Array::zeros(dy.dtype(), shape);
            dispatch_float!("embedding", dy.dtype(), T => {
                let (mut out, dy) = (total.write::<T>(), dy.read::<T>());
                for (i, d) in at.iter().zip(dy.chunks_exact(shape[1].max(1))) {
                    if self.padding != Some(*i as usize) {
                        out[*i as usize * shape[1]..][..shape[1]].iter_mut().zip(d).for_each(|(o, d)| *o += *d);
                    }
                }
                Ok(())
            })?;
            Ok(total)
        })?;
        grads.push(None);
        Ok(grads)
    }
}

/// Rows of a packed table. Inputs: table (rows, width) packed, index (int64, any shape).
struct PackedEmbedding {
    padding: Option<usize>, // row that receives no gradient
}

impl Op for PackedEmbedding {
    fn rule(&self) -> &Rule {
        &table::PACKED_EMBEDDING
    }

    fn cost(&self, x: Inputs<'_>) -> u64 {
        x.elements(1).saturating_mul(x.shape(0).last().map_or(1, |width| *width as u64))
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let (w, index) = (x.packed(0)?, x.array(1)?);
        let (width, blocks) = (w.cols(), w.blocks());
        let at = checked(index, w.rows())?;
        let shape: Dims = index.shape().iter().copied().chain([width]).collect();
        let tiles = w.tiles();
        Ok(Array::build(&shape, |out: &mut [f32]| {
            parallel::for_each_piece(out, 256 * width, |p, piece| {
                for (row, n) in piece.chunks_mut(width).zip(&at[p * 256..]) {
                    let (tile, r) = (*n as usize / TILE_ROWS * blocks, *n as usize % TILE_ROWS);
                    for (tile, block) in tiles[tile..tile + blocks].iter().zip(row.chunks_mut(BITS)) {
                        let v = levels([tile.z0[r], tile.z1[r]], w.scale());
                        let hi = tile.hi(r);
                        block.iter_mut().enumerate().for_each(|(k, o)| *o = v[(hi >> k & 1) as usize]);
                    }
                }
            });
        })
        .into())
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let mut grads = Grads::new();
        grads.push(if cx.needs(0) { Some(self.factor(cx)?) } else { None });
        grads.push(None);
        Ok(grads)
    }
}

impl PackedEmbedding {
    /// `G = dyᵀ x` with the gradients of the rows that were asked for, summed by row, as x, and dy telling which rows those are;
    /// where they are more than the width, with the unit matrix as x and the transpose of G as dy, which is smaller then.
    fn factor(&self, cx: &Cx<'_>) -> Result<Gradient> {
        let w = cx.packed(0)?;
        let (rows, width) = (w.rows(), w.cols());
        let at = checked(cx.input(1)?, rows)?;
        let dy = cx.dy().contiguous();
        let dy = dy.read::<f32>();
        let mut used = memory::collect(at.iter().map(|i| *i as usize).filter(|i| self.padding != Some(*i)));
        used.sort_unstable();
        used.dedup();
        let mut place = memory::filled(usize::MAX, rows); // of a row's sum
        used.iter().enumerate().for_each(|(k, row)| place[*row] = k);
        let mut sums = memory::zeros::<f32>(used.len() * width);
        for (i, d) in at.iter().zip(dy.chunks_exact(width)) {
            if place[*i as usize] != usize::MAX {
                sums[place[*i as usize] * width..][..width].iter_mut().zip(d).for_each(|(s, d)| *s += d);
            }
        }
        let few = used.len() <= width;
        let depth = if few { used.len() } else { width };
        let x = Array::zeros(DType::F32, &[depth, width]);
        let which = Array::zeros(DType::F32, &[depth, rows]);
        {
            let (mut x, mut which) = (x.write::<f32>(), which.write::<f32>());
            if few {
                x.copy_from_slice(&sums);
                used.iter().enumerate().for_each(|(k, row)| which[k * rows + row] = 1.0);
            } else {
                (0..width).for_each(|k| x[k * width + k] = 1.0);
                for (row, sum) in used.iter().zip(sums.chunks_exact(width)) {
                    sum.iter().enumerate().for_each(|(k, s)| which[k * rows + row] = *s);
                }
            }
        }
        Ok(Gradient::Packed(GradientCache::new(w, Factor::Product { x, dy: which })))
    }
}

/// Elements set to 0 with probability p, the others scaled by 1 / (1 - p). Inputs: x.
struct Dropout {
    p: f64,
}

impl Op for Dropout {
    fn rule(&self) -> &Rule {
        &table::DROPOUT
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let a = x.array(0)?;
        let mask = Array::build(a.shape(), |_: &mut [u8]| {});
        let value = self.masked(a, &mask, |mask| crate::random::stream().bernoulli(1.0 - self.p, &mut mask.write()))?;
        Ok(Output::keeping(value, [mask]))
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        cx.one(|| self.masked(cx.dy(), cx.kept(0)?, |_| ()))
    }
}

impl Dropout {
    /// `a`, scaled where the mask is set and 0 elsewhere. `draw` fills the mask when there is memory for everything.
    fn masked(&self, a: &Array, mask: &Array, draw: impl FnOnce(&Array)) -> Result<Array> {
        const PIECE: usize = 1 << 14;
        let scale = if self.p < 1.0 { 1.0 / (1.0 - self.p) } else { 0.0 };
        let a = a.contiguous();
        dispatch_float!("dropout", a.dtype(), T => {
            Ok(Array::build(a.shape(), |out: &mut [T]| {
                draw(mask);
                let (source, mask, scale) = (a.read::<T>(), mask.read::<u8>(), T::of(scale));
                parallel::for_each_piece(out, PIECE, |i, piece| {
                    let from = i * PIECE..i * PIECE + piece.len();
                    let kept = source[from.clone()].iter().zip(&mask[from]);
                    piece.iter_mut().zip(kept).for_each(|(o, (x, m))| *o = if *m != 0 { *x * scale } else { T::of(0.0) });
                });
            }))
        })
    }
}

impl RBETensor {
    /// Rows `index` (int64, any shape) of this dense or packed table (rows, width): (…, width); of a packed one only those
    /// rows are decoded. `padding` names a row without gradient.
    ///
    /// # Errors
    /// `Index` for an index outside the table; `DType` for an index that is no integer.
    pub fn embedding(&self, index: &RBETensor, padding: Option<usize>) -> Result<RBETensor> {
        if self.is_packed() {
            return apply(PackedEmbedding { padding }, &[self, index]);
        }
        apply(Embedding { padding }, &[self, index])
    }

    /// In training each element is 0 with probability `p` and scaled by `1 / (1 - p)` else.
    ///
    /// # Errors
    /// `Value` for `p` outside `[0, 1]`; `DType` for integers.
    pub fn dropout(&self, p: f64, training: bool) -> Result<RBETensor> {
        if !(0.0..=1.0).contains(&p) {
            return Err(RbeError::value("dropout", "a probability in [0, 1]", p));
        }
        if !training || p == 0.0 {
            return Ok(self.clone());
        }
        apply(Dropout { p }, &[self])
    }
}
