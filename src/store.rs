//! The local store: blobs by digest, and an index from keys to results.
//!
//! Under the root, in a folder for this layout (another layout would get another folder, so that old and
//! new elkbakes share a root without harm):
//!
//! | path | what |
//! |---|---|
//! | `v1/blobs/sha256/ab/<hex>` | a blob, read-only, under its own digest |
//! | `v1/index/<hex>` | the result kept under a key |
//! | `v1/partial/<hex>`, `<hex>.json` | a download that is not whole yet, and what is known of it |
//! | `v1/tmp/` | what is being written |
//! | `v1/lock` | shared by all that use the store, exclusive to [`Store::gc`] |
//!
//! Whatever becomes visible was written aside in `tmp`, hashed on its way, and renamed to its place when it was
//! whole, so a process may be killed at any instant and leaves nothing but files in `tmp` and `partial`. Blobs are
//! synced to the disk before they are renamed; of a result, which shows by itself whether it is whole, name and
//! bytes are synced together, if at all. So a power cut may take away what was put in the last seconds, never a part
//! of it, and a result whose blobs are gone counts as gone. What a failing disk does to a blob later is noticed where
//! it is read.

mod audit;
mod blob;
mod disk;
mod error;
mod folder;
mod gc;
mod index;
mod list;
mod partial;
mod usage;

pub use audit::{Audit, Broken, BrokenEntry, Damage, EntryDamage};
pub use blob::BlobWriter;
pub use error::StoreError;
pub use folder::Store;
pub use gc::Freed;
pub use partial::Partial;
pub use usage::{Count, Usage};
