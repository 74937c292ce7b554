//! Non-temporal stores, for results too large for a cache: a line is written without being read first, and displaces no other.

use bytemuck::Pod;

/// Bytes of such a result. With half of it, an EPYC with a cache of 32 MB was slower, if the result was read soon.
pub(crate) const LARGE: usize = 16 << 20;

/// Bytes of a cache line.
pub(crate) const LINE: usize = 64;

/// Held during non-temporal stores; its drop makes them visible to other threads.
pub(crate) struct Streaming(());

impl Streaming {
    pub(crate) fn new() -> Streaming {
        Streaming(())
    }

    /// Copies `from` to `to` without bringing it into a cache.
    #[inline(always)]
    pub(crate) fn copy<T: Pod>(&self, from: &[T], to: &mut [T]) {
        store_non_temporal(bytemuck::cast_slice(from), bytemuck::cast_slice_mut(to));
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        #[cfg(target_arch = "x86_64")]
        // Other threads learn by ordinary stores that a piece is done, and those do not wait for non-temporal ones.
        // SAFETY: every x86-64 has SSE.
        unsafe {
            std::arch::x86_64::_mm_sfence();
        }
    }
}

/// Copies `from` to `to` without bringing it into a cache.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn store_non_temporal(from: &[u8], to: &mut [u8]) {
    use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_stream_si128};
    assert!(from.len() == to.len(), "stream: lengths");
    if !to.as_ptr().cast::<__m128i>().is_aligned() {
        return to.copy_from_slice(from);
    }
    let ((from, rest), (to, rest_to)) = (from.as_chunks::<LINE>(), to.as_chunks_mut::<LINE>());
    for (from, to) in from.iter().zip(to) {
        for at in (0..LINE).step_by(size_of::<__m128i>()) {
            // SAFETY: sixteen bytes from `at` on are inside both lines, and `to` is aligned: it was where the lines begin.
            unsafe { _mm_stream_si128(to.as_mut_ptr().add(at).cast(), _mm_loadu_si128(from.as_ptr().add(at).cast())) };
        }
    }
    rest_to.copy_from_slice(rest);
}

/// Copies `from` to `to`.
#[cfg(not(target_arch = "x86_64"))]
fn store_non_temporal(from: &[u8], to: &mut [u8]) {
    to.copy_from_slice(from);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_length_and_place_is_copied() {
        for (start, length) in [(0, 64), (0, 1000), (1, 1000), (4, 1023), (3, 5), (0, 0)] {
            let x: Vec<f32> = (0..length).map(|i| i as f32).collect();
            let mut out = vec![-1.0f32; 1100];
            Streaming::new().copy(&x, &mut out[start..start + length]);
            assert!(out[start..start + length] == x[..]);
            assert!(out[..start].iter().chain(&out[start + length..]).all(|o| *o == -1.0));
        }
    }
}
