//! Memory of large blocks: regions from the system, of which blocks are parts. Free parts of a region that touch are one.
//!
//! Lists of blocks by size would hold, for every size, as many as were ever needed at a time; here what one size leaves serves others.

#![allow(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};

use super::block::Block;

/// Bytes of the smallest part.
pub(super) const LEAST: usize = 1 << 16;

/// A free part of a region.
#[derive(Clone, Copy)]
struct Part {
    len: usize,
    held: usize, // bytes of it that the system has not got back
}

/// Regions and their free parts, by address.
#[derive(Default)]
pub(super) struct Regions {
    regions: BTreeMap<usize, Block>,
    free: BTreeMap<usize, Part>,
    by_size: BTreeSet<(usize, usize)>, // bytes and address of the free parts
}

impl Regions {
    /// Takes a block of at least `size` bytes from the smallest free part that has them.
    pub(super) fn take(&mut self, size: usize) -> Option<Block> {
        let (len, address) = *self.by_size.range((size, 0)..).next()?;
        let part = self.remove(address)?;
        let used = if len - size >= LEAST { size } else { len };
        if used < len {
            self.insert(address + used, Part { len: len - used, held: part.held.min(len - used) });
        }
        let (start, region) = self.regions.range(..=address).next_back()?;
        Some(region.part(address - start, used))
    }

    /// Takes over a region, all of which becomes a block that is in use.
    pub(super) fn add(&mut self, region: Block) -> Block {
        let block = region.part(0, region.size());
        self.regions.insert(region.address(), region);
        block
    }

    /// Takes a block back.
    pub(super) fn give(&mut self, block: &Block) {
        let (mut start, mut part) = (block.address(), Part { len: block.size(), held: block.size() });
        let Some((region, bytes)) = self.regions.range(..=start).next_back().map(|(at, region)| (*at, region.size())) else { return };
        let before = self.free.range(region..start).next_back().map(|(at, before)| (*at, *before));
        if let Some((at, before)) = before.filter(|(at, before)| at + before.len == start) {
            self.remove(at);
            (start, part) = (at, Part { len: before.len + part.len, held: before.held + part.held });
        }
        let end = start + part.len;
        if end < region + bytes
            && let Some(after) = self.remove(end)
        {
            part = Part { len: part.len + after.len, held: part.held + after.held };
        }
        self.insert(start, part);
    }

    /// Bytes of free parts that the system has not got back.
    pub(super) fn held(&self) -> usize {
        self.free.values().map(|part| part.held).sum()
    }

    /// Gives the system back free parts, largest first, until it has `bytes` more: whole regions, which the caller is to drop, and pages of
    /// others.
    pub(super) fn release(&mut self, bytes: usize) -> Vec<Block> {
        let (mut released, mut left) = (Vec::new(), bytes);
        let sizes: Vec<(usize, usize)> = self.by_size.iter().rev().copied().collect();
        for (len, address) in sizes {
            if left == 0 {
                break;
            }
            let Some(part) = self.free.get_mut(&address) else { continue };
            left = left.saturating_sub(part.held);
            if self.regions.get(&address).is_some_and(|region| region.size() == len) {
                self.remove(address);
                released.extend(self.regions.remove(&address));
            } else if part.held > 0 {
                part.held = 0;
                if let Some((start, region)) = self.regions.range(..=address).next_back() {
                    region.give_back_pages(address - start, len);
                }
            }
        }
        released
    }

    fn insert(&mut self, address: usize, part: Part) {
        self.free.insert(address, part);
        self.by_size.insert((part.len, address));
    }

    fn remove(&mut self, address: usize) -> Option<Part> {
        let part = self.free.remove(&address)?;
        self.by_size.remove(&(part.len, address));
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Generator;

    /// Takes a block, from a new region where there is no free part.
    fn take(regions: &mut Regions, size: usize) -> Block {
        regions.take(size).unwrap_or_else(|| regions.add(Block::allocate(size).unwrap()))
    }

    #[test]
    fn what_one_size_leaves_serves_others() {
        let mut regions = Regions::default();
        let large = take(&mut regions, 8 * LEAST);
        let start = large.address();
        regions.give(&large);
        let parts: Vec<Block> = [3, 1, 4].iter().map(|n| regions.take(n * LEAST).unwrap()).collect();
        assert_eq!(parts.iter().map(Block::address).collect::<Vec<_>>(), [start, start + 3 * LEAST, start + 4 * LEAST]);
        assert!(regions.take(LEAST).is_none());
        for i in [1, 0, 2] {
            regions.give(&parts[i]);
        }
        assert_eq!((regions.held(), regions.free.len()), (8 * LEAST, 1));
        assert_eq!(regions.take(8 * LEAST).unwrap().address(), start);
    }

    #[test]
    fn a_rest_that_is_too_small_stays_with_the_block() {
        let mut regions = Regions::default();
        let block = take(&mut regions, 4 * LEAST);
        regions.give(&block);
        let block = regions.take(3 * LEAST + 64).unwrap();
        assert_eq!(block.size(), 4 * LEAST);
        regions.give(&block);
        assert_eq!(regions.held(), 4 * LEAST);
    }

    #[test]
    fn free_parts_go_back_to_the_system_and_can_be_used_again() {
        let mut regions = Regions::default();
        let first = take(&mut regions, 40 * LEAST);
        regions.give(&first);
        let kept = regions.take(LEAST).unwrap();
        let alone = take(&mut regions, 50 * LEAST);
        regions.give(&alone);
        let released = regions.release(usize::MAX);
        assert_eq!(released.iter().map(Block::size).collect::<Vec<_>>(), [50 * LEAST]);
        assert_eq!(regions.held(), 0);
        let mut again = regions.take(39 * LEAST).unwrap();
        again.bytes_mut().fill(7);
        drop(released);
        regions.give(&again);
        assert_eq!(regions.held(), 39 * LEAST);
        regions.give(&kept);
        assert_eq!((regions.held(), regions.free.len()), (40 * LEAST, 1));
    }

    #[test]
    fn blocks_never_overlap() {
        let mut regions = Regions::default();
        let mut words = vec![0; 4000];
        Generator::new(5).stream().words(&mut words);
        let mut blocks: Vec<(Block, u8)> = Vec::new();
        for (i, word) in words.into_iter().enumerate() {
            if word % 5 < 3 || blocks.is_empty() {
                let mut block = take(&mut regions, (1 + word as usize / 5 % 9) * LEAST + (word as usize / 64 % 7) * 64);
                block.bytes_mut().fill(i as u8);
                blocks.push((block, i as u8));
            } else {
                let (mut block, mark) = blocks.swap_remove(word as usize / 5 % blocks.len());
                assert!(block.bytes_mut().iter().all(|b| *b == mark));
                regions.give(&block);
            }
            if i % 500 == 499 {
                drop(regions.release((word as usize / 7 % 100) * LEAST));
            }
            if blocks.len() > 30 {
                blocks.drain(20..).for_each(|(block, _)| regions.give(&block));
            }
        }
        blocks.iter().for_each(|(block, _)| regions.give(block));
        let total: usize = regions.regions.values().map(Block::size).sum();
        assert_eq!(regions.free.len(), regions.regions.len());
        assert_eq!(regions.free.values().map(|part| part.len).sum::<usize>(), total);
        assert!(regions.held() <= total);
        assert_eq!(regions.release(usize::MAX).iter().map(Block::size).sum::<usize>(), total);
    }
}
