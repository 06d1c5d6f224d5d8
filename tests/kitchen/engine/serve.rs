//! The engine's HTTP: one request a connection.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::container::Container;
use super::files::{Files, export, put_layer};
use super::{Fault, Image, State, is_label_of, smoke};

struct Request {
    method: String,
    /// The resource, without the version before it and the query behind it.
    path: String,
    query: String,
    body: Vec<u8>,
}

type Answer = (u16, Vec<u8>);

pub fn connection(stream: UnixStream, state: &Mutex<State>, stop: &AtomicBool) {
    let mut stream = BufReader::new(stream);
    let Ok(request) = read(&mut stream) else { return };
    let target = format!("{} {}", request.method, request.path);
    let fault = {
        let mut state = state.lock().unwrap();
        state.asked.push(format!("{target}?{}", request.query));
        let is_for = |fault: &&Fault| match fault {
            Fault::Old | Fault::Podman => false,
            Fault::Says(at, ..) | Fault::Dies(at) | Fault::Cut(at, _) => target.contains(at),
        };
        let dead = state.faults.contains(&Fault::Dies(""));
        let fault = state.faults.iter().find(is_for).cloned();
        if dead || matches!(fault, Some(Fault::Dies(_))) {
            // It is gone for whoever comes next, too.
            state.faults.push(Fault::Dies(""));
            return;
        }
        fault
    };
    match fault {
        Some(Fault::Says(_, status, message)) => {
            drop(send(stream.get_mut(), status, &json!({ "message": message }).to_string().into_bytes(), usize::MAX));
        }
        _ if target.ends_with("/attach") => drop(attach(stream.get_mut(), &request, state, stop)),
        _ if target.starts_with("POST /exec/") => drop(smoke::exec(stream.get_mut(), thing(&request), state)),
        _ if target.ends_with("/stop") => {
            let (status, body) = smoke::stop(thing(&request), &request.query, state);
            drop(send(stream.get_mut(), status, &body, usize::MAX));
        }
        fault => {
            if target.ends_with("/start") {
                let slow = state.lock().unwrap().slow_start;
                std::thread::sleep(slow);
            }
            let (status, body) = answer(&mut state.lock().unwrap(), &request);
            let most = if let Some(Fault::Cut(_, most)) = fault { most } else { usize::MAX };
            drop(send(stream.get_mut(), status, &body, most));
        }
    }
}

