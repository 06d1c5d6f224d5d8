//! What an image has to have of the one that it was made of.

use super::desk::Desk;
use crate::bake::event::Event;
use crate::bake::port::Machine;
use crate::recipe::Region;

/// Tells what an image has lost of what the one that it was made of had.
pub(super) fn compare(region: &Region, before: &Machine, machine: &Machine, desk: Desk<'_>) {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    let word = |has: bool| if has { "yes" } else { "no" }.to_owned();
    for (what, was, is) in [
        ("boot mode", text(&before.boot_mode), text(&machine.boot_mode)),
        ("TPM", text(&before.tpm), text(&machine.tpm)),
        ("enhanced networking (ENA)", word(before.ena), word(machine.ena)),
        ("architecture", before.architecture.clone(), machine.architecture.clone()),
    ] {
        if was != is {
            let text = format!("{} in {region}: {what} is {is}, it is made from {} with {was}", machine.id, before.id);
            (desk.tell)(Event::Warn(&text));
        }
    }
}
