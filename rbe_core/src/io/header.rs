//! The header of a safetensors file: names, element types, shapes and places of its tensors, and texts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::element::FileType;
use super::json::{Reader, Shown, copied, with_room, write_string, written_length};
use crate::error::{RbeError, Result};
use crate::memory;

/// Longest header in bytes: the limit of the safetensors package.
pub const MAX_HEADER: usize = 100_000_000;
/// Most axes of a tensor in a file: as many as NumPy's arrays have.
pub const MAX_AXES: usize = 64;
/// Longest name of a tensor in bytes.
pub const MAX_NAME: usize = 1 << 16;

/// More than what any string of a header and the tensor it belongs to take in small allocations.
const BYTES_OF_STRING: usize = 192;

/// Name under which a header holds its texts.
pub(super) const METADATA: &str = "__metadata__";

/// One tensor of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, unique in the file.
    pub name: String,
    /// Type of its elements.
    pub dtype: FileType,
    /// Length of every axis.
    pub shape: Vec<usize>,
    /// Where its bytes begin, counted from the end of the header.
    pub begin: usize,
    /// Where they end.
    pub end: usize,
}

/// What stands before the bytes of the tensors.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    /// The tensors in the order of their bytes, which lie without gaps.
    pub entries: Vec<Entry>,
    /// Texts by name.
    pub metadata: BTreeMap<String, String>,
}

/// Bytes of `shape` elements of `size` bytes each; none if no memory could hold them, or an axis is too many.
pub(super) fn nbytes(shape: &[usize], size: usize) -> Option<usize> {
    // Lengths beside a 0 count too: strides are their products.
    let reach = shape.iter().filter(|n| **n > 0).try_fold(size, |product, n| product.checked_mul(*n))?;
    if shape.len() > MAX_AXES || isize::try_from(reach).is_err() {
        return None;
    }
    Some(if shape.contains(&0) { 0 } else { reach })
}

impl Header {
    /// Reads the header of a file with `length` bytes of tensors.
    ///
    /// # Errors
    /// `Format` unless it is a header of the safetensors format that says all of every tensor once: in types that tensors
    /// have, with bytes that lie one after another and fill the file.
    pub fn parse(bytes: &[u8], length: usize) -> Result<Header> {
        let text = std::str::from_utf8(bytes).map_err(|e| RbeError::format("load", "a header of UTF-8 text", e))?;
        if !text.starts_with('{') {
            return Err(Reader::new(text).wrong("'{'"));
        }
        // What is made of every string, small allocations all, must fit: the system refuses it here or never.
        let strings = bytes.windows(2).filter(|pair| pair[0] != b'\\' && pair[1] == b'"').count() / 2;
        drop(memory::with_capacity::<[u8; BYTES_OF_STRING]>(strings));
        let mut reader = Reader::new(text);
        let mut header = Header::default();
        let mut metadata = None;
        reader.pass(b'{')?;
        let mut first = true;
        while reader.more(b'}', first)? {
            first = false;
            let name = reader.string()?;
            reader.pass(b':')?;
            if name == METADATA {
                if metadata.replace(texts(&mut reader)?).is_some() {
                    return Err(RbeError::format("load", "metadata once", "twice"));
                }
            } else {
                check_name(&name)?; // before it is copied
                memory::push(&mut header.entries, entry(&mut reader, name.into_owned())?);
            }
        }
        reader.end()?;
        header.metadata = metadata.unwrap_or_default();
        header.entries.sort_unstable_by(|a, b| (a.begin, a.end, &a.name).cmp(&(b.begin, b.end, &b.name)));
        header.check(length)?;
        Ok(header)
    }

