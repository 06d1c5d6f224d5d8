//! Who we are to AWS, and what every call to it is told.

use crate::bake::event::Listener;
use crate::bake::port::PortError;
use crate::remote::wire::Wire;

use super::access::Way;
use super::patience::Call;

impl Wire {
    /// The account that our credentials belong to.
    pub(in crate::remote) fn caller_by(&self, way: Way<'_>, tell: Listener<'_>) -> Result<String, PortError> {
        let subject = format!("who we are in {}", way.region);
        self.run(
            &subject,
            self.access.caller(way, async || {
                let client = self.access.clients(way).await.sts;
                let call = self.call(&subject, "sts:GetCallerIdentity", tell);
                let answer = call.must(async || client.get_caller_identity().send().await).await?;
                answer.account.ok_or_else(|| PortError::Cloud {
                    subject: subject.clone(),
                    message: "AWS does not say which account".to_owned(),
                })
            }),
        )
    }

    /// A call about something, which takes a permission.
    pub(in crate::remote) fn call<'c>(&self, subject: &'c str, action: &'static str, tell: Listener<'c>) -> Call<'c> {
        Call { subject, action, timing: self.config.timing, clock: self.access.clock, tell }
    }
}
