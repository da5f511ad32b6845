//! Where an SMTP server is, and how it is spoken to, as one URL says it: read here for who checks the settings and for who connects.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::Url;
use zeroize::Zeroizing;

/// Ports of relays, of submission, and of submission over TLS (RFC 5321, 6409 and 8314).
const RELAY_PORT: u16 = 25;
const SUBMISSION_PORT: u16 = 587;
const SUBMISSIONS_PORT: u16 = 465;

/// The URL of an SMTP server is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the SMTP server is not given as smtp://host:port, smtp://host:port?tls=required or smtps://user:password@host:port (percent-encoded)")]
pub struct NotAnSmtpUrl;

/// What a URL says of a server.
pub struct SmtpServer {
    pub host: String,
    pub port: u16,
    pub tls: SmtpTls,
    /// Who we are to it, and the password, if the URL says it.
    pub login: Option<(String, Zeroizing<String>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    No,
    /// After STARTTLS, and not at all without it.
    Required,
    FromTheStart,
}

impl SmtpServer {
    /// `smtp://host:port`, with `?tls=required` behind it for STARTTLS, or `smtps://user:password@host:port`.
    pub fn parse(url: &str) -> Result<SmtpServer, NotAnSmtpUrl> {
        let url = Url::parse(url).map_err(|_| NotAnSmtpUrl)?;
        // What follows there would be meant for a query, and TLS be missing.
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(NotAnSmtpUrl);
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(NotAnSmtpUrl)?;
        let (usual_port, tls) = match (url.scheme(), url.query()) {
            ("smtp", None) => (RELAY_PORT, SmtpTls::No),
            ("smtp", Some("tls=required")) => (SUBMISSION_PORT, SmtpTls::Required),
            ("smtps", None) => (SUBMISSIONS_PORT, SmtpTls::FromTheStart),
            _ => return Err(NotAnSmtpUrl),
        };
        let port = url.port().unwrap_or(usual_port);
        let decoded = |text| percent_decode_str(text).decode_utf8().map(String::from).map_err(|_| NotAnSmtpUrl);
        let login = match (url.username(), url.password()) {
            ("", None) => None,
            (user, Some(password)) if !user.is_empty() => Some((decoded(user)?, Zeroizing::new(decoded(password)?))),
            // Half a login is a mistake: the server would be spoken to without one.
            _ => return Err(NotAnSmtpUrl),
        };
        if port == 0 { Err(NotAnSmtpUrl) } else { Ok(SmtpServer { host: host.to_owned(), port, tls, login }) }
    }

    /// Whether nobody on the way reads what is said: over TLS, or on this machine.
    pub fn is_private(&self) -> bool {
        self.tls != SmtpTls::No || matches!(self.host.as_str(), "127.0.0.1" | "localhost")
    }
}

impl fmt::Debug for SmtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpServer").field("host", &self.host).field("port", &self.port).field("tls", &self.tls).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_and_how() {
        for (url, port, tls) in [
            ("smtp://mail.example", 25, SmtpTls::No),
            ("smtp://mail.example:2525", 2525, SmtpTls::No),
            ("smtp://mail.example?tls=required", 587, SmtpTls::Required),
            ("smtps://mail.example", 465, SmtpTls::FromTheStart),
        ] {
            let server = SmtpServer::parse(url).unwrap();
            assert_eq!((server.host.as_str(), server.port, server.tls, server.login.is_none()), ("mail.example", port, tls, true), "{url}");
        }
        let server = SmtpServer::parse("smtps://us%40er:pass%3Aword@mail.example").unwrap();
        assert!(!format!("{server:?}").contains("word"));
        let (user, password) = server.login.unwrap();
        assert_eq!((user.as_str(), password.as_str()), ("us@er", "pass:word"));
    }

    #[test]
    fn half_a_login_or_no_port_is_none() {
        for url in ["smtps://user@mail.example", "smtps://:password@mail.example", "smtp://mail.example:0", "smtps://user:%ff@mail.example"] {
            assert_eq!(SmtpServer::parse(url).map(|_| ()), Err(NotAnSmtpUrl), "{url}");
        }
    }
}
