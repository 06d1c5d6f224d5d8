//! Bytes into the store, over as many requests as it takes: what has come once is not asked for again.

use std::future::Future;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{
    CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderValue, IF_RANGE, LAST_MODIFIED, RANGE, TRANSFER_ENCODING,
};

use crate::bake::event::{Event, Listener, Task};
use crate::bake::port::PortError;
use crate::digest::Digest;
use crate::remote::config::Timing;
use crate::remote::http::Reply;
use crate::remote::refusal::page_instead;
use crate::remote::retry::{Failure, Tries};
use crate::store::{Partial, Store, StoreError};

/// Enough of a page to find its title.
const PAGE: usize = 64 * 1024;

/// What is to be in the store at the end.
pub(super) struct Goal<'a> {
    /// What people call it in errors.
    pub(super) subject: &'a str,
    /// The name under which what has come is kept until it is whole.
    pub(super) partial: &'a str,
    /// What people call it while it comes.
    pub(super) task: &'a str,
    /// Which bytes, where that is known.
    pub(super) expected: Option<Digest>,
    /// How many, where that is known for certain.
    pub(super) size: Option<u64>,
    /// How many at most.
    pub(super) limit: u64,
    /// A web page is never it.
    pub(super) refuse_pages: bool,
    pub(super) timing: Timing,
}

/// Who is asked for the bytes.
pub(super) trait Source {
    /// Sends the request with these headers. The answer is of status 200, 206 or 416.
    fn open(&self, headers: HeaderMap) -> impl Future<Output = Result<Reply, Failure>>;
}

/// How often to look whether another run has finished with the same download.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Waits for the partial file without standing in the way of who wants to stop.
async fn alone<'s>(goal: &Goal<'_>, store: &'s Store, tell: Listener<'_>) -> Result<Partial<'s>, PortError> {
    let mut told = false;
    loop {
        if let Some(partial) = store.partial(goal.partial)? {
            return Ok(partial);
        }
        if !told {
            tell(Event::Note(&format!("{}: another run fetches it already; waiting for that", goal.subject)));
            told = true;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Gets all of it, checks it and makes it a blob.
pub(super) async fn into_store(
    goal: &Goal<'_>,
    source: &impl Source,
    store: &Store,
    tell: Listener<'_>,
) -> Result<(Digest, u64), PortError> {
    let mut fresh = false;
    loop {
        let mut partial = alone(goal, store, tell).await?;
        // Somebody else may have fetched it while we waited for the partial file.
        if let Some(digest) = goal.expected
            && let Some(size) = store.size(&digest)
        {
            return Ok((digest, size));
        }
        if fresh {
            partial.restart(None)?;
        }
        let mut download = Download { goal, tell, task: None, pieces: !partial.is_empty(), promised: None };
        download.all(&mut partial, source).await?;
        let pieces = download.pieces;
        drop(download);
        match partial.commit(goal.expected) {
            Ok(done) => return Ok(done),
            // The parts may be of different things: a server that does not know its validators.
            Err(StoreError::Mismatch(mismatch)) if pieces && !fresh => {
                tell(Event::Note(&format!("{}: {mismatch}; it came in pieces, once more in one", goal.subject)));
                fresh = true;
            }
            Err(StoreError::Mismatch(mismatch)) => return Err(goal.wrong(mismatch.to_string())),
            Err(error) => return Err(error.into()),
        }
    }
}

impl Goal<'_> {
    /// Whoever is asked, the bytes are the same: they are named by a digest.
    fn is_fixed(&self) -> bool {
        self.size.is_some()
    }

    fn wrong(&self, message: String) -> PortError {
        PortError::Wrong { subject: self.subject.to_owned(), message }
    }

    /// Holds what a server says of the length against what is known.
    fn check_length(&self, whole: u64) -> Result<(), PortError> {
        match self.size {
            Some(size) if whole != size => Err(self.wrong(format!("it has {whole} bytes, and should have {size}"))),
            None if whole > self.limit => {
                Err(self.wrong(format!("it has {whole} bytes, more than the {} that are allowed", self.limit)))
            }
            _ => Ok(()),
        }
    }
}

struct Download<'g> {
    goal: &'g Goal<'g>,
    tell: Listener<'g>,
    task: Option<Task<'g>>,
    /// It comes from more than one answer.
    pieces: bool,
    /// How long it is in all, as a server said at the beginning.
    promised: Option<u64>,
}

