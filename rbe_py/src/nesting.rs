//! Nested state as tensors by dotted name and a JSON text that says how they are nested, and back.
//!
//! The text is made of `{"tensor": name}`, `{"dict": [[key, node], …]}`, `{"list": [node, …]}`, `{"tuple": [node, …]}`,
//! `{"value": null, bool, number or string}` and `{"bytes": hexadecimal digits}`. Keys are sorted, so that equal states give
//! equal texts.

use std::collections::BTreeMap;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple};
use rbe_core::io::json::{Reader, Scalar, Shown, write_string, written_length};
use rbe_core::{RbeError, Value};

use crate::class::NewTensor;
use crate::convert::type_name;
use crate::error::{OrRaise, raise};
use crate::gil::enter_for;
use crate::tensor::RBETensor;
use crate::turns::Turns;

/// Deepest nesting that is written. Reading allows twice that, for files of versions that knew no limit.
const MAX_DEPTH: usize = 256;

/// Bytes that a node takes beside its names and text.
const NODE: usize = 64;

/// Tensors by name, and how they are nested: nothing is said of names alone.
pub struct Flat {
    pub tensors: Vec<(String, Value)>,
    pub tree: Option<String>,
    turns: Turns,
}

/// Takes nested mappings, lists and tuples apart.
pub fn flatten(state: &Bound<'_, PyMapping>) -> PyResult<Flat> {
    let mut flat = Flat { tensors: Vec::new(), tree: None, turns: Turns::new() };
    let entries = entries(state, "", &mut flat.turns)?;
    let named = |(key, node): &(Key, Bound<'_, PyAny>)| matches!(key, Key::Name(_)) && node.is_instance_of::<RBETensor>();
    if entries.iter().all(named) {
        for (key, node) in &entries {
            flat.push(&key.to_string(), node.cast::<RBETensor>()?.get())?;
        }
    } else {
        let mut tree = String::new();
        flat.walk(state.as_any(), "", 0, &mut tree)?;
        flat.tree = Some(tree);
    }
    Ok(flat)
}

/// A key of a mapping; integers come before names.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Index(i64),
    Name(String),
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Key::Index(i) => i.fmt(f),
            Key::Name(name) => name.fmt(f),
        }
    }
}

/// Makes room for `bytes` more.
fn reserve(out: &mut String, bytes: usize) -> PyResult<()> {
    if out.capacity() - out.len() >= bytes {
        return Ok(());
    }
    let more = bytes.max(out.len());
    out.try_reserve(more)
        .map_err(|_| raise(RbeError::memory("save", "a nesting that fits in memory", format!("{} bytes", out.len() + more))))
}

/// The text of a string; half a surrogate pair is refused.
fn text<'a>(string: &'a Bound<'_, PyString>, path: &str) -> PyResult<&'a str> {
    string.to_str().map_err(|_| raise(RbeError::dtype("save", format!("Unicode text in {}", Shown(path)), "half a surrogate pair")))
}

/// The entries of a mapping, sorted by key.
fn entries<'py>(mapping: &Bound<'py, PyMapping>, path: &str, turns: &mut Turns) -> PyResult<Vec<(Key, Bound<'py, PyAny>)>> {
    let mut out = Vec::new();
    for item in mapping.items()?.iter() {
        let (key, node): (Bound<'py, PyAny>, Bound<'py, PyAny>) = item.extract()?;
        let wrong = |got: String| {
            raise(RbeError::dtype(
                "save",
                format!("names or integers of 64 bits as keys of {}", Shown(if path.is_empty() { "the state" } else { path })),
                got,
            ))
        };
        let key = if let Ok(name) = key.cast::<PyString>() {
            Key::Name(text(name, path)?.to_owned())
        } else if key.is_instance_of::<PyInt>() && !key.is_instance_of::<PyBool>() {
            Key::Index(key.extract().map_err(|_| {
                wrong(format!("one of {} bits", key.call_method0("bit_length").map_or_else(|_| "more".into(), |n| n.to_string())))
            })?)
        } else {
            return Err(wrong(type_name(&key)));
        };
        out.push((key, node));
        turns.step(mapping.py())?;
    }
    out.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(out)
}

impl Flat {
    fn push(&mut self, name: &str, tensor: &RBETensor) -> PyResult<()> {
        self.tensors.push((name.to_owned(), tensor.made()?.value().clone()));
        Ok(())
    }

