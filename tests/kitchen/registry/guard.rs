//! Who may come in: anybody, whoever has the password, whoever has a token.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::answer::Answer;
use super::{Request, State};

/// Who may come in.
#[derive(Clone, Debug, Default)]
pub enum Guard {
    /// Anybody.
    #[default]
    Open,
    /// Whoever shows this user and password.
    Basic {
        /// `me`.
        user: String,
        /// `hunter2`.
        password: String,
    },
    /// Whoever shows a token, which `/token` gives.
    Token {
        /// To these users with their passwords; to anybody when there is none.
        users: Vec<(String, String)>,
        /// And to whoever posts this identity token.
        identity: Option<String>,
        /// How many seconds a token is said to hold.
        life: u64,
        /// The header to ask with, when it is another than the right one; `{realm}` and `{scope}` are filled in.
        header: Option<String>,
    },
}

impl Guard {
    /// Tokens for anybody.
    pub fn anonymous_token() -> Self {
        Self::Token { users: Vec::new(), identity: None, life: 300, header: None }
    }

    /// Tokens for one user.
    pub fn token(user: &str, password: &str) -> Self {
        Self::Token { users: vec![(user.to_owned(), password.to_owned())], identity: None, life: 300, header: None }
    }

    /// Basic credentials of one user.
    pub fn basic(user: &str, password: &str) -> Self {
        Self::Basic { user: user.to_owned(), password: password.to_owned() }
    }
}

/// The tokens that were given out.
#[derive(Default)]
pub struct Tokens {
    given: usize,
    worthless: usize,
    scopes: Vec<String>,
}

impl Tokens {
    pub fn expire(&mut self) {
        self.worthless = self.given;
    }

    fn give(&mut self, scope: &str) -> String {
        self.given += 1;
        self.scopes.push(scope.to_owned());
        format!("token-{}", self.given)
    }

    fn holds(&self, token: &str, scope: &str) -> bool {
        let Some(number) = token.strip_prefix("token-").and_then(|number| number.parse::<usize>().ok()) else {
            return false;
        };
        let Some(given) = self.scopes.get(number - 1) else { return false };
        number > self.worthless && given.split(' ').any(|given| allows(given, scope))
    }
}

/// Whether one scope has all of another: `repository:a:pull,push` that of `repository:a:pull`.
fn allows(given: &str, wanted: &str) -> bool {
    let (Some((given, can)), Some((wanted, needs))) = (given.rsplit_once(':'), wanted.rsplit_once(':')) else {
        return false;
    };
    given == wanted && needs.split(',').all(|need| can.split(',').any(|can| can == need))
}

/// Whether whoever asks may read a repository.
pub fn may_read(state: &State, request: &Request, repository: &str) -> bool {
    let Guard::Token { .. } = state.guard else { return true };
    let token = request.header("authorization").and_then(|text| text.strip_prefix("Bearer "));
    token.is_some_and(|token| state.tokens.holds(token, &format!("repository:{repository}:pull")))
}

pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// The answer to a request that may not come in.
pub fn refuse(state: &State, request: &Request, host: &str) -> Option<Answer> {
    let shown = request.header("authorization");
    let ask = match &state.guard {
        Guard::Open => return None,
        Guard::Basic { user, password } => {
            if shown == Some(&basic(user, password)) {
                return None;
            }
            "Basic realm=\"kitchen, and more\"".to_owned()
        }
        Guard::Token { header, .. } => {
            let actions = if matches!(request.method.as_str(), "GET" | "HEAD") && !request.path().contains("/uploads/")
            {
                "pull"
            } else {
                "pull,push"
            };
            let scope = format!("repository:{}:{actions}", repository(request.path()));
            if shown
                .and_then(|text| text.strip_prefix("Bearer "))
                .is_some_and(|token| state.tokens.holds(token, &scope))
            {
                return None;
            }
            let realm = format!("http://{host}/token");
            let right = "Bearer realm=\"{realm}\",service=\"kitchen\",scope=\"{scope}\"";
            header.as_deref().unwrap_or(right).replace("{realm}", &realm).replace("{scope}", &scope)
        }
    };
    let body = br#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;
    Some(Answer::new(401, "application/json", body.to_vec()).with("WWW-Authenticate", &ask))
}

/// The repository of a path `/v2/REPOSITORY/blobs/…`.
fn repository(path: &str) -> &str {
    let rest = path.strip_prefix("/v2/").unwrap_or_default();
    let end = ["/manifests/", "/blobs/"].iter().find_map(|part| rest.find(part)).unwrap_or(rest.len());
    &rest[..end]
}

/// `/token`: gives a token, or says no.
pub fn token(state: &mut State, request: &Request) -> Answer {
    let Guard::Token { users, identity, life, .. } = state.guard.clone() else {
        return Answer::new(404, "text/plain", Vec::new());
    };
    let form = match request.method.as_str() {
        "POST" => String::from_utf8_lossy(&request.body).into_owned(),
        _ => request.target.split_once('?').map_or("", |(_, query)| query).to_owned(),
    };
    let field = |name: &str| {
        let found = form.split('&').filter_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let found = found.collect::<Vec<_>>().join(" ");
        found.replace("%3A", ":").replace("%2F", "/").replace("%2C", ",").replace("%20", " ")
    };
    let is_known = if request.method == "POST" {
        field("grant_type") == "refresh_token" && identity == Some(field("refresh_token"))
    } else {
        let shown = request.header("authorization");
        let is_user = users.iter().any(|(user, password)| shown == Some(&basic(user, password)));
        is_user || (users.is_empty() && shown.is_none())
    };
    if !is_known || field("service") != "kitchen" {
        let body = br#"{"details":"incorrect username or password"}"#;
        return Answer::new(401, "application/json", body.to_vec());
    }
    let token = state.tokens.give(&field("scope"));
    // One name of the two, each in turn: both are in use.
    let name = if state.tokens.given.is_multiple_of(2) { "token" } else { "access_token" };
    let body = format!(r#"{{"{name}":"{token}","expires_in":{life}}}"#);
    Answer::new(200, "application/json", body.into_bytes())
}
