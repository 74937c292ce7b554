//! Indexing with torch's meaning: integers and slices give a view first, then the index arrays pick from it. NumPy differs where
//! an integer stands beside arrays: there it counts as an array.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyEllipsis, PyInt, PyList, PySlice, PyTuple};
use rbe_core::array::{Array, SliceSpec};
use rbe_core::op::Picks;
use rbe_core::{DType, RbeError, memory};

use crate::error::{OrRaise, raise};
use crate::runtime::{enter_for, within};
use crate::tensor::{NewTensor, operand};

/// One item between the brackets.
enum Item {
    Slice(SliceSpec),
    At(usize),
    NewAxis,
    Picks(Array),
    Truth(bool), // a mask without axes: a new axis of length 1 or 0
}

/// A view of the tensor, and the arrays that pick from it.
struct Parsed {
    view: Vec<SliceSpec>,       // of the leading axes
    shape: Option<Vec<isize>>,  // after integers went and new axes came
    picks: Vec<(usize, Array)>, // axis of the reshaped view; the picked axes come first where these are no neighbours
}

fn slice_spec(slice: &Bound<'_, PySlice>, n: usize) -> PyResult<SliceSpec> {
    let i = slice.indices(n as isize)?;
    Ok(SliceSpec { start: i.start.max(0) as usize, step: i.step, len: i.slicelength })
}

