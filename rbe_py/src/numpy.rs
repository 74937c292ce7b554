//! NumPy arrays through NumPy's C interface: what an array is is read from its object, without a call into Python for every attribute.
//!
//! The layout of `PyArrayObject` and of the first fields of its dtype, and the places of functions in the table of the interface, are part of
//! NumPy's binary interface, the same in its versions 1 and 2.

#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_void};
use std::marker::PhantomData;
use std::ptr::null_mut;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use rbe_core::DType;
use rbe_core::array::{Array, Dims, Strides};
use rbe_core::kernel::dense::matrix::Matrix;

use crate::memory::ArrayHolder;

/// `PyArrayObject_fields`.
#[repr(C)]
struct Fields {
    head: ffi::PyObject,
    data: *mut u8,
    axes: c_int,
    shape: *const isize,
    strides: *const isize, // in bytes
    base: *mut ffi::PyObject,
    dtype: *const Kind,
    flags: c_int,
}

/// The first fields of `PyArray_Descr`.
#[repr(C)]
struct Kind {
    head: ffi::PyObject,
    scalar: *mut ffi::PyTypeObject,
    kind: c_char,
    letter: c_char,
    byte_order: c_char,
    flags: c_char,
    number: c_int,
}

const ALIGNED: c_int = 0x100;
const WRITEABLE: c_int = 0x400;

/// `PyArray_New`: class, axes, shape, number of the type, strides in bytes, memory, size of an element, flags, and an object to take
/// attributes from.
type New = unsafe extern "C" fn(
    *mut ffi::PyTypeObject,
    c_int,
    *const isize,
    c_int,
    *const isize,
    *mut c_void,
    c_int,
    c_int,
    *mut ffi::PyObject,
) -> *mut ffi::PyObject;

/// `PyArray_SetBaseObject`, which takes over the reference to the second object.
type SetBase = unsafe extern "C" fn(*mut ffi::PyObject, *mut ffi::PyObject) -> c_int;

/// What is used of the interface.
struct Api {
    class: *mut ffi::PyTypeObject,
    new: New,
    set_base: SetBase,
}

// SAFETY: the class and the functions live as long as the process, and are used by threads that hold the GIL.
unsafe impl Send for Api {}
// SAFETY: as above.
unsafe impl Sync for Api {}

fn api(py: Python<'_>) -> PyResult<&'static Api> {
    static API: PyOnceLock<Api> = PyOnceLock::new();
    API.get_or_try_init(py, || {
        let module = py.import("numpy._core._multiarray_umath").or_else(|_| py.import("numpy.core._multiarray_umath"))?;
        let capsule = module.getattr("_ARRAY_API")?;
        // SAFETY: NumPy keeps its table in a capsule without a name; the entries at these places are of these types in every version.
        unsafe {
            let table = ffi::PyCapsule_GetPointer(capsule.as_ptr(), std::ptr::null()).cast::<*mut c_void>();
            if table.is_null() {
                return Err(PyErr::fetch(py));
            }
            let entry = |i: usize| *table.add(i);
            Ok(Api {
                class: entry(2).cast(),
                new: std::mem::transmute::<*mut c_void, New>(entry(93)),
                set_base: std::mem::transmute::<*mut c_void, SetBase>(entry(282)),
            })
        }
    })
}

/// NumPy's number of an element type; of bfloat16, that of its bits. A C `long` has 64 bits on Unix.
fn number_of(dtype: DType) -> c_int {
    match dtype {
        DType::Bool => 0,
        DType::I8 => 1,
        DType::U8 => 2,
        DType::I16 => 3,
        DType::BF16 => 4, // uint16: NumPy has no such float
        DType::I32 => 5,
        DType::I64 if cfg!(windows) => 9,
        DType::I64 => 7,
        DType::F16 => 23,
        DType::F32 => 11,
        DType::F64 => 12,
    }
}

/// A writable, aligned array of one of our element types in the machine's byte order.
pub struct View<'a> {
    /// The element type.
    pub dtype: DType,
    /// Address of the first element.
    pub data: *mut u8,
    /// Lengths of the axes.
    pub shape: Dims,
    /// Distances of neighbours along the axes, in elements.
    pub strides: Strides,
    object: PhantomData<&'a ffi::PyObject>,
}

/// Whether `object` is an array of NumPy's class, or of a subclass.
pub fn is_array(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    // SAFETY: both are objects; the GIL is held.
    Ok(unsafe { ffi::PyObject_TypeCheck(object.as_ptr(), api(object.py())?.class) != 0 })
}

