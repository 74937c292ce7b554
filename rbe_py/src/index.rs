//! NumPy's indexing: what stands between the brackets becomes views, then picks.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyEllipsis, PyInt, PySlice, PyTuple};
use rbe_core::array::{Array, SliceSpec};
use rbe_core::op::Picks;
use rbe_core::{DType, RbeError, memory};

use crate::error::{OrRaise, raise};
use crate::runtime::within;
use crate::tensor::{RBETensor, operand};

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
    picks: Vec<(usize, Array)>, // axis of the reshaped view
    apart: bool,                // the arrays do not stand next to each other
}

fn slice_spec(slice: &Bound<'_, PySlice>, n: usize) -> PyResult<SliceSpec> {
    let i = slice.indices(n as isize)?;
    Ok(SliceSpec { start: i.start.max(0) as usize, step: i.step, len: i.slicelength })
}

/// Positions where a mask holds, one index array for each of its axes.
fn mask_positions(mask: &Array) -> PyResult<Vec<Array>> {
    let values = mask.to_vec::<u8>().or_raise()?;
    let mut columns: Vec<Vec<i64>> = vec![Vec::new(); mask.ndim()];
    for at in values.iter().enumerate().filter(|(_, v)| **v != 0).map(|(at, _)| at) {
        let mut rest = at;
        for (column, n) in columns.iter_mut().zip(mask.shape()).rev() {
            memory::push(column, (rest % n) as i64);
            rest /= n;
        }
    }
    columns.into_iter().map(|c| Array::from_slice(&c, &[c.len()]).or_raise()).collect()
}

fn is_basic(item: &Bound<'_, PyAny>) -> bool {
    item.is_none() || item.is_instance_of::<PyEllipsis>() || item.is_instance_of::<PySlice>() || item.is_instance_of::<PyInt>()
}

