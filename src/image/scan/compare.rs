//! Where two layers begin to differ.

use std::io::{self, BufReader, Read};

use super::bounds::{Bounds, PackedBytes};
use super::entries::Entries;
use super::error::ScanError;
use super::head::Head;
use super::inflate::Inflated;
use super::refusal::{Refusal, shown};
use super::stream::Stream;
use crate::digest::Hasher;

/// The first thing in which two tar streams differ.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TarDifference {
    /// The name of the entry, in the first stream or else in the second.
    pub entry: String,
    /// What of it differs: `name`, `content`, `mode`, `mtime` and so on.
    pub field: &'static str,
    /// What it is in the first; nothing where the entry is only in the second.
    pub first: Option<String>,
    /// What it is in the second.
    pub second: Option<String>,
}

/// Reads two layers side by side until they differ; `None` where every entry is the same in all that is read of it.
///
/// # Errors
/// When one of them cannot be read.
pub fn first_difference(first: impl Read, second: impl Read) -> Result<Option<TarDifference>, ScanError> {
    let (mut first, mut second) = (entries(first)?, entries(second)?);
    loop {
        let (one, two) = match (first.next()?, second.next()?) {
            (None, None) => return Ok(None),
            (Some(one), Some(two)) => (one, two),
            (one, two) => {
                let name = |head: &Option<Head>| head.as_ref().map(|head| shown(&head.name));
                let entry = name(&one).or_else(|| name(&two)).unwrap_or_default();
                return Ok(Some(TarDifference { entry, field: "entry", first: name(&one), second: name(&two) }));
            }
        };
        if let Some(difference) = heads(&one, &two) {
            return Ok(Some(difference));
        }
        let (one_is, two_is) = (content(&mut first)?, content(&mut second)?);
        if one_is != two_is {
            let (first, second) = (Some(one_is), Some(two_is));
            return Ok(Some(TarDifference { entry: shown(&one.name), field: "content", first, second }));
        }
    }
}

type Unpacked<R> = Entries<Inflated<BufReader<R>>>;

fn entries<R: Read>(compressed: R) -> Result<Unpacked<R>, ScanError> {
    let compressed = BufReader::with_capacity(128 << 10, compressed);
    match Inflated::packed(compressed, None).map_err(ScanError::Read)? {
        Some(inflated) => Ok(Entries::new(Stream::new(inflated, Bounds::OWN, PackedBytes::default()))),
        None => Err(Refusal::new("it is compressed with bzip2, which is not read").into()),
    }
}

/// The digest of an entry's bytes.
fn content(bytes: &mut impl Read) -> Result<String, ScanError> {
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match bytes.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish().0.to_string()),
            Ok(n) => hasher.update(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(ScanError::Read(error)),
        }
    }
}

fn heads(one: &Head, two: &Head) -> Option<TarDifference> {
    let attributes = |head: &Head| {
        let attribute = |(key, value): &(Vec<u8>, Vec<u8>)| format!("{}={}", shown(key), shown(value));
        head.attributes.iter().map(attribute).collect::<Vec<_>>().join(", ")
    };
    let device = |head: &Head| format!("{}:{}", head.device.0, head.device.1);
    let kind = |head: &Head| char::from(head.kind).to_string();
    let fields = [
        ("name", shown(&one.name), shown(&two.name)),
        ("kind", kind(one), kind(two)),
        ("mode", one.mode.to_string(), two.mode.to_string()),
        ("owner", one.owner.to_string(), two.owner.to_string()),
        ("size", one.size.to_string(), two.size.to_string()),
        ("mtime", one.mtime.to_string(), two.mtime.to_string()),
        ("link", shown(&one.link), shown(&two.link)),
        ("device", device(one), device(two)),
        ("attributes", attributes(one), attributes(two)),
    ];
    let (field, first, second) = fields.into_iter().find(|(_, first, second)| first != second)?;
    Some(TarDifference { entry: shown(&one.name), field, first: Some(first), second: Some(second) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tarball of files, each with name, mode, time and content.
    fn tar(files: &[(&str, u32, u64, &str)]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, mode, mtime, content) in files {
            let mut header = tar::Header::new_ustar();
            header.set_mode(*mode);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(*mtime);
            header.set_size(content.len() as u64);
            tar.append_data(&mut header, name, content.as_bytes()).unwrap();
        }
        tar.into_inner().unwrap()
    }

    #[test]
    fn the_first_field_that_differs_is_told() {
        let one = [("a", 0o644, 1, "same"), ("b", 0o644, 1, "text")];
        let differs = |two: &[(&str, u32, u64, &str)]| {
            let found = first_difference(&tar(&one)[..], &tar(two)[..]).unwrap();
            found.map(|found| (found.entry, found.field))
        };
        assert_eq!(differs(&one), None);
        for (second, field) in [
            (("c", 0o644, 1, "text"), "name"),
            (("b", 0o600, 1, "text"), "mode"),
            (("b", 0o644, 2, "text"), "mtime"),
            (("b", 0o644, 1, "longer"), "size"),
            (("b", 0o644, 1, "next"), "content"),
        ] {
            assert_eq!(differs(&[one[0], second]), Some(("b".to_owned(), field)));
        }
        assert_eq!(differs(&one[..1]), Some(("b".to_owned(), "entry")));
        assert_eq!(differs(&[one[0], one[1], ("more", 0, 0, "")]), Some(("more".to_owned(), "entry")));
        assert!(first_difference(&b"no tar"[..], &tar(&one)[..]).is_err());
    }
}
