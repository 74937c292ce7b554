//! Reading a file: the header first, then the tensors one after another, straight into their own memory.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

use crc32fast::Hasher;

use super::checksum::{CHECKSUM, checksum};
use super::header::{Header, MAX_HEADER, nbytes};
use super::json::Shown;
use super::layout::{Parts, SCALE, SHAPE, items};
use super::write::Texts;
use super::{CHUNK, FORMAT, FORMAT_VERSION, POLL_BYTES, Poll, RESERVED, TREE};
use crate::array::Array;
use crate::error::{RbeError, Result};
use crate::memory;
use crate::memory::Buffer;
use crate::packed::PackedParts;
use crate::tape::Value;

/// What a file holds.
pub struct Contents {
    /// Tensors, sorted by name.
    pub tensors: Vec<(String, Value)>,
    /// Texts that were kept with them.
    pub metadata: Texts,
    /// How the tensors are nested, as [`super::save`] was told.
    pub tree: Option<String>,
}

/// Reads the safetensors file at `path`. `poll` is called every now and then; its error ends the reading.
///
/// # Errors
/// `Format` for what is no regular file, or one that is truncated, altered or foreign; `Memory` if the system refuses memory;
/// that of `poll`.
pub fn load(path: &Path, poll: Poll<'_>) -> Result<Contents> {
    memory::guard("load", || load_file(path, poll))
}

fn load_file(path: &Path, poll: Poll<'_>) -> Result<Contents> {
    let wrong = |e: io::Error| RbeError::format("load", format!("a safetensors file at '{}'", path.display()), e);
    let (file, length) = open(path).map_err(wrong)?;
    read_all(file, length, poll).map_err(|e| match e {
        RbeError::Format(mut detail) => {
            detail.expected = format!("{} in '{}'", detail.expected, path.display());
            RbeError::Format(detail)
        }
        other => other,
    })
}

/// The regular file at `path`, and its length. A pipe or device is refused without waiting for it.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let irregular = || Err(io::Error::new(io::ErrorKind::InvalidInput, "no regular file"));
    if !std::fs::metadata(path)?.is_file() {
        return irregular();
    }
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(target_os = "linux")]
    {
        // Should a pipe take the file's place in between, opening it must not wait.
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NONBLOCK);
    }
    let file = options.open(path)?;
    let about = file.metadata()?;
    if about.is_file() { Ok((file, about.len())) } else { irregular() }
}

/// Reads a safetensors file of `length` bytes from its start.
///
/// # Errors
/// As [`load`].
pub fn read(source: impl Read, length: u64, poll: Poll<'_>) -> Result<Contents> {
    memory::guard("load", || read_all(source, length, poll))
}

fn read_all(source: impl Read, length: u64, poll: Poll<'_>) -> Result<Contents> {
    let mut source = Source { inner: source, unpolled: 0, poll };
    let mut prefix = [0; 8];
    let after = length.checked_sub(8).ok_or_else(|| RbeError::format("load", "at least 8 bytes", length))?;
    source.fill(&mut prefix)?;
    let n = u64::from_le_bytes(prefix);
    if n > MAX_HEADER as u64 || n > after {
        let most = after.min(MAX_HEADER as u64);
        return Err(RbeError::format("load", format!("a header of at most {most} bytes"), n));
    }
    let mut raw = memory::zeros(n as usize);
    source.fill(&mut raw)?;
    let data = usize::try_from(after - n).map_err(|e| RbeError::format("load", "a file that fits into memory", e))?;
    let header = Header::parse(&raw, data)?;
    let marked = version(&header, &raw)?;
    drop(raw);
    let (tensors, sums) = tensors(&header, data, &mut source)?;
    match header.metadata.get(CHECKSUM) {
        Some(told) => {
            let found = checksum(&header, &sums);
            if *told != found {
                return Err(RbeError::format("load", format!("contents of the checksum {}", Shown(told)), found));
            }
        }
        None if marked => return Err(RbeError::format("load", format!("the text {CHECKSUM}"), "metadata without it")),
        None => {}
    }
    let mut metadata = header.metadata;
    for (name, value) in &tensors {
        if let Value::Packed(_) = value {
            [SHAPE, SCALE].iter().for_each(|ending| drop(metadata.remove(&format!("{name}{ending}"))));
        }
    }
    metadata.retain(|key, _| ![CHECKSUM, FORMAT].contains(&key.as_str()));
    let tree = metadata.remove(TREE);
    Ok(Contents { tensors, metadata, tree })
}

/// Whether the file says in which version of the format it is written. Such a file is exactly as [`super::save`] writes it.
fn version(header: &Header, raw: &[u8]) -> Result<bool> {
    let Some(version) = header.metadata.get(FORMAT) else { return Ok(false) };
    if version != FORMAT_VERSION {
        return Err(RbeError::format("load", format!("version {FORMAT_VERSION} of the format"), Shown(version)));
    }
    let known = [CHECKSUM, FORMAT, TREE];
    if let Some(other) = header.metadata.keys().find(|key| key.starts_with(RESERVED) && !known.contains(&key.as_str())) {
        return Err(RbeError::format("load", format!("the texts {known:?} of version {FORMAT_VERSION}"), Shown(other)));
    }
    let written = header.to_bytes();
    if written != raw {
        let at = written.iter().zip(raw).take_while(|(a, b)| a == b).count();
        return Err(RbeError::format("load", format!("a header as version {FORMAT_VERSION} writes it"), format!("another byte at {at}")));
    }
    Ok(true)
}