    /// Appends the node of `object` to `out`.
    fn walk(&mut self, object: &Bound<'_, PyAny>, path: &str, depth: usize, out: &mut String) -> PyResult<()> {
        if depth > MAX_DEPTH {
            let wanted = format!("a state that does not contain itself, nested at most {MAX_DEPTH} deep");
            return Err(raise(RbeError::format("save", wanted, format!("{depth} levels and more"))));
        }
        self.turns.step(object.py())?;
        reserve(out, NODE + 2 * written_length(path))?;
        let below = |key: &dyn std::fmt::Display| if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
        if let Ok(tensor) = object.cast::<RBETensor>() {
            self.push(path, tensor.get())?;
            out.push_str("{\"tensor\":");
            write_string(out, path);
        } else if let Ok(mapping) = object.cast::<PyMapping>() {
            out.push_str("{\"dict\":[");
            for (i, (key, node)) in entries(mapping, path, &mut self.turns)?.iter().enumerate() {
                out.push_str(if i > 0 { ",[" } else { "[" });
                match key {
                    Key::Index(index) => out.push_str(&index.to_string()),
                    Key::Name(name) => {
                        reserve(out, NODE + written_length(name))?;
                        write_string(out, name);
                    }
                }
                out.push(',');
                self.walk(node, &below(key), depth + 1, out)?;
                out.push(']');
            }
            out.push(']');
        } else if object.is_instance_of::<PyList>() || object.is_instance_of::<PyTuple>() {
            out.push_str(if object.is_instance_of::<PyList>() { "{\"list\":[" } else { "{\"tuple\":[" });
            for (i, node) in object.try_iter()?.enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                self.walk(&node?, &below(&i), depth + 1, out)?;
            }
            out.push(']');
        } else if let Ok(bytes) = object.cast::<PyBytes>() {
            reserve(out, NODE + 2 * bytes.as_bytes().len())?;
            out.push_str("{\"bytes\":\"");
            let (bytes, digit) = (bytes.as_bytes(), |d: u8| char::from(b"0123456789abcdef"[usize::from(d)]));
            enter_for(object.py(), "save", bytes.len(), || {
                bytes.iter().for_each(|b| out.extend([digit(b >> 4), digit(b & 15)]));
                Ok(())
            })?;
            out.push('"');
        } else {
            out.push_str("{\"value\":");
            scalar(object, path, out)?;
        }
        out.push('}');
        Ok(())
    }
}

/// Appends a value without parts; a scalar of NumPy as the number that it is.
fn scalar(object: &Bound<'_, PyAny>, path: &str, out: &mut String) -> PyResult<()> {
    if object.is_none() {
        out.push_str("null");
    } else if object.is_instance_of::<PyBool>() {
        out.push_str(if object.extract()? { "true" } else { "false" });
    } else if object.is_instance_of::<PyInt>() {
        match object.extract::<i64>() {
            Ok(v) => out.push_str(&v.to_string()),
            Err(_) => {
                // Python limits the digits of what it reads and writes.
                let digits = object.py().get_type::<PyInt>().call_method1("__repr__", (object,));
                let digits =
                    digits.map_err(|e| raise(RbeError::dtype("save", format!("an integer that can be written for {}", Shown(path)), e)))?;
                let digits = digits.cast::<PyString>()?.to_str()?;
                reserve(out, NODE + digits.len())?;
                out.push_str(digits);
            }
        }
    } else if object.is_instance_of::<PyFloat>() {
        out.push_str(&match object.extract::<f64>()? {
            v if v.is_nan() => "NaN".to_owned(),
            f64::INFINITY => "Infinity".to_owned(),
            f64::NEG_INFINITY => "-Infinity".to_owned(),
            v => format!("{v:?}"),
        });
    } else if let Ok(string) = object.cast::<PyString>() {
        let text = text(string, path)?;
        reserve(out, NODE + written_length(text))?;
        write_string(out, text);
    } else {
        let generic = object.py().import("numpy")?.getattr("generic")?;
        let number = if object.is_instance(&generic)? { Some(object.call_method0("item")?) } else { None };
        match number {
            Some(v) if v.is_instance_of::<PyInt>() || v.is_instance_of::<PyFloat>() => return scalar(&v, path, out),
            _ => {
                let wanted = format!("a tensor, number, string, bytes, None, or a nesting of them for {}", Shown(path));
                return Err(raise(RbeError::dtype("save", wanted, type_name(object))));
            }
        }
    }
    Ok(())
}

/// Puts a state together again: every tensor is used once.
pub fn build<'py>(py: Python<'py>, tree: &str, tensors: Vec<(String, Value)>) -> PyResult<Bound<'py, PyAny>> {
    let mut builder = Builder { py, reader: Reader::new(tree), tensors: tensors.into_iter().collect(), turns: Turns::new() };
    let state = builder.node(0)?;
    builder.reader.end().or_raise()?;
    if !state.is_instance_of::<PyDict>() {
        return Err(wrong("a mapping as the outermost part of the nesting", type_name(&state)));
    }
    match builder.tensors.keys().next() {
        Some(name) => Err(wrong("every tensor in the nesting", format!("{} beside it", Shown(name)))),
        None => Ok(state),
    }
}

fn wrong(expected: impl std::fmt::Display, got: impl std::fmt::Display) -> PyErr {
    raise(RbeError::format("load", expected, got))
}

