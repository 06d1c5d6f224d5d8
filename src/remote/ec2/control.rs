//! Who asks EC2 in one region, and what is waited out there.

use std::time::Duration;

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::primitives::{DateTime, DateTimeFormat};

use crate::bake::event::Event;
use crate::bake::port::PortError;
use crate::remote::aws::clients::Clients;
use crate::remote::aws::memory::Memory;
use crate::remote::aws::patience::{Call, Refused};

/// Between two looks at what is not yet to be seen, at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A region of an account, and who asks it.
pub(super) struct Control<'c> {
    pub(super) clients: Clients,
    pub(super) call: Call<'c>,
    pub(super) memory: &'c Memory,
}

impl Control<'_> {
    pub(super) fn of(&self, action: &'static str) -> Call<'_> {
        Call { action, ..self.call }
    }

    /// Asks for something about things that are there: what was made just now is waited for.
    pub(super) async fn ask<T, E>(
        &self,
        action: &'static str,
        ids: &[&str],
        once: impl AsyncFn() -> Result<T, SdkError<E>>,
    ) -> Result<T, Refused<E>>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let call = self.of(action);
        let mut pauses = self.pauses();
        loop {
            match call.ask(&once).await {
                Err(refused) if is_missing(refused.code()) && self.is_young(ids.iter().copied()) => {
                    pauses.wait(refused.message()).await;
                }
                asked => return asked,
            }
        }
    }

    /// The same, where every refusal is an error.
    pub(super) async fn must<T, E>(
        &self,
        action: &'static str,
        ids: &[&str],
        once: impl AsyncFn() -> Result<T, SdkError<E>>,
    ) -> Result<T, PortError>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        self.ask(action, ids, once).await.map_err(|refused| self.of(action).named(refused))
    }

    /// Takes something away; what is away already is away.
    pub(super) async fn away<T, E>(
        &self,
        action: &'static str,
        id: &str,
        once: impl AsyncFn() -> Result<T, SdkError<E>>,
    ) -> Result<(), PortError>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match self.ask(action, &[id], once).await {
            Ok(_) => {}
            Err(refused) if is_missing(refused.code()) || refused.code() == "InvalidAMIID.Unavailable" => {}
            Err(refused) => return Err(self.of(action).named(refused)),
        }
        self.memory.gone(id);
        Ok(())
    }

    /// Whether one of these was made so short a time ago that EC2 may not show it yet.
    pub(super) fn is_young<'i>(&self, ids: impl IntoIterator<Item = &'i str>) -> bool {
        self.memory.is_young(ids, self.call.timing.settling)
    }

    /// Waits between looks at the same.
    pub(super) fn pauses(&self) -> Pauses<'_> {
        Pauses { call: &self.call, next: self.call.timing.first_wait, is_told: false }
    }

    /// A time in the SDK's own words.
    pub(super) fn time(&self, at: &str) -> Result<DateTime, PortError> {
        let time = DateTime::from_str(at, DateTimeFormat::DateTime);
        time.map_err(|error| self.wrong(format!("`{at}` is no time: {error}")))
    }

    /// What AWS answers and never should.
    pub(super) fn wrong(&self, message: impl Into<String>) -> PortError {
        PortError::Cloud { subject: self.call.subject.to_owned(), message: message.into() }
    }
}

/// Waits that grow.
pub(super) struct Pauses<'c> {
    call: &'c Call<'c>,
    next: Duration,
    is_told: bool,
}

impl Pauses<'_> {
    /// Waits for what is in the way to pass; the first time it is told.
    pub(super) async fn wait(&mut self, why: &str) {
        if !self.is_told {
            let why = if why.is_empty() { "it is not to be seen yet" } else { why };
            (self.call.tell)(Event::Note(&format!("{}: {why}; waits for EC2 to settle", self.call.subject)));
            self.is_told = true;
        }
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 2).min(LONGEST_PAUSE).min(self.call.timing.longest_wait);
    }
}

/// Whether a code says that there is no such thing.
pub(super) fn is_missing(code: &str) -> bool {
    code.ends_with(".NotFound") || code.ends_with(".NotFoundException") || code == "InvalidID"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_told_from_what_is_wrong() {
        for missing in ["InvalidAMIID.NotFound", "InvalidLaunchTemplateName.NotFoundException", "InvalidID"] {
            assert!(is_missing(missing), "{missing}");
        }
        assert!(!is_missing("InvalidAMIID.Malformed") && !is_missing("InvalidAMIID.Unavailable"));
    }
}
