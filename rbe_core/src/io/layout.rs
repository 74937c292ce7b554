//! Which entries of a file make up a packed tensor, and what the metadata says of it.
//!
//! A packed tensor `name` is the entries `name.hi` (U64, (rows, blocks)) and `name.lo` (F32, (rows, blocks, 2)) with the
//! texts `name.shape` and `name.scale`. Entries without such texts are dense tensors, whatever their names are.

use std::collections::{HashMap, HashSet};

use super::element::FileType;
use super::header::{Header, MAX_AXES, integers, nbytes};
use super::json::{Reader, Shown};
use crate::error::{RbeError, Result};
use crate::packed::BITS;

/// A tensor and the entries of the header that hold it.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Name of the tensor.
    pub name: String,
    /// Where it is.
    pub parts: Parts,
}

/// Positions in [`Header::entries`].
#[derive(Debug, Clone, PartialEq)]
pub enum Parts {
    /// Of a dense tensor.
    Dense(usize),
    /// Of a packed tensor.
    Packed {
        /// State bits.
        hi: usize,
        /// Points.
        lo: usize,
        /// Logical shape.
        shape: Vec<usize>,
        /// Factor of the levels.
        scale: f32,
    },
}

/// Endings of the names of a packed tensor's entries and texts.
pub(super) const HI: &str = ".hi";
pub(super) const LO: &str = ".lo";
pub(super) const SHAPE: &str = ".shape";
pub(super) const SCALE: &str = ".scale";

/// The tensors of a file, sorted by name.
///
/// # Errors
/// `Format` if a packed tensor lacks one of its entries or texts, if these do not fit each other, or if two tensors have one
/// name.
pub fn items(header: &Header) -> Result<Vec<Item>> {
    let places: HashMap<&str, usize> = header.entries.iter().enumerate().map(|(i, e)| (e.name.as_str(), i)).collect();
    let mut packed: HashSet<&str> = HashSet::new();
    let mut out = Vec::with_capacity(header.entries.len());
    for (i, e) in header.entries.iter().enumerate() {
        match packed_base(header, &e.name) {
            None => out.push(Item { name: e.name.clone(), parts: Parts::Dense(i) }),
            Some(base) if packed.insert(base) => {
                let place = |ending: &str| places.get(format!("{base}{ending}").as_str()).copied();
                let text = |ending: &str| header.metadata.get(&format!("{base}{ending}"));
                let (Some(hi), Some(lo), Some(shape), Some(scale)) = (place(HI), place(LO), text(SHAPE), text(SCALE)) else {
                    let there: Vec<&str> = [HI, LO].into_iter().filter(|s| place(s).is_some()).collect();
                    let told: Vec<&str> = [SHAPE, SCALE].into_iter().filter(|s| text(s).is_some()).collect();
                    return Err(RbeError::format(
                        "load",
                        format!("entries .hi and .lo with texts .shape and .scale of the packed tensor {}", Shown(base)),
                        [there, told].concat().join(", "),
                    ));
                };
                out.push(Item { name: base.to_owned(), parts: together(header, base, hi, lo, shape, scale)? });
            }
            Some(_) => {}
        }
    }
    out.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    if let Some(twice) = out.windows(2).find(|w| w[0].name == w[1].name) {
        return Err(RbeError::format("load", "tensors of different names", format!("a packed and a dense {}", Shown(&twice[0].name))));
    }
    Ok(out)
}

/// The name of the packed tensor that an entry is a part of, as the texts tell.
fn packed_base<'a>(header: &Header, name: &'a str) -> Option<&'a str> {
    let base = name.strip_suffix(HI).or_else(|| name.strip_suffix(LO))?;
    let told = [SHAPE, SCALE].iter().any(|ending| header.metadata.contains_key(&format!("{base}{ending}")));
    told.then_some(base)
}

/// The parts of a packed tensor, which fit each other.
fn together(header: &Header, name: &str, hi: usize, lo: usize, shape: &str, scale: &str) -> Result<Parts> {
    let mut reader = Reader::new(shape);
    let lengths = integers(&mut reader, MAX_AXES).and_then(|found| reader.end().map(|()| found));
    let wrong = |e: &dyn std::fmt::Display| RbeError::format("load", format!("the shape of the packed tensor {}", Shown(name)), e);
    let lengths = lengths.map_err(|e| wrong(&e))?;
    let matrix = match lengths.split_first() {
        Some((rows, rest)) if !rest.is_empty() && !lengths.contains(&0) => nbytes(rest, 1).map(|cols| (*rows, cols.div_ceil(BITS))),
        _ => None,
    };
    let Some((rows, blocks)) = matrix else { return Err(wrong(&format!("{lengths:?}"))) };
    for (entry, dtype, want) in
        [(&header.entries[hi], FileType::U64, &[rows, blocks][..]), (&header.entries[lo], FileType::F32, &[rows, blocks, 2])]
    {
        if (entry.dtype, &entry.shape[..]) != (dtype, want) {
            return Err(RbeError::format(
                "load",
                format!("{} as {} {want:?}, for the shape {lengths:?}", Shown(&entry.name), dtype.name()),
                format!("{} {:?}", entry.dtype.name(), entry.shape),
            ));
        }
    }
    let Some(scale) = read_scale(scale) else {
        let expected = format!("a finite scale > 0 of {}, as 0x1.8p-3", Shown(name));
        return Err(RbeError::format("load", expected, Shown(scale)));
    };
    Ok(Parts::Packed { hi, lo, shape: lengths, scale })
}