    /// Checks that names differ, and that the bytes of the tensors lie one after another up to `length`.
    pub(super) fn check(&self, length: usize) -> Result<()> {
        let mut names: Vec<&str> = self.entries.iter().map(|e| e.name.as_str()).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|w| w[0] == w[1]) {
            return Err(RbeError::format("load", "every name once", format!("{} twice", Shown(twice[0]))));
        }
        let mut at = 0;
        for e in &self.entries {
            check_name(&e.name)?;
            if e.begin != at {
                return Err(RbeError::format("load", format!("the bytes of {} to begin at {at}", Shown(&e.name)), e.begin));
            }
            let wanted = nbytes(&e.shape, e.dtype.size()).and_then(|n| n.checked_add(at));
            if wanted != Some(e.end) {
                let shape = if e.shape.len() > MAX_AXES { format!("{} axes", e.shape.len()) } else { format!("{:?}", e.shape) };
                return Err(RbeError::format(
                    "load",
                    format!("a shape for the {} bytes of {} that {} has", e.end.saturating_sub(at), e.dtype.name(), Shown(&e.name)),
                    shape,
                ));
            }
            at = e.end;
        }
        if at != length {
            return Err(RbeError::format("load", format!("{at} bytes of tensors, as the header says"), format!("{length}")));
        }
        Ok(())
    }

    /// The header as it stands in a file, padded to a multiple of 8 bytes: texts sorted by name, then the tensors in the
    /// order of their bytes. Equal headers give equal bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let texts: usize = self.metadata.iter().map(|(key, text)| written_length(key) + written_length(text) + 2).sum();
        let entries = self.entries.iter().map(|e| written_length(&e.name) + 64 + 21 * (e.shape.len() + 2)).sum::<usize>();
        let mut out = with_room(texts + entries + 32);
        out.push('{');
        if !self.metadata.is_empty() {
            out.push_str("\"__metadata__\":{");
            for (i, (key, value)) in self.metadata.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                write_string(&mut out, key);
                out.push(':');
                write_string(&mut out, value);
            }
            out.push('}');
        }
        for e in &self.entries {
            out.push_str(if out.len() > 1 { "," } else { "" });
            write_string(&mut out, &e.name);
            let shape: Vec<String> = e.shape.iter().map(usize::to_string).collect();
            let (dtype, shape) = (e.dtype.name(), shape.join(","));
            out.push_str(&format!(":{{\"dtype\":\"{dtype}\",\"shape\":[{shape}],\"data_offsets\":[{},{}]}}", e.begin, e.end));
        }
        out.push('}');
        let padding = out.len().next_multiple_of(8) - out.len();
        out.push_str(&" ".repeat(padding));
        out.into_bytes()
    }
}

fn check_name(name: &str) -> Result<()> {
    if name.len() > MAX_NAME { Err(RbeError::format("load", format!("names of at most {MAX_NAME} bytes"), name.len())) } else { Ok(()) }
}

/// An object of texts.
fn texts(reader: &mut Reader<'_>) -> Result<BTreeMap<String, String>> {
    let mut out = BTreeMap::new();
    reader.pass(b'{')?;
    while reader.more(b'}', out.is_empty())? {
        let key = reader.string()?.into_owned();
        reader.pass(b':')?;
        let value = match reader.string()? {
            Cow::Borrowed(text) => copied(text),
            Cow::Owned(text) => text,
        };
        if out.contains_key(&key) {
            return Err(RbeError::format("load", "every name of the metadata once", format!("{} twice", Shown(&key))));
        }
        out.insert(key, value);
    }
    Ok(out)
}

/// A list of integers that are not negative, at most `most` of them.
pub(super) fn integers(reader: &mut Reader<'_>, most: usize) -> Result<Vec<usize>> {
    let mut out = Vec::new();
    reader.pass(b'[')?;
    while reader.more(b']', out.is_empty())? {
        if out.len() == most {
            return Err(reader.wrong(&format!("at most {most} integers")));
        }
        out.push(reader.integer()?);
    }
    Ok(out)
}