fn parse(shape: &[usize], index: &Bound<'_, PyAny>) -> PyResult<Parsed> {
    let listed: Vec<Bound<'_, PyAny>> = match index.cast::<PyTuple>() {
        Ok(tuple) => tuple.iter().collect(),
        Err(_) => vec![index.clone()],
    };
    // Arrays first: a mask takes as many axes as it has.
    let mut arrays: Vec<Option<Array>> = Vec::with_capacity(listed.len());
    let mut scalars: Vec<Option<i64>> = Vec::with_capacity(listed.len());
    let mut taken = 0;
    for item in &listed {
        scalars.push(None);
        let is_bool = item.is_instance_of::<pyo3::types::PyBool>();
        if is_basic(item) && !is_bool {
            taken += usize::from(!item.is_none() && !item.is_instance_of::<PyEllipsis>());
            arrays.push(None);
            continue;
        }
        let index = operand(item, None)?;
        rbe_core::graph::note_read(&index, "an index");
        let array = index.array("index").or_raise()?.clone();
        // An empty list is an empty integer index.
        let array = if array.numel() == 0 && array.dtype() == DType::F32 { array.cast(DType::I64) } else { array };
        match array.dtype() {
            DType::Bool => taken += array.ndim(),
            DType::I64 if array.ndim() == 0 => {
                // NumPy's integers and tensors of one integer index as plain integers do: they give views.
                taken += 1;
                scalars.pop();
                scalars.push(Some(array.to_vec::<i64>().or_raise()?[0]));
                arrays.push(None);
                continue;
            }
            DType::I64 => taken += 1,
            other => return Err(raise(RbeError::dtype("index", "integers, slices, None, ..., int64 or bool tensors", other))),
        }
        arrays.push(Some(array));
    }
    if taken > shape.len() {
        return Err(raise(RbeError::index("index", format!("at most {} indices for shape {shape:?}", shape.len()), taken)));
    }
    let advanced = arrays.iter().any(Option::is_some);
    let mut items: Vec<Item> = Vec::new();
    let mut axis = 0;
    let mut open = true; // an ellipsis may still come
    for ((item, array), scalar) in listed.iter().zip(arrays).zip(scalars) {
        if let Some(array) = array {
            if array.dtype() == DType::Bool && array.ndim() == 0 {
                items.push(Item::Truth(array.item().or_raise()? != 0.0));
            } else if array.dtype() == DType::Bool {
                if array.shape() != &shape[axis..axis + array.ndim()] {
                    let expected = format!("a mask of shape {:?}", &shape[axis..axis + array.ndim()]);
                    return Err(raise(RbeError::index("index", expected, format!("{:?}", array.shape()))));
                }
                axis += array.ndim();
                items.extend(mask_positions(&array)?.into_iter().map(Item::Picks));
            } else {
                items.push(Item::Picks(array));
                axis += 1;
            }
        } else if item.is_none() {
            items.push(Item::NewAxis);
        } else if item.is_instance_of::<PyEllipsis>() {
            if !open {
                return Err(raise(RbeError::index("index", "at most one ellipsis", "two")));
            }
            open = false;
            for _ in 0..shape.len() - taken {
                items.push(Item::Slice(SliceSpec { start: 0, step: 1, len: shape[axis] }));
                axis += 1;
            }
        } else if let Ok(slice) = item.cast::<PySlice>() {
            items.push(Item::Slice(slice_spec(slice, shape[axis])?));
            axis += 1;
        } else {
            let integer = || item.extract().map_err(|_| PyTypeError::new_err("indices must be integers, slices, None, ..., or arrays"));
            let v: i64 = scalar.map_or_else(integer, Ok)?;
            let n = shape[axis] as i64;
            if v < -n || v >= n {
                return Err(raise(RbeError::index("index", format!("positions from -{n} to {} on axis {axis} of length {n}", n - 1), v)));
            }
            let at = v.rem_euclid(n);
            items.push(if advanced { Item::Picks(Array::scalar(at)) } else { Item::At(at as usize) });
            axis += 1;
        }
    }
    // NumPy puts the picked axes first where anything stands between the arrays.
    let places: Vec<usize> =
        items.iter().enumerate().filter(|(_, i)| matches!(i, Item::Picks(_) | Item::Truth(_))).map(|(k, _)| k).collect();
    let apart = places.windows(2).any(|w| w[1] != w[0] + 1);

    let (mut view, mut kept, mut picks) = (Vec::new(), Vec::new(), Vec::new());
    let mut reshaped = false;
    let mut source = 0;
    for item in items {
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
    Ok(Parsed { view, shape: reshaped.then_some(kept), picks, apart })
}

/// `tensor[index]`.
pub fn get(tensor: &rbe_core::RBETensor, index: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
    within("index", || picked(tensor, index))
}

fn picked(tensor: &rbe_core::RBETensor, index: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
    let parsed = parse(tensor.shape(), index)?;
    let mut out = tensor.slice(&parsed.view).or_raise()?;
    if let Some(shape) = &parsed.shape {
        out = out.reshape(shape).or_raise()?;
    }
    if !parsed.picks.is_empty() {
        let picks = Picks::new(out.shape(), &parsed.picks, parsed.apart).or_raise()?;
        out = out.index(&picks).or_raise()?;
    }
    Ok(out.into())
}

/// `tensor[index] = value`, in place.
pub fn set(tensor: &rbe_core::RBETensor, index: &Bound<'_, PyAny>, value: &rbe_core::RBETensor) -> PyResult<()> {
    within("assign", || assign(tensor, index, value))
}

fn assign(tensor: &rbe_core::RBETensor, index: &Bound<'_, PyAny>, value: &rbe_core::RBETensor) -> PyResult<()> {
    tensor.writable("assign").or_raise()?;
    let parsed = parse(tensor.shape(), index)?;
    // Slicing and inserting or removing axes of length 1 always gives a view of the same memory.
    let mut view = tensor.detach().slice(&parsed.view).or_raise()?;
    if let Some(shape) = &parsed.shape {
        view = view.reshape(shape).or_raise()?;
    }
    if parsed.picks.is_empty() {
        return view.assign(value).or_raise();
    }
    let picks = Picks::new(view.shape(), &parsed.picks, parsed.apart).or_raise()?;
    view.assign_picks(&picks, value).or_raise()
}
