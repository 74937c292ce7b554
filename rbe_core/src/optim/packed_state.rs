//! What the optimiser keeps for a packed tensor.

use super::guard::{Guard, Sizes};
use crate::array::Array;
use crate::dtype::DType;
use crate::error::{RbeError, Result};
use crate::kernel::noise::{byte, stream};
use crate::kernel::update::{BETA_G, FULL_CHARGE, StateSlices, correction};
use crate::packed::{BITS, PackedTensor, TILE_ROWS};

/// Optimiser state of one packed tensor: 1 byte a weight and 12 bytes a block, plus rows + columns numbers. The moments of the
/// level parameters lie as those do, sixteen rows beside each other; those of rows beyond the tensor's stay zero.
#[derive(Clone)]
pub struct PackedState {
    /// Charge of every bit, uint8 in `[0, 127]`: (rows, blocks * 64).
    pub charges: Array,
    /// Running mean of G² over each row (rows), f32, not bias-corrected.
    pub row_moment: Array,
    /// Running mean of G² over each column (cols), f32, not bias-corrected.
    pub col_moment: Array,
    /// First moment of the level parameters' gradient, a tangent vector at each point of the disk: (row tiles, blocks, 2, 16) f32.
    pub m: Array,
    /// Second moment of the level parameters' gradient in the metric: (row tiles, blocks, 16) f32.
    pub v: Array,
    /// How large the gradients have been.
    pub guard: Guard,
    /// Steps taken.
    pub step: u64,
}

impl PackedState {
    /// Fresh state for `w`: charges uniform in `[0, 127]`, moments zero.
    pub fn new(w: &PackedTensor, seed: u64) -> PackedState {
        let (rows, blocks) = (w.rows(), w.blocks());
        let stream = stream(seed, u64::MAX);
        let charges = Array::build(&[rows, blocks * BITS], |out: &mut [u8]| {
            for (i, c) in out.iter_mut().enumerate() {
                *c = byte(i / BITS, i % BITS, stream) / 2;
            }
        })
        .relabel(DType::U8);
        PackedState {
            charges,
            row_moment: Array::zeros(DType::F32, &[rows]),
            col_moment: Array::zeros(DType::F32, &[w.cols()]),
            m: Array::zeros(DType::F32, &[rows.div_ceil(TILE_ROWS), blocks, 2, TILE_ROWS]),
            v: Array::zeros(DType::F32, &[rows.div_ceil(TILE_ROWS), blocks, TILE_ROWS]),
            guard: Guard::default(),
            step: 0,
        }
    }

    /// Copies of the arrays by name, row by row: the moments of the level parameters are (rows, blocks, 2) and (rows, blocks). None of them
    /// depends on instruction set or thread count.
    pub fn arrays(&self) -> Vec<(&'static str, Array)> {
        let [rows, width] = *self.charges.shape() else { unreachable!("charges have rows and columns") };
        let blocks = width / BITS;
        vec![
            ("charges", self.charges.copy()),
            ("row_moment", self.row_moment.copy()),
            ("col_moment", self.col_moment.copy()),
            ("exp_avg", by_row(&self.m, &[rows, blocks, 2])),
            ("exp_avg_sq", by_row(&self.v, &[rows, blocks])),
            ("guard", self.guard.array()),
        ]
    }

    /// Replaces the arrays, given in the order of [`PackedState::arrays`] and with their shapes and dtypes.
    ///
    /// # Errors
    /// `Value` for a charge above 127 or a negative second moment; `NonFinite` for a moment that is not finite. Nothing changes then.
    pub fn replace(&mut self, arrays: Vec<Array>, step: u64) -> Result<()> {
        const OP: &str = "load_state_dict";
        let [charges, row_moment, col_moment, m, v, guard]: [Array; 6] =
            arrays.try_into().map_err(|a: Vec<Array>| RbeError::value(OP, "six arrays", a.len()))?;
        let guard = Guard::from_array(&guard)?;
        if let Some(bad) = charges.read::<u8>().iter().find(|c| f32::from(**c) > FULL_CHARGE) {
            return Err(RbeError::value(OP, "charges from 0 to 127", bad));
        }
        check(&m, false)?;
        [&row_moment, &col_moment, &v].into_iter().try_for_each(|second| check(second, true))?;
        let (m, v) = (by_tile(&m, self.m.shape()), by_tile(&v, self.v.shape()));
        *self = PackedState { charges, row_moment, col_moment, m, v, guard, step };
        Ok(())
    }

