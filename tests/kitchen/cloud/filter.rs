//! Filters and pages, which all lists have alike.

use serde_json::Value;

use super::call::{No, refuse};
use super::params::Params;
use super::world::{Tags, World};

/// A name and the values of which one has to match.
pub struct Filter {
    name: String,
    values: Vec<String>,
}

/// Takes the filters of a list.
pub fn filters(params: &mut Params) -> Result<Vec<Filter>, No> {
    let mut filters = Vec::new();
    let mut count = 0;
    for mut one in params.groups("Filter")? {
        let filter = Filter { name: one.need("Name")?, values: one.list("Value")? };
        one.done()?;
        count += filter.values.len();
        if filter.values.is_empty() {
            return refuse("InvalidParameterValue", format!("The filter '{}' has no value", filter.name));
        }
        filters.push(filter);
    }
    if count > 200 {
        return refuse("FilterLimitExceeded", "The maximum number of filter values specified on a single call is 200");
    }
    Ok(filters)
}

/// Whether something matches all filters. What it says for a filter's name is asked for; tags are the same everywhere.
pub fn matches(filters: &[Filter], tags: &Tags, says: impl Fn(&str) -> Option<Vec<String>>) -> Result<bool, No> {
    for filter in filters {
        let said = match filter.name.strip_prefix("tag:") {
            Some(key) => tags.get(key).cloned().into_iter().collect(),
            None if filter.name == "tag-key" => tags.keys().cloned().collect(),
            None => match says(&filter.name) {
                Some(said) => said,
                None => return refuse("InvalidParameterValue", format!("The filter '{}' is invalid", filter.name)),
            },
        };
        if !said.iter().any(|said| filter.values.iter().any(|pattern| is_like(pattern.as_bytes(), said.as_bytes()))) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a pattern with `*` and `?` means a text.
fn is_like(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|skip| is_like(rest, &text[skip..])),
        Some((b'?', rest)) => text.split_first().is_some_and(|(_, text)| is_like(rest, text)),
        Some((letter, rest)) => text.split_first().is_some_and(|(first, text)| first == letter && is_like(rest, text)),
    }
}

/// Which part of a list is asked for.
pub struct Page {
    from: usize,
    most: Option<usize>,
}

/// Takes what a call says of pages: how many one may have at least and at most, and never of what was named.
pub fn page(params: &mut Params, has_ids: bool, (least, most): (u32, u32)) -> Result<Page, No> {
    let said = params.number("MaxResults")?;
    let token = params.text("NextToken");
    if has_ids && said.is_some() {
        return refuse("InvalidParameterCombination", "A list of ids cannot be used with the parameter maxResults");
    }
    if let Some(said) = said.filter(|said| !(least..=most).contains(said)) {
        let said = format!(
            "Value ( {said} ) for parameter maxResults is invalid. Expecting a value between {least} and {most}."
        );
        return refuse("InvalidParameterValue", said);
    }
    let from = match token {
        None => 0,
        Some(token) => match token.strip_prefix("page-").and_then(|from| from.parse().ok()) {
            Some(from) => from,
            None => return refuse("InvalidParameterValue", "Unable to parse pagination token"),
        },
    };
    Ok(Page { from, most: said.map(|most| most as usize) })
}

/// The part of a list, and the token of the next. EC2 may give fewer than were asked for, but only to who knows pages.
pub fn part(world: &World, list: Vec<Value>, page: &Page) -> (Vec<Value>, Value) {
    page.of(list, world.pace.page)
}

impl Page {
    /// The same, with no more than so many.
    pub fn of(&self, list: Vec<Value>, most: usize) -> (Vec<Value>, Value) {
        let Some(said) = self.most else { return (list.into_iter().skip(self.from).collect(), Value::Null) };
        let most = said.min(most);
        let next = self.from + most;
        let token = if next < list.len() { Value::from(format!("page-{next}")) } else { Value::Null };
        (list.into_iter().skip(self.from).take(most).collect(), token)
    }
}
