//! Memory shared with NumPy, in both directions, through the array interface protocol.

#![allow(unsafe_code)]

use std::ptr::NonNull;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyCapsuleMethods, PyDict};
use rbe_core::array::{Array, Storage};
use rbe_core::{Buffer, DType, RbeError};

use crate::class::NewTensor;
use crate::convert::{KNOWN, dtype_of};
use crate::error::{OrRaise, raise};
use crate::numpy::view;

/// Gives NumPy the memory of an array and keeps it alive as long as NumPy uses it.
#[pyclass(frozen, module = "rbe._rbe", name = "_ArrayHolder")]
pub struct ArrayHolder {
    array: Array,
}

impl ArrayHolder {
    /// Holder of `array`.
    pub fn new(array: Array) -> ArrayHolder {
        array.storage().share();
        ArrayHolder { array }
    }
}

impl Drop for ArrayHolder {
    fn drop(&mut self) {
        self.array.storage().unshare();
    }
}

/// NumPy's code of an element type.
fn typestr(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "<f4",
        DType::F64 => "<f8",
        DType::I64 => "<i8",
        DType::Bool => "|b1",
        DType::U8 => "|u1",
        DType::I8 => "|i1",
        DType::I16 => "<i2",
        DType::I32 => "<i4",
        DType::F16 => "<f2",
        DType::BF16 => "<u2", // NumPy has no such float: its bits
    }
}

#[pymethods]
impl ArrayHolder {
    #[getter]
    fn __array_interface__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let a = &self.array;
        let size = a.dtype().size();
        let dict = PyDict::new(py);
        dict.set_item("version", 3)?;
        dict.set_item("typestr", typestr(a.dtype()))?;
        dict.set_item("shape", pyo3::types::PyTuple::new(py, a.shape())?)?;
        dict.set_item("strides", pyo3::types::PyTuple::new(py, a.strides().iter().map(|s| s * size as isize))?)?;
        dict.set_item("data", (a.storage().as_ptr() as usize + a.offset() * size, false))?;
        Ok(dict)
    }
}

/// Tensor over memory that `owner` keeps alive: `address` of the first element, shape, strides in elements. The caller in
/// the package passes what NumPy's array interface says of a writable, aligned, native array.
#[pyfunction(name = "_from_memory")]
pub fn from_memory(
    owner: Py<PyAny>,
    address: usize,
    dtype: &Bound<'_, PyAny>,
    shape: Vec<usize>,
    strides: Vec<isize>,
) -> PyResult<NewTensor> {
    shared(owner, address, dtype_of(dtype)?, &shape, &strides).map(NewTensor::from)
}

/// The array of [`from_memory`].
pub fn shared(owner: Py<PyAny>, address: usize, dtype: DType, shape: &[usize], strides: &[isize]) -> PyResult<Array> {
    let size = dtype.size() as isize;
    if shape.len() != strides.len() {
        return Err(raise(RbeError::shape("from_numpy", format!("{} strides", shape.len()), strides.len())));
    }
    if shape.contains(&0) {
        return Ok(Array::zeros(dtype, shape));
    }
    let (mut low, mut high) = (0isize, 0isize);
    for (n, s) in shape.iter().zip(strides) {
        let reach = (*n as isize - 1) * s;
        if reach < 0 { low += reach } else { high += reach }
    }
    let start = address.wrapping_add_signed(low * size);
    if !start.is_multiple_of(dtype.size()) {
        return Err(raise(RbeError::value("from_numpy", "aligned memory", format!("address {start:#x}"))));
    }
    let Some(ptr) = NonNull::new(start as *mut u8) else {
        return Err(raise(RbeError::value("from_numpy", "memory", "a null pointer")));
    };
    // SAFETY: NumPy reports `address`, shape and strides of memory that `owner` keeps allocated and initialised; the
    // range low..=high covers exactly the elements they reach.
    let buffer = unsafe { Buffer::foreign(ptr, ((high - low + 1) * size) as usize, Box::new(owner)) };
    let storage = Storage::new(buffer);
    storage.share(); // the owner may write
    Array::from_parts(storage, dtype, shape, strides, (-low) as usize).or_raise()
}