    /// Takes the sizes of a step into account, of which `moments` is that of rows and columns; `beta` is the decay of the level parameters' second moments.
    pub(super) fn record(&mut self, now: Sizes, moments: impl Fn(&Sizes) -> f64, beta: f64) {
        let Some(level) = self.guard.record(now) else { return };
        let [rows, of_g] = [self.charges.shape()[0] as f64, correction(BETA_G, self.step)];
        for moment in [&self.row_moment, &self.col_moment] {
            let mean = sum(moment) / moment.shape()[0] as f64 / of_g;
            multiply(moment, moments(&level) / mean);
        }
        let points = rows * self.v.shape()[1] as f64; // rows that fill up a tile are zero
        let by = level.points / (sum(&self.v) / points / correction(beta, self.step));
        multiply(&self.v, by);
        multiply(&self.m, by.sqrt());
    }

    /// Runs `work` with the arrays as slices.
    pub(super) fn with_slices<R>(&self, work: impl FnOnce(StateSlices<'_>) -> R) -> R {
        let mut charges = self.charges.write::<u8>();
        let [mut row_moment, mut col_moment, mut m, mut v] =
            [&self.row_moment, &self.col_moment, &self.m, &self.v].map(Array::write::<f32>);
        work(StateSlices { charges: &mut charges, row_moment: &mut row_moment, col_moment: &mut col_moment, m: &mut m, v: &mut v })
    }

    /// Bytes held.
    pub fn nbytes(&self) -> usize {
        [&self.charges, &self.row_moment, &self.col_moment, &self.m, &self.v].iter().map(|a| a.nbytes()).sum()
    }
}

fn sum(a: &Array) -> f64 {
    a.read::<f32>().iter().map(|v| f64::from(*v)).sum()
}

/// Multiplies moments; those of which none is known, or whose level is not, stay as they are.
fn multiply(moments: &Array, by: f64) {
    if by.is_finite() && by > 0.0 {
        let most = f64::from(f32::MAX);
        moments.write::<f32>().iter_mut().for_each(|m| *m = (f64::from(*m) * by).clamp(-most, most) as f32);
    }
}

/// Fails for a moment that is not finite or, where they are second ones, negative.
fn check(moments: &Array, second: bool) -> Result<()> {
    const OP: &str = "load_state_dict";
    match moments.read::<f32>().iter().find(|v| !v.is_finite() || (second && **v < 0.0)) {
        Some(bad) if bad.is_finite() => Err(RbeError::value(OP, "second moments >= 0", bad)),
        Some(bad) => Err(RbeError::non_finite(OP, "finite moments", bad)),
        None => Ok(()),
    }
}

/// Places of the numbers of an array of `shape (rows, …)` in it, and in that of tiles `(row tiles, …, 16)`.
fn places(shape: &[usize]) -> impl Iterator<Item = (usize, usize)> {
    let width: usize = shape[1..].iter().product();
    (0..shape[0] * width).map(move |row_major| {
        let (row, at) = (row_major / width, row_major % width);
        (row_major, (row / TILE_ROWS * width + at) * TILE_ROWS + row % TILE_ROWS)
    })
}

/// `(row tiles, …, 16)` as `shape (rows, …)`.
fn by_row(tiles: &Array, shape: &[usize]) -> Array {
    let tiles = tiles.read::<f32>();
    Array::build(shape, |out: &mut [f32]| places(shape).for_each(|(row_major, tiled)| out[row_major] = tiles[tiled]))
}

/// `(rows, …)` as `shape (row tiles, …, 16)`, zero beyond the rows.
fn by_tile(rows: &Array, shape: &[usize]) -> Array {
    let tiled = Array::zeros(DType::F32, shape);
    {
        let (rows_of, mut out) = (rows.read::<f32>(), tiled.write::<f32>());
        places(rows.shape()).for_each(|(row_major, tiled)| out[tiled] = rows_of[row_major]);
    }
    tiled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Generator;

    #[test]
    fn what_is_taken_out_can_be_put_back() {
        let w = PackedTensor::random(&[37, 130], None, Generator::new(1).stream()).unwrap();
        let mut state = PackedState::new(&w, 3);
        let shapes: Vec<_> = state.arrays().iter().map(|(_, a)| a.shape().to_vec()).collect();
        assert_eq!(shapes, [vec![37, 192], vec![37], vec![130], vec![37, 3, 2], vec![37, 3], vec![Guard::LEN]]);
        let numbers = |shape: &[usize]| Array::build(shape, |out: &mut [f32]| out.iter_mut().enumerate().for_each(|(i, o)| *o = i as f32));
        let mut arrays: Vec<Array> = state.arrays().into_iter().map(|(_, a)| a).collect();
        arrays[3] = numbers(&[37, 3, 2]);
        arrays[4] = numbers(&[37, 3]);
        state.replace(arrays.clone(), 5).unwrap();
        for ((_, now), put) in state.arrays().iter().zip(&arrays).skip(3).take(2) {
            assert_eq!(now.to_vec::<f32>().unwrap(), put.to_vec::<f32>().unwrap());
        }
        // Row 17, block 2: lane 1 of tile 1.
        assert_eq!(state.v.read::<f32>()[(3 + 2) * TILE_ROWS + 1], (17 * 3 + 2) as f32);
    }
}
