//! Parses arbitrary text as a header with packed tensors: an error, or entries that fill the file.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rbe_core::io::{Header, Parts, items};

fuzz_target!(|data: &[u8]| {
    // The first two bytes are the number of bytes that follow the header.
    let Some((length, text)) = data.split_first_chunk::<2>() else { return };
    let length = usize::from(u16::from_le_bytes(*length));
    let Ok(header) = Header::parse(text, length) else { return };
    assert_eq!(header.entries.iter().map(|entry| entry.end - entry.begin).sum::<usize>(), length);
    if let Ok(items) = items(&header) {
        assert!(items.windows(2).all(|pair| pair[0].name < pair[1].name), "sorted by name, none twice");
        let parts = |parts: &Parts| if let Parts::Dense(_) = parts { 1 } else { 2 };
        assert_eq!(items.iter().map(|item| parts(&item.parts)).sum::<usize>(), header.entries.len());
    }
    assert_eq!(Header::parse(&header.to_bytes(), length).expect("a header that was written can be read"), header);
});
