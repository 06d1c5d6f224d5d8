//! `plugin-security.policy`: what a plugin may do, before Elasticsearch 8.18.
//!
//! The part of Java's policy files that plugins use: grants, to all of the plugin or to one of its jars, of permissions.
//! Elasticsearch lets plugins have some permissions only, and refuses a plugin that asks for others.

use std::collections::BTreeSet;
use std::iter::Peekable;

use crate::product::plugin::InstallError;

/// The policy's name in a package.
pub(super) const FILE: &str = "plugin-security.policy";

/// Reads a policy: the permissions in it, one line each, sorted. `jars` are the names of the plugin's jars.
pub(super) fn read(text: &str, jars: &BTreeSet<String>) -> Result<Vec<String>, InstallError> {
    let mut reader = Reader { tokens: tokens(text)?.into_iter().peekable(), line: 1, jars, granted: BTreeSet::new() };
    while reader.tokens.peek().is_some() {
        // Java does not mind more of them than it needs.
        if !reader.has(';') {
            reader.grant()?;
        }
    }
    Ok(reader.granted.into_iter().collect())
}

fn refuse(line: usize, message: impl Into<String>) -> InstallError {
    let help = "Elasticsearch takes no plugin with a policy that it cannot read; use another release of the plugin";
    InstallError::rule(&format!("{FILE}:{line}"), message, help)
}

/// A part of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Quoted(String),
    Sign(char),
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Word(text) => write!(f, "`{text}`"),
            Self::Quoted(text) => write!(f, "`\"{text}\"`"),
            Self::Sign(c) => write!(f, "`{c}`"),
        }
    }
}

/// A text in its parts, each with its line; without comments.
fn tokens(text: &str) -> Result<Vec<(usize, Token)>, InstallError> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' => line += 1,
            c if c <= ' ' => {}
            '/' if chars.next_if_eq(&'/').is_some() => while chars.next_if(|c| *c != '\n').is_some() {},
            '/' if chars.next_if_eq(&'*').is_some() => {
                let lines = comment(&mut chars);
                line += lines.ok_or_else(|| refuse(line, "the comment that is opened here is never closed"))?;
            }
            '"' | '\'' => {
                let text = quoted(&mut chars, c)
                    .ok_or_else(|| refuse(line, "the quotes that are opened here are not closed on this line"))?;
                tokens.push((line, Token::Quoted(text)));
            }
            c if is_word(c) => {
                let mut word = c.to_string();
                while let Some(c) = chars.next_if(|c| is_word(*c)) {
                    word.push(c);
                }
                tokens.push((line, Token::Word(word)));
            }
            c => tokens.push((line, Token::Sign(c))),
        }
    }
    Ok(tokens)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '$') || c > '\u{9f}'
}

/// Passes a comment over, and counts its lines.
fn comment(chars: &mut Peekable<std::str::Chars<'_>>) -> Option<usize> {
    let mut lines = 0;
    loop {
        match chars.next()? {
            '\n' => lines += 1,
            '*' if chars.next_if_eq(&'/').is_some() => return Some(lines),
            _ => {}
        }
    }
}

fn quoted(chars: &mut Peekable<std::str::Chars<'_>>, quote: char) -> Option<String> {
    let mut text = String::new();
    loop {
        match chars.next()? {
            '\n' | '\r' => return None,
            c if c == quote => return Some(text),
            '\\' => text.push(match chars.next()? {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                c => c,
            }),
            c => text.push(c),
        }
    }
}

struct Reader<'j> {
    tokens: Peekable<std::vec::IntoIter<(usize, Token)>>,
    /// The line of the part that was read last.
    line: usize,
    jars: &'j BTreeSet<String>,
    granted: BTreeSet<String>,
}