/// Tensor over the memory of a NumPy array, or of a copy where that is read-only, unaligned or byte-swapped.
#[pyfunction(name = "_from_array")]
pub fn from_array(array: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
    array_of(array, false).map(NewTensor::from)
}

/// The array of a NumPy array. With `convert` integers of all types become int64, and floats of 16 bits float32.
pub fn array_of(array: &Bound<'_, PyAny>, convert: bool) -> PyResult<Array> {
    if let Some(view) = view(array)?
        && !(convert && view.dtype.is_narrow())
    {
        return shared(array.clone().unbind(), view.data as usize, view.dtype, &view.shape, &view.strides);
    }
    let py = array.py();
    let own = array.getattr(intern!(py, "dtype"))?;
    let name: String = own.getattr(intern!(py, "name"))?.extract()?;
    let size: usize = own.getattr(intern!(py, "itemsize"))?.extract()?;
    let converted = |dtype: DType| array_of(&array.call_method1(intern!(py, "astype"), (dtype.name(),))?, false);
    let dtype = match DType::named(&name) {
        // The type of another package, of whose bits NumPy knows the size.
        Some(DType::BF16) if convert => return converted(DType::F32),
        Some(DType::BF16) => return Ok(array_of(&array.call_method1("view", ("int16",))?, false)?.relabel(DType::BF16)),
        Some(dtype) if convert && dtype.is_narrow() => return converted(dtype.wide()),
        Some(dtype) => dtype,
        None if convert && name == "uint64" && array.getattr("size")?.extract::<usize>()? > 0 => {
            let largest: u64 = array.call_method0("max")?.extract()?;
            if i64::try_from(largest).is_err() {
                return Err(raise(RbeError::dtype("tensor", "integers that int64 holds", "uint64 beyond it")));
            }
            return converted(DType::I64);
        }
        None if convert && matches!(own.getattr("kind")?.extract::<char>()?, 'i' | 'u') => return converted(DType::I64),
        None => return Err(raise(RbeError::dtype("dtype", KNOWN, name))),
    };
    let flags = array.getattr(intern!(py, "flags"))?;
    let holds = |name: &str| -> PyResult<bool> { flags.getattr(name)?.extract() };
    let shape: Vec<usize> = array.getattr(intern!(py, "shape"))?.extract()?;
    let mut strides: Vec<isize> = array.getattr(intern!(py, "strides"))?.extract()?;
    let native: bool = own.getattr(intern!(py, "isnative"))?.extract()?;
    if !native || !holds("writeable")? || !holds("aligned")? || strides.iter().any(|s| s % size as isize != 0) {
        return converted(dtype); // always a copy, in the byte order of the machine
    }
    strides.iter_mut().for_each(|s| *s /= size as isize);
    let address = array.getattr(intern!(py, "__array_interface__"))?.get_item("data")?.get_item(0)?.extract()?;
    shared(array.clone().unbind(), address, dtype, &shape, &strides)
}

/// Whether a DLPack capsule is of a version that says whether its memory may be written.
#[pyfunction(name = "_says_read_only")]
pub fn says_read_only(capsule: &Bound<'_, PyCapsule>) -> bool {
    capsule.is_valid_checked(Some(c"dltensor_versioned"))
}

/// Changes the kind of the elements of 16 bits that a DLPack capsule says it has, between those that DLPack numbers `before` and `after`:
/// NumPy moves bfloat16 as integers. Whether they were of that kind.
#[pyfunction(name = "_exchange_kind")]
pub fn exchange_kind(capsule: &Bound<'_, PyCapsule>, before: u8, after: u8) -> PyResult<bool> {
    // Where `DLTensor` lies in the managed tensor of each version, and the type (code, bits and lanes) in that.
    const TYPE: usize = 8 + 8 + 4;
    let (name, at) = if says_read_only(capsule) { (c"dltensor_versioned", 4 * 8 + TYPE) } else { (c"dltensor", TYPE) };
    let memory = capsule.pointer_checked(Some(name))?.cast::<u8>();
    // SAFETY: a capsule of this name, which nobody has taken yet, holds a managed tensor, and whoever holds the capsule that.
    unsafe {
        let code = memory.add(at);
        let found = code.read() == before && code.add(1).read() == 16;
        if found {
            code.write(after);
        }
        Ok(found)
    }
}
