//! Calls to AWS, and when they are made again.
//!
//! The SDK's own retries are off here: they stop when a quota of theirs is used up, which many repositories at once
//! do; nobody is told of them, and nobody can interrupt them.

use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};

use crate::bake::event::Listener;
use crate::bake::port::PortError;
use crate::remote::aws::words::{bare, refusal};
use crate::remote::causes::causes;
use crate::remote::clock::Clock;
use crate::remote::config::Timing;
use crate::remote::retry::{Failure, THROTTLED_TRIES, Tries};

/// What is called.
#[derive(Clone, Copy)]
pub(in crate::remote) struct Call<'c> {
    /// What people call the thing.
    pub(in crate::remote) subject: &'c str,
    /// The permission that it takes: `ecr:CreateRepository`.
    pub(in crate::remote) action: &'static str,
    pub(in crate::remote) timing: Timing,
    pub(in crate::remote) clock: Clock,
    pub(in crate::remote) tell: Listener<'c>,
}

/// An answer that is no success.
#[derive(Debug)]
pub(in crate::remote) enum Refused<E> {
    /// The service understood, and says no.
    Service(SdkError<E>),
    /// There is nothing more to be had.
    Port(PortError),
}

impl<E: ProvideErrorMetadata> Refused<E> {
    /// The service's code for it, without the side that it is the fault of.
    pub(in crate::remote) fn code(&self) -> &str {
        match self {
            Self::Service(error) => bare(error.code().unwrap_or_default()),
            Self::Port(_) => "",
        }
    }

    /// The service's words.
    pub(in crate::remote) fn message(&self) -> &str {
        match self {
            Self::Service(error) => error.message().unwrap_or_default(),
            Self::Port(_) => "",
        }
    }
}

impl Call<'_> {
    /// Calls until there is an answer that counts.
    pub(in crate::remote) async fn ask<T, E>(
        &self,
        once: impl AsyncFn() -> Result<T, SdkError<E>>,
    ) -> Result<T, Refused<E>>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let mut broken = Tries::new(self.timing);
        let mut throttled = Tries::at_most(THROTTLED_TRIES, self.timing);
        loop {
            // On the heap: the SDK's futures have many KB, and in a debug build a thread's stack has no room for some.
            let error = match Box::pin(once()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let code = error.code().unwrap_or_default().to_owned();
            let waited = if is_throttle(&code, status(&error)) {
                let why = format!("AWS asks to slow down ({})", if code.is_empty() { "429" } else { &code });
                throttled.wait(self.subject, Failure::again(why), self.tell).await
            } else if may_pass(&error) {
                let why = self.why(&error, &code);
                broken.wait(self.subject, Failure::again(why), self.tell).await
            } else if matches!(error, SdkError::ServiceError(_)) {
                return Err(Refused::Service(error));
            } else {
                Err(self.refusal(&error))
            };
            waited.map_err(Refused::Port)?;
        }
    }

    /// The same, where every refusal is an error.
    pub(in crate::remote) async fn must<T, E>(
        &self,
        once: impl AsyncFn() -> Result<T, SdkError<E>>,
    ) -> Result<T, PortError>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        self.ask(once).await.map_err(|refused| self.named(refused))
    }

    /// A refusal in people's words.
    pub(in crate::remote) fn named<E>(&self, refused: Refused<E>) -> PortError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match refused {
            Refused::Service(error) => self.refusal(&error),
            Refused::Port(error) => error,
        }
    }

    fn refusal<E>(&self, error: &SdkError<E>) -> PortError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        refusal(self.subject, self.action, error, self.clock)
    }

    fn why<E>(&self, error: &SdkError<E>, code: &str) -> String
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match (code, status(error)) {
            ("", Some(status)) => format!("{} answers HTTP {status}", self.action),
            ("", None) => format!("{} brings no answer: {}", self.action, innermost(error)),
            (code, _) => format!("AWS says {code}"),
        }
    }
}

/// What is at the end of a chain of causes: "connection refused" and not "dispatch failure".
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    causes(error).last().unwrap_or(error).to_string()
}

fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

fn is_throttle(code: &str, status: Option<u16>) -> bool {
    const CODES: [&str; 13] = [
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "SnapshotCreationPerVolumeRateExceeded",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TooManyUpdates",
    ];
    CODES.contains(&bare(code)) || (code.is_empty() && status == Some(429))
}

/// Whether the same call may succeed soon.
fn may_pass<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    match error {
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => true,
        // Not those without credentials: they will have none in a second either.
        SdkError::DispatchFailure(failure) => failure.is_io() || failure.is_timeout() || failure.as_other().is_some(),
        // Nor what there is none of: EC2 says so like a fault of its own, and it lasts for hours.
        SdkError::ServiceError(_) if bare(error.code().unwrap_or_default()).starts_with("Insufficient") => false,
        SdkError::ServiceError(_) => status(error).is_some_and(|status| status >= 500 || status == 408),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttling_is_told_from_refusals() {
        assert!(is_throttle("ThrottlingException", Some(400)) && is_throttle("", Some(429)));
        assert!(is_throttle("Client.RequestLimitExceeded", Some(503)));
        assert!(!is_throttle("LimitExceededException", Some(400)) && !is_throttle("", Some(500)));
    }
}
