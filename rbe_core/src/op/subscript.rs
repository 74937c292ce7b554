//! What stands between brackets, with torch's meaning: integers and slices give a view first, then the index arrays pick from it. NumPy
//! differs where an integer stands beside arrays: there it counts as an array.

use super::Picks;
use crate::array::{Array, SliceSpec};
use crate::dtype::DType;
use crate::error::{RbeError, Result};
use crate::memory;
use crate::parallel;
use crate::tape::RBETensor;

/// One item between brackets.
#[derive(Debug, Clone)]
pub enum Subscript {
    /// A position; negative ones count from the end.
    At(i64),
    /// Every `step`-th position from `start` before `stop`, as Python has it: what is left out reaches to the end.
    Slice {
        /// First position.
        start: Option<i64>,
        /// Where it ends, exclusive.
        stop: Option<i64>,
        /// Distance of positions, other than 0; negative ones go backwards.
        step: i64,
    },
    /// An axis of length 1.
    NewAxis,
    /// All axes that no other item takes.
    Ellipsis,
    /// Positions as int64, or a mask of as many axes as it has.
    Array(Array),
}

impl Subscript {
    /// Number of axes that it takes; an ellipsis not counted.
    fn axes(&self) -> usize {
        match self {
            Subscript::Array(mask) if mask.dtype() == DType::Bool => mask.ndim(),
            Subscript::NewAxis | Subscript::Ellipsis => 0,
            _ => 1,
        }
    }
}

/// Elements of a tensor: a view, and the arrays that pick from it.
pub struct Place {
    view: Vec<SliceSpec>,       // of the leading axes
    shape: Option<Vec<isize>>,  // after integers went and new axes came
    picks: Vec<(usize, Array)>, // axis of the reshaped view
}

/// The name of indexing in errors.
const OP: &str = "index";

impl Place {
    /// The elements of a tensor of `shape` that `items` name.
    ///
    /// # Errors
    /// `Index` for positions or axes that are not there, masks that do not fit, or a second ellipsis; `Value` for a step of 0; `DType` for
    /// arrays other than int64 and bool.
    pub fn new(shape: &[usize], items: &[Subscript]) -> Result<Place> {
        let taken: usize = items.iter().map(Subscript::axes).sum();
        if taken > shape.len() {
            return Err(RbeError::index(OP, format!("at most {} indices for shape {shape:?}", shape.len()), taken));
        }
        if items.iter().filter(|item| matches!(item, Subscript::Ellipsis)).count() > 1 {
            return Err(RbeError::index(OP, "at most one ellipsis", "two"));
        }
        let mut parts = Parts { view: Vec::new(), kept: Vec::new(), picks: Vec::new(), reshaped: false };
        for item in items {
            parts.push(shape, item, taken)?;
        }
        let Parts { view, mut kept, picks, reshaped } = parts;
        let rest = &shape[view.len()..];
        kept.extend(rest.iter().map(|n| *n as isize));
        Ok(Place { view, shape: reshaped.then_some(kept), picks })
    }

    fn picks(&self, shape: &[usize]) -> Result<Option<Picks>> {
        if self.picks.is_empty() { Ok(None) } else { Picks::new(shape, &self.picks, false).map(Some) }
    }
}

/// A place under construction.
struct Parts {
    view: Vec<SliceSpec>,
    kept: Vec<isize>,
    picks: Vec<(usize, Array)>,
    reshaped: bool,
}

