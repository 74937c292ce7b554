//! Files in the safetensors format: [`save`] and [`load`], whole or not at all. design/files.md describes what they hold.

mod checksum;
mod draft;
mod element;
mod header;
pub mod json;
mod layout;
mod read;
mod write;

pub use element::FileType;
pub use header::{Entry, Header, MAX_AXES, MAX_HEADER, MAX_NAME};
pub use layout::{Item, Parts, items};
pub use read::{Contents, load, read};
pub use write::{Texts, save, to_bytes};

use crate::error::Result;

const _: () = assert!(cfg!(target_endian = "little"), "files hold little-endian numbers, which are copied as they are");

/// What is called while a long file is read or written; an error ends that.
pub type Poll<'a> = &'a (dyn Fn() -> Result<()> + Sync);

/// Bytes between two calls of [`Poll`].
const POLL_BYTES: usize = 64 << 20;
/// Bytes that are read or written at once: they stay in the cache between the steps of their conversion.
const CHUNK: usize = 256 << 10;

/// Texts whose names begin so belong to this crate.
const RESERVED: &str = "rbe.";
/// Name of the text that holds the version of the format.
const FORMAT: &str = "rbe.format";
const FORMAT_VERSION: &str = "1";
/// Name of the text that says how the tensors are nested.
const TREE: &str = "rbe.tree";