impl Download<'_> {
    async fn all(&mut self, partial: &mut Partial<'_>, source: &impl Source) -> Result<(), PortError> {
        let mut tries = Tries::new(self.goal.timing);
        let mut furthest = partial.len();
        loop {
            let failure = match self.stretch(partial, source).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            // Bytes that came before and come again are no progress.
            if partial.len() > furthest {
                furthest = partial.len();
                tries.progressed();
            }
            tries.wait(self.goal.subject, failure, self.tell).await?;
        }
    }

    /// One request, and what it brings.
    async fn stretch(&mut self, partial: &mut Partial<'_>, source: &impl Source) -> Result<(), Failure> {
        let is_too_long = self.goal.size.is_some_and(|size| partial.len() > size);
        let is_vague = self.goal.expected.is_none() && partial.validator().is_none();
        if !partial.is_empty() && (is_too_long || is_vague) {
            self.restart(partial, None)?;
        }
        if self.goal.size == Some(partial.len()) {
            return Ok(());
        }
        let mut reply = source.open(part_wanted(partial, self.goal.is_fixed())).await?;
        if self.goal.refuse_pages
            && reply.media_type() == "text/html"
            && reply.status != StatusCode::RANGE_NOT_SATISFIABLE
        {
            // The parts that are here are not to blame, and stay.
            let (page, _) = reply.body.up_to(PAGE).await?;
            return Err(self.goal.wrong(page_instead(&page)).into());
        }
        if self.begin(partial, &reply)? { self.take(partial, &mut reply).await } else { Ok(()) }
    }

    /// Looks at the beginning of an answer, and makes what is here fit it. Tells whether anything is left to come.
    fn begin(&mut self, partial: &mut Partial<'_>, reply: &Reply) -> Result<bool, Failure> {
        let have = partial.len();
        let range = reply.header(CONTENT_RANGE).and_then(content_range);
        let length = reply.header(CONTENT_LENGTH).and_then(|text| text.parse::<u64>().ok());
        let whole = match reply.status {
            StatusCode::RANGE_NOT_SATISFIABLE => {
                let is_whole = range == Some((None, Some(have))) && self.goal.size.is_none_or(|size| size == have);
                if have > 0 && is_whole && self.promised.is_none_or(|whole| whole == have) {
                    return Ok(false);
                }
                self.restart(partial, None)?;
                if let Some((None, Some(whole))) = range {
                    self.goal.check_length(whole)?;
                }
                return Err(Failure::again("it has another length than before"));
            }
            StatusCode::PARTIAL_CONTENT => {
                let differs = |new: String| partial.validator().is_none_or(|old| old != new);
                // Bytes that nobody vouches for are joined only where the server says that they belong together, and
                // how many there are in all.
                let is_other = !self.goal.is_fixed() && validator(reply).is_none_or(differs);
                let is_open = !self.goal.is_fixed() && matches!(range, Some((_, None)));
                match range {
                    Some((Some(begin), total)) if have > 0 && begin == have && !is_other && !is_open => {
                        self.pieces = true;
                        total.or_else(|| length.map(|length| have + length))
                    }
                    _ => {
                        self.restart(partial, None)?;
                        return Err(Failure::again("another part came than was asked for"));
                    }
                }
            }
            _ => {
                if have > 0 {
                    (self.tell)(Event::Note(&format!("{}: begins anew, it cannot go on", self.goal.subject)));
                }
                self.restart(partial, validator(reply).as_deref())?;
                self.pieces = false;
                length
            }
        };
        if let Some(error) = whole.and_then(|whole| self.goal.check_length(whole).err()) {
            self.restart(partial, None)?;
            return Err(error.into());
        }
        let has_end = whole.is_some() || reply.headers.contains_key(TRANSFER_ENCODING);
        if !has_end && self.goal.size.is_none() && self.goal.expected.is_none() {
            let message = "the server does not say how long it is: half of it could not be told from the whole";
            return Err(self.goal.wrong(message.to_owned()).into());
        }
        self.promised = whole;
        self.show(partial.len());
        Ok(true)
    }

    async fn take(&mut self, partial: &mut Partial<'_>, reply: &mut Reply) -> Result<(), Failure> {
        let whole = self.promised.or(self.goal.size);
        let bound = whole.unwrap_or(self.goal.limit).min(self.goal.limit);
        while let Some(bytes) = reply.body.next().await? {
            let count = bytes.len() as u64;
            if partial.len() + count > bound {
                self.restart(partial, None)?;
                return Err(self.goal.wrong(format!("more than {bound} bytes came")).into());
            }
            partial.append(&bytes)?;
            self.task.iter().for_each(|task| task.advance(count));
        }
        match whole {
            Some(whole) if partial.len() < whole => {
                Err(Failure::again(format!("it ended after {} of {whole} bytes", partial.len())))
            }
            _ => Ok(()),
        }
    }

    fn restart(&mut self, partial: &mut Partial<'_>, validator: Option<&str>) -> Result<(), StoreError> {
        // What was shown as done is not any more.
        self.task = None;
        self.promised = None;
        partial.restart(validator)
    }

    fn show(&mut self, have: u64) {
        if self.task.is_none() {
            let task = Task::begin(self.goal.task, self.promised.or(self.goal.size), self.tell);
            task.advance(have);
            self.task = Some(task);
        }
        if have > 0 {
            (self.tell)(Event::Note(&format!("{}: goes on at byte {have}", self.goal.subject)));
        }
    }
}