impl Reader<'_> {
    fn next(&mut self, wanted: &str) -> Result<Token, InstallError> {
        let (line, token) =
            self.tokens.next().ok_or_else(|| refuse(self.line, format!("the policy ends where {wanted} should be")))?;
        self.line = line;
        Ok(token)
    }

    fn sign(&mut self, sign: char) -> Result<(), InstallError> {
        match self.next(&format!("`{sign}`"))? {
            Token::Sign(c) if c == sign => Ok(()),
            other => Err(refuse(self.line, format!("there is {other} where `{sign}` should be"))),
        }
    }

    fn text(&mut self) -> Result<String, InstallError> {
        match self.next("a text in quotes")? {
            Token::Quoted(text) => Ok(text),
            other => Err(refuse(self.line, format!("there is {other} where a text in quotes should be"))),
        }
    }

    fn has(&mut self, sign: char) -> bool {
        let next = self.tokens.next_if(|(_, token)| *token == Token::Sign(sign));
        self.line = next.as_ref().map_or(self.line, |(line, _)| *line);
        next.is_some()
    }

    /// `grant codeBase "…" { permission …; };`
    fn grant(&mut self) -> Result<(), InstallError> {
        match self.next("`grant`")? {
            Token::Word(word) if word.eq_ignore_ascii_case("grant") => {}
            other => return Err(refuse(self.line, format!("there is {other} where `grant` should be"))),
        }
        while !self.has('{') {
            match self.next("`{`")? {
                Token::Word(word) if word.eq_ignore_ascii_case("codebase") => {
                    let text = self.text()?;
                    self.check_codebase(&text)?;
                }
                Token::Word(word) if word.eq_ignore_ascii_case("signedby") => drop(self.text()?),
                other => return Err(refuse(self.line, format!("there is {other} where `codeBase` or `{{` should be"))),
            }
            self.has(',');
        }
        while !self.has('}') {
            self.permission()?;
        }
        self.sign(';')
    }

    /// A plugin can name its own jars only: by their whole name, or by what stands before the version.
    fn check_codebase(&self, text: &str) -> Result<(), InstallError> {
        let name = text.strip_prefix("${codebase.").and_then(|rest| rest.strip_suffix('}'));
        match name {
            Some(name) if !self.jars.iter().any(|jar| name == jar || name == versionless(jar)) => {
                Err(refuse(self.line, format!("`{text}` is none of the plugin's jars")))
            }
            _ => Ok(()),
        }
    }

    /// `permission java.net.SocketPermission "*", "connect";`
    fn permission(&mut self) -> Result<(), InstallError> {
        match self.next("`}`")? {
            Token::Word(word) if word.eq_ignore_ascii_case("permission") => {}
            other => return Err(refuse(self.line, format!("there is {other} where `permission` or `}}` should be"))),
        }
        let line = self.line;
        let class = match self.next("a permission's class")? {
            Token::Word(class) => class,
            other => return Err(refuse(self.line, format!("there is {other} where a permission's class should be"))),
        };
        let (mut name, mut actions) = (String::new(), String::new());
        if !self.has(';') {
            name = self.text()?;
            if self.has(',') {
                actions = self.text()?;
            }
            self.sign(';')?;
        }
        let shown =
            [class.as_str(), &name, &actions].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        if !is_allowed(&class, &name, &actions) {
            return Err(refuse(line, format!("it asks for `{shown}`, which Elasticsearch lets no plugin have")));
        }
        self.granted.insert(shown);
        Ok(())
    }
}

/// The name of a jar without `-1.2.jar`.
fn versionless(jar: &str) -> &str {
    let starts = |i: &usize| {
        let rest = &jar[i + 1..];
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let minor = rest[digits..].strip_prefix('.');
        digits > 0
            && minor.is_some_and(|minor| minor.starts_with(|c: char| c.is_ascii_digit()))
            && rest.strip_suffix(".jar").is_some()
    };
    jar.match_indices('-').map(|(i, _)| i).find(starts).map_or(jar, |i| &jar[..i])
}

