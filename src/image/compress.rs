//! Compression on many threads, whose bytes do not depend on how many there are.
//!
//! One thread feeds: it makes the bytes, hashes them and cuts them into blocks of one size, wherever its writes begin
//! and end. Workers compress blocks, and one thread writes them in their order. The channels between them are bounded,
//! so that memory does not grow with the stream, and whoever fails stops the others.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};

use flate2::Crc;

use super::{gzip, zstd};
use crate::digest::{Digest, Hasher};
use crate::recipe::Compression;

/// More threads than this have nothing to do, because reading and hashing keep no more of them busy; and each has a
/// few blocks on its way, which is what the memory goes to.
const fn most_threads(how: Compression) -> usize {
    match how {
        Compression::Gzip => 16,
        Compression::Zstd => 8,
    }
}

/// Is told of so many more bytes, before they are compressed; its error ends the work.
pub type Advance<'a> = &'a (dyn Fn(u64) -> io::Result<()> + Sync);

/// What was compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plain {
    /// The digest of the bytes before they were compressed.
    pub digest: Digest,
    /// How many they were.
    pub size: u64,
}

/// Compresses what `feed` writes, and writes it to `to`.
///
/// # Errors
/// The outer one when the compressed bytes cannot be made or written; the inner one is the feed's. An error that
/// `advance` returns comes out of the feed's writes.
pub fn compress<E>(
    how: Compression,
    threads: usize,
    to: &mut (dyn Write + Send),
    advance: Advance<'_>,
    feed: impl FnOnce(&mut Blocks<'_>) -> Result<(), E>,
) -> io::Result<Result<Plain, E>> {
    let threads = threads.clamp(1, most_threads(how));
    let (jobs, queue) = sync_channel(threads);
    // What workers and the writer have between them.
    let (order, ordered) = sync_channel(threads + 2);
    // Of the same few buffers from the first block to the last the heap does not fall to pieces.
    let (spent, spare) = channel();
    let queue = Mutex::new(queue);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (queue, spent) = (&queue, spent.clone());
            scope.spawn(move || work(how, queue, &spent));
        }
        let writer = scope.spawn(move || write(how, &ordered, to));
        let mut blocks = Blocks::new(how, jobs, order, spare, advance);
        let plain = match feed(&mut blocks) {
            Ok(()) => blocks.finish().map(Ok),
            Err(error) => {
                // Closes the channels, which ends the others.
                drop(blocks);
                Ok(Err(error))
            }
        };
        // Whoever feeds sees only that nobody takes any more; the writer knows why.
        match writer.join() {
            Ok(written) => written.and(plain),
            Err(_) => Err(io::Error::other("the thread that writes compressed bytes has failed")),
        }
    })
}

/// One block on its way to a worker.
struct Job {
    /// What deflate may look back at, and the block.
    bytes: Vec<u8>,
    /// Where the block begins in them.
    start: usize,
    last: bool,
    to: Sender<io::Result<Made>>,
}

/// One block from a worker.
struct Made {
    bytes: Vec<u8>,
    crc: Crc,
    last: bool,
}

/// Cuts what is written to it into blocks.
pub struct Blocks<'a> {
    jobs: SyncSender<Job>,
    order: SyncSender<Receiver<io::Result<Made>>>,
    spare: Receiver<Vec<u8>>,
    advance: Advance<'a>,
    block: usize,
    window: usize,
    bytes: Vec<u8>,
    start: usize,
    hasher: Hasher,
}

impl<'a> Blocks<'a> {
    fn new(
        how: Compression,
        jobs: SyncSender<Job>,
        order: SyncSender<Receiver<io::Result<Made>>>,
        spare: Receiver<Vec<u8>>,
        advance: Advance<'a>,
    ) -> Self {
        let (block, window) = match how {
            Compression::Gzip => (gzip::BLOCK, gzip::WINDOW),
            Compression::Zstd => (zstd::BLOCK, 0),
        };
        let bytes = Vec::with_capacity(window + block);
        Self { jobs, order, spare, advance, block, window, bytes, start: 0, hasher: Hasher::default() }
    }

    fn send(&mut self, last: bool) -> io::Result<()> {
        let block = &self.bytes[self.start..];
        self.hasher.update(block);
        // Whoever writes tries again after an interruption, and this one is meant.
        (self.advance)(block.len() as u64).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => io::Error::other(error),
            _ => error,
        })?;
        let before = self.bytes.len().saturating_sub(self.window);
        let mut next = self.spare.try_recv().unwrap_or_else(|_| Vec::with_capacity(self.window + self.block));
        next.clear();
        next.extend_from_slice(&self.bytes[before..]);
        let start = std::mem::replace(&mut self.start, next.len());
        let (to, made) = channel();
        let job = Job { bytes: std::mem::replace(&mut self.bytes, next), start, last, to };
        let sent = self.order.send(made).is_ok() && self.jobs.send(job).is_ok();
        if sent { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }

    fn finish(mut self) -> io::Result<Plain> {
        self.send(true)?;
        let (digest, size) = self.hasher.finish();
        Ok(Plain { digest, size })
    }
}

impl Write for Blocks<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Only now: the last block is the one after which nothing comes.
        if self.bytes.len() - self.start == self.block && !bytes.is_empty() {
            self.send(false)?;
        }
        let n = bytes.len().min(self.block - (self.bytes.len() - self.start));
        self.bytes.extend_from_slice(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn work(how: Compression, queue: &Mutex<Receiver<Job>>, spent: &Sender<Vec<u8>>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { bytes, start, last, to }) = job else { return };
        let made = match how {
            Compression::Gzip => gzip::block(&bytes, start, last),
            Compression::Zstd => zstd::frame(&bytes[start..]).map(|made| (made, Crc::new())),
        };
        // Where the feed has ended or the writer has given up, nobody wants them.
        let _ = spent.send(bytes);
        let _ = to.send(made.map(|(bytes, crc)| Made { bytes, crc, last }));
    }
}

