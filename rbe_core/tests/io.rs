//! Files: what is written comes back, and nothing else is taken for it.

mod common;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use rbe_core::array::{Array, SliceSpec};
use rbe_core::io::{Contents, Texts, load, read, save, to_bytes};
use rbe_core::optim::{HybridOptimizer, Rates};
use rbe_core::packed::PackedTensor;
use rbe_core::{DType, RBETensor, RbeError, Result, Value};

/// A folder of its own, removed afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("rbe-io-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(&self.0).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn packed(rows: usize, cols: usize) -> PackedTensor {
    common::packed(0, [rows, cols], 0.65, Some(0.3))
}

fn sample() -> Vec<(String, Value)> {
    let a = Array::from_slice(&(0..600_000).map(|i| i as f32).collect::<Vec<_>>(), &[600, 1000]).unwrap();
    [
        ("columns", Value::Dense(a.transpose(0, 1).unwrap())),
        ("every third", Value::Dense(a.slice_axis(1, SliceSpec { start: 1, step: 3, len: 333 }).unwrap())),
        ("backwards", Value::Dense(a.slice_axis(0, SliceSpec { start: 599, step: -2, len: 300 }).unwrap())),
        ("wide", Value::Dense(Array::from_slice(&[1.5f64, -2.0], &[2, 1]).unwrap().broadcast_to(&[2, 3]).unwrap())),
        ("scalar", Value::Dense(Array::scalar(7i64))),
        ("bools", Value::Dense(Array::from_slice(&[1u8, 0, 1], &[3]).unwrap())),
        ("bytes", Value::Dense(Array::from_slice(&[0u8, 200, 255], &[3]).unwrap().relabel(DType::U8))),
        ("empty", Value::Dense(Array::zeros(DType::F32, &[0, 3]))),
        ("small", Value::Packed(packed(3, 70))),
        // More blocks than are copied at once, and rows that end in the middle of a piece.
        ("large", Value::Packed(packed(1001, 70 * 64 + 5))),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Dense(a), Value::Dense(b)) => {
            let bytes = |v: &Array| -> Vec<u8> {
                rbe_core::dispatch_size!(v.dtype(), T => bytemuck::cast_slice::<T, u8>(&v.to_vec::<T>().unwrap()).to_vec())
            };
            (a.dtype(), a.shape()) == (b.dtype(), b.shape()) && bytes(a) == bytes(b)
        }
        (Value::Packed(a), Value::Packed(b)) => (a.shape(), a.scale(), a.hi(), a.lo()) == (b.shape(), b.scale(), b.hi(), b.lo()),
        _ => false,
    }
}

fn from_bytes(bytes: &[u8]) -> Result<Contents> {
    read(bytes, bytes.len() as u64, &|| Ok(()))
}

#[test]
fn tensors_and_texts_come_back() {
    let tensors = sample();
    let texts = Texts::from([("a".into(), "\"\n\u{0}é".into()), (String::new(), "b".into())]);
    let bytes = to_bytes(&tensors, texts.clone(), Some("tree".into())).unwrap();
    let contents = from_bytes(&bytes).unwrap();
    assert_eq!((contents.metadata, contents.tree.as_deref()), (texts.clone(), Some("tree")));
    assert_eq!(contents.tensors.len(), tensors.len());
    assert!(contents.tensors.is_sorted_by(|a, b| a.0 < b.0));
    for (name, value) in &tensors {
        let found = &contents.tensors.iter().find(|(n, _)| n == name).unwrap().1;
        assert!(same(value, found), "{name}");
    }
    let reversed: Vec<_> = tensors.into_iter().rev().collect();
    assert_eq!(to_bytes(&reversed, texts, Some("tree".into())).unwrap(), bytes);
}

