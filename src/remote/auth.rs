//! Showing a registry who we are: anonymously first, then with what Docker's configuration knows.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex as Lock, OnceLock, PoisonError};
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Method, StatusCode, Uri};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::bake::port::PortError;
use crate::name::{Registry, Repository};
use crate::remote::address::{encoded, shown};
#[cfg(feature = "aws")]
use crate::remote::aws::access::Access;
use crate::remote::challenge::{self, Challenge};
use crate::remote::config::WireConfig;
use crate::remote::credential;
use crate::remote::docker_config::{DOCKER_HUB_KEY, DockerConfig, Proof};
use crate::remote::door::{Door, Purpose};
#[cfg(feature = "aws")]
use crate::remote::ecr::token::{Token, Tokens};
use crate::remote::http::{Ask, Http};
use crate::remote::refusal::refusal;
use crate::remote::retry::Failure;
use crate::remote::secret::Secret;
#[cfg(not(feature = "aws"))]
use crate::remote::without_aws::access::{Access, Token, Tokens};

/// Tokens have a few KB; an answer of more than this is none.
const LONGEST_TOKEN: usize = 1024 * 1024;
/// What the token protocol says of a token that does not say how long it lives.
const DEFAULT_LIFE: u64 = 60;

/// What to show, and whom it shows.
#[derive(Clone)]
pub(super) struct Grant {
    pub(super) header: HeaderValue,
    pub(super) who: String,
    until: Option<Instant>,
}

impl Grant {
    fn holds(&self) -> bool {
        self.until.is_none_or(|until| Instant::now() < until)
    }
}

/// The answer to a challenge.
pub(super) enum Outcome {
    /// Show this.
    Granted(Grant),
    /// There is nothing to show, for this reason.
    Nothing(String),
}

type Slot = Arc<Mutex<Option<Grant>>>;

/// What is known of credentials and tokens.
pub(super) struct Auth {
    docker_config: Option<PathBuf>,
    search_path: Vec<PathBuf>,
    limit: Duration,
    file: OnceLock<Result<DockerConfig, String>>,
    tokens: Tokens,
    proofs: Lock<BTreeMap<Registry, Option<Proof>>>,
    /// A token holds for one repository and purpose; while it is fetched, others wait for it.
    grants: Lock<BTreeMap<(Registry, Repository, Purpose), Slot>>,
}

impl Auth {
    pub(super) fn new(config: &WireConfig, access: Arc<Access>) -> Self {
        Self {
            docker_config: config.docker_config.clone(),
            search_path: config.search_path.clone(),
            limit: config.timing.credentials,
            file: OnceLock::new(),
            tokens: Tokens::new(config, access),
            proofs: Lock::default(),
            grants: Lock::default(),
        }
    }

    /// What was shown last and still holds.
    pub(super) async fn known(&self, door: &Door) -> Option<Grant> {
        let slot = self.slot(door);
        let mut held = slot.lock().await;
        if let Some(grant) = held.as_ref().filter(|grant| grant.holds()) {
            return Some(grant.clone());
        }
        // Who pushes to ECR never does so as nobody. What keeps us from it is said when the registry says 401.
        if self.tokens.is_target(&door.registry)
            && let Ok(Some(token)) = self.tokens.token(&door.registry, None).await
        {
            *held = Some(of_ecr(token));
            return held.clone();
        }
        None
    }

    /// Answers a 401. `stale` is what was shown in vain.
    pub(super) async fn grant(
        &self,
        http: &Http,
        door: &Door,
        headers: &HeaderMap,
        stale: Option<&HeaderValue>,
    ) -> Result<Outcome, Failure> {
        let slot = self.slot(door);
        let mut held = slot.lock().await;
        if let Some(grant) = held.as_ref().filter(|grant| grant.holds() && Some(&grant.header) != stale) {
            // Somebody else has just got it.
            return Ok(Outcome::Granted(grant.clone()));
        }
        *held = None;
        if let Some(token) = self.ecr(door, stale).await? {
            return Ok(Outcome::Granted(held.insert(of_ecr(token)).clone()));
        }
        if stale.is_some() {
            self.proofs.lock().unwrap_or_else(PoisonError::into_inner).remove(&door.registry);
        }
        let texts = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let challenges: Vec<Challenge> = texts.flat_map(challenge::read).collect();
        let of = |scheme: &str| challenges.iter().find(|challenge| challenge.scheme == scheme);
        let proof = self.proof(door).await.map_err(|message| denied(door, message))?;
        let outcome = match (of("bearer"), of("basic")) {
            (Some(bearer), _) => bearer_grant(http, door, bearer, proof).await?,
            (None, Some(_)) => basic_grant(door, proof)?,
            (None, None) => {
                let schemes: Vec<&str> = challenges.iter().map(|challenge| challenge.scheme.as_str()).collect();
                let schemes = if schemes.is_empty() { "nothing".to_owned() } else { schemes.join(", ") };
                Outcome::Nothing(format!("the registry accepts {schemes}, and only Bearer and Basic are known here"))
            }
        };
        if let Outcome::Granted(grant) = &outcome {
            *held = Some(grant.clone());
        }
        Ok(outcome)
    }

