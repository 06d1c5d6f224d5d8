//! What AWS answers, in a user's words.

use aws_sdk_ecr::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::bake::port::PortError;
use crate::remote::clock::Clock;

/// Puts an SDK's error into a user's words; the SDK's own chain of causes is kept whole.
pub(in crate::remote) fn refusal<E>(subject: &str, action: &str, error: &SdkError<E>, clock: Clock) -> PortError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let message = match (error.code(), error.message()) {
        (Some("UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException"), said) => {
            format!(
                "AWS denies it: the credentials need the permission {action} ({})",
                said.unwrap_or("no reason given")
            )
        }
        (Some(code @ ("ExpiredToken" | "ExpiredTokenException")), said) => {
            let said = said.unwrap_or("no reason given");
            format!("AWS says {code}: {said}: log in anew, as with `aws sso login`")
        }
        (Some(code @ ("InvalidSignatureException" | "RequestExpired" | "SignatureDoesNotMatch")), said) => {
            let date = error.raw_response().and_then(|answer| answer.headers().get("date"));
            let why = date.and_then(|date| clock.off(date)).map_or_else(String::new, |why| format!(": {why}"));
            format!("AWS says {code}: {}{why}", said.unwrap_or("no reason given"))
        }
        (Some(code), said) => format!("AWS says {code}: {}", said.unwrap_or("no reason given")),
        // The SDK's chain of causes says that no credentials were found only at its end.
        (None, _) => DisplayErrorContext(error).to_string(),
    };
    PortError::Cloud { subject: subject.to_owned(), message }
}
