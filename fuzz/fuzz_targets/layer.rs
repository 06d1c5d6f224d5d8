//! Layers of bases come from registries and files that nobody vouches for.
#![no_main]

mod mend;

use std::fs::File;

use elkbake::contents::Spool;
use elkbake::image::listing::Listing;
use elkbake::image::scan::{Bounds, Scan, scan};
use elkbake::image::stack::Stack;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let wanted = |_: &elkbake::name::ImagePath, size: u64| size % 2 == 0;
    let scan_as = |whole, bytes: &[u8]| {
        let nowhere = File::options().write(true).open("/dev/null").expect("every Linux has it");
        scan(
            &Scan { diff_id: None, wanted: &wanted, packing: None, whole, bounds: Bounds::FOREIGN, packed: None },
            bytes,
            Spool::new(nowhere),
        )
    };
    let mut stack = Stack::default();
    // The first byte says where one layer ends and the next begins, so that they meet.
    let (one, other) = bytes.split_at(bytes.len() * usize::from(*first) / 256);
    for (i, layer) in [one, other].into_iter().enumerate() {
        let layer = &if first % 3 == 0 { layer.to_vec() } else { mend::mended(layer) };
        match scan_as(i == 0 && *first % 2 == 0, layer) {
            Ok(scanned) => {
                let text = scanned.listing.to_text();
                assert_eq!(Listing::parse(&text).expect("what is written can be read"), scanned.listing);
                if stack.add(&scanned.listing).is_err() {
                    return;
                }
            }
            Err(error) => assert!(error.to_string().len() < 2000, "an error as long as what it complains about"),
        }
    }
    stack.each(|path, _, _| assert!(stack.get(path).is_some()));
});
