//! Made-up contents for measurements: the same bytes on every machine.

/// Xorshift.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() >> 33).expect("31 bits") % n
    }

    /// What a compressor has made already, as jars are.
    pub(crate) fn noise(&mut self, size: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> =
            std::iter::repeat_with(|| self.next().to_le_bytes()).take(size / 8).flatten().collect();
        bytes.resize(size, 0);
        bytes
    }

    /// Phrases that come again between bytes that do not, as in machine code.
    pub(crate) fn library(&mut self, size: usize) -> Vec<u8> {
        let phrases: Vec<Vec<u8>> = (0..512).map(|i| self.noise(8 + i % 16)).collect();
        let mut bytes = Vec::with_capacity(size + 64);
        while bytes.len() < size {
            for _ in 0..3 {
                bytes.extend(&phrases[self.below(phrases.len())]);
            }
            bytes.extend(self.noise(16));
        }
        bytes.truncate(size);
        bytes
    }

    pub(crate) fn text(&mut self, size: usize) -> Vec<u8> {
        const WORDS: [&str; 16] = [
            "index",
            "shard",
            "node",
            "cluster",
            "public",
            "static",
            "final",
            "class",
            "return",
            "import",
            "token",
            "snapshot",
            "repository",
            "rollover",
            "template",
            "throws",
        ];
        let mut bytes = Vec::with_capacity(size + 64);
        while bytes.len() < size {
            for _ in 0..12 {
                bytes.extend(WORDS[self.below(WORDS.len())].bytes());
                bytes.push(b' ');
            }
            bytes.extend(format!("{:x}\n", self.next() >> 24).bytes());
        }
        bytes.truncate(size);
        bytes
    }

    /// The 298 files of a plugin of 100 MiB: jars, which are noise to a compressor, libraries, and texts.
    pub(crate) fn plugin(&mut self) -> Vec<Vec<u8>> {
        let sizes = (0..298).map(|i| (40 << 10) + (i * i * i * 13) % (650 << 10));
        sizes
            .enumerate()
            .map(|(i, size)| match i % 4 {
                0 | 1 => self.noise(size),
                2 => self.library(size),
                _ => self.text(size),
            })
            .collect()
    }
}
