//! What a build without the AWS SDKs answers.

use crate::bake::port::{AmiFacts, AmiLookup, PortError};
use crate::recipe::{AmiBase, Architecture, Region};
use crate::remote::wire::Wire;

impl AmiLookup for Wire {
    fn find(&self, _: &AmiBase, _: Architecture, region: &Region) -> Result<AmiFacts, PortError> {
        Err(PortError::Cloud {
            subject: format!("the base AMI in {region}"),
            message: "this elkbake was built without AWS; build it without `--no-default-features`".to_owned(),
        })
    }
}
