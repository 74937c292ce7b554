//! Dense strided arrays: memory, shape and views, without a tape.

mod by_rows;
mod cast;
mod create;
mod packed;
mod part;
mod reduce;
mod shape;
mod storage;
mod tiles;
mod transpose;
mod view;
mod zip;

pub use by_rows::Bound;
pub(crate) use by_rows::by_rows;
pub(crate) use part::Part;
pub use reduce::{reduce_rows, sum_to, total_rows};
pub use shape::{Dims, Strides, broadcast_count, broadcast_shapes, contiguous_strides, normalize_axes, normalize_axis};
pub use storage::{Array, Read, Storage, Write};
pub use tiles::{Operand, TILE, for_each_tile, read_tiles, scratches, straight, tile_length, tiled_with};
pub use view::SliceSpec;
pub use zip::{fold_rows, map, map_into, positions, zip, zip3};
