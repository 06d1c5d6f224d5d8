//! The two steps from what an engine says to what a layer holds.

use std::collections::BTreeSet;
use std::io::Read;

use super::report::{Changed, ChangedError, Report};
use super::{fit, gather};
use crate::contents::Spool;
use crate::image::below::Below;

/// Reads what changed from the file system that an engine sends, which is opened once more where that has to be read
/// twice. The bytes of files go to spools.
///
/// # Errors
/// When it cannot be read; when something was left that no layer holds.
pub fn changed<'r, E: From<ChangedError>>(
    report: &Report<'_>,
    below: &dyn Below,
    mut open: impl FnMut() -> Result<Box<dyn Read + 'r>, E>,
    mut spool: impl FnMut() -> Result<Spool, E>,
) -> Result<Changed, E> {
    let first = gather::gather(report, below, &BTreeSet::new(), open()?, spool()?)?;
    let gathered = if first.missing.is_empty() {
        first
    } else {
        // New names of files that did not change: only now is it known that their bytes are needed.
        let also = first.missing;
        gather::gather(report, below, &also, open()?, spool()?)?
    };
    fit::fit(report, gathered, below).map_err(|error| ChangedError::Below(error).into())
}