#[test]
fn no_cut_and_no_flipped_bit_is_taken_for_the_file() {
    let tensors: Vec<_> =
        sample().into_iter().filter(|(name, _)| ["scalar", "bools", "bytes", "small", "empty"].contains(&name.as_str())).collect();
    let bytes = to_bytes(&tensors, Texts::from([("note".into(), "\u{1f}\\".into())]), None).unwrap();
    for n in 0..bytes.len() {
        assert!(matches!(from_bytes(&bytes[..n]), Err(RbeError::Format(_))), "cut at {n}");
        // A file that becomes shorter after it was opened.
        assert!(matches!(read(&bytes[..n], bytes.len() as u64, &|| Ok(())), Err(RbeError::Format(_))), "cut at {n} while read");
    }
    for i in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[i / 8] ^= 1 << (i % 8);
        assert!(matches!(from_bytes(&flipped), Err(RbeError::Format(_))), "bit {i}");
    }
}

proptest! {
    #[test]
    fn noise_is_refused_without_a_panic(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0usize..3), 1..6)) {
        let tensors: Vec<_> = sample().into_iter().filter(|(name, _)| ["scalar", "bools", "small"].contains(&name.as_str())).collect();
        let mut bytes = to_bytes(&tensors, Texts::new(), Some("{}".into())).unwrap();
        let whole = bytes.clone();
        for (at, byte, kind) in edits {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        prop_assert!(bytes == whole || matches!(from_bytes(&bytes), Err(RbeError::Format(_))));
    }
}

#[test]
fn an_interrupted_save_changes_nothing() {
    let folder = Folder::new();
    let path = folder.0.join("a");
    let quiet = || Ok(());
    save(&path, &sample(), Texts::new(), None, &quiet).unwrap();
    let before = fs::read(&path).unwrap();
    let long = [("a".to_owned(), Value::Dense(Array::zeros(DType::F64, &[20 << 20])))];
    let calls = AtomicUsize::new(0);
    let stop = || {
        calls.fetch_add(1, Ordering::Relaxed);
        Err(RbeError::graph("poll", "this", "that"))
    };
    assert!(matches!(save(&path, &long, Texts::new(), None, &stop), Err(RbeError::Graph(_))));
    assert_eq!((calls.load(Ordering::Relaxed), folder.names(), fs::read(&path).unwrap()), (1, vec!["a".to_owned()], before));
    save(&path, &long, Texts::new(), None, &quiet).unwrap();
    assert!(matches!(load(&path, &stop), Err(RbeError::Graph(_))));
}

#[test]
fn a_tensor_that_changes_meanwhile_is_an_error() {
    let folder = Folder::new();
    let array = Array::zeros(DType::F64, &[20 << 20]);
    let tensors = [("a".to_owned(), Value::Dense(array.clone()))];
    let change = || {
        array.storage().touch();
        Ok(())
    };
    assert!(matches!(save(&folder.0.join("a"), &tensors, Texts::new(), None, &change), Err(RbeError::Graph(_))));
    assert!(folder.names().is_empty());
}

#[test]
fn names_that_could_not_be_read_again_are_refused() {
    let dense = |name: &str| (name.to_owned(), Value::Dense(Array::scalar(1.0f32)));
    let block = |name: &str| (name.to_owned(), Value::Packed(packed(2, 3)));
    let texts = |pairs: &[(&str, &str)]| -> Texts { pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect() };
    for (tensors, texts) in [
        (vec![dense("__metadata__")], Texts::new()),
        (vec![dense("a"), dense("a")], Texts::new()),
        (vec![block("a"), dense("a")], Texts::new()),
        (vec![block("a"), dense("a.hi")], Texts::new()),
        (vec![block("a")], texts(&[("a.shape", "[2, 3]")])),
        (vec![dense("a.hi"), dense("a.lo")], texts(&[("a.shape", "[2, 3]"), ("a.scale", "0x1p-3")])),
        (vec![dense("a.hi")], texts(&[("a.scale", "")])),
        (vec![dense("a")], texts(&[("rbe.tree", "mine")])),
        (vec![dense("a")], texts(&[("rbe.anything", "")])),
        (vec![dense(&"n".repeat(1 << 17))], Texts::new()),
        (vec![("a".to_owned(), Value::Dense(Array::zeros(DType::F32, &[1; 65])))], Texts::new()),
    ] {
        let names: Vec<_> = tensors.iter().map(|(name, _)| &name[..name.len().min(20)]).collect();
        assert!(matches!(to_bytes(&tensors, texts.clone(), None), Err(RbeError::Format(_))), "{names:?} {texts:?}");
    }
    for (tensors, texts) in [
        (vec![dense("a.hi"), dense("a.lo"), dense("a")], Texts::new()),
        (vec![block("a"), block("a.hi"), block("")], Texts::new()),
        (vec![dense("a")], texts(&[("a.shape", "mine"), ("a.scale", "mine")])),
    ] {
        let found = from_bytes(&to_bytes(&tensors, texts.clone(), None).unwrap()).unwrap();
        assert_eq!((found.tensors.len(), found.metadata), (tensors.len(), texts));
    }
}

