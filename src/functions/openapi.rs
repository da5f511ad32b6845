//! The OpenAPI document (3.1), made from the table of functions, the structs that are read and sent, and what `about` says of each route.

use std::collections::BTreeMap;

use bytes::Bytes;
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    ALL, Access, App, Function, HttpAnswer, HttpRequest, Problem, Trigger,
    about::{About, Answer, Body, PROBLEMS, about},
    problem::{PROBLEM_TYPE, ProblemBody},
};
use crate::access::{Role, roles};

/// Serves the document. It is the same for everybody.
pub async fn openapi(_app: &App, _request: HttpRequest) -> Result<HttpAnswer, Problem> {
    let headers = vec![("content-type", "application/json".to_owned()), ("cache-control", "public, max-age=3600".to_owned())];
    Ok(HttpAnswer { status: 200, headers, body: Bytes::from(document().to_string()) })
}

/// The whole document.
pub fn document() -> Value {
    let mut schemas = Schemas::new();
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for function in ALL {
        if let Trigger::Http { method, route, access } = &function.trigger {
            let operation = operation(function, route, access, &mut schemas);
            paths.entry(format!("/{route}")).or_default().insert(method.as_str().to_ascii_lowercase(), operation);
        }
    }
    schemas.sent::<ProblemBody<'static>>();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "helpdesk-functions",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The back end of a multi-tenant help desk. Instants are RFC 3339 in UTC. An answer of 400 and above is a problem document (RFC 9457); \
                its `instance` is what to quote when asking for help.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": schemas.definitions(),
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "An access token (v2) of Entra ID for this application." },
            },
        },
    })
}

fn operation(function: &Function, route: &str, access: &Access, schemas: &mut Schemas) -> Value {
    // A test finds a row of which nothing is said.
    let about = about(function.name).unwrap_or_default();
    let problems = about.all_problems(route, matches!(access, Access::Callers(..)));
    let About { summary, query, headers, body, answer, .. } = about;
    let names = route.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let in_path = names.map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } }));
    let others = query.iter().map(|parameter| ("query", parameter)).chain(headers.iter().map(|parameter| ("header", parameter)));
    let others = others.map(|(place, parameter)| {
        json!({
            "name": parameter.name, "in": place, "required": parameter.required, "description": parameter.what,
            "schema": { "type": parameter.kind },
        })
    });
    let mut responses = Map::new();
    responses.insert(answer.status().to_string(), answered(&answer, schemas));
    let mut by_status: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    for (name, status) in PROBLEMS.iter().filter(|(name, _)| problems.contains(name)) {
        by_status.entry(*status).or_default().push(name);
    }
    for (status, names) in by_status {
        responses.insert(status.to_string(), refused(status, &names));
    }
    if !query.is_empty() {
        responses.insert("414".to_owned(), json!({ "description": "The URL is longer than the server reads." }));
    }
    let mut operation = json!({
        "operationId": function.name,
        "summary": summary,
        "description": who(access),
        "parameters": in_path.chain(others).collect::<Vec<_>>(),
        "responses": responses,
        "security": match access { Access::Everyone(_) => json!([]), Access::Callers(..) => json!([{ "token": [] }]) },
    });
    match body {
        Body::None => {}
        Body::Json(schema) => {
            operation["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": schema(&mut schemas.read) } } })
        }
        Body::Bytes(media_type) => {
            operation["requestBody"] = json!({ "required": true, "content": { media_type: { "schema": { "type": "string" } } } })
        }
    }
    operation
}

/// One of these problems.
fn refused(status: u16, names: &[&str]) -> Value {
    let types: Vec<String> = names.iter().map(|name| format!("{PROBLEM_TYPE}{name}")).collect();
    let schema = json!({ "allOf": [{ "$ref": "#/components/schemas/Problem" }, { "properties": { "type": { "enum": types } } }] });
    let mut answer =
        json!({ "description": format!("It was not done: {}.", names.join(", ")), "content": { "application/problem+json": { "schema": schema } } });
    if matches!(status, 429 | 503) {
        let what = "Seconds after which to come again, where that is known.";
        answer["headers"] = json!({ "Retry-After": { "description": what, "schema": { "type": "integer", "minimum": 1 } } });
    }
    answer
}

fn answered(answer: &Answer, schemas: &mut Schemas) -> Value {
    match answer {
        Answer::Json(_, schema) => {
            json!({ "description": "It was done.", "content": { "application/json": { "schema": schema(&mut schemas.sent) } } })
        }
        Answer::Versioned(_, schema) => json!({
            "description": "It was done. `ETag` is the version, for `If-Match`; a requester, who may not change it, is told none.",
            "headers": { "ETag": { "schema": { "type": "string" } } },
            "content": { "application/json": { "schema": schema(&mut schemas.sent) } },
        }),
        Answer::File => json!({
            "description": "The bytes, as a file to be saved, never to be shown.",
            "headers": { "Content-Disposition": { "schema": { "type": "string" } } },
            "content": { "*/*": {} },
        }),
    }
}

/// Who may call, in words.
fn who(access: &Access) -> String {
    match access {
        Access::Everyone(_) => "For everybody.".to_owned(),
        Access::Callers(action, _) => {
            let names: Vec<&str> = Role::ALL.into_iter().filter(|role| roles::may(*role, *action)).map(Role::name).collect();
            format!("For the roles {}.", names.join(", "))
        }
    }
}

/// What is read may leave out what has a default; what is sent has it. So each has schemas of its own: those of what is read stand where they are used.
struct Schemas {
    read: SchemaGenerator,
    sent: SchemaGenerator,
}

impl Schemas {
    fn new() -> Schemas {
        let plain = || SchemaSettings::draft2020_12().with(|settings| settings.meta_schema = None);
        Schemas {
            read: plain().with(|settings| settings.inline_subschemas = true).into_generator(),
            sent: plain().for_serialize().with(|settings| settings.definitions_path = "/components/schemas".into()).into_generator(),
        }
    }

    /// Makes a schema known that is sent.
    fn sent<T: JsonSchema>(&mut self) {
        self.sent.subschema_for::<T>();
    }

    fn definitions(&mut self) -> Map<String, Value> {
        self.sent.take_definitions(true)
    }
}
