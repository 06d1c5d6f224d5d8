//! Which key encrypts an image, which is decided once: when it is made.

use crate::bake::event::Event;
use crate::bake::host::desk::Desk;
use crate::bake::host::fault::HostError;
use crate::bake::host::order::Order;
use crate::bake::port::{Ask, Machine};
use crate::recipe::Region;

/// The key that encrypts an image's root disk, where the recipe names one. That it is another one is told.
pub(in crate::bake::host) fn kms_key(
    order: &Order<'_>,
    region: &Region,
    machine: &Machine,
    desk: Desk<'_>,
) -> Result<Option<String>, HostError> {
    let Some(wanted) = order.kms_key(region) else { return Ok(None) };
    let Some(snapshot) = machine.snapshots.get(&machine.root_device) else { return Ok(Some(wanted)) };
    let ask = Ask { ids: [snapshot.clone()].into(), ..Ask::default() };
    let found = desk.ec2.snapshots(&order.site(region), &ask, desk.tell)?;
    let Some(key) = found.into_iter().find_map(|snapshot| snapshot.kms_key) else { return Ok(None) };
    if is_another(&wanted, &key) {
        let text = format!(
            "{} in {region} is encrypted with {key}, and the recipe says {wanted}: raise its `version` to have it made anew",
            machine.id
        );
        (desk.tell)(Event::Warn(&text));
    }
    Ok(Some(key))
}

/// Whether a key's ARN is certainly not what was named: what an alias stands for only KMS knows.
pub(in crate::bake::host) fn is_another(wanted: &str, key: &str) -> bool {
    let is_alias = wanted.starts_with("alias/") || wanted.contains(":alias/");
    !is_alias && wanted != key && key.rsplit_once('/').is_none_or(|(_, id)| id != wanted)
}

#[cfg(test)]
mod tests {
    use super::is_another;

    #[test]
    fn keys_are_named_in_several_ways() {
        let key = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555";
        assert!(!is_another(key, key) && !is_another("11111111-2222-3333-4444-555555555555", key));
        assert!(!is_another("alias/elk", key) && !is_another("arn:aws:kms:eu-west-1:123456789012:alias/elk", key));
        assert!(is_another("22222222-2222-3333-4444-555555555555", key));
        assert!(is_another(&key.replace("5555555", "7777777"), key));
    }
}
