//! HTTP: which service, region, account and action are meant, and what goes wrong.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::{Value, json};

use super::call::{Answer, Asked, Call, No, no};
use super::params::Params;
use super::trouble::Trouble;
use super::{Sky, answer, sts, xml};

/// A request, as HTTP has it.
#[derive(Default)]
struct Request {
    line: String,
    kind: String,
    target: String,
    authorization: String,
    body: String,
}

/// What an API's answers look like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tongue {
    /// EC2's own XML.
    Ec2,
    /// That of older services.
    Query,
    Json,
}

/// Answers calls until the client ends the connection.
pub fn connection(sky: &Sky, stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream)? {
        let (tongue, call, asked) = understood(sky, &request);
        let (trouble, time, is_too_often) = begun(sky, &asked, tongue);
        std::thread::sleep(time);
        let to = stream.get_mut();
        let answer = match (&trouble, call) {
            (Some(Trouble::HangUp), _) => return Ok(()),
            (Some(Trouble::Status(status)), _) => {
                send(to, *status, "text/plain", "", None)?;
                continue;
            }
            (Some(Trouble::Error(code)), _) => Err(No { status: status_of(code), ..no(code, "as planned") }),
            _ if is_too_often => Err(throttled(tongue)),
            (_, Ok(call)) => permitted(sky, &asked).and_then(|()| answer::answer(sky, call)),
            (_, Err(no)) => Err(no),
        };
        if trouble == Some(Trouble::Lost) {
            return Ok(());
        }
        let (status, body) = written(tongue, &asked.action, answer);
        let kind = if tongue == Tongue::Json { "application/x-amz-json-1.1" } else { "text/xml;charset=UTF-8" };
        if let Some(Trouble::Cut(after)) = trouble {
            return send(to, status, kind, &body, Some(after));
        }
        send(to, status, kind, &body, None)?;
    }
    Ok(())
}

/// Notes a call, and tells what goes wrong with it, how long it takes, and whether it comes too often.
fn begun(sky: &Sky, asked: &Asked, tongue: Tongue) -> (Option<Trouble>, std::time::Duration, bool) {
    let (hook, number) = {
        let mut plans = sky.plans();
        plans.asked.push(asked.clone());
        (plans.hook.clone(), plans.asked.len())
    };
    // Not under the lock: whoever is told may look at the cloud, or end the client.
    let hooked = hook.and_then(|hook| hook(&Asked { number, ..asked.clone() }));
    let mut plans = sky.plans();
    if let Some(noted) = plans.asked.get_mut(number - 1) {
        noted.number = number;
    }
    let trouble = hooked.or_else(|| plans.trouble(&asked.action));
    let time = plans.slow.get(&asked.action).copied().unwrap_or_default();
    let is_too_often = trouble.is_none() && tongue != Tongue::Query && plans.is_too_often(asked);
    (trouble, time, is_too_often)
}

fn permitted(sky: &Sky, asked: &Asked) -> Result<(), No> {
    let permission = format!("{}:{}", asked.service, asked.action);
    if !sky.plans().denied.contains(&permission) {
        return Ok(());
    }
    let user = format!("arn:aws:iam::{}:user/kitchen", asked.account);
    if asked.service == "ec2" {
        let said = format!(
            "You are not authorized to perform this operation. User: {user} is not authorized to perform: {permission} \
             because no identity-based policy allows the {permission} action"
        );
        return Err(No { status: 403, ..no("UnauthorizedOperation", said) });
    }
    let code = if asked.service == "ssm" { "AccessDeniedException" } else { "AccessDenied" };
    let status = if asked.service == "ssm" { 400 } else { 403 };
    Err(No { status, ..no(code, format!("User: {user} is not authorized to perform: {permission}")) })
}

fn throttled(tongue: Tongue) -> No {
    match tongue {
        Tongue::Ec2 => No { status: 503, ..no("RequestLimitExceeded", "Request limit exceeded.") },
        Tongue::Query => no("Throttling", "Rate exceeded"),
        Tongue::Json => no("ThrottlingException", "Rate exceeded"),
    }
}

/// The status that comes with a planned code.
fn status_of(code: &str) -> u16 {
    match code {
        "InternalError" | "InternalFailure" | "InternalServerError" => 500,
        "RequestLimitExceeded" | "Unavailable" | "ServiceUnavailable" => 503,
        "UnauthorizedOperation" | "AuthFailure" | "AccessDenied" => 403,
        _ => 400,
    }
}

