//! Lists of tickets over HTTP. An address never stands in a URL: whoever looks for one asks by POST.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::{
    App, HttpAnswer, HttpRequest, Problem,
    answer::{self, Instant, bad, body, json, limit},
    cursor,
    tickets::{Seen, TicketBody, viewer},
};
use crate::{
    access::Caller,
    ports::Order,
    tickets::{
        self, Assignee, NAME_CHARACTERS_MAX, Priority, Status, Viewer,
        list::{self, Filter, Sort, Span, Whose},
        store::LIST_MAX,
    },
};

/// Bytes of a search's JSON.
const SEARCH_BODY_BYTES_MAX: usize = 16 * 1024;

pub async fn list(app: &App, caller: Caller, request: HttpRequest) -> Result<HttpAnswer, Problem> {
    let limit = limit(&request)?;
    let value = |name: &str| request.query.get(name).map(String::as_str);
    let asked = Asked {
        status: value("status").map(|text| text.split(',').map(status).collect()).transpose()?.unwrap_or_default(),
        assignee: value("assignee").map(whose).transpose()?,
        priority: value("priority").map(priority).transpose()?,
        category: value("category").map(str::to_owned),
        tag: value("tag").map(str::to_owned),
        number: value("number").map(|text| text.parse().map_err(|_| bad("bad-number", "`number` is a ticket's number.".to_owned()))).transpose()?,
        created_from: instant(&request, "created_from")?,
        created_to: instant(&request, "created_to")?,
        updated_from: instant(&request, "updated_from")?,
        updated_to: instant(&request, "updated_to")?,
        sort: value("sort").map(sort).transpose()?.unwrap_or_default(),
        order: value("order").map(order).transpose()?.unwrap_or_default(),
        requester: None,
        limit: Some(limit),
        cursor: value("cursor").map(str::to_owned),
    };
    answer(app, &caller, "tickets", asked).await
}

pub async fn search(app: &App, caller: Caller, request: HttpRequest) -> Result<HttpAnswer, Problem> {
    let example = r#"{"requester": "ann@northwind.example", "status": ["new"]}, or what else narrows the list"#;
    let asked: Asked = body(&request, SEARCH_BODY_BYTES_MAX, example)?;
    if asked.limit.is_some_and(|limit| !(1..=LIST_MAX).contains(&limit)) {
        return Err(bad("bad-limit", format!("`limit` is a number from 1 to {LIST_MAX}.")));
    }
    answer(app, &caller, "search", asked).await
}

async fn answer(app: &App, caller: &Caller, route: &str, asked: Asked) -> Result<HttpAnswer, Problem> {
    let filter = asked.filter()?;
    let filter = match viewer(caller) {
        Viewer::Agent => filter,
        Viewer::Requester(_) if asked.is_of_the_desk() => {
            let detail = "Only agents ask for `assignee`, `priority`, `category`, `tag` and the order of `due`.";
            return Err(bad("bad-filter", detail.to_owned()));
        }
        Viewer::Requester(own) if filter.requester.as_deref().is_some_and(|asked| own != Some(asked)) => {
            return Err(bad("bad-filter", "Only agents ask for the tickets of others with `requester`.".to_owned()));
        }
        Viewer::Requester(Some(address)) => Filter { requester: Some(address.to_owned()), is_requesters: true, ..filter },
        Viewer::Requester(None) => return Ok(json(200, &Page { tickets: Vec::new(), next: None })),
    };
    let keys = app.keyring.keys(&caller.tenant).await?;
    let narrowed = format!("{filter:?}\n{:?}\n{:?}", asked.sort, asked.order);
    let scope = cursor::Scope { caller, route, filter: &narrowed };
    let now = app.ports.clock.now();
    let after = asked.cursor.as_deref().map(|text| cursor::open(&keys, &scope, text, now)).transpose()?;
    let limit = asked.limit.unwrap_or(LIST_MAX);
    let page = list::page(&app.desk, &caller.tenant, &filter, asked.sort.0, asked.order.0, after, limit).await?;
    let next = page.next.map(|key| cursor::seal(&keys, &scope, &key, now)).transpose()?;
    let seen = Seen { viewer: viewer(caller), settings: &caller.settings, now };
    Ok(json(200, &Page { tickets: page.tickets.iter().map(|ticket| TicketBody::new(ticket, &seen)).collect(), next }))
}

/// What narrows a list, in which order it is, and which page of it is meant.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Asked {
    status: Vec<Status>,
    /// `person:SUBJECT`, `group:NAME` or `none`.
    #[serde(deserialize_with = "whose_in_json")]
    #[schemars(with = "Option<String>")]
    assignee: Option<Whose>,
    /// An address.
    requester: Option<String>,
    priority: Option<Priority>,
    category: Option<String>,
    tag: Option<String>,
    number: Option<u64>,
    created_from: Option<Instant>,
    created_to: Option<Instant>,
    updated_from: Option<Instant>,
    updated_to: Option<Instant>,
    /// updated, created or due.
    #[serde(deserialize_with = "sort_in_json")]
    #[schemars(with = "Option<String>")]
    sort: By,
    /// asc or desc.
    #[serde(deserialize_with = "order_in_json")]
    #[schemars(with = "Option<String>")]
    order: Direction,
    limit: Option<usize>,
    cursor: Option<String>,
}

