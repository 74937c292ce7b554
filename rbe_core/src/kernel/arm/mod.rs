//! Kernels for 64-bit ARM. Every instruction set is a module with the same entry points, which `dispatch::vector_kernel` calls.

pub(super) mod neon;
