//! Reads arbitrary bytes as a file: an error, or tensors that survive writing and reading.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rbe_core::Result;
use rbe_core::io::{Contents, Header, read, to_bytes};

fuzz_target!(|data: &[u8]| {
    if let Ok(contents) = read_all(data)
        && let Ok(bytes) = written(contents)
    {
        assert_eq!(written(read_all(&bytes).expect("what was written can be read")).unwrap(), bytes);
    }
    if let Some(data) = unchecked(data)
        && let Ok(contents) = read_all(&data)
    {
        let bytes = written(contents).expect("what was read can be written");
        assert_eq!(written(read_all(&bytes).expect("what was written can be read")).unwrap(), bytes);
    }
});

fn read_all(data: &[u8]) -> Result<Contents> {
    read(data, data.len() as u64, &|| Ok(()))
}

fn written(contents: Contents) -> Result<Vec<u8>> {
    to_bytes(&contents.tensors, contents.metadata, contents.tree)
}

/// The file without rbe's reserved names: with the checksum, no damage would reach the readers of tensors.
fn unchecked(data: &[u8]) -> Option<Vec<u8>> {
    let (length, rest) = data.split_first_chunk::<8>()?;
    let (header, tensors) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let mut header = Header::parse(header, tensors.len()).ok()?;
    header.metadata.retain(|name, _| name == "rbe.tree" || !name.starts_with("rbe."));
    let header = header.to_bytes();
    Some([&(header.len() as u64).to_le_bytes(), &header[..], tensors].concat())
}