/// What an entry of the header is part of.
#[derive(Clone, Copy)]
enum Role<'a> {
    Dense,
    Hi(PackedItem<'a>),
    Lo(PackedItem<'a>),
}

/// A packed tensor that is to be read.
#[derive(Clone, Copy)]
struct PackedItem<'a> {
    number: usize, // among the items
    shape: &'a [usize],
    scale: f32,
}

/// All tensors by name, and the checksums of the bytes of every entry.
#[allow(clippy::type_complexity)]
fn tensors<R: Read>(header: &Header, length: usize, source: &mut Source<'_, R>) -> Result<(Vec<(String, Value)>, Vec<Hasher>)> {
    let items = items(header)?;
    let mut roles = vec![Role::Dense; header.entries.len()];
    for (k, item) in items.iter().enumerate() {
        if let Parts::Packed { hi, lo, shape, scale } = &item.parts {
            let item = PackedItem { number: k, shape, scale: *scale };
            (roles[*hi], roles[*lo]) = (Role::Hi(item), Role::Lo(item));
        }
    }
    let mut dense: Vec<Option<Array>> = vec![None; roles.len()];
    let mut packed: HashMap<usize, PackedParts> = HashMap::new();
    let mut sums = Vec::with_capacity(roles.len());
    let mut scratch = vec![0u64; length.min(CHUNK).div_ceil(8)];
    for (i, (entry, role)) in header.entries.iter().zip(&roles).enumerate() {
        let about = |e| of_tensor(e, &entry.name);
        let (mut sum, size) = (Hasher::new(), entry.dtype.size());
        let mut target = match *role {
            Role::Dense => {
                let wide = entry.dtype.dtype().size();
                let Some(bytes) = nbytes(&entry.shape, wide) else {
                    return Err(RbeError::format(
                        "load",
                        "a tensor that fits into memory",
                        format!("{} {:?}", Shown(&entry.name), entry.shape),
                    ));
                };
                Target::Dense(Buffer::dirty(bytes), wide)
            }
            Role::Hi(item) | Role::Lo(item) => {
                let parts = match packed.entry(item.number) {
                    Slot::Occupied(slot) => slot.into_mut(),
                    Slot::Vacant(slot) => slot.insert(PackedParts::new(item.shape, Some(item.scale)).map_err(about)?),
                };
                if let Role::Hi(_) = role { Target::Hi(parts) } else { Target::Lo(parts) }
            }
        };
        let mut at = 0;
        while at < entry.end - entry.begin {
            let n = CHUNK.min(entry.end - entry.begin - at);
            let bytes = &mut bytemuck::cast_slice_mut(&mut scratch)[..n];
            source.fill(bytes)?;
            sum.update(bytes);
            match &mut target {
                Target::Dense(buffer, wide) => {
                    let (from, to) = (at / size * *wide, (at + n) / size * *wide);
                    entry.dtype.decode(bytes, &mut buffer.bytes_mut()[from..to])
                }
                Target::Hi(parts) => parts.put_hi(at / 8, bytemuck::cast_slice(bytes)),
                Target::Lo(parts) => parts.put_lo(at / 8, bytemuck::cast_slice(bytes)),
            }
            .map_err(about)?;
            at += n;
        }
        if let Target::Dense(buffer, _) = target {
            dense[i] = Some(Array::from_buffer(buffer, entry.dtype.dtype(), &entry.shape));
        }
        sums.push(sum);
    }
    let value = |(k, item): (usize, super::layout::Item)| {
        let value = match item.parts {
            Parts::Dense(i) => dense[i].take().map(Value::Dense),
            Parts::Packed { .. } => packed.remove(&k).map(|parts| Value::Packed(parts.finish())),
        };
        let value = value.ok_or_else(|| RbeError::format("load", "an entry for every tensor", Shown(&item.name)))?;
        Ok((item.name, value))
    };
    Ok((items.into_iter().enumerate().map(value).collect::<Result<_>>()?, sums))
}

/// Where the bytes of an entry go.
enum Target<'a> {
    Dense(Buffer, usize), // bytes of an element in memory
    Hi(&'a mut PackedParts),
    Lo(&'a mut PackedParts),
}

/// An error that says in which tensor it is.
fn of_tensor(error: RbeError, name: &str) -> RbeError {
    match error {
        RbeError::Shape(d) | RbeError::Value(d) | RbeError::NonFinite(d) | RbeError::Format(d) => {
            RbeError::format("load", format!("{} in {}", d.expected, Shown(name)), d.got)
        }
        other => other,
    }
}

/// A source of bytes that polls.
struct Source<'a, R> {
    inner: R,
    unpolled: usize,
    poll: Poll<'a>,
}

impl<R: Read> Source<'_, R> {
    /// Reads exactly as many bytes as `out` has.
    fn fill(&mut self, out: &mut [u8]) -> Result<()> {
        self.inner.read_exact(out).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => {
                RbeError::format("load", format!("{} bytes more, as its header says", out.len()), "the end of the file")
            }
            _ => RbeError::format("load", "bytes that can be read", e),
        })?;
        self.unpolled += out.len();
        if self.unpolled >= POLL_BYTES {
            self.unpolled = 0;
            (self.poll)()?;
        }
        Ok(())
    }
}
