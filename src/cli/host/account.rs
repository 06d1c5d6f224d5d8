//! Whether the credentials are those of the account that a target says.

use crate::bake::event::Listener;
use crate::bake::port::{Ec2, Ec2Site, PortError};
use crate::project;
use crate::recipe::Region;

/// Refuses credentials of another account than a target is in, before anything is done with them.
pub(in crate::cli) fn identify(
    ec2: &dyn Ec2,
    account: &project::Ec2,
    region: &Region,
    tell: Listener<'_>,
) -> Result<(), PortError> {
    let caller = ec2.caller(&Ec2Site::of(account, region), tell)?;
    if caller == account.account {
        return Ok(());
    }
    let by = account.role.as_ref().map_or_else(
        || "name a `role` there, or use the profile of that account".to_owned(),
        |role| format!("its `role` is {role}"),
    );
    let wanted = &account.account;
    Err(PortError::Cloud {
        subject: format!("EC2 in {region}"),
        message: format!("the credentials belong to account {caller}, and the target is in account {wanted}: {by}"),
    })
}