fn entry(reader: &mut Reader<'_>, name: String) -> Result<Entry> {
    let (mut dtype, mut shape, mut offsets) = (None, None, None);
    reader.pass(b'{')?;
    let mut first = true;
    while reader.more(b'}', first)? {
        first = false;
        let key = reader.string()?;
        reader.pass(b':')?;
        let twice = match key.as_ref() {
            "dtype" => dtype.replace(reader.string()?).is_some(),
            "shape" => shape.replace(integers(reader, MAX_AXES)?).is_some(),
            "data_offsets" => offsets.replace(integers(reader, 2)?).is_some(),
            _ => return Err(RbeError::format("load", format!("dtype, shape and data_offsets of {}", Shown(&name)), Shown(&key))),
        };
        if twice {
            return Err(RbeError::format("load", format!("{key} of {} once", Shown(&name)), "twice"));
        }
    }
    let (Some(dtype), Some(shape), Some([begin, end])) = (&dtype, &shape, offsets.as_deref()) else {
        let kind = if dtype.is_some() { "a" } else { "no" };
        let expected = format!("dtype, shape and two data_offsets of {}", Shown(&name));
        return Err(RbeError::format("load", expected, format!("{kind} dtype, shape {shape:?} and data_offsets {offsets:?}")));
    };
    let Some(dtype) = FileType::named(dtype) else {
        let known = "BOOL, U8 to U64, I8 to I64, F16, BF16, F32 or F64";
        return Err(RbeError::format("load", format!("elements of {} of type {known}", Shown(&name)), Shown(dtype)));
    };
    Ok(Entry { name, dtype, shape: shape.clone(), begin: *begin, end: *end })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Header {
        let entry = |name: &str, dtype, shape: &[usize], begin, end| Entry { name: name.into(), dtype, shape: shape.into(), begin, end };
        Header {
            entries: vec![
                entry("empty", FileType::F32, &[0, 3], 0, 0),
                entry("b", FileType::I64, &[2], 0, 16),
                entry("a\"\n", FileType::F32, &[], 16, 20),
            ],
            metadata: BTreeMap::from([("k".into(), "v".into()), ("é".into(), String::new())]),
        }
    }

    #[test]
    fn headers_come_back() {
        for header in [sample(), Header::default()] {
            let bytes = header.to_bytes();
            assert!(bytes.len().is_multiple_of(8));
            let length = header.entries.last().map_or(0, |e| e.end);
            assert_eq!(Header::parse(&bytes, length).unwrap(), header);
            assert!(Header::parse(&bytes, length + 1).is_err());
        }
    }

    #[test]
    fn no_cut_and_no_flip_of_a_header_panics_or_passes_for_the_same() {
        let (header, bytes) = (sample(), sample().to_bytes());
        for n in 0..bytes.len() {
            let cut = &bytes[..n];
            assert!(Header::parse(cut, 20).is_err() || bytes[n..].iter().all(|b| *b == b' '));
        }
        for i in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[i / 8] ^= 1 << (i % 8);
            assert!(Header::parse(&flipped, 20).ok().is_none_or(|other| other != header));
        }
    }

    #[test]
    fn what_a_header_must_not_say_is_refused() {
        let one = |entry: &str| format!("{{\"a\":{entry}}}");
        let full = "\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]";
        assert!(Header::parse(one(&format!("{{{full}}}")).as_bytes(), 4).is_ok());
        for text in [
            String::new(),
            " {}".into(),
            "[]".into(),
            "{}{}".into(),
            one("null"),
            one("{}"),
            one(&format!("{{{full},\"more\":1}}")),
            one(&format!("{{{full},\"dtype\":\"F32\"}}")),
            one("{\"dtype\":\"F32\",\"shape\":[1]}"),
            one("{\"dtype\":\"F8_E4M3\",\"shape\":[4],\"data_offsets\":[0,4]}"),
            one("{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}"),
            one("{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}"),
            one("{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}"),
            one("{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,4]}"),
            one("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}"),
            one("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}"),
            one("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,4]}"),
            format!("{{\"a\":{{{full}}},\"a\":{{{full}}}}}"),
            format!("{{\"__metadata__\":{{}},\"__metadata__\":{{}},\"a\":{{{full}}}}}"),
            format!("{{\"__metadata__\":{{\"k\":\"v\",\"k\":\"v\"}},\"a\":{{{full}}}}}"),
            format!("{{\"__metadata__\":{{\"k\":1}},\"a\":{{{full}}}}}"),
            one(&format!("{{\"dtype\":\"F32\",\"shape\":[{}1],\"data_offsets\":[0,4]}}", "1,".repeat(MAX_AXES))),
            format!("{{\"{}\":{{{full}}}}}", "n".repeat(MAX_NAME + 1)),
        ] {
            assert!(Header::parse(text.as_bytes(), 4).is_err(), "{}", &text[..text.len().min(200)]);
        }
        assert!(Header::parse(b"{\"a\":{\"dtype\":\"F32\",\"shape\":[0,4611686018427387904,4],\"data_offsets\":[0,0]}}", 0).is_err());
    }
}
