//! What a smoke test found.

use std::collections::BTreeMap;

use crate::digest::Digest;
use crate::name::{Platform, RecipeName};
use crate::text::table;

table! {
    /// A smoke test that an image passed.
    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct RecordedTest {
        /// The platform that was tested.
        pub platform: Platform,
        /// The digest of the OCI manifest that was tested.
        pub digest: Digest,
        /// When, in UTC.
        pub at: String,
        /// The container engine, with its version.
        pub engine: String,
        /// The OCI manifests of the images that ran beside it, by recipe.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        pub with: BTreeMap<RecipeName, Digest>,
        /// What held, in order.
        pub checks: Vec<RecordedCheck>,
        /// Milliseconds from the start of its program until it was ready.
        pub ready_ms: u64,
        /// Milliseconds from the stop signal until it had ended; 0 where it ended by itself.
        pub stop_ms: u64,
        /// The digest of its log, which is in the store of the machine that tested it.
        pub log: Digest,
    }

    /// Something that a smoke test looked at.
    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct RecordedCheck {
        /// What it is.
        pub name: String,
        /// Milliseconds until it held.
        pub ms: u64,
    }
}