/// The names that plugins may have of a class of permissions; one that ends in `*` is for all that start so.
const NAMES: [(&str, &[&str]); 11] = [
    ("java.lang.reflect.ReflectPermission", &["suppressAccessChecks"]),
    (
        "java.lang.RuntimePermission",
        &[
            "getClassLoader",
            "setContextClassLoader",
            "setFactory",
            "loadLibrary.*",
            "accessClassInPackage.*",
            "accessDeclaredMembers",
        ],
    ),
    (
        "java.net.NetPermission",
        &["requestPasswordAuthentication", "getProxySelector", "getCookieHandler", "getResponseCache"],
    ),
    (
        "java.security.SecurityPermission",
        &["createAccessControlContext", "insertProvider", "putProviderProperty.*", "org.apache.*"],
    ),
    ("java.util.PropertyPermission", &["*"]),
    (
        "javax.security.auth.AuthPermission",
        &[
            "doAs",
            "doAsPrivileged",
            "getSubject",
            "getSubjectFromDomainCombiner",
            "setReadOnly",
            "modifyPrincipals",
            "modifyPublicCredentials",
            "modifyPrivateCredentials",
            "refreshCredential",
            "destroyCredential",
            "createLoginContext.*",
            "getLoginConfiguration",
            "setLoginConfiguration",
            "createLoginConfiguration.*",
            "refreshLoginConfiguration",
        ],
    ),
    ("javax.management.MBeanServerPermission", &["*"]),
    ("javax.management.MBeanTrustPermission", &["register"]),
    ("java.sql.SQLPermission", &["callAbort", "setNetworkTimeout"]),
    // Of these two the actions decide.
    ("java.net.SocketPermission", &["*"]),
    ("javax.management.MBeanPermission", &["*"]),
];

/// Classes of permissions that plugins may have whatever their names are.
const WHATEVER: [&str; 5] = [
    "java.net.URLPermission",
    "javax.security.auth.kerberos.DelegationPermission",
    "javax.security.auth.kerberos.ServicePermission",
    "javax.security.auth.PrivateCredentialPermission",
    "org.elasticsearch.script.ClassPermission",
];

const MBEAN_ACTIONS: [&str; 14] = [
    "addNotificationListener",
    "getAttribute",
    "getDomains",
    "getMBeanInfo",
    "getObjectInstance",
    "instantiate",
    "invoke",
    "isInstanceOf",
    "queryMBeans",
    "queryNames",
    "registerMBean",
    "removeNotificationListener",
    "setAttribute",
    "unregisterMBean",
];

