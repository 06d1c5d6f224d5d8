//! The bytes of a blob on their way out: in blocks, verified while they pass.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use hyper::body::Bytes;

use super::origin::Origin;
use crate::bake::event::{Listener, Task};
use crate::bake::port::{Freight, PortError};
use crate::digest::{Hasher, Mismatch};
use crate::remote::wire::Wire;
use crate::store::{Store, StoreError};

/// Bytes on their way through memory. A handful of them wait at a time, for each blob that is sent.
const BLOCK: usize = 256 << 10;

/// A blob from the store, or where that has it not, straight from where it comes.
pub(super) struct Cargo<'a> {
    wire: &'a Wire,
    subject: &'a str,
    freight: Freight<'a>,
    store: &'a Store,
    tell: Listener<'a>,
    source: Option<Source<'a>>,
    /// All that has passed.
    passed: Hasher,
    /// A place to which one can go back without reading all before it once more.
    mark: Hasher,
    task: Option<Task<'a>>,
    shown: u64,
}

enum Source<'a> {
    Stored(File),
    Distant(Box<Origin<'a>>),
}

impl<'a> Cargo<'a> {
    pub(super) fn new(
        wire: &'a Wire,
        subject: &'a str,
        freight: Freight<'a>,
        store: &'a Store,
        tell: Listener<'a>,
    ) -> Self {
        let (passed, mark) = Default::default();
        Self { wire, subject, freight, store, tell, source: None, passed, mark, task: None, shown: 0 }
    }

    pub(super) fn size(&self) -> u64 {
        self.freight.size
    }

    /// How many bytes have passed.
    pub(super) fn position(&self) -> u64 {
        self.passed.size()
    }

    /// Where an earlier process had come to.
    pub(super) fn trust(&mut self, mark: Hasher) {
        self.mark = mark;
    }

    /// The place to which one can go back, for the next process.
    pub(super) fn mark(&self) -> &Hasher {
        &self.mark
    }

    /// Makes the byte after `offset` bytes the next one, and remembers the place.
    pub(super) async fn seek(&mut self, offset: u64) -> Result<(), PortError> {
        if self.passed.size() != offset || self.source.is_none() {
            let near = [&self.passed, &self.mark].into_iter().filter(|place| place.size() <= offset);
            let near = near.max_by_key(|place| place.size()).cloned().unwrap_or_default();
            self.source = None;
            self.passed = near;
        }
        // An empty blob has bytes to be verified too: none.
        if self.source.is_none() && offset < self.size() {
            self.source = Some(self.open(self.passed.size())?);
        }
        while self.passed.size() < offset {
            self.read(offset - self.passed.size()).await?;
        }
        self.mark = self.passed.clone();
        self.show();
        Ok(())
    }

    /// The next bytes, at most so many. The last ones are not given away before all of them are known to be right.
    pub(super) async fn next(&mut self, most: u64) -> Result<Bytes, PortError> {
        let bytes = self.read(most).await?;
        self.show();
        Ok(bytes)
    }

    /// Says how far it is, once for each byte.
    fn show(&mut self) {
        let task = self.task.get_or_insert_with(|| Task::begin(self.subject, Some(self.freight.size), self.tell));
        if let Some(more) = self.passed.size().checked_sub(self.shown).filter(|more| *more > 0) {
            task.advance(more);
            self.shown = self.passed.size();
        }
    }

    async fn read(&mut self, most: u64) -> Result<Bytes, PortError> {
        let most = usize::try_from(most).unwrap_or(BLOCK).min(BLOCK);
        let bytes = match &mut self.source {
            Some(Source::Stored(file)) => {
                let mut block = vec![0; most];
                match file.read_exact(&mut block) {
                    Ok(()) => Bytes::from(block),
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(self.short()),
                    Err(error) => return Err(PortError::Store(StoreError::Source(error))),
                }
            }
            Some(Source::Distant(origin)) => origin.next(most).await?,
            None => return Err(self.short()),
        };
        self.passed.update(&bytes);
        if self.passed.size() == self.freight.size {
            let expected = self.freight.digest;
            let (got, _) = self.passed.clone().finish();
            if got != expected {
                return Err(self.damaged(&Mismatch::Digest { expected, got }));
            }
        }
        Ok(bytes)
    }

    fn open(&self, at: u64) -> Result<Source<'a>, PortError> {
        let Freight { digest, size, origin } = self.freight;
        if let Some(mut file) = self.store.unverified(&digest)? {
            let length = file.seek(SeekFrom::End(0)).map_err(StoreError::Source)?;
            if length != size {
                let mismatch = if length < size {
                    Mismatch::Short { expected: digest, size, got: length }
                } else {
                    Mismatch::Long { expected: digest, size }
                };
                return Err(self.spoilt(&mismatch));
            }
            file.seek(SeekFrom::Start(at)).map_err(StoreError::Source)?;
            return Ok(Source::Stored(file));
        }
        let Some(origin) = origin else {
            let message = "the store does not have it any more, and nobody else is known who has: build it again";
            return Err(PortError::NotFound { subject: self.subject.to_owned(), message: message.to_owned() });
        };
        let subject = format!("{}/{}@{digest}", origin.registry, origin.repository);
        let door = self.wire.door(origin, subject, self.tell)?;
        Ok(Source::Distant(Box::new(Origin::new(self.wire, door, (digest, size), at, self.tell))))
    }

    fn short(&self) -> PortError {
        let (expected, size, got) = (self.freight.digest, self.freight.size, self.passed.size());
        self.damaged(&Mismatch::Short { expected, size, got })
    }

    fn damaged(&self, mismatch: &Mismatch) -> PortError {
        match &self.source {
            Some(Source::Distant(_)) => {
                let from = self.freight.origin.map(|origin| format!("{}/{}", origin.registry, origin.repository));
                let from = from.unwrap_or_default();
                let message = format!("what came from {from} is something else: {mismatch}");
                PortError::Wrong { subject: self.subject.to_owned(), message }
            }
            _ => self.spoilt(mismatch),
        }
    }

    /// What the disk has spoilt must not stay: it would be found again, and be taken for what it was.
    fn spoilt(&self, mismatch: &Mismatch) -> PortError {
        let dropped = match self.store.drop_blob(&self.freight.digest) {
            Ok(()) => "it was dropped, so build it again".to_owned(),
            Err(error) => error.to_string(),
        };
        let message = format!("the store's copy is damaged ({mismatch}); {dropped}");
        PortError::Wrong { subject: self.subject.to_owned(), message }
    }
}
