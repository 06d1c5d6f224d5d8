//! The least rights that a push to a target needs, as an IAM policy.
//!
//! ```text
//! statement    what is allowed, on what, under which condition
//! rights       to whom, for what
//! images       repositories of ECR
//! hosts        EC2, and what belongs to it
//! ```

mod hosts;
mod images;
mod rights;
mod statement;

use serde::Serialize;

pub use rights::Rights;
use statement::Statement;

/// A managed policy has at most so many characters, white space left out.
pub const MOST_CHARACTERS: usize = 6144;

/// A policy document.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Policy {
    version: &'static str,
    statement: Vec<Statement>,
}

/// Why there is no policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Nothing of it is in AWS.
    #[error("nothing of this target is in AWS, so that no right is needed there")]
    NotAws,
    /// IAM would refuse it.
    #[error("the policy would have {0} characters, and IAM takes {MOST_CHARACTERS}")]
    TooLong(usize),
}

impl Policy {
    /// The policy of who pushes to a target. Resources are named one by one as long as that fits.
    ///
    /// # Errors
    /// When the target is not in AWS, or the policy would be too long whatever is done.
    pub fn of(rights: &Rights<'_>) -> Result<Self, PolicyError> {
        let exact = Self::with(rights, true);
        if exact.statement.is_empty() {
            return Err(PolicyError::NotAws);
        }
        if exact.characters() <= MOST_CHARACTERS {
            return Ok(exact);
        }
        let rough = Self::with(rights, false);
        let characters = rough.characters();
        if characters <= MOST_CHARACTERS { Ok(rough) } else { Err(PolicyError::TooLong(characters)) }
    }

    fn with(rights: &Rights<'_>, is_exact: bool) -> Self {
        let mut statement = images::statements(rights, is_exact);
        statement.extend(hosts::statements(rights, is_exact));
        Self { version: "2012-10-17", statement }
    }

    /// All actions that it allows.
    pub fn actions(&self) -> impl Iterator<Item = &str> {
        self.statement.iter().flat_map(Statement::actions)
    }

    /// What a person should know about it.
    #[must_use]
    pub fn remarks(&self, rights: &Rights<'_>) -> Vec<String> {
        let profile = rights.target.ec2.as_ref().and_then(|ec2| ec2.instance_profile.as_ref());
        let remark = |profile: &String| {
            format!(
                "the role in the instance profile {profile} is not known here: put its ARN into the statement PassRole"
            )
        };
        let prunes = self.statement.iter().any(|statement| statement.is(hosts::RESOLVED));
        let resolved = prunes.then(|| {
            format!(
                "launch templates of others may name their AMI by a parameter, which `elkbake prune` then has to read: the \
                 statement {} allows it for all; narrow it to those, or leave it out where there are none",
                hosts::RESOLVED
            )
        });
        profile.map(remark).into_iter().chain(resolved).collect()
    }

    fn characters(&self) -> usize {
        serde_json::to_string(self).map_or(usize::MAX, |text| text.len())
    }
}

#[cfg(test)]
mod tests;