/// Whether Elasticsearch lets a plugin have a permission.
fn is_allowed(class: &str, name: &str, actions: &str) -> bool {
    let only = |allowed: &[&str]| {
        let mut actions = actions.split(',').map(str::trim);
        actions.all(|action| allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(action)))
    };
    let actions_allowed = match class {
        "java.io.FilePermission" => return only(&["read"]),
        "java.net.SocketPermission" => only(&["accept", "connect", "listen", "resolve"]),
        "javax.management.MBeanPermission" => only(&MBEAN_ACTIONS),
        "java.util.PropertyPermission" => only(&["read", "write"]),
        _ => true,
    };
    let implied = |allowed: &&str| match allowed.strip_suffix('*') {
        // `a.*` is not for `a.` itself.
        Some(start) => name.len() > start.len() && name.starts_with(start),
        None => *allowed == name,
    };
    let names = NAMES.iter().find(|(own, _)| *own == class).map_or(&[][..], |(_, names)| names);
    WHATEVER.contains(&class) || (actions_allowed && names.iter().any(implied))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn jars() -> BTreeSet<String> {
        ["netty-common-4.1.2.Final.jar".to_owned(), "x.jar".to_owned()].into()
    }

    #[track_caller]
    fn refused(line: usize, text: &str, part: &str) {
        let error = read(text, &jars()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("plugin-security.policy:{line}: ")) && error.contains(part), "{error}");
    }

    fn permission(rest: &str) -> String {
        format!("grant {{ permission {rest}; }};")
    }

    #[test]
    fn a_policy_says_what_is_granted() {
        let text = "/*\n * text \"\n */\ngrant {\n  // a comment\n  permission java.net.SocketPermission \"*\", \"connect,resolve\";\n\
                    permission java.lang.RuntimePermission \"getClassLoader\"; // why\n};\n\
                    GRANT codeBase \"${codebase.netty-common}\" {\n  PERMISSION java.io.FilePermission '/proc/x', 'read';\n};\n\
                    grant codeBase \"${codebase.x.jar}\", signedBy \"me\" { };\ngrant codeBase \"file:/x\" {};;";
        let granted = [
            "java.io.FilePermission /proc/x read",
            "java.lang.RuntimePermission getClassLoader",
            "java.net.SocketPermission * connect,resolve",
        ];
        assert_eq!(read(text, &jars()).unwrap(), granted);
        assert_eq!(read("", &jars()).unwrap(), [""; 0]);
    }

    #[test]
    fn what_is_no_policy_is_refused_with_its_line() {
        refused(1, "allow {};", "`allow` where `grant` should be");
        refused(2, "grant {\n}", "ends where `;`");
        refused(1, "grant {", "ends where `}`");
        refused(2, "grant {\n permission;\n};", "`;` where a permission's class should be");
        refused(2, "grant {\n permission a.B \"x\" \"y\";\n};", "`\"y\"` where `;` should be");
        refused(2, "grant {\n permission a.B x;\n};", "`x` where a text in quotes should be");
        refused(1, "grant principal \"x\" {};", "`principal`");
        refused(2, "grant {\n permission a.B \"x;\n};", "not closed on this line");
        refused(2, "\n/* grant", "never closed");
        refused(3, "\n\ngrant codeBase \"${codebase.other}\" {};", "none of the plugin's jars");
    }

    #[test]
    fn plugins_may_have_some_permissions_only() {
        for allowed in [
            "java.io.FilePermission \"<<ALL FILES>>\", \"read\"",
            "java.lang.RuntimePermission \"accessClassInPackage.sun.misc\"",
            "java.lang.RuntimePermission \"loadLibrary.*\"",
            "java.security.SecurityPermission \"org.apache.xml.register\"",
            "java.util.PropertyPermission \"*\", \"read,write\"",
            "javax.management.MBeanPermission \"*\", \"getAttribute, invoke\"",
            "java.net.SocketPermission \"10.0.0.1:*\", \"Accept\"",
            "javax.security.auth.PrivateCredentialPermission \"a b c\", \"read\"",
            "org.elasticsearch.script.ClassPermission \"<<STANDARD>>\"",
        ] {
            assert!(read(&permission(allowed), &jars()).is_ok(), "{allowed}");
        }
        for illegal in [
            "java.security.AllPermission",
            "java.io.FilePermission \"/tmp\", \"read,write\"",
            "java.lang.RuntimePermission \"exitVM\"",
            "java.lang.RuntimePermission \"*\"",
            "java.lang.RuntimePermission \"createClassLoader\"",
            "java.lang.RuntimePermission \"loadLibrary.\"",
            "java.net.SocketPermission \"*\", \"connect,steal\"",
            "javax.management.MBeanPermission \"*\", \"getClassLoader\"",
            "com.example.OwnPermission \"x\"",
        ] {
            refused(1, &permission(illegal), "lets no plugin have");
        }
    }

    #[test]
    fn versions_are_no_part_of_a_codebases_name() {
        for (jar, name) in [
            ("a-1.2.jar", "a"),
            ("a-b-1.2-c.jar", "a-b"),
            ("a-1.jar", "a-1.jar"),
            ("a.jar", "a.jar"),
            ("a-x1.2.jar", "a-x1.2.jar"),
        ] {
            assert_eq!(versionless(jar), name);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_policy_or_refused(text in "(grant|permission|codeBase|a.B|[{};,\"'/*\n $]){0,30}") {
            let _ = read(&text, &jars());
        }

        #[test]
        fn what_is_written_reads_back(names in proptest::collection::btree_set("[a-z.]{1,8}", 0..6)) {
            let lines: String = names.iter().map(|name| format!("  permission java.util.PropertyPermission \"{name}\", \"read\";\n")).collect();
            let expected: Vec<_> = names.iter().map(|name| format!("java.util.PropertyPermission {name} read")).collect();
            prop_assert_eq!(read(&format!("grant {{\n{lines}}};\n"), &jars()).unwrap(), expected);
        }
    }
}
