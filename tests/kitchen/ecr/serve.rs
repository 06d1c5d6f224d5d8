//! HTTP, and which call is meant.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::{ACCOUNT, Api, Asked, Heard, No, State, Trouble, identity, layers, no, repositories};

/// A call, taken apart.
pub struct Call {
    pub region: String,
    pub service: String,
    pub key: String,
    pub action: String,
    pub is_form: bool,
    pub length: usize,
    pub body: Value,
}

/// Answers calls until the client ends the connection.
pub fn connection(api: &Api, stream: TcpStream) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(mut call) = read(&mut stream)? {
        let _counted = Coming::new(api);
        let mut trouble = if call.is_form { None } else { begun(api, &call) };
        if let Some(Trouble::Cut(after)) = trouble {
            let mut body = vec![0; call.length.min(after)];
            return stream.read_exact(&mut body);
        }
        call.body = body(&mut stream, &mut call)?;
        if call.is_form {
            trouble = begun(api, &call);
        }
        api.state().hear(&call);
        let is_throttled = trouble.is_none() && api.state().is_too_often(&call);
        let to = stream.get_mut();
        match trouble {
            Some(Trouble::HangUp | Trouble::Cut(_)) => return Ok(()),
            Some(Trouble::Lost) => {
                drop(answer(api, &call));
                return Ok(());
            }
            Some(Trouble::Status(status)) => send(to, status, "text/plain", "")?,
            Some(Trouble::Error(code)) if call.is_form => {
                send(to, 400, "text/xml", &identity::error(code, "as planned"))?;
            }
            Some(Trouble::Error(code)) => refuse(to, &no(code, "as planned"))?,
            Some(Trouble::Clock(minutes)) => skewed(to, &call, minutes)?,
            Some(Trouble::Says(field, value)) => match answer(api, &call) {
                Ok(mut json) => {
                    json[field] = value;
                    send(to, 200, "application/x-amz-json-1.1", &json.to_string())?;
                }
                Err(no) => refuse(to, &no)?,
            },
            None if is_throttled => refuse(to, &no("ThrottlingException", "Rate exceeded"))?,
            None | Some(Trouble::Nothing | Trouble::Late(_)) if call.is_form => match identity::answer(api, &call) {
                Ok(xml) => send(to, 200, "text/xml", &xml)?,
                Err(xml) => send(to, 403, "text/xml", &xml)?,
            },
            None | Some(Trouble::Nothing | Trouble::Late(_)) => match answer(api, &call) {
                Ok(json) => send(to, 200, "application/x-amz-json-1.1", &json.to_string())?,
                Err(no) => refuse(to, &no)?,
            },
        }
    }
    Ok(())
}

/// Notes a call whose action is known, lets it take its time, and tells what goes wrong with it.
fn begun(api: &Api, call: &Call) -> Option<Trouble> {
    let (trouble, time) = {
        let mut state = api.state();
        state.asked.push(Asked { action: call.action.clone(), region: call.region.clone() });
        let trouble = state.trouble(&call.action);
        let late = if let Some(Trouble::Late(time)) = trouble { Some(time) } else { None };
        (trouble, late.or_else(|| state.slow.get(&call.action).copied()))
    };
    std::thread::sleep(time.unwrap_or_default());
    trouble
}

/// Counts a call as long as it is worked on.
struct Coming<'a>(&'a Api);

impl<'a> Coming<'a> {
    fn new(api: &'a Api) -> Self {
        api.state().coming += 1;
        Self(api)
    }
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        self.0.state().coming -= 1;
    }
}

impl State {
    fn hear(&mut self, call: &Call) {
        let account = self.accounts.get(&call.key).cloned().unwrap_or_else(|| ACCOUNT.to_owned());
        let mut body = call.body.clone();
        body.as_object_mut().into_iter().for_each(|body| drop(body.remove("layerPartBlob")));
        let (service, action, region) = (call.service.clone(), call.action.clone(), call.region.clone());
        self.heard.push(Heard { service, action, region, account, body });
    }

    fn trouble(&mut self, action: &str) -> Option<Trouble> {
        let planned = self.troubles.iter_mut().find(|(of, times, _)| of == action && *times > 0)?;
        planned.1 -= 1;
        Some(planned.2.clone())
    }

    fn is_too_often(&mut self, call: &Call) -> bool {
        let Some(bucket) = self.limits.get_mut(&(call.action.clone(), call.region.clone())) else { return false };
        bucket.is_empty()
    }
}

