//! The declarations that make a type, its reader and its schema out of one text.

/// Declares a struct that is read from a TOML table.
///
/// A field is required unless its type has a value for its absence (`Option`, `Vec`, `BTreeMap`) or one is
/// given after `=`. A field's documentation is its description in the schema. What stands after `as` is how a
/// field is read where that is stricter than its type. `#[checked(f)]` calls the method `f` on what was read, with the
/// reader, for rules between fields; `#[unique(k)]` forbids two items of one list to share the value of the key `k`.
macro_rules! table {
    ($(
        $(#[doc = $about:literal])*
        $(#[derive($($derive:ident),*)])?
        $(#[serde($($shape:tt)*)])?
        $(#[checked($check:ident)])?
        $(#[unique($($unique:ident),*)])?
        pub struct $name:ident {
            $(
                $(#[doc = $doc:literal])*
                $(#[serde($($serde:tt)*)])?
                pub $field:ident: $type:ty $(as $strict:ty)? $(= $default:expr)?,
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
            const UNIQUE: &'static [&'static str] = &[$($(stringify!($unique)),*)?];

            fn read(
                value: &$crate::text::Spanned<$crate::text::DeValue<'_>>,
                reader: &mut $crate::text::Reader,
            ) -> Option<Self> {
                let table = reader.table(value, &[$(stringify!($field)),*])?;
                $(let $field = $crate::text::field!(reader, table, $field, $type $(as $strict)? $(= $default)?);)*
                let read = Self { $($field: $field?),* };
                $(read.$check(reader);)?
                Some(read)
            }

            fn schema() -> serde_json::Value {
                #[allow(unused_mut, reason = "a table may have no fields")]
                let mut properties = serde_json::Map::new();
                #[allow(unused_mut, reason = "a table may have no fields")]
                let mut required: Vec<&str> = Vec::new();
                $(
                    let (mut schema, absent) = $crate::text::field_schema!($type $(as $strict)? $(= $default)?);
                    schema["description"] = [$($doc),*].map(str::trim).join(" ").into();
                    properties.insert(stringify!($field).to_owned(), schema);
                    if !absent {
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

/// Reads one field of a table.
macro_rules! field {
    ($reader:ident, $table:ident, $field:ident, $type:ty = $default:expr) => {
        $reader.field::<$type>(&$table, stringify!($field), Some($default))
    };
    ($reader:ident, $table:ident, $field:ident, $type:ty) => {
        $reader.field::<$type>(&$table, stringify!($field), <$type as $crate::text::Read>::absent())
    };
    ($reader:ident, $table:ident, $field:ident, $type:ty as $strict:ty = $default:expr) => {
        $crate::text::field!($reader, $table, $field, Option<$strict>)
            .map(|strict| strict.map_or_else(|| $default, <$strict as $crate::text::Plain<$type>>::plain))
    };
    ($reader:ident, $table:ident, $field:ident, $type:ty as $strict:ty) => {
        $crate::text::field!($reader, $table, $field, $strict)
            .map(|strict| <$strict as $crate::text::Plain<$type>>::plain(strict))
    };
}
pub(crate) use field;

/// The schema of one field, and whether it may be left out.
macro_rules! field_schema {
    ($type:ty = $default:expr) => {{
        let _ = || -> $type { $default };
        (<$type as $crate::text::Read>::schema(), true)
    }};
    ($type:ty) => {
        (<$type as $crate::text::Read>::schema(), <$type as $crate::text::Read>::absent().is_some())
    };
    ($type:ty as $strict:ty = $default:expr) => {
        (<$strict as $crate::text::Read>::schema(), true)
    };
    ($type:ty as $strict:ty) => {
        $crate::text::field_schema!($strict)
    };
}
pub(crate) use field_schema;

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

        impl $crate::text::Plain<Self> for $name {
            fn plain(self) -> Self {
                self
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::text::UnknownWord;

            fn from_str(text: &str) -> Result<Self, $crate::text::UnknownWord> {
                let known = Self::ALL.iter().find(|one| one.as_str() == text);
                known.copied().ok_or_else(|| $crate::text::UnknownWord::new(text, &[$($word),*]))
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl $crate::text::Read for $name {
            fn read(
                value: &$crate::text::Spanned<$crate::text::DeValue<'_>>,
                reader: &mut $crate::text::Reader,
            ) -> Option<Self> {
                let text = <String as $crate::text::Read>::read(value, reader)?;
                match text.parse() {
                    Ok(read) => Some(read),
                    Err($crate::text::UnknownWord { message, help }) => reader.wrong(value, message, Some(help)),
                }
            }

            fn schema() -> serde_json::Value {
                serde_json::json!({ "type": "string", "enum": [$($word),*] })
            }
        }
    )*};
}
pub(crate) use word;

/// Reads types with a strict `FromStr` from TOML strings. A pattern after `=` is for the schema: it may be laxer than
/// the parser, never stricter.
macro_rules! read_as_text {
    ($($type:ty $(= $pattern:literal)?),* $(,)?) => {$(
        impl $crate::text::Read for $type {
            fn read(
                value: &$crate::text::Spanned<$crate::text::DeValue<'_>>,
                reader: &mut $crate::text::Reader,
            ) -> Option<Self> {
                let text = <String as $crate::text::Read>::read(value, reader)?;
                match text.parse() {
                    Ok(read) => Some(read),
                    Err(error) => reader.wrong(value, <Self as std::str::FromStr>::Err::to_string(&error), None),
                }
            }

            fn schema() -> serde_json::Value {
                serde_json::json!({ "type": "string" $(, "pattern": $pattern)? })
            }
        }
    )*};
}
pub(crate) use read_as_text;