impl Parts {
    /// Adds what an item of all, which take `taken` axes, says of the next axes.
    fn push(&mut self, shape: &[usize], item: &Subscript, taken: usize) -> Result<()> {
        let axis = self.view.len();
        match item {
            Subscript::Slice { start, stop, step } => self.slice(slice(*start, *stop, *step, shape[axis])?),
            Subscript::At(at) => {
                self.view.push(SliceSpec { start: position(*at, axis, shape[axis])?, step: 1, len: 1 });
                self.reshaped = true;
            }
            Subscript::NewAxis => {
                self.kept.push(1);
                self.reshaped = true;
            }
            Subscript::Ellipsis => {
                for n in &shape[axis..axis + shape.len() - taken] {
                    self.slice(SliceSpec { start: 0, step: 1, len: *n });
                }
            }
            Subscript::Array(mask) if mask.dtype() == DType::Bool && mask.ndim() == 0 => {
                // A new axis, of length 1 or 0.
                let chosen = Array::zeros(DType::I64, &[usize::from(mask.item()? != 0.0)]);
                self.picks.push((self.kept.len(), chosen));
                self.kept.push(1);
                self.reshaped = true;
            }
            Subscript::Array(mask) if mask.dtype() == DType::Bool => {
                let fits = &shape[axis..axis + mask.ndim()];
                if mask.shape() != fits {
                    return Err(RbeError::index(OP, format!("a mask of shape {fits:?}"), format!("{:?}", mask.shape())));
                }
                for places in mask_positions(mask)? {
                    self.pick(places, shape);
                }
            }
            Subscript::Array(places) if places.dtype().is_integer() && places.dtype() != DType::U8 => self.pick(places.clone(), shape),
            Subscript::Array(other) => {
                return Err(RbeError::dtype(OP, "integers, slices, None, ..., bool tensors or ones of signed integers", other.dtype()));
            }
        }
        Ok(())
    }

    fn slice(&mut self, spec: SliceSpec) {
        self.view.push(spec);
        self.kept.push(spec.len as isize);
    }

    fn pick(&mut self, places: Array, shape: &[usize]) {
        let n = shape[self.view.len()];
        self.picks.push((self.kept.len(), places));
        self.slice(SliceSpec { start: 0, step: 1, len: n });
    }
}

/// The positions of a slice on an axis of length `n`.
fn slice(start: Option<i64>, stop: Option<i64>, step: i64, n: usize) -> Result<SliceSpec> {
    if step == 0 {
        return Err(RbeError::value(OP, "a slice whose step is not zero", step));
    }
    let n = n as i64;
    let (low, high) = if step > 0 { (0, n) } else { (-1, n - 1) };
    let held = |at: i64| if at < 0 { at.saturating_add(n).max(low) } else { at.min(high) };
    let (first, last) = if step > 0 { (low, high) } else { (high, low) };
    let (start, stop) = (start.map_or(first, held), stop.map_or(last, held));
    let way = if step > 0 { stop - start } else { start - stop };
    let len = if way > 0 { (way as u64).div_ceil(step.unsigned_abs()) as usize } else { 0 };
    Ok(SliceSpec { start: start.max(0) as usize, step: step as isize, len })
}

/// The position that an integer names on an axis of length `n`.
fn position(at: i64, axis: usize, n: usize) -> Result<usize> {
    let n = n as i64;
    if at < -n || at >= n {
        return Err(RbeError::index(OP, format!("positions from -{n} to {} on axis {axis} of length {n}", n - 1), at));
    }
    Ok(at.rem_euclid(n) as usize)
}

/// Positions where a mask holds, one index array for each of its axes.
fn mask_positions(mask: &Array) -> Result<Vec<Array>> {
    parallel::long_work(mask.numel() as u64, || positions_in(mask))
}

fn positions_in(mask: &Array) -> Result<Vec<Array>> {
    let values = mask.to_vec::<u8>()?;
    let mut columns: Vec<Vec<i64>> = vec![Vec::new(); mask.ndim()];
    for at in values.iter().enumerate().filter(|(_, v)| **v != 0).map(|(at, _)| at) {
        let mut rest = at;
        for (column, n) in columns.iter_mut().zip(mask.shape()).rev() {
            memory::push(column, (rest % n) as i64);
            rest /= n;
        }
    }
    columns.into_iter().map(|c| Array::from_slice(&c, &[c.len()])).collect()
}

impl RBETensor {
    /// The elements of a place: a view, or a copy where arrays pick.
    ///
    /// # Errors
    /// `Shape` or `Index` for a place of another shape, or index arrays that do not broadcast; `DType` for a packed tensor.
    pub fn at(&self, place: &Place) -> Result<RBETensor> {
        let mut out = self.slice(&place.view)?;
        if let Some(shape) = &place.shape {
            out = out.reshape(shape)?;
        }
        match place.picks(out.shape())? {
            Some(picks) => out.index(&picks),
            None => Ok(out),
        }
    }

