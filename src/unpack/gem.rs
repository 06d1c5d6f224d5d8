//! A gem: a tar that holds, each compressed on its own, what the gem says of itself, its files, and checksums of both.

mod checksums;

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufReader, Read};

use sha2::{Digest as _, Sha256, Sha512};

use self::checksums::Checksums;
use super::error::{GET_AGAIN, MAKE_ANEW, UnpackError, about, refused};
use super::guard::Guard;
use super::inflate;
use super::limits::Limits;
use super::meter::{Meter, Packed, Swelling};
use super::tar::{self, Head, Kind, Members};
use super::unpacked::Unpacked;
use crate::contents::Spool;
use crate::digest::hex;
use crate::tree::Tree;

/// More than any gem has to say. With all its files listed, the longest known has 300 KB.
const LONGEST_METADATA: u64 = 16 << 20;

const LONGEST_CHECKSUMS: u64 = 64 << 10;

/// What a gem holds.
#[derive(Debug)]
pub struct Gem {
    /// What it says of itself: its specification, as YAML.
    pub metadata: String,
    /// Its files.
    pub unpacked: Unpacked,
}

/// Reads a gem, wherever its bytes come from: gems for Logstash are packed in zips. Its files go to the spool.
///
/// # Errors
/// When it is no gem, or holds what no archive may hold; when its bytes are not those that its checksums say; when it
/// cannot be read, or the spool not be written.
pub fn gem(name: &str, from: impl Read, spool: File, limits: &Limits) -> Result<Gem, UnpackError> {
    let meter = Meter::new(&|_| Ok(()));
    let from = BufReader::with_capacity(1 << 16, Packed { inner: from, meter: &meter });
    let mut reader = Reader { limits, meter: &meter, spool: Spool::new(spool), parts: Parts::default() };
    reader.read(from).and_then(|()| reader.finish()).map_err(|error| UnpackError::of(name, error))
}

/// What was found so far.
#[derive(Default)]
struct Parts {
    metadata: Option<String>,
    tree: Option<Tree>,
    checksums: Option<Checksums>,
    /// The bytes of the parts, as the checksums may say them.
    sums: Vec<(String, Sums)>,
}

struct Reader<'a> {
    limits: &'a Limits,
    meter: &'a Meter<'a>,
    spool: Spool,
    parts: Parts,
}

impl Reader<'_> {
    fn read(&mut self, from: impl Read) -> io::Result<()> {
        let mut members = Members::new(from);
        while let Some(head) = members.next()? {
            self.part(&head, &mut members).map_err(about(&head.name))?;
        }
        Ok(())
    }

    fn part(&mut self, head: &Head, bytes: &mut dyn Read) -> io::Result<()> {
        let name = String::from_utf8_lossy(&head.name).into_owned();
        if head.kind != Kind::File {
            return Err(refused("is no file, and a gem holds nothing else", MAKE_ANEW));
        }
        if self.parts.sums.iter().any(|(other, _)| *other == name) {
            return Err(refused("is in the gem twice, and readers disagree about which one counts", MAKE_ANEW));
        }
        let summing = RefCell::new(Summing { inner: bytes, sums: Sums::default() });
        match name.as_str() {
            "metadata.gz" => self.parts.metadata = Some(text(inflate::gzip(buffered(&summing)), LONGEST_METADATA)?),
            "data.tar.gz" => self.parts.tree = Some(self.data(buffered(&summing))?),
            "checksums.yaml.gz" | "checksums.yaml" if self.parts.checksums.is_some() => {
                return Err(refused("is a second list of checksums", MAKE_ANEW));
            }
            "checksums.yaml.gz" => {
                let text = text(inflate::gzip(buffered(&summing)), LONGEST_CHECKSUMS)?;
                self.parts.checksums = Some(Checksums::parse(&text)?);
            }
            "checksums.yaml" => {
                self.parts.checksums = Some(Checksums::parse(&text(buffered(&summing), LONGEST_CHECKSUMS)?)?);
            }
            // Signatures of the parts: nobody here knows whom to believe.
            _ if head.name.ends_with(b".sig") => {}
            _ => return Err(refused("does not belong into a gem", MAKE_ANEW)),
        }
        self.parts.sums.push((name, summing.into_inner().sums));
        Ok(())
    }

    fn data(&mut self, from: impl io::BufRead) -> io::Result<Tree> {
        let mut guard = Guard::new(self.limits);
        let swelling = Swelling::new(inflate::gzip(from), self.meter, *self.limits);
        let mut from = BufReader::with_capacity(1 << 16, swelling);
        tar::unpack(&mut from, &mut guard, &mut self.spool, self.meter)?;
        guard.finish()
    }

    fn finish(self) -> io::Result<Gem> {
        let missing = |what: &str| {
            let help = "see that it is a gem as `gem build` makes it";
            refused(format!("is no gem: it holds no `{what}`"), help)
        };
        let metadata = self.parts.metadata.ok_or_else(|| missing("metadata.gz"))?;
        let tree = self.parts.tree.ok_or_else(|| missing("data.tar.gz"))?;
        if let Some(checksums) = &self.parts.checksums {
            for (name, sums) in self.parts.sums.iter().filter(|(name, _)| is_summed(name)) {
                let sums = sums.clone();
                let (sha256, sha512) = (hex(&sums.sha256.finalize()), hex(&sums.sha512.finalize()));
                checksums.check(name, &sha256, &sha512).map_err(about(name.as_bytes()))?;
            }
        }
        Ok(Gem { metadata, unpacked: Unpacked { tree, contents: self.spool.finish()? } })
    }
}

/// The list cannot have its own checksum, and signatures come after it.
fn is_summed(name: &str) -> bool {
    matches!(name, "metadata.gz" | "data.tar.gz")
}

fn text(from: impl Read, limit: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    from.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(refused(format!("has more than {limit} bytes when unpacked"), MAKE_ANEW));
    }
    String::from_utf8(bytes).map_err(|_| refused("is not UTF-8", GET_AGAIN))
}

#[derive(Clone, Default)]
struct Sums {
    sha256: Sha256,
    sha512: Sha512,
}

/// Adds up what passes.
struct Summing<'r> {
    inner: &'r mut dyn Read,
    sums: Sums,
}

fn buffered<'s>(summing: &'s RefCell<Summing<'_>>) -> BufReader<impl Read + 's> {
    BufReader::with_capacity(1 << 16, Shared(summing))
}

/// Decompressors take their reader away, and the sums are wanted behind them.
struct Shared<'s, 'r>(&'s RefCell<Summing<'r>>);

impl Read for Shared<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut summing = self.0.borrow_mut();
        let n = summing.inner.read(into)?;
        summing.sums.sha256.update(&into[..n]);
        summing.sums.sha512.update(&into[..n]);
        Ok(n)
    }
}
