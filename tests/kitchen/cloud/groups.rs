//! Auto Scaling, as far as it says what starts from which image.

use serde_json::{Value, json};

use super::call::{Answer, Call, refuse};
use super::world::{Group, World};

pub fn answer(world: &mut World, call: &mut Call) -> Answer {
    let (list, named, answer) = match call.action.as_str() {
        "DescribeAutoScalingGroups" => (&world.groups, "AutoScalingGroupNames", "AutoScalingGroups"),
        "DescribeLaunchConfigurations" => (&world.configurations, "LaunchConfigurationNames", "LaunchConfigurations"),
        other => return refuse("InvalidAction", format!("Could not find operation {other}")),
    };
    let names = call.params.list(named)?;
    let most = call.params.number("MaxRecords")?;
    let token = call.params.text("NextToken");
    call.params.done()?;
    if most.is_some_and(|most| !(1..=100).contains(&most)) {
        return refuse("ValidationError", "The number of records has to be between 1 and 100");
    }
    let from = match token.as_deref().map(|token| token.strip_prefix("page-").and_then(|from| from.parse().ok())) {
        None => 0,
        Some(Some(from)) => from,
        Some(None) => return refuse("InvalidNextToken", "The NextToken value is not valid."),
    };
    // A name that is not there is no error here.
    let is_meant = |one: &&Group| {
        one.region == call.region && one.owner == call.account && (names.is_empty() || names.contains(&one.name))
    };
    let all: Vec<Value> = list.iter().filter(is_meant).map(|one| one.answer.clone()).collect();
    let most = most.map_or(50, |most| most as usize).min(world.pace.page);
    let next = if from + most < all.len() { format!("page-{}", from + most).into() } else { Value::Null };
    let page: Vec<Value> = all.into_iter().skip(from).take(most).collect();
    Ok(json!({ answer: page, "NextToken": next }))
}