fn wait(stop: &AtomicBool, done: impl Fn() -> bool) {
    while !stop.load(Ordering::Relaxed) && !done() {
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn read(stream: &mut BufReader<UnixStream>) -> io::Result<Request> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let mut body = Vec::new();
    if headers.get("transfer-encoding").is_some_and(|how| how == "chunked") {
        loop {
            let mut line = String::new();
            stream.read_line(&mut line)?;
            let size = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
            let begun = body.len();
            body.resize(begun + size, 0);
            stream.read_exact(&mut body[begun..])?;
            stream.read_line(&mut String::new())?;
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = headers.get("content-length") {
        body.resize(length.parse().map_err(io::Error::other)?, 0);
        stream.read_exact(&mut body)?;
    }
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    Ok(Request { method, path: path.to_owned(), query: query.to_owned(), body })
}

fn send(stream: &mut UnixStream, status: u16, body: &[u8], most: usize) -> io::Result<()> {
    write!(stream, "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n", body.len())?;
    stream.write_all(b"Connection: close\r\n\r\n")?;
    stream.write_all(&body[..body.len().min(most)])?;
    stream.flush()
}

/// Shows what a container prints, from its start to its end.
fn attach(stream: &mut UnixStream, request: &Request, state: &Mutex<State>, stop: &AtomicBool) -> io::Result<()> {
    let id = thing(request);
    if smoke::listens(state, id) {
        return smoke::probe(stream, id, state, stop);
    }
    smoke::upgrade(stream)?;
    let there = |is: &dyn Fn(&Container) -> bool| {
        let state = state.lock().unwrap();
        !state.lives() || state.containers.get(id).is_none_or(is)
    };
    wait(stop, || there(&|container| container.started));
    let mut shown = 0;
    loop {
        let is_over = stop.load(Ordering::Relaxed) || there(&|container| !container.hangs);
        let output = state.lock().unwrap().containers.get(id).map(|container| container.output[shown..].to_vec());
        for (at, bytes) in output.iter().flat_map(|output| output.chunks(7)).enumerate() {
            smoke::piece(stream, 1 + u8::try_from(at % 2).unwrap(), bytes)?;
            shown += bytes.len();
        }
        if is_over {
            return stream.flush();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What a call is about: the second part of its path.
fn thing(request: &Request) -> &str {
    request.path.split('/').nth(2).unwrap_or_default()
}

fn answer(state: &mut State, request: &Request) -> Answer {
    let parts: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let json = |value: Value| (200, value.to_string().into_bytes());
    match (request.method.as_str(), &parts[..]) {
        ("GET", ["version"]) => json(version(state)),
        ("GET", ["images", "json"]) => json(images(state, &request.query)),
        ("GET", ["images", .., "json"]) => image(state, &decoded(&parts[1..parts.len() - 1].join("/"))),
        ("DELETE", ["images", name @ ..]) => {
            let name = decoded(&name.join("/"));
            let before = state.images.len();
            state.images.retain(|id, image| *id != name && !image.names.contains(&name));
            if state.images.len() < before { json(json!([])) } else { absent(&name) }
        }
        ("POST", ["images", "load"]) => load(state, &request.body),
        ("POST", ["volumes", "create"]) if is_label_of(&body["Labels"]) => {
            let name = state.id();
            state.volumes.insert(name.clone(), body["Labels"].clone());
            (201, json!({ "Name": name, "Driver": "local", "Mountpoint": "", "Labels": {}, "Scope": "local", "Options": {} }).to_string().into_bytes())
        }
        ("GET", ["volumes"]) => {
            let all = state.volumes.iter().map(|(name, labels)| json!({ "Name": name, "Driver": "local", "Mountpoint": "", "Labels": labels, "Scope": "local", "Options": {} }));
            json(json!({ "Volumes": all.collect::<Vec<_>>() }))
        }
        ("DELETE", ["volumes", name]) => gone(state.volumes.remove(*name).is_some(), name),
        ("POST", ["containers", "create"]) if is_label_of(&body["Labels"]) => create(state, body),
        ("GET", ["containers", "json"]) => {
            let status = if state.containers.is_empty() { "" } else { state.ended() };
            let told =
                |(id, one): (&String, &Container)| json!({ "Id": id, "State": status, "Labels": one.body["Labels"] });
            let all = state.containers.iter().map(told);
            json(json!(all.collect::<Vec<_>>()))
        }
        ("DELETE", ["containers", id]) => gone(state.containers.remove(*id).is_some(), id),
        ("GET", ["exec", id, "json"]) => match state.execs.get(*id) {
            Some((.., code)) => json(json!({ "ExitCode": code, "Running": false })),
            None => absent(id),
        },
        ("POST", ["containers", id, "exec"]) if state.containers.contains_key(*id) => {
            smoke::make_exec(state, id, &body)
        }
        ("GET", ["containers", id, "json"]) if state.containers.contains_key(*id) => {
            let status = state.ended();
            let mut told = state.containers[*id].told(status);
            if state.late > 0 {
                state.late -= 1;
                told["State"]["OOMKilled"] = false.into();
            }
            json(told)
        }
        (_, ["containers", id, verb]) => with_container(state, request, id, verb),
        _ => {
            state.wrong.push(format!("{} {} {}", request.method, request.path, String::from_utf8_lossy(&request.body)));
            (500, json!({ "message": "the kitchen's engine does not know that" }).to_string().into_bytes())
        }
    }
}

fn with_container(state: &mut State, request: &Request, id: &str, verb: &str) -> Answer {
    let Some(container) = state.containers.get_mut(id) else { return absent(id) };
    match (request.method.as_str(), verb) {
        ("POST", "start") => {
            container.start();
            let asks = std::mem::take(&mut container.asks);
            state.questions.extend(asks.into_iter().map(|ask| (id.to_owned(), ask)));
            (204, Vec::new())
        }
        ("POST", "wait") => (200, json!({ "StatusCode": container.code }).to_string().into_bytes()),
        ("GET", "changes") => (200, container.changed().to_string().into_bytes()),
        ("GET", "export") => (200, export(&container.files)),
        ("GET", "archive") => {
            let path = decoded(request.query.trim_start_matches("path="));
            smoke::archive(&path, container.files.get(path.trim_start_matches('/')))
        }
        ("PUT", "archive") => {
            let mut files = Files::new();
            put_layer(&mut files, &request.body);
            state.filled.push((decoded(&request.query), files));
            (200, Vec::new())
        }
        _ => {
            state.wrong.push(format!("{} {}", request.method, request.path));
            (500, Vec::new())
        }
    }
}

fn version(state: &State) -> Value {
    let api = if state.faults.contains(&Fault::Old) { "1.40" } else { "1.41" };
    let name = if state.faults.contains(&Fault::Podman) { "Podman Engine" } else { "Engine" };
    json!({ "ApiVersion": api, "Version": "9.9", "Os": "linux", "Arch": "amd64", "Components": [{ "Name": name, "Version": "9.9" }] })
}

fn images(state: &State, query: &str) -> Value {
    let only_labelled = query.contains("filters");
    let all = state.images.iter().filter(|(_, image)| !only_labelled || image.labels.contains_key("elkbake.run"));
    let all = all.map(|(id, image)| {
        json!({ "Id": id, "ParentId": "", "RepoTags": image.names, "RepoDigests": [], "Created": 0, "Size": 0, "SharedSize": 0, "Labels": image.labels, "Containers": 0 })
    });
    json!(all.collect::<Vec<_>>())
}

fn image(state: &State, name: &str) -> Answer {
    match state.images.iter().find(|(id, image)| *id == name || image.names.iter().any(|other| other == name)) {
        Some((id, image)) => {
            let layers = json!({ "Id": id, "RootFS": { "Type": "layers", "Layers": image.layers } });
            (200, layers.to_string().into_bytes())
        }
        None => absent(name),
    }
}

/// Takes what `docker save` writes. A layer may be missing that lies on the same layers in an image that is there.
fn load(state: &mut State, archive: &[u8]) -> Answer {
    let mut entries = BTreeMap::new();
    let mut reader = tar::Archive::new(archive);
    for entry in reader.entries().unwrap() {
        let Ok(mut entry) = entry else {
            return (500, json!({ "message": "unexpected EOF" }).to_string().into_bytes());
        };
        let path = entry.path().unwrap().display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        entries.insert(path, bytes);
    }
    let manifest: Value = serde_json::from_slice(&entries["manifest.json"]).unwrap();
    let config_name = manifest[0]["Config"].as_str().unwrap();
    let config: Value = serde_json::from_slice(&entries[config_name]).unwrap();
    let layers: Vec<String> = serde_json::from_value(config["rootfs"]["diff_ids"].clone()).unwrap();
    let mut files = Files::new();
    let mut chain = String::new();
    for (diff_id, name) in layers.iter().zip(manifest[0]["Layers"].as_array().unwrap()) {
        chain += diff_id;
        let is_held = state.images.values().any(|image| image.layers.concat().starts_with(&chain));
        match entries.get(name.as_str().unwrap()) {
            Some(bytes) => put_layer(&mut files, bytes),
            None if is_held && !state.faults.contains(&Fault::Podman) => files = state.known[&chain].clone(),
            None => {
                return (
                    200,
                    json!({ "errorDetail": { "message": "layer is missing" }, "error": "layer is missing" })
                        .to_string()
                        .into_bytes(),
                );
            }
        }
        state.known.insert(chain.clone(), files.clone());
    }
    state.sent.push(entries.len() - 2);
    let id = format!("sha256:{}", config_name.trim_end_matches(".json"));
    let labels = serde_json::from_value(config["config"]["Labels"].clone()).unwrap_or_default();
    let names = serde_json::from_value(manifest[0]["RepoTags"].clone()).unwrap();
    let cmd = config["config"]["Cmd"].clone();
    state.images.insert(id, Image { names, labels, layers, files, cmd });
    (200, json!({ "stream": "Loaded image" }).to_string().into_bytes())
}

fn create(state: &mut State, mut body: Value) -> Answer {
    let name = body["Image"].as_str().unwrap_or_default();
    let is_it = |(id, image): &(&String, &Image)| *id == name || image.names.iter().any(|other| other == name);
    let Some((_, image)) = state.images.iter().find(is_it) else {
        return absent(name);
    };
    if body["Cmd"].is_null() {
        body["Cmd"] = if image.cmd.is_null() { json!([]) } else { image.cmd.clone() };
    }
    let container = Container::new(body.clone(), image.files.clone());
    state.created.push(body);
    let id = state.id();
    state.containers.insert(id.clone(), container);
    (201, json!({ "Id": id, "Warnings": [] }).to_string().into_bytes())
}

fn gone(was_there: bool, name: &str) -> Answer {
    if was_there { (204, Vec::new()) } else { absent(name) }
}

fn absent(name: &str) -> Answer {
    (404, json!({ "message": format!("no such thing: {name}") }).to_string().into_bytes())
}

/// A part of an URL, as it was before it was made one.
fn decoded(text: &str) -> String {
    text.replace("%3A", ":").replace("%2F", "/")
}
