//! Element types of safetensors files, and their conversion to those of tensors.

use crate::dtype::DType;
use crate::error::{RbeError, Result};

/// An element type of a file that tensors can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileType {
    /// One byte, 0 or 1.
    Bool,
    /// Unsigned, 1 byte.
    U8,
    /// Signed, 1 byte.
    I8,
    /// Unsigned, 2 bytes.
    U16,
    /// Signed, 2 bytes.
    I16,
    /// IEEE float of 2 bytes.
    F16,
    /// The upper half of an IEEE float of 4 bytes.
    BF16,
    /// Unsigned, 4 bytes.
    U32,
    /// Signed, 4 bytes.
    I32,
    /// IEEE float of 4 bytes.
    F32,
    /// Unsigned, 8 bytes.
    U64,
    /// Signed, 8 bytes.
    I64,
    /// IEEE float of 8 bytes.
    F64,
}

/// All, with the name in the file and NumPy's code of the type, which the checksum covers.
const NAMES: [(FileType, &str, &str); 13] = [
    (FileType::Bool, "BOOL", "|b1"),
    (FileType::U8, "U8", "|u1"),
    (FileType::I8, "I8", "|i1"),
    (FileType::U16, "U16", "<u2"),
    (FileType::I16, "I16", "<i2"),
    (FileType::F16, "F16", "<f2"),
    (FileType::BF16, "BF16", "<bf2"),
    (FileType::U32, "U32", "<u4"),
    (FileType::I32, "I32", "<i4"),
    (FileType::F32, "F32", "<f4"),
    (FileType::U64, "U64", "<u8"),
    (FileType::I64, "I64", "<i8"),
    (FileType::F64, "F64", "<f8"),
];

impl FileType {
    /// The type of that name in a file.
    pub fn named(name: &str) -> Option<FileType> {
        NAMES.iter().find(|(_, own, _)| *own == name).map(|(t, _, _)| *t)
    }

    /// Name in a file.
    pub fn name(self) -> &'static str {
        NAMES[self as usize].1
    }

    /// NumPy's code of the type.
    pub fn numpy(self) -> &'static str {
        NAMES[self as usize].2
    }

    /// The type in which tensors of `dtype` are written.
    pub fn of(dtype: DType) -> FileType {
        match dtype {
            DType::F32 => FileType::F32,
            DType::F64 => FileType::F64,
            DType::I64 => FileType::I64,
            DType::Bool => FileType::Bool,
            DType::U8 => FileType::U8,
            DType::I8 => FileType::I8,
            DType::I16 => FileType::I16,
            DType::I32 => FileType::I32,
            DType::F16 => FileType::F16,
            DType::BF16 => FileType::BF16,
        }
    }

    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            FileType::Bool | FileType::U8 | FileType::I8 => 1,
            FileType::U16 | FileType::I16 | FileType::F16 | FileType::BF16 => 2,
            FileType::U32 | FileType::I32 | FileType::F32 => 4,
            FileType::U64 | FileType::I64 | FileType::F64 => 8,
        }
    }

    /// The element type of the tensor that is read: the same where tensors have it, else int64.
    pub fn dtype(self) -> DType {
        match self {
            FileType::Bool => DType::Bool,
            FileType::U8 => DType::U8,
            FileType::I8 => DType::I8,
            FileType::I16 => DType::I16,
            FileType::I32 => DType::I32,
            FileType::F16 => DType::F16,
            FileType::BF16 => DType::BF16,
            FileType::F32 => DType::F32,
            FileType::F64 => DType::F64,
            FileType::U16 | FileType::U32 | FileType::U64 | FileType::I64 => DType::I64,
        }
    }

    /// Converts elements of this type, little-endian in `bytes`, to those of [`FileType::dtype`] in `out`.
    ///
    /// # Errors
    /// `Format` for a bool other than 0 and 1, or an integer beyond int64.
    pub(super) fn decode(self, bytes: &[u8], out: &mut [u8]) -> Result<()> {
        match self {
            FileType::Bool => {
                if let Some(bad) = bytes.iter().find(|b| **b > 1) {
                    return Err(RbeError::format("load", "bools of 0 and 1", bad));
                }
                out.copy_from_slice(bytes);
            }
            FileType::U16 => widen(bytes, out, |b| u16::from_le_bytes(b).into()),
            FileType::U32 => widen(bytes, out, |b| u32::from_le_bytes(b).into()),
            FileType::U64 => {
                if let Some(bad) = bytes.as_chunks::<8>().0.iter().find(|b| b[7] > 127) {
                    return Err(RbeError::format("load", "integers that int64 holds", u64::from_le_bytes(*bad)));
                }
                out.copy_from_slice(bytes);
            }
            _ => out.copy_from_slice(bytes),
        }
        Ok(())
    }
}

/// Converts unsigned integers of `N` bytes each.
fn widen<const N: usize>(bytes: &[u8], out: &mut [u8], value: impl Fn([u8; N]) -> i64) {
    let out: &mut [i64] = bytemuck::cast_slice_mut(out);
    out.iter_mut().zip(bytes.as_chunks::<N>().0).for_each(|(to, from)| *to = value(*from));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_stand_at_the_place_of_their_type() {
        for (i, (t, name, _)) in NAMES.iter().enumerate() {
            assert_eq!((*t as usize, FileType::named(name)), (i, Some(*t)));
        }
    }

    #[test]
    fn integers_keep_their_values() {
        let decode = |t: FileType, bytes: &[u8]| {
            let mut out = vec![0i64; bytes.len() / t.size()];
            t.decode(bytes, bytemuck::cast_slice_mut(&mut out)).map(|()| out)
        };
        assert_eq!(decode(FileType::U16, &[1, 2, 255, 255]).unwrap(), [513, 65535]);
        assert_eq!(decode(FileType::U32, &[255; 4]).unwrap(), [u32::MAX.into()]);
        assert_eq!(decode(FileType::U64, &i64::MAX.to_le_bytes()).unwrap(), [i64::MAX]);
        assert!(decode(FileType::U64, &(1u64 << 63).to_le_bytes()).is_err());
        assert!(FileType::Bool.decode(&[0, 1, 2], &mut [0; 3]).is_err());
    }
}
