//! The declarations that make a type, its reader and its schema out of one text.

/// Declares a struct that is read from a TOML table.
///
/// A field is required unless its type has a value for its absence (`Option`, `Vec`, `BTreeMap`) or one is
/// given after `=`. A field's documentation is its description in the schema.
macro_rules! table {
    ($(
        $(#[doc = $about:literal])*
        $(#[derive($($derive:ident),*)])?
        $(#[serde($($shape:tt)*)])?
        pub struct $name:ident {
            $(
                $(#[doc = $doc:literal])*
                $(#[serde($($serde:tt)*)])?
                pub $field:ident: $type:ty $(= $default:expr)?,
            )*
        }
    )*) => {$(
        $(#[doc = $about])*
        #[derive(Clone, Debug, PartialEq)]
        $(#[derive($(serde::$derive),*)])?
        $(#[serde($($shape)*)])?
        pub struct $name {
            $(
                $(#[doc = $doc])*
                $(#[serde($($serde)*)])?
                pub $field: $type,
            )*
        }

        impl $crate::text::Read for $name {
            fn read(
                value: &$crate::text::Spanned<$crate::text::DeValue<'_>>,
                reader: &mut $crate::text::Reader,
            ) -> Option<Self> {
                let table = reader.table(value, &[$(stringify!($field)),*])?;
                $(
                    #[allow(unused_mut, unused_assignments, reason = "a field with a default sets it again")]
                    let mut absent = <$type as $crate::text::Read>::absent();
                    $(absent = Some($default);)?
                    let $field = reader.field::<$type>(&table, stringify!($field), absent);
                )*
                Some(Self { $($field: $field?),* })
            }

            fn schema() -> serde_json::Value {
                #[allow(unused_mut, reason = "a table may have no fields")]
                let mut properties = serde_json::Map::new();
                #[allow(unused_mut, reason = "a table may have no fields")]
                let mut required: Vec<&str> = Vec::new();
                $(
                    let doc = [$($doc),*].map(str::trim).join(" ");
                    let mut schema = <$type as $crate::text::Read>::schema();
                    schema["description"] = doc.into();
                    properties.insert(stringify!($field).to_owned(), schema);
                    #[allow(unused_mut, unused_assignments, reason = "a field with a default sets it again")]
                    let mut optional = <$type as $crate::text::Read>::absent().is_some();
                    $(optional = { let _ = || -> $type { $default }; true };)?
                    if !optional {
                        required.push(stringify!($field));
                    }
                )*
                let about = [$($about),*].map(str::trim).join(" ");
                serde_json::json!({
                    "type": "object",
                    "description": about,
                    "properties": properties,
                    "required": required,
                    "additionalProperties": false,
                })
            }
        }
    )*};
}
pub(crate) use table;

/// Declares an enum that is read from one of a few words.
macro_rules! word {
    ($(
        $(#[doc = $about:literal])*
        pub enum $name:ident {
            $(
                $(#[doc = $doc:literal])*
                $variant:ident = $word:literal,
            )*
        }
    )*) => {$(
        $(#[doc = $about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[doc = $doc])* $variant,)*
        }

        impl $name {
            /// All of them, in the order of their declaration.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// How it is written.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let unknown = || format!("`{text}` is not known here: one of {}", [$($word),*].join(", "));
                Self::ALL.iter().copied().find(|one| one.as_str() == text).ok_or_else(unknown)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                let found = Self::ALL.iter().find(|one| one.as_str() == text).copied();
                found.ok_or_else(|| serde::de::Error::unknown_variant(&text, &[$($word),*]))
            }
        }

        impl $crate::text::Read for $name {
            fn read(
                value: &$crate::text::Spanned<$crate::text::DeValue<'_>>,
                reader: &mut $crate::text::Reader,
            ) -> Option<Self> {
                let text = <String as $crate::text::Read>::read(value, reader)?;
                match Self::ALL.iter().find(|one| one.as_str() == text) {
                    Some(one) => Some(*one),
                    None => {
                        let help = match $crate::text::nearest(&text, [$($word),*]) {
                            Some(near) => format!("did you mean `{near}`?"),
                            None => format!("one of: {}", [$($word),*].join(", ")),
                        };
                        reader.wrong(value, format!("`{text}` is not known here"), Some(help))
                    }
                }
            }

            fn schema() -> serde_json::Value {
                serde_json::json!({ "type": "string", "enum": [$($word),*] })
            }
        }
    )*};
}
pub(crate) use word;

/// Reads types with a strict `FromStr` from TOML strings.
macro_rules! read_as_text {
    ($($type:ty),* $(,)?) => {$(
        impl $crate::text::Read for $type {
            fn read(
                value: &$crate::text::Spanned<$crate::text::DeValue<'_>>,
                reader: &mut $crate::text::Reader,
            ) -> Option<Self> {
                let text = <String as $crate::text::Read>::read(value, reader)?;
                match text.parse() {
                    Ok(read) => Some(read),
                    Err(error) => reader.wrong(value, error.to_string(), None),
                }
            }

            fn schema() -> serde_json::Value {
                serde_json::json!({ "type": "string" })
            }
        }
    )*};
}
pub(crate) use read_as_text;
