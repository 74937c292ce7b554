//! Dense strided arrays: memory, shape and views, without a tape.

mod cast;
mod create;
mod reduce;
mod shape;
mod storage;
mod view;
mod zip;

pub use reduce::sum_to;
pub use shape::{Dims, Strides, broadcast_shapes, contiguous_strides, normalize_axes, normalize_axis};
pub use storage::{Array, Read, Storage, Write};
pub use view::SliceSpec;
pub use zip::{fold_rows, map, map_into, positions, zip, zip3};