#[derive(Debug, Default)]
struct By(Sort);

/// The newest first, unless it is asked otherwise.
#[derive(Debug)]
struct Direction(Order);

impl Default for Direction {
    fn default() -> Self {
        Direction(Order::Descending)
    }
}

impl Asked {
    /// Whether it is narrowed or ordered by what a requester is not shown.
    fn is_of_the_desk(&self) -> bool {
        let Asked { assignee, priority, category, tag, sort, .. } = self;
        assignee.is_some() || priority.is_some() || category.is_some() || tag.is_some() || sort.0 == Sort::Due
    }

    fn filter(&self) -> Result<Filter, Problem> {
        // As they are kept: what is asked for is compared with that.
        let wrong = |_| bad("bad-filter", format!("`assignee`, `category` and `tag` have 1 to {NAME_CHARACTERS_MAX} characters on one line."));
        let assignee = self.assignee.as_ref().map(|whose| match whose {
            Whose::Assigned(assignee) => assignee.kept().map(Whose::Assigned),
            Whose::Nobodys => Ok(Whose::Nobodys),
        });
        Ok(Filter {
            status: self.status.clone(),
            assignee: assignee.transpose().map_err(wrong)?,
            requester: self.requester.as_deref().map(tickets::as_kept),
            priority: self.priority,
            category: self.category.as_deref().map(tickets::name_of).transpose().map_err(wrong)?,
            tag: self.tag.as_deref().map(tickets::tag_of).transpose().map_err(wrong)?,
            number: self.number,
            created: span(self.created_from, self.created_to),
            updated: span(self.updated_from, self.updated_to),
            is_requesters: false,
        })
    }
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TicketPage")]
pub struct Page<'a> {
    tickets: Vec<TicketBody<'a>>,
    /// For `?cursor=`; absent on the last page. A page may be short, or empty, and have a next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

fn status(text: &str) -> Result<Status, Problem> {
    Status::ALL
        .into_iter()
        .find(|status| status.name() == text.trim())
        .ok_or_else(|| bad("bad-status", "`status` is one or several of new, in_progress, pending, solved, with commas.".to_owned()))
}

/// `person:SUBJECT`, `group:NAME` or `none`.
fn whose(text: &str) -> Result<Whose, Problem> {
    match text.split_once(':') {
        Some(("person", subject)) if !subject.is_empty() => Ok(Whose::Assigned(Assignee::Person(subject.to_owned()))),
        Some(("group", name)) if !name.is_empty() => Ok(Whose::Assigned(Assignee::Group(name.to_owned()))),
        None if text == "none" => Ok(Whose::Nobodys),
        _ => Err(bad("bad-assignee", "`assignee` is `person:SUBJECT`, `group:NAME` or `none`.".to_owned())),
    }
}

fn priority(text: &str) -> Result<Priority, Problem> {
    serde_json::from_value(text.into()).map_err(|_| bad("bad-priority", "`priority` is one of low, normal, high, urgent.".to_owned()))
}

fn sort(text: &str) -> Result<By, Problem> {
    match text {
        "updated" => Ok(By(Sort::Updated)),
        "created" => Ok(By(Sort::Created)),
        "due" => Ok(By(Sort::Due)),
        _ => Err(bad("bad-sort", "`sort` is one of updated, created, due.".to_owned())),
    }
}

fn order(text: &str) -> Result<Direction, Problem> {
    match text {
        "asc" => Ok(Direction(Order::Ascending)),
        "desc" => Ok(Direction(Order::Descending)),
        _ => Err(bad("bad-order", "`order` is asc or desc.".to_owned())),
    }
}

fn span(from: Option<Instant>, to: Option<Instant>) -> Span {
    Span { from: from.map(|Instant(at)| at), to: to.map(|Instant(at)| at) }
}

fn instant(request: &HttpRequest, name: &'static str) -> Result<Option<Instant>, Problem> {
    let text = request.query.get(name);
    let wrong = || bad("bad-instant", format!("`{name}` is an instant like 2026-11-26T09:00:00Z (RFC 3339)."));
    text.map(|text| answer::instant(text).map(Instant).ok_or_else(wrong)).transpose()
}

fn whose_in_json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Whose>, D::Error> {
    parsed(deserializer, whose)
}

fn sort_in_json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<By, D::Error> {
    Ok(parsed(deserializer, sort)?.unwrap_or_default())
}

fn order_in_json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Direction, D::Error> {
    Ok(parsed(deserializer, order)?.unwrap_or_default())
}

/// A text as it is read in a query.
fn parsed<'de, D: Deserializer<'de>, T>(deserializer: D, read: fn(&str) -> Result<T, Problem>) -> Result<Option<T>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| read(&text).map_err(|problem| serde::de::Error::custom(problem.detail))).transpose()
}