fn write(how: Compression, ordered: &Receiver<Receiver<io::Result<Made>>>, to: &mut dyn Write) -> io::Result<()> {
    let mut member = gzip::Member::default();
    if how == Compression::Gzip {
        to.write_all(gzip::HEADER)?;
    }
    for made in ordered {
        let made = made.recv().map_err(|_| io::Error::other("a thread that compresses has failed"))??;
        to.write_all(&made.bytes)?;
        member.add(&made.crc);
        if made.last && how == Compression::Gzip {
            to.write_all(&member.trailer())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::*;

    const BOTH: [Compression; 2] = [Compression::Gzip, Compression::Zstd];

    /// Some blocks and a bit, half noise and half text.
    fn bytes(how: Compression) -> Vec<u8> {
        let len = if how == Compression::Gzip { 3 * gzip::BLOCK + 1000 } else { zstd::BLOCK + 1000 };
        let mut state = 3_u64;
        let next = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            if state & (1 << 40) == 0 { state.to_le_bytes() } else { *b"the same" }
        };
        let some: Vec<u8> = std::iter::repeat_with(next).take(40_000).flatten().collect();
        some.into_iter().cycle().take(len).collect()
    }

    fn plain(how: Compression, made: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        match how {
            Compression::Gzip => flate2::read::GzDecoder::new(made).read_to_end(&mut plain).unwrap(),
            Compression::Zstd => ::zstd::Decoder::new(made).unwrap().read_to_end(&mut plain).unwrap(),
        };
        plain
    }

    /// Feeds in writes of the given sizes, one after the other, over and over.
    fn squeeze(how: Compression, threads: usize, bytes: &[u8], sizes: &[usize]) -> Vec<u8> {
        let mut made = Vec::new();
        let mut sizes = sizes.iter().cycle();
        let plain = compress(how, threads, &mut made, &|_| Ok(()), |to| {
            let mut rest = bytes;
            while !rest.is_empty() {
                let (now, later) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
                to.write_all(now)?;
                rest = later;
            }
            io::Result::Ok(())
        });
        assert_eq!(plain.unwrap().unwrap(), Plain { digest: Digest::of(bytes), size: bytes.len() as u64 });
        made
    }

    /// Compresses all that a reader has.
    fn compress_from(
        how: Compression,
        threads: usize,
        from: &mut dyn Read,
        to: &mut (dyn Write + Send),
        advance: Advance<'_>,
    ) -> io::Result<Plain> {
        compress(how, threads, to, advance, |blocks| io::copy(from, blocks).map(drop))?
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3))]
        #[test]
        fn neither_threads_nor_sizes_of_writes_show(sizes in prop::collection::vec(1..900_000_usize, 1..9)) {
            for how in BOTH {
                let bytes = bytes(how);
                let made = squeeze(how, 1, &bytes, &[bytes.len()]);
                prop_assert_eq!(&plain(how, &made), &bytes);
                for threads in [2, 5] {
                    prop_assert!(squeeze(how, threads, &bytes, &sizes) == made);
                }
            }
        }
    }

    #[test]
    fn nothing_and_whole_blocks_are_streams_too() {
        for how in BOTH {
            let bytes = bytes(how);
            for len in [0, 1, bytes.len() - 1000] {
                assert_eq!(plain(how, &squeeze(how, 2, &bytes[..len], &[70_000])), &bytes[..len]);
            }
        }
    }

    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or_else(|| io::Error::other("disk full"))?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Endless<'b>(&'b [u8], usize);

    impl Read for Endless<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let n = (&self.0[self.1..]).read(into)?;
            self.1 = (self.1 + n) % self.0.len();
            Ok(n)
        }
    }

    #[test]
    fn whoever_fails_ends_it_for_all() {
        for (how, threads) in BOTH.into_iter().flat_map(|how| [(how, 1), (how, 3)]) {
            // The streams have no end, so that these tests have none either unless the failure is heard.
            let some = bytes(how);
            let endless = || Endless(&some, 0);
            let to_full = compress_from(how, threads, &mut endless(), &mut Full(20_000), &|_| Ok(()));
            assert_eq!(to_full.unwrap_err().to_string(), "disk full");
            let told = std::sync::atomic::AtomicU64::new(0);
            let stop = |n| match told.fetch_add(n, std::sync::atomic::Ordering::Relaxed) {
                0..4_000_000 => Ok(()),
                _ => Err(io::Error::other("enough")),
            };
            let stopped = compress_from(how, threads, &mut endless(), &mut io::sink(), &stop);
            assert_eq!(stopped.unwrap_err().to_string(), "enough");
            let mut made = Vec::new();
            let fed = compress(how, threads, &mut made, &|_| Ok(()), |to| {
                to.write_all(&some).unwrap();
                Err("no more")
            });
            assert_eq!(fed.unwrap().unwrap_err(), "no more");
        }
    }

    #[test]
    fn all_bytes_are_told() {
        for how in BOTH {
            let bytes = bytes(how);
            let told = std::sync::atomic::AtomicU64::new(0);
            let add = |n| {
                told.fetch_add(n, std::sync::atomic::Ordering::Relaxed);
                Ok(())
            };
            compress_from(how, 2, &mut &bytes[..], &mut io::sink(), &add).unwrap();
            assert_eq!(told.into_inner(), bytes.len() as u64);
        }
    }
}
