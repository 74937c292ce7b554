//! Writing a file: the header is planned first, then the tensors are written piece by piece, and the checksum last.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use crc32fast::Hasher;

use super::checksum::{CHECKSUM, checksum};
use super::draft::Draft;
use super::element::FileType;
use super::header::{Entry, Header, MAX_HEADER, METADATA, nbytes};
use super::json::Shown;
use super::layout::{HI, LO, Parts, SCALE, SHAPE, items, write_scale};
use super::{CHUNK, FORMAT, FORMAT_VERSION, POLL_BYTES, Poll, RESERVED, TREE};
use crate::array::{Array, SliceSpec};
use crate::dispatch_size;
use crate::error::{RbeError, Result};
use crate::memory;
use crate::packed::PackedTensor;
use crate::tape::Value;

/// Writes tensors and texts to a safetensors file at `path`, whole or not at all: to a temporary file in the same folder,
/// which then takes the place of `path`. `tree` says how the tensors are nested. `poll` is called every now and then; its
/// error ends the writing.
///
/// Equal contents give equal bytes.
///
/// # Errors
/// `Format` if the file cannot be written, or for names, texts or shapes that could not be read again; `Graph` if a tensor
/// changes in place meanwhile; `Memory` if the system refuses memory; that of `poll`. The file at `path` is untouched then.
pub fn save(path: &Path, tensors: &[(String, Value)], metadata: Texts, tree: Option<String>, poll: Poll<'_>) -> Result<()> {
    memory::guard("save", || {
        let plan = Plan::new(tensors, metadata, tree)?;
        let wrong = |e: io::Error| RbeError::format("save", format!("a file that can be written at '{}'", path.display()), e);
        let mut draft = Draft::create(path).map_err(wrong)?;
        plan.write(draft.file(), poll).map_err(|e| match e {
            Failure::Io(e) => wrong(e),
            Failure::Other(e) => e,
        })?;
        draft.commit().map_err(wrong)
    })
}

/// The bytes that [`save`] writes.
///
/// # Errors
/// As [`save`].
pub fn to_bytes(tensors: &[(String, Value)], metadata: Texts, tree: Option<String>) -> Result<Vec<u8>> {
    memory::guard("save", || {
        let plan = Plan::new(tensors, metadata, tree)?;
        let bytes = plan.header.entries.last().map_or(0, |e| e.end);
        let mut out = io::Cursor::new(memory::with_capacity(8 + plan.header.to_bytes().len() + bytes));
        match plan.write(&mut out, &|| Ok(())) {
            Ok(()) => Ok(out.into_inner()),
            Err(Failure::Io(e)) => Err(RbeError::format("save", "memory that can be written", e)),
            Err(Failure::Other(e)) => Err(e),
        }
    })
}

/// Texts by name.
pub type Texts = BTreeMap<String, String>;

enum Failure {
    Io(io::Error),
    Other(RbeError),
}

impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Failure {
        Failure::Io(e)
    }
}

/// Where the bytes of an entry come from.
enum Source<'a> {
    Dense(&'a Array),
    Hi(&'a PackedTensor),
    Lo(&'a PackedTensor),
}

impl Source<'_> {
    /// The source in pieces whose bytes lie one after another. A dense array that does not is copied a few rows at a time.
    fn pieces(&self) -> impl Iterator<Item = Result<Piece<'_>>> {
        let (rows, step) = match self {
            Source::Dense(a) if !a.is_contiguous() => (a.shape()[0], (CHUNK / (a.nbytes() / a.shape()[0])).max(1)),
            _ => (1, 1),
        };
        (0..rows).step_by(step).map(move |start| match self {
            Source::Dense(a) if !a.is_contiguous() => {
                let part = SliceSpec { start, step: 1, len: step.min(rows - start) };
                Ok(Piece::Dense(Cow::Owned(a.slice_axis(0, part)?.copy())))
            }
            Source::Dense(a) => Ok(Piece::Dense(Cow::Borrowed(*a))),
            Source::Hi(w) => Ok(Piece::Hi(w)),
            Source::Lo(w) => Ok(Piece::Lo(w)),
        })
    }
}

/// A source, or rows of one, whose bytes lie one after another.
enum Piece<'a> {
    Dense(Cow<'a, Array>),
    Hi(&'a PackedTensor),
    Lo(&'a PackedTensor),
}

impl Piece<'_> {
    fn nbytes(&self) -> usize {
        match self {
            Piece::Dense(a) => a.nbytes(),
            Piece::Hi(w) | Piece::Lo(w) => w.nbytes() / 2,
        }
    }

    /// Copies the bytes from number `at` on.
    fn copy(&self, at: usize, out: &mut [u8]) {
        match self {
            Piece::Dense(a) => dispatch_size!(a.dtype(), T => {
                out.copy_from_slice(&bytemuck::cast_slice::<T, u8>(&a.read::<T>())[at..at + out.len()]);
            }),
            Piece::Hi(w) => w.copy_hi(at / 8, bytemuck::cast_slice_mut(out)),
            Piece::Lo(w) => w.copy_lo(at / 8, bytemuck::cast_slice_mut(out)),
        }
    }
}

/// The header of a file to be, and where its tensors come from.
struct Plan<'a> {
    header: Header,
    sources: Vec<Source<'a>>,
    tensors: &'a [(String, Value)],
}