/// What an array is, if it can be used as it lies in memory.
pub fn view<'a>(object: &'a Bound<'_, PyAny>) -> PyResult<Option<View<'a>>> {
    if !is_array(object)? {
        return Ok(None);
    }
    // SAFETY: the object is an array, whose fields are laid out so; it is not changed while the GIL is held.
    unsafe {
        let array = &*object.as_ptr().cast::<Fields>();
        let kind = &*array.dtype;
        let dtype = DType::ALL.into_iter().find(|d| *d != DType::BF16 && number_of(*d) == kind.number);
        let Some(dtype) = dtype else { return Ok(None) };
        let native = matches!(kind.byte_order as u8, b'=' | b'|');
        if !native || array.flags & (ALIGNED | WRITEABLE) != ALIGNED | WRITEABLE || array.data.is_null() {
            return Ok(None);
        }
        let (axes, size) = (array.axes as usize, dtype.size() as isize);
        if axes == 0 {
            return Ok(Some(View { dtype, data: array.data, shape: Dims::new(), strides: Strides::new(), object: PhantomData }));
        }
        let (shape, strides) = (std::slice::from_raw_parts(array.shape, axes), std::slice::from_raw_parts(array.strides, axes));
        if strides.iter().any(|s| s % size != 0) {
            return Ok(None);
        }
        Ok(Some(View {
            dtype,
            data: array.data,
            shape: shape.iter().map(|n| *n as usize).collect(),
            strides: strides.iter().map(|s| s / size).collect(),
            object: PhantomData,
        }))
    }
}

impl View<'_> {
    /// The elements that are reached by strides that are not negative; none of an empty array.
    ///
    /// # Safety
    /// `T` is of the element type, and nothing writes to the array meanwhile.
    pub unsafe fn elements<T>(&self) -> Option<&[T]> {
        if self.strides.iter().any(|s| *s < 0) {
            return None;
        }
        if self.shape.contains(&0) {
            return Some(&[]);
        }
        let last: usize = self.shape.iter().zip(&self.strides).map(|(n, s)| (n - 1) * *s as usize).sum();
        // SAFETY: NumPy says that these elements are there; the view borrows the object that keeps them.
        Some(unsafe { std::slice::from_raw_parts(self.data.cast::<T>(), last + 1) })
    }

    /// The matrix, or its transpose.
    ///
    /// # Safety
    /// As [`View::elements`].
    pub unsafe fn matrix<T>(&self, transposed: bool) -> Option<(usize, usize, Matrix<'_, T>)> {
        let ([rows, cols], [down, across]) = (self.shape[..].try_into().ok()?, self.strides[..].try_into().ok()?);
        // SAFETY: as the caller says.
        let matrix = Matrix { data: unsafe { self.elements() }?, rows: down, cols: across };
        Some(if transposed { (cols, rows, matrix.t()) } else { (rows, cols, matrix) })
    }

    /// Whether the elements lie one after another in row-major order.
    pub fn is_contiguous(&self) -> bool {
        self.shape.contains(&0)
            || rbe_core::array::contiguous_strides(&self.shape)
                .iter()
                .zip(&self.strides)
                .zip(&self.shape)
                .all(|((a, b), n)| a == b || *n == 1)
    }
}

/// A new array of NumPy's, not initialised, and the address of its elements.
pub fn allocate<'py>(py: Python<'py>, dtype: DType, shape: &[usize]) -> PyResult<(Bound<'py, PyAny>, *mut u8)> {
    let api = api(py)?;
    let lengths: Strides = shape.iter().map(|n| *n as isize).collect();
    let none = null_mut();
    // SAFETY: NumPy allocates what the shape needs, or returns null with an exception.
    unsafe {
        let object =
            (api.new)(api.class, shape.len() as c_int, lengths.as_ptr(), number_of(dtype), std::ptr::null(), none, 0, 0, null_mut());
        let object = Bound::from_owned_ptr_or_err(py, object)?;
        let data = (*object.as_ptr().cast::<Fields>()).data;
        Ok((object, data))
    }
}

/// An array of NumPy's over the memory of an array, which it keeps alive.
pub fn over(py: Python<'_>, array: Array) -> PyResult<Bound<'_, PyAny>> {
    let (dtype, size) = (array.dtype(), array.dtype().size());
    if array.shape().contains(&0) {
        return Ok(allocate(py, dtype, array.shape())?.0);
    }
    let shape: Strides = array.shape().iter().map(|n| *n as isize).collect();
    let strides: Strides = array.strides().iter().map(|s| s * size as isize).collect();
    let data = array.storage().as_ptr().wrapping_add(array.offset() * size).cast::<c_void>();
    let holder = Bound::new(py, ArrayHolder::new(array))?;
    let api = api(py)?;
    // SAFETY: the memory reaches as far as shape and strides say, and the holder, which becomes the array's base, keeps it.
    unsafe {
        let (axes, number) = (shape.len() as c_int, number_of(dtype));
        let object = (api.new)(api.class, axes, shape.as_ptr(), number, strides.as_ptr(), data, 0, ALIGNED | WRITEABLE, null_mut());
        let object = Bound::from_owned_ptr_or_err(py, object)?;
        if (api.set_base)(object.as_ptr(), holder.into_any().into_ptr()) < 0 {
            return Err(PyErr::fetch(py));
        }
        Ok(object)
    }
}
