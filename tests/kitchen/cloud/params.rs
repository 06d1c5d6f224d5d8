//! The parameters of a form. Who reads one takes it out, and what is left at the end is one that AWS does not know.

use std::collections::BTreeMap;

use super::call::{No, no, refuse};

/// Parameters by name, and where they come from.
#[derive(Clone, Debug, Default)]
pub struct Params {
    fields: BTreeMap<String, String>,
    /// What stands before their names in the request.
    prefix: String,
    /// Whether lists have `member` before their numbers.
    members: bool,
}

impl Params {
    /// Those of a body; EC2 and the other services number lists differently.
    pub fn read(body: &str, service: &str) -> Result<Self, No> {
        let mut fields = BTreeMap::new();
        for pair in body.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if fields.insert(name.clone(), value).is_some() {
                return refuse("InvalidParameterCombination", format!("The parameter {name} occurs twice"));
            }
        }
        Ok(Self { fields, prefix: String::new(), members: service != "ec2" })
    }

    /// All that is left, by name.
    pub fn fields(&self) -> &BTreeMap<String, String> {
        &self.fields
    }

    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// A text that may be missing.
    pub fn text(&mut self, name: &str) -> Option<String> {
        self.fields.remove(name)
    }

    /// A text that may be missing, and may be empty in its place, as older clients write it.
    pub fn filled(&mut self, name: &str) -> Option<String> {
        self.text(name).filter(|value| !value.is_empty())
    }

    /// A text that has to be there.
    pub fn need(&mut self, name: &str) -> Result<String, No> {
        self.filled(name).ok_or_else(|| self.missing(name))
    }

    /// What is said of a parameter that is not there.
    pub fn missing(&self, name: &str) -> No {
        no("MissingParameter", format!("The request must contain the parameter {}{name}", self.prefix))
    }

    pub fn flag(&mut self, name: &str) -> Result<Option<bool>, No> {
        match self.text(name).as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => {
                let said = format!("Invalid value '{other}' for boolean parameter {}{name}", self.prefix);
                refuse("InvalidParameterValue", said)
            }
        }
    }

    pub fn number(&mut self, name: &str) -> Result<Option<u32>, No> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let said = || format!("Value ({text}) for parameter {}{name} is invalid. It has to be a number.", self.prefix);
        text.parse().map(Some).map_err(|_| no("InvalidParameterValue", said()))
    }

    /// One of some words.
    pub fn word(&mut self, name: &str, words: &[&str]) -> Result<Option<String>, No> {
        let Some(text) = self.text(name) else { return Ok(None) };
        if words.contains(&text.as_str()) {
            return Ok(Some(text));
        }
        let said = format!("Value ({text}) for parameter {}{name} is invalid.", self.prefix);
        refuse("InvalidParameterValue", said)
    }

    /// A list of texts: `Name.1`, `Name.2`, …
    pub fn list(&mut self, name: &str) -> Result<Vec<String>, No> {
        self.groups(name)?
            .into_iter()
            .map(|mut one| {
                let value = one.text("").ok_or_else(|| one.missing(""))?;
                one.done().map(|()| value)
            })
            .collect()
    }

    /// All that belongs to a structure: `Name.Field`.
    pub fn group(&mut self, name: &str) -> Self {
        let start = format!("{name}.");
        let names: Vec<String> = self.fields.keys().filter(|key| key.starts_with(&start)).cloned().collect();
        let mut fields = BTreeMap::new();
        for name in names {
            if let Some(value) = self.fields.remove(&name) {
                fields.insert(name[start.len()..].to_owned(), value);
            }
        }
        Self { fields, prefix: format!("{}{start}", self.prefix), members: self.members }
    }

    /// A list of structures: `Name.1.Field`. A list of texts is one of structures whose only field has no name.
    pub fn groups(&mut self, name: &str) -> Result<Vec<Self>, No> {
        let mut list = self.group(name);
        if self.members {
            let rest = list.group("member");
            list.done()?;
            list = rest;
        }
        let mut numbered: BTreeMap<u32, Self> = BTreeMap::new();
        for (key, value) in std::mem::take(&mut list.fields) {
            let (number, rest) = key.split_once('.').unwrap_or((&key, ""));
            let whole = format!("{}{key}", list.prefix);
            let number = number.parse().map_err(|_| unknown(&whole))?;
            let prefix = format!("{}{number}.", list.prefix);
            let one = numbered.entry(number).or_insert(Self { prefix, members: self.members, ..Self::default() });
            one.fields.insert(rest.to_owned(), value);
        }
        if let Some((wrong, _)) = numbered.keys().zip(1..).find(|(number, place)| **number != *place) {
            let said = format!("The list {}{name} has a number {wrong} that is out of line", self.prefix);
            return refuse("InvalidParameterValue", said);
        }
        Ok(numbered.into_values().collect())
    }

    /// Says no to what nobody has taken out.
    pub fn done(&self) -> Result<(), No> {
        match self.fields.keys().next() {
            None => Ok(()),
            Some(name) => Err(unknown(&format!("{}{name}", self.prefix))),
        }
    }

    /// The same at the end of a call's own parameters, one of which is whether it is in earnest.
    pub fn finished(&mut self) -> Result<(), No> {
        let is_dry = self.flag("DryRun")?.unwrap_or(false);
        self.done()?;
        if is_dry {
            let said = "Request would have succeeded, but DryRun flag is set.";
            return Err(No { status: 412, code: "DryRunOperation".to_owned(), said: said.to_owned() });
        }
        Ok(())
    }
}

fn unknown(name: &str) -> No {
    no("UnknownParameter", format!("The parameter {name} is not recognized"))
}

fn decoded(text: &str) -> Result<String, No> {
    let malformed = || no("MalformedQueryString", format!("`{text}` is no form"));
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().ok_or_else(malformed)?, rest.next().ok_or_else(malformed)?];
                let digits = std::str::from_utf8(&digits).map_err(|_| malformed())?;
                u8::from_str_radix(digits, 16).map_err(|_| malformed())?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| malformed())
}
