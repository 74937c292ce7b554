//! Kernels for x86-64. Every instruction set is a module with the same entry points, which `dispatch::vector_kernel` calls.

pub(super) mod amx;
pub(super) mod avx2;
pub(super) mod avx512;
