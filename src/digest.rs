//! Content is named by its SHA-256, and nothing from outside is used before a
//! [`Verifying`] reader has seen all of it.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Digest as _, Sha256};

/// The SHA-256 of some bytes, written `sha256:` and 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// Why a text is no [`Digest`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// Another algorithm, or none named.
    #[error("`{0}` is no SHA-256 digest: it has to start with `sha256:`")]
    Algorithm(String),
    /// The part after the colon is not 64 lower-case hex digits.
    #[error("`{0}` is no SHA-256 digest: after `sha256:` come 64 lower-case hex digits")]
    Hex(String),
}

impl Digest {
    /// The digest of bytes that are at hand.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of a list of texts; lengths stand before them, so that no two lists have the same bytes.
    #[must_use]
    pub fn of_texts<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Self {
        let mut hasher = Hasher::default();
        for text in texts {
            let text = text.as_ref().as_bytes();
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text);
        }
        hasher.finish().0
    }

    /// The 64 hex digits without the algorithm, as `.sha256` files and folders on disk spell it.
    #[must_use]
    pub fn hex(&self) -> String {
        hex(&self.0)
    }

    /// Reads 64 lower-case hex digits without the algorithm.
    ///
    /// # Errors
    /// [`DigestError::Hex`] for anything else.
    pub fn from_hex(text: &str) -> Result<Self, DigestError> {
        let wrong = || DigestError::Hex(text.to_owned());
        let mut bytes = [0; 32];
        unhex(text, &mut bytes).ok_or_else(wrong)?;
        Ok(Self(bytes))
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Enough of the digest for a person to tell two apart.
    #[must_use]
    pub fn short(&self) -> String {
        hex(&self.0[..6])
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let digits = text.strip_prefix("sha256:").ok_or_else(|| DigestError::Algorithm(text.to_owned()))?;
        Self::from_hex(digits).map_err(|_| DigestError::Hex(text.to_owned()))
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Lower-case hex digits of some bytes.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]).map(char::from).collect()
}

fn unhex(text: &str, into: &mut [u8]) -> Option<()> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != into.len() || !rest.is_empty() {
        return None;
    }
    // One look at the end instead of one for each digit: listings have millions of them.
    let mut seen = 0;
    for (byte, [high, low]) in into.iter_mut().zip(pairs) {
        let (high, low) = (VALUES[usize::from(*high)], VALUES[usize::from(*low)]);
        seen |= high | low;
        *byte = high << 4 | low;
    }
    (seen < 16).then_some(())
}

/// What a byte is as a lower-case hex digit; more than any where it is none.
const VALUES: [u8; 256] = {
    let mut values = [u8::MAX; 256];
    let mut digit = 0;
    while digit < 16 {
        values[b"0123456789abcdef"[digit as usize] as usize] = digit;
        digit += 1;
    }
    values
};

/// Adds up bytes as they pass and tells their digest and number at the end.
#[derive(Clone, Default)]
pub struct Hasher {
    state: Sha256,
    size: u64,
}

impl Hasher {
    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.state.update(bytes);
        self.size += bytes.len() as u64;
    }

    /// How many bytes have passed so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The state after all that passed, from which another process can go on: see [`Hasher::thawed`].
    #[must_use]
    pub fn frozen(&self) -> String {
        hex(&self.state.serialize())
    }

    /// Goes on where [`Hasher::frozen`] stopped, after `size` bytes; `None` for what is no such state.
    #[must_use]
    pub fn thawed(frozen: &str, size: u64) -> Option<Self> {
        let mut state = SerializedState::<Sha256>::default();
        unhex(frozen, &mut state)?;
        Some(Self { state: Sha256::deserialize(&state).ok()?, size })
    }

    /// The digest of all that passed, and its size.
    #[must_use]
    pub fn finish(self) -> (Digest, u64) {
        (Digest(self.state.finalize().into()), self.size)
    }
}

/// The bytes were not those that were promised.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The stream ended early.
    #[error("{expected} should have {size} bytes, only {got} came")]
    Short {
        /// What was promised.
        expected: Digest,
        /// How long it should have been.
        size: u64,
        /// How long it was.
        got: u64,
    },
    /// The stream went on after its promised end.
    #[error("{expected} should have {size} bytes, more came")]
    Long {
        /// What was promised.
        expected: Digest,
        /// How long it should have been.
        size: u64,
    },
    /// The right number of wrong bytes.
    #[error("expected {expected}, got {got}")]
    Digest {
        /// What was promised.
        expected: Digest,
        /// What the bytes hash to.
        got: Digest,
    },
}

