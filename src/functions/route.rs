//! Routes as the Functions host matches them: literal segments beat parameters; a method that a row does not name is a 404, never a 405.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use super::{Function, Trigger};

/// Values of a route's parameters, percent-decoded.
pub type Params = BTreeMap<&'static str, String>;

/// The row that answers this method and path (with its leading slash and without its query), and the values of its parameters.
pub fn find(table: &'static [Function], method: &str, path: &str) -> Option<(&'static Function, Params)> {
    let mut best: Option<(usize, &'static Function, Params)> = None;
    for function in table {
        let Trigger::Http { method: own, route, .. } = &function.trigger else { continue };
        if own.as_str() != method {
            continue;
        }
        if let Some(params) = values(route, path)
            && best.as_ref().is_none_or(|(fewest, ..)| params.len() < *fewest)
        {
            best = Some((params.len(), function, params));
        }
    }
    best.map(|(_, function, params)| (function, params))
}

fn values(route: &'static str, path: &str) -> Option<Params> {
    let mut params = Params::new();
    let mut segments = path.strip_prefix('/')?.split('/');
    for part in route.split('/') {
        let segment = segments.next()?;
        match part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(name) => {
                let value = percent_decode_str(segment).decode_utf8().ok()?.into_owned();
                if value.is_empty() {
                    return None;
                }
                params.insert(name, value);
            }
            None if part.eq_ignore_ascii_case(segment) => {}
            None => return None,
        }
    }
    // The host ignores one trailing slash.
    match (segments.next(), segments.next()) {
        (None, _) | (Some(""), None) => Some(params),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_takes_one_decoded_segment() {
        let params = values("api/tickets/{id}", "/api/tickets/a%2Fb%20c%C3%A4").unwrap();
        assert_eq!(params["id"], "a/b cä");
        assert!(values("api/tickets/{id}", "/api/tickets").is_none());
        assert!(values("api/tickets/{id}", "/api/tickets/").is_none());
        assert!(values("api/tickets/{id}", "/api/tickets/1/comments").is_none());
        assert!(values("api/tickets", "/api/Tickets/").is_some());
        assert!(values("api/tickets/{id}", "/api/tickets/%FF").is_none());
    }
}