    fn slot(&self, door: &Door) -> Slot {
        let key = (door.registry.clone(), door.repository.clone(), door.purpose.clone());
        Arc::clone(self.grants.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default())
    }

    /// ECR's own token: for what is pushed to, and for what Docker's configuration knows no credentials of.
    async fn ecr(&self, door: &Door, stale: Option<&HeaderValue>) -> Result<Option<Token>, Failure> {
        let is_known = !self.tokens.is_target(&door.registry)
            && self.proof(door).await.map_err(|message| denied(door, message))?.is_some();
        if is_known { Ok(None) } else { Ok(self.tokens.token(&door.registry, stale).await?) }
    }

    /// The credentials of a registry, asked for once.
    async fn proof(&self, door: &Door) -> Result<Option<Proof>, String> {
        let known = self.proofs.lock().unwrap_or_else(PoisonError::into_inner).get(&door.registry).cloned();
        if let Some(proof) = known {
            return Ok(proof);
        }
        let proof = self.look_up(door).await?;
        self.proofs.lock().unwrap_or_else(PoisonError::into_inner).insert(door.registry.clone(), proof.clone());
        Ok(proof)
    }

    async fn look_up(&self, door: &Door) -> Result<Option<Proof>, String> {
        let path = self.docker_config.as_deref();
        let read = || path.map_or_else(|| Ok(DockerConfig::default()), DockerConfig::load);
        let file = self.file.get_or_init(read).as_ref().map_err(Clone::clone)?;
        if let Some(program) = file.program(&door.registry) {
            let server = if door.is_docker_hub() { DOCKER_HUB_KEY } else { door.registry.as_str() };
            if let Some(proof) = credential::ask(program, server, &self.search_path, self.limit).await? {
                return Ok(Some(proof));
            }
        }
        file.proof(&door.registry)
    }
}

fn of_ecr(token: Token) -> Grant {
    Grant { header: token.header, who: "tried with ECR's token".to_owned(), until: Some(token.until) }
}

fn denied(door: &Door, message: String) -> Failure {
    Failure::Final(PortError::Denied { subject: door.subject.clone(), message })
}

fn no_credentials(door: &Door) -> String {
    format!("there are no credentials for {}: log in with `docker login {}`", door.registry, door.registry)
}

fn basic_grant(door: &Door, proof: Option<Proof>) -> Result<Outcome, Failure> {
    match proof {
        None => Ok(Outcome::Nothing(no_credentials(door))),
        Some(Proof::Login(login)) => {
            let header = login.basic().ok_or_else(|| denied(door, UNSENDABLE.to_owned()))?;
            Ok(Outcome::Granted(Grant { header, who: who(&login.user), until: None }))
        }
        Some(_) => Ok(Outcome::Nothing(format!(
            "{} wants a user and a password, and only a token is known: log in anew",
            door.registry
        ))),
    }
}

const UNSENDABLE: &str = "the credentials have characters that cannot be sent: log in anew";

fn who(user: &str) -> String {
    format!("tried as `{user}`")
}