/// A tensor of a value.
pub fn tensor(py: Python<'_>, value: Value) -> PyResult<Bound<'_, RBETensor>> {
    let inner = match value {
        Value::Dense(array) => rbe_core::RBETensor::from_array(array),
        Value::Packed(packed) => rbe_core::RBETensor::from_packed(packed, false),
    };
    NewTensor::from(inner).into_pyobject(py)
}

struct Builder<'py, 'a> {
    py: Python<'py>,
    reader: Reader<'a>,
    tensors: BTreeMap<String, Value>, // not used yet
    turns: Turns,
}

impl<'py> Builder<'py, '_> {
    fn node(&mut self, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        if depth > 2 * MAX_DEPTH {
            return Err(wrong(format!("a nesting at most {} deep", 2 * MAX_DEPTH), format!("{depth} levels and more")));
        }
        self.turns.step(self.py)?;
        self.reader.pass(b'{').or_raise()?;
        let kind = self.reader.string().or_raise()?;
        self.reader.pass(b':').or_raise()?;
        let node = match kind.as_ref() {
            "tensor" => {
                let name = self.reader.string().or_raise()?;
                let value = self.tensors.remove(name.as_ref()).ok_or_else(|| wrong("tensors that are there once", Shown(&name)))?;
                tensor(self.py, value)?.into_any()
            }
            "dict" => self.dict(depth)?,
            "list" => self.list(depth)?.into_any(),
            "tuple" => self.list(depth)?.to_tuple().into_any(),
            "value" => self.value()?,
            "bytes" => {
                let digits = self.reader.string().or_raise()?;
                let pairs = digits.as_bytes().chunks(2).map(|pair| {
                    let digit = |i: usize| pair.get(i).and_then(|d| char::from(*d).to_digit(16));
                    Some((digit(0)? << 4 | digit(1)?) as u8)
                });
                let bytes: Option<Vec<u8>> = enter_for(self.py, "load", digits.len(), || Ok(pairs.collect()))?;
                PyBytes::new(self.py, &bytes.ok_or_else(|| wrong("pairs of hexadecimal digits", Shown(&digits)))?).into_any()
            }
            _ => return Err(wrong("a tensor, dict, list, tuple, value or bytes in the nesting", Shown(&kind))),
        };
        self.reader.pass(b'}').or_raise()?;
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> PyResult<Bound<'py, PyList>> {
        let out = PyList::empty(self.py);
        self.reader.pass(b'[').or_raise()?;
        while self.reader.more(b']', out.is_empty()).or_raise()? {
            out.append(self.node(depth + 1)?)?;
        }
        Ok(out)
    }

    fn dict(&mut self, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        let out = PyDict::new(self.py);
        self.reader.pass(b'[').or_raise()?;
        while self.reader.more(b']', out.is_empty()).or_raise()? {
            self.reader.pass(b'[').or_raise()?;
            let key = if self.reader.peek() == b'"' {
                PyString::new(self.py, &self.reader.string().or_raise()?).into_any()
            } else {
                let digits = self.reader.number().or_raise()?;
                let index: i64 = digits.parse().map_err(|_| wrong("names or integers of 64 bits as keys", Shown(digits)))?;
                index.into_pyobject(self.py)?.into_any()
            };
            self.reader.pass(b',').or_raise()?;
            if out.contains(&key)? {
                return Err(wrong("every key once", Shown(&key.str()?.to_string())));
            }
            out.set_item(key, self.node(depth + 1)?)?;
            self.reader.pass(b']').or_raise()?;
        }
        Ok(out.into_any())
    }

    fn value(&mut self) -> PyResult<Bound<'py, PyAny>> {
        Ok(match self.reader.scalar().or_raise()? {
            Scalar::Null => self.py.None().into_bound(self.py),
            Scalar::Bool(v) => PyBool::new(self.py, v).to_owned().into_any(),
            Scalar::String(v) => PyString::new(self.py, &v).into_any(),
            Scalar::Number(digits) if digits.contains(['.', 'e', 'E', 'N', 'I']) => {
                let v: f64 = match digits {
                    "NaN" => f64::NAN,
                    "Infinity" => f64::INFINITY,
                    "-Infinity" => f64::NEG_INFINITY,
                    _ => digits
                        .parse()
                        .ok()
                        .filter(|v: &f64| v.is_finite())
                        .ok_or_else(|| wrong("numbers that float64 holds", Shown(digits)))?,
                };
                PyFloat::new(self.py, v).into_any()
            }
            Scalar::Number(digits) => match digits.parse::<i64>() {
                Ok(v) => v.into_pyobject(self.py)?.into_any(),
                Err(_) => self.py.get_type::<PyInt>().call1((digits,)).map_err(|e| {
                    if e.is_instance_of::<PyValueError>(self.py) {
                        wrong("integers that Python reads", format!("{} digits", digits.len()))
                    } else {
                        e
                    }
                })?,
            },
        })
    }
}
