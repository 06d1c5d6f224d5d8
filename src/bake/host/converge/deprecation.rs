//! When an image is marked as deprecated.

use super::subject::Subject;
use crate::bake::host::fault::HostError;
use crate::bake::port::ImageStep;
use crate::moment::Moment;

/// EC2 takes no moment that is over, and who is asked now may answer a little later.
const SOON_MINUTES: u32 = 2;

pub(super) fn converge(subject: &Subject<'_>, changed: &mut Vec<String>) -> Result<(), HostError> {
    let said = subject.machine.deprecated.as_deref();
    let Some(days) = subject.order.recipe.ami.as_ref().and_then(|ami| ami.deprecate_after) else {
        if said.is_some() {
            subject.change(&ImageStep::NeverDeprecate)?;
            changed.push("not deprecated any more".to_owned());
        }
        return Ok(());
    };
    if let Some(at) = wanted(subject, days, said.and_then(Moment::parse)) {
        subject.change(&ImageStep::Deprecate(at.to_string()))?;
        changed.push(format!("deprecated from {at} on"));
    }
    Ok(())
}

/// When it is to be marked, where EC2 does not say so already.
fn wanted(subject: &Subject<'_>, days: u32, said: Option<Moment>) -> Option<Moment> {
    // Days from when it was made, so that every push says the same.
    let made = Moment::parse(&subject.machine.created).unwrap_or(subject.order.now);
    let soon = subject.order.now.in_minutes(SOON_MINUTES).to_the_minute();
    let at = made.in_days(days).to_the_minute();
    if at > soon {
        return (said.map(Moment::to_the_minute) != Some(at)).then_some(at);
    }
    // It is over, since fewer days are said by now: what is deprecated or is about to be stays so.
    said.is_none_or(|said| said > soon).then_some(soon)
}