impl<'a> Plan<'a> {
    fn new(tensors: &'a [(String, Value)], metadata: Texts, tree: Option<String>) -> Result<Plan<'a>> {
        if let Some(key) = metadata.keys().find(|key| key.starts_with(RESERVED)) {
            return Err(RbeError::format("save", format!("metadata whose names do not begin with {RESERVED:?}"), Shown(key)));
        }
        let mut parts: Vec<(Entry, Source<'a>)> = Vec::new();
        let mut texts: Vec<(String, String)> = vec![(FORMAT.into(), FORMAT_VERSION.into()), (CHECKSUM.into(), UNKNOWN.into())];
        texts.extend(tree.map(|tree| (TREE.to_owned(), tree)));
        for (name, value) in tensors {
            if name == METADATA {
                return Err(RbeError::format("save", "another name, for the format uses this one itself", Shown(name)));
            }
            let mut push = |name: String, dtype, shape: &[usize], source| {
                parts.push((Entry { name, dtype, shape: shape.to_vec(), begin: 0, end: 0 }, source));
            };
            match value {
                Value::Dense(a) => push(name.clone(), FileType::of(a.dtype()), a.shape(), Source::Dense(a)),
                Value::Packed(w) => {
                    push(format!("{name}{HI}"), FileType::U64, &[w.rows(), w.blocks()], Source::Hi(w));
                    push(format!("{name}{LO}"), FileType::F32, &[w.rows(), w.blocks(), 2], Source::Lo(w));
                    texts.push((format!("{name}{SHAPE}"), format!("{:?}", w.shape())));
                    texts.push((format!("{name}{SCALE}"), write_scale(w.scale())));
                }
            }
        }
        // Wide elements first, so that all are aligned, as the safetensors package does it.
        parts.sort_by(|(a, _), (b, _)| (b.dtype.size(), &a.name).cmp(&(a.dtype.size(), &b.name)));
        let mut header = Header { entries: Vec::with_capacity(parts.len()), metadata };
        let mut sources = Vec::with_capacity(parts.len());
        let mut at = 0usize;
        for (entry, source) in parts {
            let end = nbytes(&entry.shape, entry.dtype.size()).and_then(|n| at.checked_add(n));
            let Some(end) = end else {
                return Err(RbeError::format(
                    "save",
                    "a shape that can be read again",
                    format!("{} {:?}", Shown(&entry.name), entry.shape),
                ));
            };
            header.entries.push(Entry { begin: at, end, ..entry });
            sources.push(source);
            at = end;
        }
        for (key, text) in texts {
            if header.metadata.insert(key.clone(), text).is_some() {
                return Err(RbeError::format("save", "metadata that no packed tensor has need of", Shown(&key)));
            }
        }
        let plan = Plan { header, sources, tensors };
        plan.check(at).map_err(|e| match e {
            RbeError::Format(mut detail) => {
                detail.op = "save".into();
                RbeError::Format(detail)
            }
            other => other,
        })?;
        Ok(plan)
    }

    /// Checks that reading the header gives the very tensors back.
    fn check(&self, length: usize) -> Result<()> {
        self.header.check(length)?;
        let found = items(&self.header)?;
        let mut given: Vec<(&str, bool)> = self.tensors.iter().map(|(name, v)| (name.as_str(), matches!(v, Value::Packed(_)))).collect();
        given.sort_unstable();
        let found: Vec<(&str, bool)> = found.iter().map(|i| (i.name.as_str(), matches!(i.parts, Parts::Packed { .. }))).collect();
        match given.iter().find(|tensor| found.binary_search(tensor).is_err()) {
            Some((name, _)) => Err(RbeError::format("save", "names and metadata that say which tensors are packed", Shown(name))),
            None => Ok(()),
        }
    }

    fn write(mut self, out: &mut (impl Write + Seek), poll: Poll<'_>) -> Result<(), Failure> {
        let versions: Vec<u64> = self.tensors.iter().map(|(_, value)| value.version()).collect();
        let header = self.header.to_bytes();
        if header.len() > MAX_HEADER {
            let wanted = format!("names and metadata of at most {MAX_HEADER} bytes");
            return Err(Failure::Other(RbeError::format("save", wanted, header.len())));
        }
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        let mut scratch = vec![0u64; self.header.entries.last().map_or(0, |e| e.end).min(CHUNK).div_ceil(8)];
        let mut sums = Vec::with_capacity(self.sources.len());
        let mut unpolled = 0;
        for source in &self.sources {
            let mut sum = Hasher::new();
            for piece in source.pieces() {
                let piece = piece.map_err(Failure::Other)?;
                let (mut at, length) = (0, piece.nbytes());
                while at < length {
                    let n = CHUNK.min(length - at);
                    let bytes = &mut bytemuck::cast_slice_mut(&mut scratch)[..n];
                    piece.copy(at, bytes);
                    sum.update(bytes); // of the copy: what is written has this checksum, whoever writes to the tensor meanwhile
                    out.write_all(bytes)?;
                    (at, unpolled) = (at + n, unpolled + n);
                    if unpolled >= POLL_BYTES {
                        unpolled = 0;
                        poll().map_err(Failure::Other)?;
                    }
                }
            }
            sums.push(sum);
        }
        if let Some(((name, _), _)) = self.tensors.iter().zip(versions).find(|((_, value), version)| value.version() != *version) {
            let wanted = "tensors that no other thread changes meanwhile";
            return Err(Failure::Other(RbeError::graph("save", wanted, format!("an in-place change of {}", Shown(name)))));
        }
        // As long as the text in its place, so that the header keeps its length.
        self.header.metadata.insert(CHECKSUM.into(), checksum(&self.header, &sums));
        out.seek(SeekFrom::Start(8))?;
        out.write_all(&self.header.to_bytes())?;
        Ok(())
    }
}

/// Stands for the checksum until it is known.
const UNKNOWN: &str = "00000000";
