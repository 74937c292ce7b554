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

    /// The element type of the tensor that is read: the same where tensors have it, else float32 for the shorter floats
    /// and int64 for other integers.
    pub fn dtype(self) -> DType {
        match self {
            FileType::Bool => DType::Bool,
            FileType::U8 => DType::U8,
            FileType::F16 | FileType::BF16 | FileType::F32 => DType::F32,
            FileType::F64 => DType::F64,
            _ => DType::I64,
        }
    }

    /// Converts elements of this type, little-endian in `bytes`, to those of [`FileType::dtype`] in `out`.
    ///
    /// # Errors
    /// `Format` for a bool other than 0 and 1, or an integer beyond int64.
    pub(super) fn decode(self, bytes: &[u8], out: &mut [u8]) -> Result<()> {
        macro_rules! convert {
            ($n:literal, $to:ty, $convert:expr) => {{
                let out: &mut [$to] = bytemuck::cast_slice_mut(out);
                for (to, from) in out.iter_mut().zip(bytes.as_chunks::<$n>().0) {
                    *to = $convert(*from);
                }
            }};
        }
        match self {
            FileType::Bool => {
                if let Some(bad) = bytes.iter().find(|b| **b > 1) {
                    return Err(RbeError::format("load", "bools of 0 and 1", bad));
                }
                out.copy_from_slice(bytes);
            }
            FileType::U8 | FileType::F32 | FileType::F64 | FileType::I64 => out.copy_from_slice(bytes),
            FileType::U64 => {
                if let Some(bad) = bytes.as_chunks::<8>().0.iter().find(|b| b[7] > 127) {
                    return Err(RbeError::format("load", "integers that int64 holds", u64::from_le_bytes(*bad)));
                }
                out.copy_from_slice(bytes);
            }
            FileType::I8 => convert!(1, i64, |b| i64::from(i8::from_le_bytes(b))),
            FileType::U16 => convert!(2, i64, |b| i64::from(u16::from_le_bytes(b))),
            FileType::I16 => convert!(2, i64, |b| i64::from(i16::from_le_bytes(b))),
            FileType::U32 => convert!(4, i64, |b| i64::from(u32::from_le_bytes(b))),
            FileType::I32 => convert!(4, i64, |b| i64::from(i32::from_le_bytes(b))),
            FileType::BF16 => convert!(2, f32, |b| f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16)),
            FileType::F16 => convert!(2, f32, |b| half(u16::from_le_bytes(b))),
        }
        Ok(())
    }
}

/// The value of an IEEE float of 16 bits.
fn half(bits: u16) -> f32 {
    let (sign, exponent, fraction) = (u32::from(bits >> 15) << 31, u32::from(bits >> 10 & 31), u32::from(bits & 0x3ff));
    match exponent {
        0 => {
            // Subnormal: a multiple of 2^-24.
            let magnitude = fraction as f32 * 2.0f32.powi(-24);
            f32::from_bits(magnitude.to_bits() | sign)
        }
        31 => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
    }
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
    fn halves_have_the_value_of_their_fields() {
        for bits in 0..=u16::MAX {
            let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 0x3ff));
            let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
            let want = match exponent {
                0 => sign * fraction * 2f64.powi(-24),
                31 if fraction == 0.0 => sign * f64::INFINITY,
                31 => f64::NAN,
                _ => sign * (1.0 + fraction / 1024.0) * 2f64.powi(exponent - 15),
            };
            let got = f64::from(half(bits));
            assert!(got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan(), "{bits:#x}: {got} for {want}");
        }
    }

    #[test]
    fn integers_keep_their_values() {
        let decode = |t: FileType, bytes: &[u8]| {
            let mut out = vec![0i64; bytes.len() / t.size()];
            t.decode(bytes, bytemuck::cast_slice_mut(&mut out)).map(|()| out)
        };
        assert_eq!(decode(FileType::I8, &[127, 128]).unwrap(), [127, -128]);
        assert_eq!(decode(FileType::U16, &[1, 2, 255, 255]).unwrap(), [513, 65535]);
        assert_eq!(decode(FileType::I16, &[0, 128]).unwrap(), [-32768]);
        assert_eq!(decode(FileType::U32, &[255; 4]).unwrap(), [u32::MAX.into()]);
        assert_eq!(decode(FileType::I32, &[255; 4]).unwrap(), [-1]);
        assert_eq!(decode(FileType::U64, &i64::MAX.to_le_bytes()).unwrap(), [i64::MAX]);
        assert!(decode(FileType::U64, &(1u64 << 63).to_le_bytes()).is_err());
        assert!(FileType::Bool.decode(&[0, 1, 2], &mut [0; 3]).is_err());
    }
}