    /// Replaces the elements of a place by `value`, which broadcasts to them; `op` is the name in errors.
    ///
    /// # Errors
    /// As [`RBETensor::at`]; `Graph` for a tensor that may not be changed; `Shape` for a value that does not broadcast.
    pub fn set_at(&self, op: &'static str, place: &Place, value: &RBETensor) -> Result<()> {
        // Slicing and inserting or removing axes of length 1 always gives a view of the same memory.
        let slice = |a: Array, (axis, spec): (usize, &SliceSpec)| a.slice_axis(axis, *spec);
        let mut view = place.view.iter().enumerate().try_fold(self.writable(op)?.clone(), slice)?;
        if let Some(shape) = &place.shape {
            view = view.reshape(shape)?;
        }
        let picks = place.picks(view.shape())?;
        // Leading axes of length 1 that the place does not have go.
        let ndim = picks.as_ref().map_or(view.ndim(), |picks| picks.result(view.shape()).len());
        let surplus = value.shape().len().saturating_sub(ndim);
        if surplus == 0 || value.shape().iter().take(surplus).any(|n| *n != 1) {
            return self.overwrite(op, &view, picks.as_ref(), value);
        }
        let shape: Vec<isize> = value.shape().iter().skip(surplus).map(|n| *n as isize).collect();
        self.overwrite(op, &view, picks.as_ref(), &value.reshape(&shape)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(n: i64) -> RBETensor {
        RBETensor::new(&(0..3 * n).collect::<Vec<i64>>(), &[3, n as usize]).unwrap()
    }

    fn at(x: &RBETensor, items: &[Subscript]) -> RBETensor {
        x.at(&Place::new(x.shape(), items).unwrap()).unwrap()
    }

    fn slice_of(start: Option<i64>, stop: Option<i64>, step: i64) -> Subscript {
        Subscript::Slice { start, stop, step }
    }

    #[test]
    fn slices_name_the_positions_that_python_gives_them() {
        // Of range(5): what Python prints for list(range(5))[start:stop:step].
        type Case<'a> = (Option<i64>, Option<i64>, i64, &'a [i64]);
        let cases: [Case<'_>; 8] = [
            (None, None, 1, &[0, 1, 2, 3, 4]),
            (Some(1), Some(-1), 2, &[1, 3]),
            (None, None, -1, &[4, 3, 2, 1, 0]),
            (Some(-2), None, -2, &[3, 1]),
            (Some(9), Some(-9), -3, &[4, 1]),
            (Some(3), Some(1), 1, &[]),
            (Some(i64::MIN), Some(i64::MAX), 4, &[0, 4]),
            (Some(i64::MAX), Some(i64::MIN), i64::MIN, &[4]),
        ];
        let x = RBETensor::new(&[0i64, 1, 2, 3, 4], &[5]).unwrap();
        for (start, stop, step, expected) in cases {
            let found = at(&x, &[slice_of(start, stop, step)]);
            assert_eq!(found.array("test").unwrap().to_vec::<i64>().unwrap(), expected, "{start:?}:{stop:?}:{step}");
        }
    }

    #[test]
    fn an_ellipsis_stands_for_the_axes_that_no_item_takes() {
        let x = rows(4);
        assert_eq!(at(&x, &[Subscript::Ellipsis, Subscript::At(-1)]).array("test").unwrap().to_vec::<i64>().unwrap(), [3, 7, 11]);
        assert_eq!(at(&x, &[Subscript::NewAxis, Subscript::Ellipsis]).shape(), [1, 3, 4]);
        assert!(Place::new(x.shape(), &[Subscript::Ellipsis, Subscript::Ellipsis]).is_err());
        assert!(Place::new(x.shape(), &[Subscript::At(0), Subscript::At(0), Subscript::At(0)]).is_err());
    }

    #[test]
    fn values_are_assigned_where_masks_hold() {
        let x = rows(2);
        let mask = RBETensor::new(&[1i64, 0, 0, 1, 0, 0], &[3, 2]).unwrap().cast(DType::Bool).unwrap();
        let place = Place::new(x.shape(), &[Subscript::Array(mask.array("test").unwrap().clone())]).unwrap();
        x.set_at("assign", &place, &RBETensor::new(&[-1i64], &[1, 1]).unwrap()).unwrap();
        assert_eq!(x.array("test").unwrap().to_vec::<i64>().unwrap(), [-1, 1, 2, -1, 4, 5]);
    }
}