/// An answer as the service writes it.
fn written(tongue: Tongue, action: &str, answer: Answer) -> (u16, String) {
    match (tongue, answer) {
        (Tongue::Json, Ok(value)) => (200, value.to_string()),
        (Tongue::Json, Err(no)) => (no.status, json!({ "__type": no.code, "message": no.said }).to_string()),
        (Tongue::Ec2, Ok(value)) => (
            200,
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{action}Response xmlns=\"http://ec2.amazonaws.com/doc/\
                 2016-11-15/\">\n<requestId>0-kitchen</requestId>{}</{action}Response>",
                xml::elements(&value, "item")
            ),
        ),
        (Tongue::Ec2, Err(no)) => (
            no.status,
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{}</Code><Message>{}</Message>\
                 </Error></Errors><RequestID>0-kitchen</RequestID></Response>",
                no.code,
                xml::escaped(&no.said)
            ),
        ),
        (Tongue::Query, Ok(value)) => (
            200,
            format!(
                "<{action}Response xmlns=\"https://amazonaws.com/doc/\"><{action}Result>{}</{action}Result>\
                 <ResponseMetadata><RequestId>0-kitchen</RequestId></ResponseMetadata></{action}Response>",
                xml::elements(&value, "member")
            ),
        ),
        (Tongue::Query, Err(no)) => (
            no.status,
            format!(
                "<ErrorResponse xmlns=\"https://amazonaws.com/doc/\"><Error><Type>Sender</Type><Code>{}</Code>\
                 <Message>{}</Message></Error><RequestId>0-kitchen</RequestId></ErrorResponse>",
                no.code,
                xml::escaped(&no.said)
            ),
        ),
    }
}

fn send(to: &mut TcpStream, status: u16, kind: &str, body: &str, cut: Option<usize>) -> io::Result<()> {
    let length = body.len();
    let body = &body.as_bytes()[..cut.unwrap_or(length).min(length)];
    let mut answer =
        format!("HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n").into_bytes();
    answer.extend(body);
    to.write_all(&answer)
}

/// The next request; `None` when there is none.
fn read(from: &mut impl BufRead) -> io::Result<Option<Request>> {
    let (mut request, mut length) = (Request::default(), 0_usize);
    if from.read_line(&mut request.line)? == 0 {
        return Ok(None);
    }
    loop {
        let mut line = String::new();
        from.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap_or(0),
            "content-type" => value.clone_into(&mut request.kind),
            "x-amz-target" => value.clone_into(&mut request.target),
            "authorization" => value.clone_into(&mut request.authorization),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    request.body = String::from_utf8_lossy(&body).into_owned();
    Ok(Some(request))
}

/// What a request asks for. What can be told of one that is wrong is told all the same.
fn understood(sky: &Sky, request: &Request) -> (Tongue, Result<Call, No>, Asked) {
    // Credential=KEY/DATE/REGION/SERVICE/aws4_request
    let scope = request.authorization.split("Credential=").nth(1).unwrap_or_default();
    let parts: Vec<&str> = scope.split(['/', ',']).collect();
    let part = |place: usize| parts.get(place).copied().unwrap_or_default().to_owned();
    let (key, region, service) = (part(0), part(2), part(3));
    let tongue = match service.as_str() {
        "ec2" => Tongue::Ec2,
        "ssm" => Tongue::Json,
        _ => Tongue::Query,
    };
    let account = sts::account(&sky.world(), &key);
    let mut asked = Asked {
        number: 0,
        service: service.clone(),
        action: request.target.rsplit('.').next().unwrap_or_default().to_owned(),
        region: region.clone(),
        account: account.clone(),
        fields: BTreeMap::new(),
        body: request.body.clone(),
    };
    let read =
        if tongue == Tongue::Json { json_body(request, &mut asked) } else { form(request, &service, &mut asked) };
    let call = read.and_then(|(params, json)| {
        if !request.line.starts_with("POST / ") {
            return Err(no(
                "InvalidRequest",
                format!("POST / is what this service knows, not {}", request.line.trim()),
            ));
        }
        if service.is_empty() || !sky.world().regions.contains(&region) {
            let said = format!("AWS was not able to validate the provided access credentials in `{region}`");
            return Err(No { status: 401, ..no("AuthFailure", said) });
        }
        Ok(Call { region, account, service, action: asked.action.clone(), params, json, now: Instant::now() })
    });
    (tongue, call, asked)
}

fn json_body(request: &Request, asked: &mut Asked) -> Result<(Params, Value), No> {
    let json: Value =
        serde_json::from_str(&request.body).map_err(|error| no("SerializationException", error.to_string()))?;
    let Value::Object(members) = &json else { return Err(no("SerializationException", "not an object")) };
    for (name, value) in members {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        asked.fields.insert(name.clone(), text);
    }
    if request.kind == "application/x-amz-json-1.1" {
        Ok((Params::default(), json))
    } else {
        Err(no("UnknownOperationException", format!("content type {}", request.kind)))
    }
}

/// The API's version that belongs to each service.
fn version(service: &str) -> &'static str {
    match service {
        "ec2" => "2016-11-15",
        "autoscaling" => "2011-01-01",
        _ => "2011-06-15",
    }
}

fn form(request: &Request, service: &str, asked: &mut Asked) -> Result<(Params, Value), No> {
    let mut params = Params::read(&request.body, service)?;
    asked.fields = params.fields().clone();
    asked.action = params.text("Action").unwrap_or_default();
    if !request.kind.starts_with("application/x-www-form-urlencoded") {
        return Err(no("InvalidRequest", format!("content type {}", request.kind)));
    }
    match params.text("Version") {
        Some(said) if said == version(service) => Ok((params, Value::Null)),
        said => Err(no("NoSuchVersion", format!("{service} has no API of {said:?}"))),
    }
}
