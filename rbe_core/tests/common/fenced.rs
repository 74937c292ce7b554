//! Numbers beside pages that nobody may touch.

use bytemuck::Pod;

/// Numbers that end, or begin, where a page begins, or ends, that may be neither read nor written.
pub struct Fenced<T> {
    map: *mut libc::c_void,
    bytes: usize,
    numbers: *mut T,
    len: usize,
}

impl<T: Pod> Fenced<T> {
    /// A copy of `values`, at the end of its pages or at their beginning.
    pub fn new(values: &[T], at_end: bool) -> Fenced<T> {
        // SAFETY: asks for a number.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
        let inner = size_of_val(values).max(1).next_multiple_of(page);
        let bytes = inner + 2 * page;
        // SAFETY: a fresh mapping; the numbers lie in its middle, which is made accessible before they are written.
        unsafe {
            let map = libc::mmap(std::ptr::null_mut(), bytes, libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0);
            assert!(map != libc::MAP_FAILED, "mmap");
            let middle = map.byte_add(page);
            assert_eq!(libc::mprotect(middle, inner, libc::PROT_READ | libc::PROT_WRITE), 0, "mprotect");
            let start = if at_end { inner - size_of_val(values) } else { 0 };
            let numbers: *mut T = middle.byte_add(start).cast();
            numbers.copy_from_nonoverlapping(values.as_ptr(), values.len());
            Fenced { map, bytes, numbers, len: values.len() }
        }
    }

    /// The numbers.
    pub fn slice(&self) -> &[T] {
        // SAFETY: written in `new`, mapped until dropped.
        unsafe { std::slice::from_raw_parts(self.numbers, self.len) }
    }

    /// The numbers, to be written.
    pub fn slice_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.numbers, self.len) }
    }
}

impl<T> Drop for Fenced<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping of `new`, which nobody borrows any more.
        unsafe { libc::munmap(self.map, self.bytes) };
    }
}