/// Positions where a mask holds, one index array for each of its axes.
fn mask_positions(mask: &Array) -> rbe_core::Result<Vec<Array>> {
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

/// The position that an integer names on an axis of length `n`.
fn position(at: i64, axis: usize, n: usize) -> PyResult<usize> {
    let n = n as i64;
    if at < -n || at >= n {
        return Err(raise(RbeError::index("index", format!("positions from -{n} to {} on axis {axis} of length {n}", n - 1), at)));
    }
    Ok(at.rem_euclid(n) as usize)
}

/// One item between the brackets before the axes are counted.
enum Given<'py> {
    Basic(Bound<'py, PyAny>), // a slice, None or an ellipsis
    Integer(i64),
    Array(Array), // int64 or bool
}

impl<'py> Given<'py> {
    fn of(item: Bound<'py, PyAny>) -> PyResult<Given<'py>> {
        if item.is_none() || item.is_instance_of::<PyEllipsis>() || item.is_instance_of::<PySlice>() {
            return Ok(Given::Basic(item));
        }
        if item.is_instance_of::<PyInt>() && !item.is_instance_of::<PyBool>() {
            let wide = |_| raise(RbeError::index("index", "an integer of 64 bits", &item));
            return item.extract().map(Given::Integer).map_err(wide);
        }
        let index = operand(&item, None)?;
        let array = index.array("index").or_raise()?.clone();
        let is_empty_list = array.numel() == 0 && (item.is_instance_of::<PyList>() || item.is_instance_of::<PyTuple>());
        match array.dtype() {
            // NumPy's integers and tensors of one integer index as plain integers do: they give views.
            DType::I64 if array.ndim() == 0 => Ok(Given::Integer(array.to_vec::<i64>().or_raise()?[0])),
            DType::I64 | DType::Bool => Ok(Given::Array(array)),
            _ if is_empty_list => Ok(Given::Array(array.cast(DType::I64))),
            other => Err(raise(RbeError::dtype("index", "integers, slices, None, ..., int64 or bool tensors", other))),
        }
    }

    /// Axes that it takes.
    fn axes(&self) -> usize {
        match self {
            Given::Basic(item) => usize::from(item.is_instance_of::<PySlice>()),
            Given::Array(mask) if mask.dtype() == DType::Bool => mask.ndim(),
            _ => 1,
        }
    }
}

/// The items with an ellipsis written out.
fn items(shape: &[usize], index: &Bound<'_, PyAny>) -> PyResult<Vec<Item>> {
    let given: Vec<Given<'_>> = match index.cast::<PyTuple>() {
        Ok(tuple) => tuple.iter().map(Given::of).collect::<PyResult<_>>()?,
        Err(_) => vec![Given::of(index.clone())?],
    };
    let taken: usize = given.iter().map(Given::axes).sum();
    if taken > shape.len() {
        return Err(raise(RbeError::index("index", format!("at most {} indices for shape {shape:?}", shape.len()), taken)));
    }
    let mut items: Vec<Item> = Vec::new();
    let mut axis = 0;
    let mut open = true; // an ellipsis may still come
    for one in given {
        let axes = one.axes();
        match one {
            Given::Array(mask) if mask.dtype() == DType::Bool && axes == 0 => items.push(Item::Truth(mask.item().or_raise()? != 0.0)),
            Given::Array(mask) if mask.dtype() == DType::Bool => {
                if mask.shape() != &shape[axis..axis + axes] {
                    let expected = format!("a mask of shape {:?}", &shape[axis..axis + axes]);
                    return Err(raise(RbeError::index("index", expected, format!("{:?}", mask.shape()))));
                }
                let places = enter_for(index.py(), OP, mask.numel(), || mask_positions(&mask))?;
                items.extend(places.into_iter().map(Item::Picks));
            }
            Given::Array(array) => items.push(Item::Picks(array)),
            Given::Integer(at) => items.push(Item::At(position(at, axis, shape[axis])?)),
            Given::Basic(item) if item.is_none() => items.push(Item::NewAxis),
            Given::Basic(item) => match item.cast::<PySlice>() {
                Ok(slice) => items.push(Item::Slice(slice_spec(slice, shape[axis])?)),
                Err(_) if open => {
                    open = false;
                    let whole = |len: &usize| Item::Slice(SliceSpec { start: 0, step: 1, len: *len });
                    let rest = shape.len() - taken;
                    items.extend(shape[axis..axis + rest].iter().map(whole));
                    axis += rest;
                }
                Err(_) => return Err(raise(RbeError::index("index", "at most one ellipsis", "two"))),
            },
        }
        axis += axes;
    }
    Ok(items)
}

fn parse(shape: &[usize], index: &Bound<'_, PyAny>) -> PyResult<Parsed> {
    let (mut view, mut kept, mut picks) = (Vec::new(), Vec::new(), Vec::new());
    let mut reshaped = false;
    let mut source = 0;
    for item in items(shape, index)? {
        match item {
            Item::Slice(spec) => {
                view.push(spec);
                kept.push(spec.len as isize);
                source += 1;
            }
            Item::At(at) => {
                view.push(SliceSpec { start: at, step: 1, len: 1 });
                reshaped = true;
                source += 1;
            }
            Item::NewAxis => {
                kept.push(1);
                reshaped = true;
            }
            Item::Truth(holds) => {
                let at = Array::zeros(DType::I64, &[usize::from(holds)]);
                picks.push((kept.len(), at));
                kept.push(1);
                reshaped = true;
            }
            Item::Picks(array) => {
                view.push(SliceSpec { start: 0, step: 1, len: shape[source] });
                picks.push((kept.len(), array));
                kept.push(shape[source] as isize);
                source += 1;
            }
        }
    }
    kept.extend(shape[source..].iter().map(|n| *n as isize));
    Ok(Parsed { view, shape: reshaped.then_some(kept), picks })
}

/// The name of picking in errors.
const OP: &str = "index";

/// Elements that are moved where `picks` pick from a tensor of `shape`.
fn moved(picks: &[(usize, Array)], shape: &[usize]) -> usize {
    let picked = picks.iter().map(|(_, at)| at.numel()).max().unwrap_or(0);
    let rest = shape.iter().enumerate().filter(|(axis, _)| picks.iter().all(|(of, _)| of != axis)).map(|(_, n)| n).product::<usize>();
    picked.saturating_mul(rest.max(1))
}

/// `tensor[index]`.
pub fn get(tensor: &rbe_core::RBETensor, index: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
    within(OP, || picked(tensor, index))
}

fn picked(tensor: &rbe_core::RBETensor, index: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
    let parsed = parse(tensor.shape(), index)?;
    let mut out = tensor.slice(&parsed.view).or_raise()?;
    if let Some(shape) = &parsed.shape {
        out = out.reshape(shape).or_raise()?;
    }
    if !parsed.picks.is_empty() {
        let elements = moved(&parsed.picks, out.shape());
        out = enter_for(index.py(), OP, elements, || out.index(&Picks::new(out.shape(), &parsed.picks, false)?))?;
    }
    Ok(out.into())
}

/// The name of assignments in errors.
const ASSIGN: &str = "assign";

/// `tensor[index] = value`, in place.
pub fn set(tensor: &rbe_core::RBETensor, index: &Bound<'_, PyAny>, value: &rbe_core::RBETensor) -> PyResult<()> {
    within(ASSIGN, || assign(tensor, index, value))
}

fn assign(tensor: &rbe_core::RBETensor, index: &Bound<'_, PyAny>, value: &rbe_core::RBETensor) -> PyResult<()> {
    let own = tensor.writable(ASSIGN).or_raise()?;
    let parsed = parse(tensor.shape(), index)?;
    // Slicing and inserting or removing axes of length 1 always gives a view of the same memory.
    let slice = |a: Array, (axis, spec): (usize, &SliceSpec)| a.slice_axis(axis, *spec);
    let mut view = parsed.view.iter().enumerate().try_fold(own.clone(), slice).or_raise()?;
    if let Some(shape) = &parsed.shape {
        view = view.reshape(shape).or_raise()?;
    }
    let elements = if parsed.picks.is_empty() { view.numel() } else { moved(&parsed.picks, view.shape()) };
    enter_for(index.py(), ASSIGN, elements, || {
        let picks = match parsed.picks.is_empty() {
            true => None,
            false => Some(Picks::new(view.shape(), &parsed.picks, false)?),
        };
        // Leading axes of length 1 that the place does not have go.
        let ndim = picks.as_ref().map_or(view.ndim(), |picks| picks.result(view.shape()).len());
        let surplus = value.shape().len().saturating_sub(ndim);
        let shape: Vec<isize> = value.shape().iter().skip(surplus).map(|n| *n as isize).collect();
        match surplus > 0 && value.shape().iter().take(surplus).all(|n| *n == 1) {
            true => tensor.overwrite(ASSIGN, &view, picks.as_ref(), &value.reshape(&shape)?),
            false => tensor.overwrite(ASSIGN, &view, picks.as_ref(), value),
        }
    })
}
