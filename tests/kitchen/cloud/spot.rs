//! Spot instances: what may be asked for, and the request that stands behind each.

use std::time::Duration;

use serde_json::{Value, json};

use super::call::{Answer, Call, No, no, refuse};
use super::filter::{filters, matches, page, part};
use super::params::Params;
use super::world::{Request, Tags, World};
use super::{clock, tags};

/// What is said of a spot instance.
pub struct Said {
    pub is_persistent: bool,
    /// Whether an instance that EC2 takes away is stopped; else it is terminated.
    pub stops: bool,
    pub until: Option<String>,
}

/// Takes a call's market options; `None` where no spot instance is meant.
pub fn taken(params: &mut Params) -> Result<Option<Said>, No> {
    let mut options = params.group("InstanceMarketOptions");
    let market = options.word("MarketType", &["spot", "capacity-block", "on-demand"])?;
    let mut spot = options.group("SpotOptions");
    options.done()?;
    let kind = spot.word("SpotInstanceType", &["one-time", "persistent"])?;
    let interruption = spot.word("InstanceInterruptionBehavior", &["hibernate", "stop", "terminate"])?;
    let until = spot.text("ValidUntil");
    spot.text("MaxPrice");
    spot.done()?;
    if market.as_deref() != Some("spot") {
        if kind.is_some() || interruption.is_some() {
            return refuse("InvalidParameterCombination", "Spot options belong to the market type 'spot'");
        }
        return Ok(None);
    }
    let is_persistent = kind.as_deref() == Some("persistent");
    let stops = interruption.as_deref() == Some("stop");
    if let Some(behaviour) = interruption.filter(|behaviour| behaviour != "terminate" && !is_persistent) {
        let said = format!(
            "The request with type 'one-time' is not supported when instanceInterruptionBehavior is set to '{behaviour}'."
        );
        return refuse("InvalidParameterCombination", said);
    }
    if until.is_some() && !is_persistent {
        let said = "The parameter validUntil cannot be specified when the SpotRequestType is set to 'one-time'.";
        return refuse("InvalidParameterCombination", said);
    }
    if let Some(at) = until.as_deref().filter(|at| clock::minute(at).is_none_or(clock::is_past)) {
        return refuse("InvalidTime", format!("The specified ValidUntil time, {at}, is not in the future."));
    }
    Ok(Some(Said { is_persistent, stops, until }))
}

/// Makes the request of an instance.
pub fn request(world: &mut World, call: &Call, said: &Said, tags: Tags) -> String {
    let id = world.id("sir");
    let request = Request {
        region: call.region.clone(),
        owner: call.account.clone(),
        state: "active".to_owned(),
        is_persistent: said.is_persistent,
        stops: said.stops,
        until: said.until.clone(),
        created: clock::stamp(Duration::ZERO),
        tags,
    };
    world.requests.insert(id.clone(), request);
    id
}

pub fn cancel(world: &mut World, call: &mut Call) -> Answer {
    let ids = call.params.list("SpotInstanceRequestId")?;
    call.params.finished()?;
    if let Some(id) = ids.iter().find(|id| !is_own(world, call, id)) {
        return Err(missing(id));
    }
    for id in &ids {
        if let Some(request) = world.requests.get_mut(id) {
            "cancelled".clone_into(&mut request.state);
        }
    }
    let list: Vec<Value> = ids.iter().map(|id| json!({ "spotInstanceRequestId": id, "state": "cancelled" })).collect();
    Ok(json!({ "spotInstanceRequestSet": list }))
}

fn is_own(world: &World, call: &Call, id: &str) -> bool {
    world.requests.get(id).is_some_and(|one| one.region == call.region && one.owner == call.account)
}

fn missing(id: &str) -> No {
    no("InvalidSpotInstanceRequestID.NotFound", format!("The spot instance request ID '{id}' does not exist"))
}

pub fn describe(world: &mut World, call: &mut Call) -> Answer {
    let ids = call.params.list("SpotInstanceRequestId")?;
    let filters = filters(&mut call.params)?;
    let page = page(&mut call.params, !ids.is_empty(), (5, 1000))?;
    call.params.finished()?;
    if let Some(id) = ids.iter().find(|id| !is_own(world, call, id)) {
        return Err(missing(id));
    }
    let mut list = Vec::new();
    for (id, request) in &world.requests {
        if !is_own(world, call, id) || !ids.is_empty() && !ids.contains(id) {
            continue;
        }
        let of = world.instances.values().find(|one| one.spot_request.as_ref() == Some(id));
        let instance = of.map(|instance| instance.id.clone());
        let said = |name: &str| match name {
            "state" => Some(vec![request.state.clone()]),
            "instance-id" => Some(instance.iter().cloned().collect()),
            "spot-instance-request-id" => Some(vec![id.clone()]),
            _ => None,
        };
        if matches(&filters, &request.tags, said)? {
            list.push(json!({
                "spotInstanceRequestId": id, "state": request.state, "instanceId": instance,
                "createTime": request.created, "validUntil": request.until,
                "type": if request.is_persistent { "persistent" } else { "one-time" },
                "status": { "code": "fulfilled", "message": "Your Spot request is fulfilled." },
                "tagSet": tags::written(&request.tags),
            }));
        }
    }
    let (list, next) = part(world, list, &page);
    Ok(json!({ "spotInstanceRequestSet": list, "nextToken": next }))
}
