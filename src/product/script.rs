//! What scripts must not do, in containers and on hosts.

use super::rules::IMDS_V1;
use super::subject::{Found, TextFile};

/// Where instance metadata is.
const ADDRESS: &str = "169.254.169.254";

/// Requests for instance metadata in a file that never mentions the token which `IMDSv2` asks for.
pub(super) fn check_metadata(file: &TextFile<'_>, found: &mut Found) {
    const PATHS: [&str; 3] = ["/meta-data", "/user-data", "/dynamic"];
    const TOOLS: [&str; 6] = ["curl", "wget", "http", "GET", "fetch", "urlopen"];
    if !file.text.contains(ADDRESS)
        || file.is_for_people()
        || file.text.to_ascii_lowercase().contains("x-aws-ec2-metadata-token")
    {
        return;
    }
    for (number, line) in file.live_lines() {
        let Some((before, after)) = line.split_once(ADDRESS) else { continue };
        if PATHS.iter().any(|path| after.contains(path)) && TOOLS.iter().any(|tool| before.contains(tool)) {
            found.add(&IMDS_V1, file.place(number), "asks for instance metadata without a token");
        }
    }
}
