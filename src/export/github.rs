//! Outputs of a step of GitHub Actions.

use super::choice::Choice;
use super::described::{hosts, images};
use super::fault::ExportError;
use super::named::{snake, spelled, values};
use crate::digest::Digest;

/// A line for each output, as `$GITHUB_OUTPUT` takes them. `images` and `amis` are JSON, for `fromJSON`.
///
/// # Errors
/// When two would have one name, or a record cannot be exported.
pub fn github(choice: &Choice<'_>) -> Result<String, ExportError> {
    let mut all = spelled(&values(choice)?, snake)?;
    all.push(("images".to_owned(), serde_json::json!(images(choice)?).to_string()));
    all.push(("amis".to_owned(), serde_json::json!(hosts(choice)).to_string()));
    Ok(all.iter().map(|(name, value)| line(name, value)).collect())
}

/// One output. A value of several lines stands between two lines that it does not contain, so that no value can be
/// taken for another output.
pub(super) fn line(name: &str, value: &str) -> String {
    if !value.contains(['\n', '\r']) {
        return format!("{name}={value}\n");
    }
    let mut seed = value.to_owned();
    loop {
        let end = format!("end-{}", &Digest::of(seed.as_bytes()).to_string()["sha256:".len()..][..16]);
        if !value.contains(&end) {
            return format!("{name}<<{end}\n{value}\n{end}\n");
        }
        seed.push_str(&end);
    }
}