fn answer(api: &Api, call: &Call) -> Result<Value, No> {
    if !api.registries.contains_key(&call.region) {
        return Err(no("UnrecognizedClientException", format!("there is no region {}", call.region)));
    }
    match call.action.as_str() {
        "GetAuthorizationToken" => Ok(identity::token(api, call)),
        "PutParameter" => parameter(api, call),
        "BatchCheckLayerAvailability" => layers::availability(api, call),
        "InitiateLayerUpload" => layers::initiate(api, call),
        "UploadLayerPart" => layers::part(api, call),
        "CompleteLayerUpload" => layers::complete(api, call),
        _ => repositories::answer(api, call),
    }
}

fn parameter(api: &Api, call: &Call) -> Result<Value, No> {
    let text = |field: &str| call.body[field].as_str().unwrap_or_default().to_owned();
    let key = (call.region.clone(), text("Name"));
    let mut state = api.state();
    if call.body["Type"] != "String" || !key.1.starts_with('/') {
        return Err(no("ValidationException", "a String with a path for a name"));
    }
    if state.parameters.contains_key(&key) && call.body["Overwrite"] != true {
        return Err(no("ParameterAlreadyExists", "The parameter already exists."));
    }
    state.parameters.insert(key, text("Value"));
    Ok(json!({ "Version": 1, "Tier": "Standard" }))
}

fn refuse(to: &mut TcpStream, no: &No) -> io::Result<()> {
    let mut body = json!({ "__type": no.code, "message": no.said });
    if let Value::Object(more) = &no.more {
        body.as_object_mut().into_iter().for_each(|body| body.extend(more.clone()));
    }
    send(to, 400, "application/x-amz-json-1.1", &body.to_string())
}

/// What AWS answers to a signature that another clock has dated.
#[expect(clippy::disallowed_methods, reason = "a server with a clock of its own")]
fn skewed(to: &mut TcpStream, call: &Call, minutes: i64) -> io::Result<()> {
    let by = Duration::from_mins(minutes.unsigned_abs());
    let now = std::time::SystemTime::now();
    let date = httpdate::fmt_http_date(if minutes < 0 { now - by } else { now + by });
    let (status, kind, body) = if call.is_form {
        (403, "text/xml", identity::error("SignatureDoesNotMatch", "Signature expired"))
    } else {
        let no = json!({ "__type": "InvalidSignatureException", "message": "Signature expired" });
        (400, "application/x-amz-json-1.1", no.to_string())
    };
    send(to, status, &format!("{kind}\r\nDate: {date}"), &body)
}

fn send(to: &mut TcpStream, status: u16, kind: &str, body: &str) -> io::Result<()> {
    let length = body.len();
    write!(to, "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// The head of the next call; `None` when there is none.
fn read(from: &mut impl BufRead) -> io::Result<Option<Call>> {
    let (mut length, mut action, mut region, mut service, mut key, mut is_form) = Default::default();
    let mut first = String::new();
    if from.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    loop {
        let mut line = String::new();
        from.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap_or(0_usize),
            "content-type" => is_form = value.contains("form"),
            "x-amz-target" => value.rsplit('.').next().unwrap_or_default().clone_into(&mut action),
            "authorization" => {
                // Credential=KEY/DATE/REGION/SERVICE/aws4_request
                let scope = value.split("Credential=").nth(1).unwrap_or_default();
                let parts: Vec<&str> = scope.split('/').collect();
                parts.first().copied().unwrap_or_default().clone_into(&mut key);
                parts.get(2).copied().unwrap_or_default().clone_into(&mut region);
                parts.get(3).copied().unwrap_or_default().clone_into(&mut service);
            }
            _ => {}
        }
    }
    Ok(Some(Call { region, service, key, action, is_form, length, body: Value::Null }))
}

/// What comes with a call; of a form, it says which action.
fn body(from: &mut impl Read, call: &mut Call) -> io::Result<Value> {
    let mut body = vec![0; call.length];
    from.read_exact(&mut body)?;
    if !call.is_form {
        return Ok(serde_json::from_slice(&body).unwrap_or_default());
    }
    let form = String::from_utf8_lossy(&body).into_owned();
    let fields: serde_json::Map<String, Value> = form
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.replace("%3A", ":").replace("%2F", "/").into()))
        .collect();
    fields.get("Action").and_then(Value::as_str).unwrap_or_default().clone_into(&mut call.action);
    Ok(Value::Object(fields))
}