/// A file that an earlier version, or Python, wrote; design/files.md says which there are.
fn committed(name: &str) -> Contents {
    load(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/files").join(name), &|| Ok(())).unwrap()
}

fn find<'a>(contents: &'a Contents, name: &str) -> &'a Value {
    &contents.tensors.iter().find(|(n, _)| n == name).unwrap().1
}

#[test]
fn files_of_every_version_load() {
    for version in [0, 1] {
        let contents = committed(&format!("format-{version}.safetensors"));
        assert_eq!(contents.metadata, Texts::from([("note".into(), "héllo".into())]));
        let Value::Packed(w) = find(&contents, "model.w") else { panic!("no packed tensor") };
        assert_eq!((w.shape(), w.scale(), w.hi()), (&[2, 70][..], 0.1, vec![1, 2, 3, 4]));
        assert_eq!(w.lo(), [0.25, -0.5, 0.0, 0.0, 1e-30, 0.125, -0.75, 0.5]);
        let dense = |name: &str| if let Value::Dense(a) = find(&contents, name) { a.clone() } else { panic!("{name} is packed") };
        assert_eq!(dense("model.b").to_vec::<f32>().unwrap(), [1.0, -2.5]);
        assert_eq!(dense("steps.0").to_vec::<i64>().unwrap(), [3]);
        assert_eq!((dense("steps.1").dtype(), dense("steps.1").to_vec::<u8>().unwrap()), (DType::Bool, vec![1, 0]));
        assert_eq!(dense("steps.2").to_vec::<f64>().unwrap(), [0.1]);
    }
}

#[test]
fn states_of_optimizers_of_every_version_load() {
    for version in [0, 1, 2] {
        let contents = committed(&format!("optimizer-{version}.safetensors"));
        let of_first = |(name, value): &(String, Value)| match (name.strip_prefix("state.0."), value) {
            (Some(name), Value::Dense(a)) => Some((name.to_owned(), a.clone())),
            _ => None,
        };
        let saved: Vec<(String, Array)> = contents.tensors.iter().filter_map(of_first).collect();
        let optimizer = HybridOptimizer::new(vec![RBETensor::from_packed(packed(4, 5), true)], Rates::default()).unwrap();
        optimizer.set_state_of(0, &saved, 6).unwrap();
        let (state, step) = optimizer.state_of(0).unwrap();
        let array = |wanted: &str| state.iter().find(|(name, _)| *name == wanted).unwrap().1.clone();
        assert_eq!((step, array("charges").dtype(), array("charges").shape()), (6, DType::U8, &[4, 64][..]));
        assert_eq!(array("charges").to_vec::<u8>().unwrap()[..5], [113, 114, 69, 123, 112]);
        assert_eq!(array("row_moment").to_vec::<f32>().unwrap()[..2], [0.000_117_438_68, 2.901_165_5e-5]);
        assert_eq!(array("guard").to_vec::<f64>().unwrap()[0], if version == 0 { 0.0 } else { 6.0 });
    }
}
