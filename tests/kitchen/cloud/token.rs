//! Client tokens: the same one and the same order are answered alike.

use super::call::{Call, No, refuse};
use super::params::Params;
use super::world::World;

/// A token that a call carries, and all that it asks for beside.
pub struct Token {
    key: Option<(String, String, String, String)>,
    order: String,
}

/// Takes a call's token. What is asked for beside has to be untouched yet.
pub fn taken(call: &mut Call) -> Result<Token, No> {
    let token = call.params.text("ClientToken");
    let most = if call.action == "RunInstances" { 64 } else { 128 };
    if let Some(token) = token.as_ref().filter(|token| token.len() > most || !token.is_ascii()) {
        return refuse("InvalidParameterValue", format!("Value ({token}) for parameter ClientToken is invalid."));
    }
    let key = token.map(|token| (call.account.clone(), call.region.clone(), call.action.clone(), token));
    Ok(Token { key, order: order(&call.params) })
}

fn order(params: &Params) -> String {
    let mut order = String::new();
    for (name, value) in params.fields().iter().filter(|(name, _)| *name != "DryRun") {
        order.push_str(&format!("{name}={value}\n"));
    }
    order
}

impl Token {
    /// What came of the same call before.
    pub fn before(&self, world: &World) -> Result<Option<String>, No> {
        let Some((before, result)) = self.key.as_ref().and_then(|key| world.tokens.get(key)) else { return Ok(None) };
        if *before == self.order {
            return Ok(Some(result.clone()));
        }
        let said = "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).";
        refuse("IdempotentParameterMismatch", said)
    }

    /// Remembers what came of it.
    pub fn keep(&self, world: &mut World, result: &str) {
        if let Some(key) = &self.key {
            world.tokens.insert(key.clone(), (self.order.clone(), result.to_owned()));
        }
    }

    /// The token itself.
    pub fn text(&self) -> Option<String> {
        self.key.as_ref().map(|key| key.3.clone())
    }
}