impl Mismatch {
    /// What was promised.
    #[must_use]
    pub const fn expected(&self) -> Digest {
        match self {
            Self::Short { expected, .. } | Self::Long { expected, .. } | Self::Digest { expected, .. } => *expected,
        }
    }
}

/// Passes bytes through and fails, at the latest where the end of the stream
/// would be reported, unless they are exactly those of a digest.
///
/// The failure is an [`io::Error`] of kind `InvalidData` around a [`Mismatch`].
pub struct Verifying<R> {
    inner: R,
    expected: Digest,
    size: Option<u64>,
    hasher: Hasher,
    verified: bool,
}

impl<R: Read> Verifying<R> {
    /// Promises that `inner` holds exactly the bytes of `expected`; `size` where it is known.
    pub fn new(inner: R, expected: Digest, size: Option<u64>) -> Self {
        Self { inner, expected, size, hasher: Hasher::default(), verified: false }
    }

    fn check_end(&mut self) -> Result<(), Mismatch> {
        let (got, count) = std::mem::take(&mut self.hasher).finish();
        match self.size {
            Some(size) if count < size => Err(Mismatch::Short { expected: self.expected, size, got: count }),
            _ if got != self.expected => Err(Mismatch::Digest { expected: self.expected, got }),
            _ => Ok(()),
        }
    }
}

impl<R: Read> Read for Verifying<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() || self.verified {
            return Ok(0);
        }
        let n = self.inner.read(into)?;
        self.hasher.update(&into[..n]);
        if let Some(size) = self.size.filter(|&size| self.hasher.size() > size) {
            return Err(invalid(Mismatch::Long { expected: self.expected, size }));
        }
        if n == 0 {
            self.check_end().map_err(invalid)?;
            self.verified = true;
        }
        Ok(n)
    }
}

fn invalid(mismatch: Mismatch) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, mismatch)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_digest_is_written_as_it_is_read() {
        assert_eq!(Digest::of(b"").to_string(), EMPTY);
        assert_eq!(EMPTY.parse::<Digest>().unwrap(), Digest::of(b""));
        assert_eq!(Digest::of(b"").short(), "e3b0c44298fc");
    }

    #[test]
    fn other_spellings_are_refused() {
        let upper = EMPTY.to_uppercase().replace("SHA256", "sha256");
        for wrong in ["", "sha256:", "sha512:00", "e3b0", &EMPTY[..70], &format!("{EMPTY}0"), &upper, " sha256:"] {
            assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
        }
        for at in 7..EMPTY.len() {
            for other in ["/", ":", "`", "g", "A", " "] {
                let mut wrong = EMPTY.to_owned();
                wrong.replace_range(at..=at, other);
                assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
            }
        }
    }

    #[test]
    fn what_was_frozen_goes_on() {
        let bytes: Vec<u8> = (0..=255).collect();
        for cut in [0, 1, 63, 64, 65, 200, 256] {
            let mut first = Hasher::default();
            first.update(&bytes[..cut]);
            let mut second = Hasher::thawed(&first.frozen(), cut as u64).unwrap();
            second.update(&bytes[cut..]);
            assert_eq!(second.finish(), (Digest::of(&bytes), 256));
        }
        assert!(Hasher::thawed("", 0).is_none() && Hasher::thawed("zz", 0).is_none());
    }

    fn read(bytes: &[u8], expected: Digest, size: Option<u64>) -> Result<Vec<u8>, Mismatch> {
        let mut got = Vec::new();
        match Verifying::new(bytes, expected, size).read_to_end(&mut got) {
            Ok(_) => Ok(got),
            Err(e) => Err(e.into_inner().unwrap().downcast_ref::<Mismatch>().unwrap().clone()),
        }
    }

    proptest! {
        #[test]
        fn only_the_promised_bytes_pass(bytes: Vec<u8>, other: Vec<u8>) {
            let expected = Digest::of(&bytes);
            let size = bytes.len() as u64;
            prop_assert_eq!(read(&bytes, expected, Some(size)).unwrap(), bytes.clone());
            prop_assert_eq!(read(&bytes, expected, None).unwrap(), bytes.clone());
            if other != bytes {
                prop_assert!(read(&other, expected, Some(size)).is_err());
                prop_assert!(read(&other, expected, None).is_err());
            }
        }

        #[test]
        fn any_text_is_a_digest_or_an_error(text: String) {
            if let Ok(digest) = text.parse::<Digest>() {
                prop_assert_eq!(digest.to_string(), text);
            }
        }
    }

    #[test]
    fn an_endless_stream_is_cut_at_the_promised_size() {
        let mut endless = Verifying::new(io::repeat(7), Digest::of(b"x"), Some(10));
        assert!(io::copy(&mut endless, &mut io::sink()).is_err());
    }
}
