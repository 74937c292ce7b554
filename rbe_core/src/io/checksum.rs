//! The checksum of a file: over names, types, shapes and bytes of its tensors, and its texts.

use crc32fast::Hasher;

use super::header::Header;

/// Name of the text that holds the checksum.
pub(super) const CHECKSUM: &str = "rbe.crc32";

/// CRC-32 of, sorted by name, `name \0 type \0 shape \0` and the bytes of every tensor, with NumPy's code of the type and the
/// shape as Python writes a tuple, then `name \0 text \0` of every text but the checksum. It does not depend on where in the
/// file the tensors are. `data` holds the checksums of the bytes of every entry.
pub(super) fn checksum(header: &Header, data: &[Hasher]) -> String {
    let mut order: Vec<usize> = (0..header.entries.len()).collect();
    order.sort_unstable_by(|a, b| header.entries[*a].name.cmp(&header.entries[*b].name));
    let mut crc = Hasher::new();
    for i in order {
        let entry = &header.entries[i];
        let shape = match entry.shape.as_slice() {
            [n] => format!("({n},)"),
            shape => format!("({})", shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
        };
        [entry.name.as_str(), "\0", entry.dtype.numpy(), "\0", &shape, "\0"].iter().for_each(|part| crc.update(part.as_bytes()));
        crc.combine(&data[i]);
    }
    for (key, text) in header.metadata.iter().filter(|(key, _)| *key != CHECKSUM) {
        [key, "\0", text, "\0"].iter().for_each(|part| crc.update(part.as_bytes()));
    }
    format!("{:08x}", crc.finalize())
}