async fn bearer_grant(
    http: &Http,
    door: &Door,
    challenge: &Challenge,
    proof: Option<Proof>,
) -> Result<Outcome, Failure> {
    if let Some(Proof::Bearer(token)) = &proof {
        let header = token.bearer().ok_or_else(|| denied(door, UNSENDABLE.to_owned()))?;
        return Ok(Outcome::Granted(Grant { header, who: "tried with a token".to_owned(), until: None }));
    }
    let who = match &proof {
        None => format!("tried as nobody: {}", no_credentials(door)),
        Some(Proof::Login(login)) => who(&login.user),
        Some(_) => "tried with a token".to_owned(),
    };
    let ask = token_request(door, challenge, proof.as_ref())?;
    let mut reply = http.send(&ask).await?;
    if reply.status != StatusCode::OK {
        return Err(refusal(&door.subject, reply, &who).await);
    }
    let wrong = |why: &str| {
        let message = format!("{} {why}", shown(&ask.url));
        Failure::Final(PortError::Wrong { subject: door.subject.clone(), message })
    };
    let (body, whole) = reply.body.up_to(LONGEST_TOKEN).await?;
    let json: Option<serde_json::Value> = serde_json::from_slice(&body).ok().filter(|_| whole);
    let text = |field| json.as_ref()?.get(field)?.as_str().filter(|text| !text.is_empty());
    let token = text("token").or_else(|| text("access_token")).ok_or_else(|| wrong("answers without a token"))?;
    let life = json.as_ref().and_then(|json| json.get("expires_in")?.as_u64()).unwrap_or(DEFAULT_LIFE);
    let header = Secret::new(token).bearer().ok_or_else(|| wrong("gives a token that cannot be sent"))?;
    // A tenth earlier, so that it does not run out on the way; more than a day is not believed.
    let life = Duration::from_secs(life.min(24 * 3600)).mul_f64(0.9);
    Ok(Outcome::Granted(Grant { header, who, until: Some(Instant::now() + life) }))
}

/// The request for a token, with our credentials where there are any.
fn token_request<'d>(door: &'d Door, challenge: &Challenge, proof: Option<&Proof>) -> Result<Ask<'d>, Failure> {
    let wrong = |message: String| Failure::Final(PortError::Wrong { subject: door.subject.clone(), message });
    let realm = challenge.parameters.get("realm").map_or("", String::as_str);
    let endpoint = realm.parse::<Uri>().ok().filter(|uri| uri.host().is_some() && uri.scheme().is_some());
    let endpoint = endpoint.ok_or_else(|| wrong(format!("{} does not say where tokens are", door.registry)))?;
    let is_allowed = match endpoint.scheme_str() {
        Some("https") => true,
        Some("http") => door.plain,
        _ => false,
    };
    if !is_allowed {
        let place = shown(&endpoint);
        return Err(wrong(format!("{} sends us to {place} for a token, which is not https", door.registry)));
    }
    let scopes = scopes(door, challenge);
    let mut fields = vec![("client_id", "elkbake")];
    fields.extend(challenge.parameters.get("service").map(|service| ("service", service.as_str())));
    if let Some(Proof::Identity(token)) = proof {
        let scope = scopes.join(" ");
        fields.extend([("scope", scope.as_str()), ("grant_type", "refresh_token"), ("refresh_token", token.reveal())]);
        let mut ask = Ask::get(&door.subject, endpoint);
        ask.method = Method::POST;
        ask.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        ask.body = Bytes::from(form(&fields));
        return Ok(ask);
    }
    fields.extend(scopes.iter().map(|scope| ("scope", scope.as_str())));
    let joint = if endpoint.query().is_some() { '&' } else { '?' };
    let url = format!("{endpoint}{joint}{}", form(&fields)).parse();
    let mut ask = Ask::get(&door.subject, url.map_err(|_| wrong("the address for tokens is too long".to_owned()))?);
    if let Some(Proof::Login(login)) = proof {
        ask.authorization = Some(login.basic().ok_or_else(|| denied(door, UNSENDABLE.to_owned()))?);
    }
    Ok(ask)
}

/// What the token is to allow: for reading what the registry says, for writing also what it was not asked for yet.
fn scopes(door: &Door, challenge: &Challenge) -> Vec<String> {
    let asked = challenge.parameters.get("scope").map(String::as_str).filter(|scope| !scope.is_empty());
    let own = format!("repository:{}:", door.repository);
    match (&door.purpose, asked) {
        (Purpose::Read, Some(asked)) => vec![asked.to_owned()],
        (Purpose::Read, None) => door.scopes(),
        // A registry asks for what the request at hand needs; ours would be back for more with the next one.
        (_, asked) => {
            let others = asked.into_iter().flat_map(|asked| asked.split(' ')).filter(|scope| !scope.starts_with(&own));
            let mut scopes = door.scopes();
            for scope in others.map(str::to_owned) {
                if !scopes.contains(&scope) {
                    scopes.push(scope);
                }
            }
            scopes
        }
    }
}

fn form(fields: &[(&str, &str)]) -> String {
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    fields.join("&")
}
