//! What headers before an entry's own say of it: names that are too long for it, sizes that are too large.

use std::io;

use crate::unpack::error::{GET_AGAIN, MAKE_ANEW, refused, shown};

/// From this size on a header's own field does not hold it, and what stands there is left to whoever writes it.
const TOO_LARGE_FOR_OCTAL: u64 = 1 << 33;

/// What is known of the next entry before its own header comes.
#[derive(Debug, Default)]
pub(super) struct Extension {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
    /// The kinds of headers that came.
    kinds: Vec<u8>,
}

impl Extension {
    /// Takes in a header of kind `x`, `L` or `K`.
    pub(super) fn add(&mut self, kind: u8, bytes: &[u8]) -> io::Result<()> {
        if self.kinds.contains(&kind) {
            return Err(refused("has two headers of one kind before it, and readers take one or the other", MAKE_ANEW));
        }
        self.kinds.push(kind);
        match kind {
            b'L' => set(&mut self.name, gnu(bytes)?),
            b'K' => set(&mut self.link, gnu(bytes)?),
            _ => self.add_records(bytes),
        }
    }

    /// A header for all that follows. Only what does not matter here may stand in one: some readers do not know them,
    /// others forget them too late.
    pub(super) fn check_global(&self, bytes: &[u8]) -> io::Result<()> {
        let mut global = Self::default();
        global.add_records(bytes)?;
        if global.name.is_some() || global.link.is_some() || global.size.is_some() || global.sparse {
            return Err(refused("has a global header before it that says what only its own may say", MAKE_ANEW));
        }
        if self.is_empty() {
            return Ok(());
        }
        Err(refused("has a global header between its own ones", MAKE_ANEW))
    }

    /// Whether no header came.
    pub(super) fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// Whether holes were left out of its bytes.
    pub(super) fn is_sparse(&self) -> bool {
        self.sparse
    }

    /// The name, where one was said.
    pub(super) fn take_name(&mut self) -> Option<Vec<u8>> {
        self.name.take()
    }

    /// The name so far, for errors.
    pub(super) fn name(&self) -> Option<&[u8]> {
        self.name.as_deref()
    }

    /// What a link leads to, where it was said.
    pub(super) fn take_link(&mut self) -> Option<Vec<u8>> {
        self.link.take()
    }

    /// The size, given what the entry's own header says. Readers that do not know these headers would go on at another
    /// place, and see other entries: so the two may differ only where one cannot be written.
    pub(super) fn size(&self, own: u64) -> io::Result<u64> {
        match self.size {
            Some(size) if size != own && size < TOO_LARGE_FOR_OCTAL => {
                let message = format!("has {own} bytes by one header and {size} by another");
                Err(refused(message, MAKE_ANEW))
            }
            size => Ok(size.unwrap_or(own)),
        }
    }

    /// `LENGTH KEY=VALUE` and a line end, over and over; the length counts all of it.
    fn add_records(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let (mut name, mut link, mut size) = (None, None, None);
        while !bytes.is_empty() {
            let (key, value, rest) =
                record(bytes).ok_or_else(|| refused("has an extended header that cannot be read", GET_AGAIN))?;
            bytes = rest;
            let place = match key {
                b"path" => &mut name,
                b"linkpath" => &mut link,
                b"size" => &mut size,
                _ => {
                    self.sparse |= key.starts_with(b"GNU.sparse.") || key == b"SCHILY.realsize";
                    continue;
                }
            };
            if place.replace(value.to_vec()).is_some() {
                let message = format!("has an extended header that says `{}` twice", shown(key));
                return Err(refused(message, MAKE_ANEW));
            }
        }
        // An empty value says that the entry's own header counts.
        let said = |value: Option<Vec<u8>>| value.filter(|value| !value.is_empty());
        said(name).map_or(Ok(()), |name| set(&mut self.name, name))?;
        said(link).map_or(Ok(()), |link| set(&mut self.link, link))?;
        if let Some(size) = said(size) {
            let size = decimal(&size).ok_or_else(|| refused("has a size that is no number", GET_AGAIN))?;
            self.size = Some(size);
        }
        Ok(())
    }
}

fn set(place: &mut Option<Vec<u8>>, value: Vec<u8>) -> io::Result<()> {
    match place {
        Some(other) if *other != value => {
            let message = format!("is called {} by one header and {} by another", shown(other), shown(&value));
            Err(refused(message, MAKE_ANEW))
        }
        _ => {
            *place = Some(value);
            Ok(())
        }
    }
}

/// GNU's names end with a NUL, or with the header.
fn gnu(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    if bytes[end..].iter().all(|byte| *byte == 0) {
        Ok(bytes[..end].to_vec())
    } else {
        Err(refused("has a NUL in its name, where some readers stop", MAKE_ANEW))
    }
}

fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().take(20).position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(&bytes[..space])?).ok()?;
    let record = bytes.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some((&record[..equals], &record[equals + 1..], &bytes[length..]))
}

fn decimal(digits: &[u8]) -> Option<u64> {
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|_| plain)
}