/// The headers that ask for what is missing, if it still belongs to what is here.
fn part_wanted(partial: &Partial<'_>, is_fixed: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let have = partial.len();
    let Ok(range) = HeaderValue::from_str(&format!("bytes={have}-")) else { return headers };
    if have > 0 {
        headers.insert(RANGE, range);
        let validator = partial.validator().filter(|_| !is_fixed).map(HeaderValue::from_str);
        if let Some(Ok(validator)) = validator {
            headers.insert(IF_RANGE, validator);
        }
    }
    headers
}

/// What tells this content from another: a strong `ETag`, else the date.
fn validator(reply: &Reply) -> Option<String> {
    let tag = reply.header(ETAG).filter(|tag| tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"'));
    tag.or_else(|| reply.header(LAST_MODIFIED)).map(str::to_owned)
}

/// `bytes 10-19/20`, `bytes 10-19/*` or `bytes */20`: where it begins, and how much there is.
pub(super) fn content_range(text: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.trim().split_once('/')?;
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    if range == "*" {
        return Some((None, total));
    }
    let (begin, end) = range.split_once('-')?;
    let (begin, end): (u64, u64) = (begin.parse().ok()?, end.parse().ok()?);
    (begin <= end && total.is_none_or(|total| end < total)).then_some((Some(begin), total))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_are_read() {
        for (text, expected) in [
            ("bytes 10-19/20", Some((Some(10), Some(20)))),
            ("bytes 10-19/*", Some((Some(10), None))),
            ("bytes */20", Some((None, Some(20)))),
            ("bytes 10-20/20", None),
            ("bytes 10-9/20", None),
            ("items 1-2/3", None),
            ("bytes 1-2", None),
            ("bytes -2/3", None),
        ] {
            assert_eq!(content_range(text), expected, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_range_panics(text in "(bytes |[0-9]{1,25}|-|/|\\*|.){0,6}") {
            let _ = content_range(&text);
        }
    }
}