/// A scale as Python's `float.hex` writes it.
pub(super) fn write_scale(scale: f32) -> String {
    let bits = f64::from(scale).to_bits(); // normal: even the smallest f32 is
    let (exponent, fraction) = ((bits >> 52) as i64 - 1023, bits & ((1 << 52) - 1));
    format!("0x1.{fraction:013x}p{exponent:+}")
}

/// A positive number as Python's `float.hex` writes it; none unless it is one that f32 holds exactly.
fn read_scale(text: &str) -> Option<f32> {
    let (digits, exponent) = text.strip_prefix("0x1")?.split_once('p')?;
    let exponent: i32 = exponent.parse().ok().filter(|e| (-149..128).contains(e))?;
    let digits = if digits.is_empty() { "" } else { digits.strip_prefix('.')? };
    if digits.len() > 13 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let fraction = u64::from_str_radix(&format!("{digits:0<13}"), 16).ok()?;
    let wide = f64::from_bits(((exponent + 1023) as u64) << 52 | fraction);
    let scale = wide as f32;
    (f64::from(scale) == wide && scale.is_finite() && scale > 0.0).then_some(scale)
}

#[cfg(test)]
mod tests {
    use super::super::header::Entry;
    use super::*;

    #[test]
    fn scales_come_back() {
        for bits in (1..0x7f80_0000u32).step_by(9_973).chain([1, 0x007f_ffff, 0x0080_0000, 0x7f7f_ffff]) {
            let scale = f32::from_bits(bits);
            assert_eq!(read_scale(&write_scale(scale)), Some(scale));
        }
        assert_eq!(write_scale(0.1), "0x1.99999a0000000p-4");
        assert_eq!(read_scale("0x1p-3"), Some(0.125));
        for text in [
            "",
            "1",
            "0x1",
            "0x1p",
            "0x1p+9999",
            "0x1p128",
            "0x1p-150",
            "-0x1p-3",
            "0x0p+0",
            "0x1p-3 ",
            "nan",
            "0x1.p-3x",
            "0x1.fffffffp127",
            "0x1.00000001p+0",
            "0x1.+1p0",
        ] {
            assert_eq!(read_scale(text), None, "{text:?}");
        }
    }

    fn header(entries: &[(&str, FileType, &[usize])], texts: &[(&str, &str)]) -> Header {
        let mut out = Header::default();
        for (name, dtype, shape) in entries {
            let begin = out.entries.last().map_or(0, |e: &Entry| e.end);
            let end = begin + nbytes(shape, dtype.size()).unwrap();
            out.entries.push(Entry { name: (*name).into(), dtype: *dtype, shape: (*shape).into(), begin, end });
        }
        out.metadata.extend(texts.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        out
    }

    const HI: (&str, FileType, &[usize]) = ("w.hi", FileType::U64, &[2, 1]);
    const LO: (&str, FileType, &[usize]) = ("w.lo", FileType::F32, &[2, 1, 2]);
    const TEXTS: [(&str, &str); 2] = [("w.shape", "[2, 64]"), ("w.scale", "0x1p-3")];

    #[test]
    fn a_packed_tensor_has_all_its_parts() {
        let found = items(&header(&[HI, LO], &TEXTS)).unwrap();
        let parts = Parts::Packed { hi: 0, lo: 1, shape: vec![2, 64], scale: 0.125 };
        assert_eq!(found, [Item { name: "w".into(), parts }]);
        assert_eq!(items(&header(&[HI, LO], &[])).unwrap().len(), 2);
        for (entries, texts) in [
            (&[HI, LO][..], &TEXTS[..1]),
            (&[HI, LO], &TEXTS[1..]),
            (&[HI], &TEXTS),
            (&[LO], &TEXTS),
            (&[HI, LO, ("w", FileType::F32, &[0])], &TEXTS),
            (&[("w.hi", FileType::I64, &[2, 1]), LO], &TEXTS),
            (&[("w.hi", FileType::U64, &[2]), LO], &TEXTS),
            (&[HI, ("w.lo", FileType::F32, &[4])], &TEXTS),
            (&[HI, ("w.lo", FileType::F64, &[2, 1, 2])], &TEXTS),
        ] {
            assert!(items(&header(entries, texts)).is_err(), "{entries:?} {texts:?}");
        }
    }

    #[test]
    fn names_may_look_like_parts() {
        // A packed tensor `w.hi` beside a packed `w`.
        let inner = [("w.hi.hi", FileType::U64, &[1usize, 1][..]), ("w.hi.lo", FileType::F32, &[1, 1, 2])];
        let texts = [&TEXTS[..], &[("w.hi.shape", "[1, 3]"), ("w.hi.scale", "0x1p+0")]].concat();
        let found = items(&header(&[HI, LO, inner[0], inner[1]], &texts)).unwrap();
        assert_eq!(found.iter().map(|i| i.name.as_str()).collect::<Vec<_>>(), ["w", "w.hi"]);
    }

    #[test]
    fn malformed_shapes_are_refused() {
        let long = format!("[2{}]", ", 1".repeat(MAX_AXES));
        for shape in [
            "",
            "[]",
            "[2]",
            "[2, 65]",
            "[1, 64]",
            "[0, 64]",
            "[2, 0]",
            "[-2, 64]",
            "[2.5, 64]",
            "[2, 1e3]",
            "[2, NaN]",
            "[\"2\", 64]",
            "[true, 64]",
            "[2, 64] x",
            "[2, 64",
            "{\"2\": 1}",
            "null",
            "[2, 4611686018427387904, 4]",
            "[18446744073709551616, 64]",
            "[[2], 64]",
            &long,
        ] {
            assert!(items(&header(&[HI, LO], &[("w.shape", shape), TEXTS[1]])).is_err(), "{shape:?}");
        }
    }
}
