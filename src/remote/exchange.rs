//! Talking with a registry: where it is asked, and showing who we are where that is wanted.

use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderValue};

use crate::bake::event::Listener;
use crate::bake::port::{BY_MIRROR, PortError};
use crate::name::{Reference, Registry};
use crate::remote::address::same_server;
use crate::remote::auth::Outcome;
use crate::remote::body::Streamed;
use crate::remote::config::EcrSite;
use crate::remote::door::{Door, Purpose};
use crate::remote::http::{Ask, Reply};
use crate::remote::refusal::refusal;
use crate::remote::retry::Failure;
use crate::remote::wire::Wire;

impl Wire {
    /// Where the parts of an image are asked for, by way of the mirrors.
    pub(super) fn door(&self, reference: &Reference, subject: String, tell: Listener<'_>) -> Result<Door, PortError> {
        let mirrored = self.config.mirrors.reference(reference);
        let mirrored =
            mirrored.map_err(|error| PortError::Wrong { subject: subject.clone(), message: error.to_string() })?;
        let (subject, there, plain) = match mirrored {
            None => (subject, reference.clone(), false),
            Some(mirrored) => {
                self.tell_of_mirror(&mirrored.rule, tell);
                (format!("{subject} ({BY_MIRROR} {})", mirrored.there), mirrored.there, mirrored.plain)
            }
        };
        let registry = self.reached_at(there.registry);
        let plain = plain || self.is_plain(&registry);
        Ok(Door { subject, registry, repository: there.repository, plain, purpose: Purpose::Read })
    }

    /// Where the parts of an image are written, and asked for by who writes: no mirror stands between.
    pub(super) fn direct(&self, reference: &Reference, subject: String, purpose: Purpose) -> Door {
        let (registry, repository) = (self.reached_at(reference.registry.clone()), reference.repository.clone());
        Door { subject, plain: self.is_plain(&registry), registry, repository, purpose }
    }

    /// What we were told of a registry in ECR that is pushed to.
    pub(super) fn ecr_site(&self, registry: &Registry) -> Option<&EcrSite> {
        self.config.ecr.iter().find(|site| site.registry == *registry)
    }

    /// The host behind a registry's name.
    fn reached_at(&self, registry: Registry) -> Registry {
        self.ecr_site(&registry).map_or(registry, |site| site.host().clone())
    }

    /// Asks for a part. What comes back is the thing or a part of it.
    pub(super) async fn ask(&self, door: &Door, part: &str, headers: HeaderMap) -> Result<Reply, Failure> {
        let mut ask = Ask::get(&door.subject, door.part(part)?);
        ask.headers = headers;
        let (reply, who) = self.exchange(door, &mut ask).await?;
        match reply.status {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => Ok(reply),
            _ => Err(refusal(&door.subject, reply, &who).await),
        }
    }

    /// Sends a request, once more with credentials when they are asked for. Tells who asked, with the answer.
    pub(super) async fn exchange(&self, door: &Door, ask: &mut Ask<'_>) -> Result<(Reply, String), Failure> {
        let mut who = self.introduce(door, ask).await;
        let mut reply = self.http.send(ask).await?;
        // Whoever else says 401 after a redirect has no business with our credentials.
        let is_ours = same_server(&reply.url, &ask.url) && door.is_at(&ask.url);
        if reply.status == StatusCode::UNAUTHORIZED && is_ours {
            let stale = ask.authorization.take();
            let (header, name) = self.renewed(door, reply, stale.as_ref()).await?;
            who = name;
            ask.authorization = Some(header);
            reply = self.http.send(ask).await?;
        }
        Ok((reply, who))
    }

    /// Sends a request whose body comes while it is sent, and can so be sent only once. When credentials are asked
    /// for, they are fetched, and `None` says that all is to begin again.
    pub(super) async fn exchange_once(
        &self,
        door: &Door,
        ask: &mut Ask<'_>,
        body: Streamed,
    ) -> Result<Option<(Reply, String)>, Failure> {
        let who = self.introduce(door, ask).await;
        let reply = self.http.stream(ask, body).await?;
        if reply.status == StatusCode::UNAUTHORIZED && door.is_at(&ask.url) {
            self.renewed(door, reply, ask.authorization.as_ref()).await?;
            return Ok(None);
        }
        Ok(Some((reply, who)))
    }

    /// Shows what is known to hold, to the registry itself and to nobody whom it names.
    async fn introduce(&self, door: &Door, ask: &mut Ask<'_>) -> String {
        if !door.is_at(&ask.url) {
            return String::new();
        }
        let known = self.auth.known(door).await;
        let who = known.as_ref().map_or_else(String::new, |grant| grant.who.clone());
        ask.authorization = known.map(|grant| grant.header);
        who
    }

    /// What to show after a 401, and whom it shows.
    async fn renewed(
        &self,
        door: &Door,
        reply: Reply,
        stale: Option<&HeaderValue>,
    ) -> Result<(HeaderValue, String), Failure> {
        match self.auth.grant(&self.http, door, &reply.headers, stale).await? {
            Outcome::Nothing(why) => Err(refusal(&door.subject, reply, &why).await),
            Outcome::Granted(grant) => Ok((grant.header, grant.who)),
        }
    }
}
