//! What scripts must not do, in containers and on hosts.

use super::rules::IMDS_V1;
use super::subject::{Found, TextFile};

/// Where instance metadata is.
const ADDRESS: &str = "169.254.169.254";

/// Requests for instance metadata without the token which `IMDSv2` asks for. Where the file speaks of the token, a variable or
/// another header in the request may be it.
pub(super) fn check_metadata(file: &TextFile<'_>, found: &mut Found) {
    const PATHS: [&str; 3] = ["/meta-data", "/user-data", "/dynamic"];
    const TOKEN: &str = "x-aws-ec2-metadata-token";
    const TOOLS: [&str; 6] = ["curl", "wget", "http", "GET", "fetch", "urlopen"];
    if !file.text.contains(ADDRESS) || file.is_for_people() {
        return;
    }
    let knows = file.text.to_ascii_lowercase().contains(TOKEN);
    for (number, line) in joined(file) {
        let Some((before, after)) = line.split_once(ADDRESS) else { continue };
        let lower = line.to_ascii_lowercase();
        let Some(tool) = TOOLS.iter().filter_map(|tool| before.rfind(tool)).max() else { continue };
        let with = [TOKEN, "header", " -h "].iter().any(|word| lower.contains(word)) || before[tool..].contains('$');
        if PATHS.iter().any(|path| after.contains(path)) && !(knows && with) {
            found.add(&IMDS_V1, file.place(number), "asks for instance metadata without a token");
        }
    }
}

/// The lines that are no comments, each with those that it goes on in, as shells do behind a backslash.
fn joined(file: &TextFile<'_>) -> Vec<(usize, String)> {
    let mut all: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (number, line) in file.live_lines() {
        match all.last_mut().filter(|_| goes_on) {
            Some((_, whole)) => {
                whole.pop();
                whole.push_str(line);
            }
            None => all.push((number, line.to_owned())),
        }
        goes_on = line.ends_with('\\');
    }
    all
}
