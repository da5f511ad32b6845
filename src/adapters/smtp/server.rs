//! Where an SMTP server is, and how it is spoken to, as one URL says it.

use std::time::Duration;

use lettre::transport::smtp::{
    Error,
    authentication::Credentials,
    client::{AsyncSmtpConnection, TlsParameters},
    extension::ClientId,
};
use percent_encoding::percent_decode_str;
use url::Url;

/// Ports of relays, of submission, and of submission over TLS (RFC 5321, 6409 and 8314).
const RELAY_PORT: u16 = 25;
const SUBMISSION_PORT: u16 = 587;
const SUBMISSIONS_PORT: u16 = 465;

/// The URL of an SMTP server is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the SMTP server is not given as smtp://host:port, smtp://host:port?tls=required or smtps://user:password@host:port (percent-encoded)")]
pub struct NotAnSmtpUrl;

pub(super) struct Server {
    host: String,
    port: u16,
    tls: Tls,
    credentials: Option<Credentials>,
}

enum Tls {
    No,
    /// After STARTTLS, and not at all without it.
    Required(TlsParameters),
    FromTheStart(TlsParameters),
}

impl Server {
    /// `smtp://host:port`, with `?tls=required` behind it for STARTTLS, or `smtps://user:password@host:port`.
    pub(super) fn parse(url: &str) -> Result<Server, NotAnSmtpUrl> {
        let url = Url::parse(url).map_err(|_| NotAnSmtpUrl)?;
        // What follows there would be meant for a query, and TLS be missing.
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(NotAnSmtpUrl);
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(NotAnSmtpUrl)?;
        let parameters = || TlsParameters::new(host.to_owned()).map_err(|_| NotAnSmtpUrl);
        let (port, tls) = match (url.scheme(), url.query()) {
            ("smtp", None) => (RELAY_PORT, Tls::No),
            ("smtp", Some("tls=required")) => (SUBMISSION_PORT, Tls::Required(parameters()?)),
            ("smtps", None) => (SUBMISSIONS_PORT, Tls::FromTheStart(parameters()?)),
            _ => return Err(NotAnSmtpUrl),
        };
        let decoded = |text| percent_decode_str(text).decode_utf8().map(String::from).map_err(|_| NotAnSmtpUrl);
        let credentials = match url.password() {
            Some(password) => Some(Credentials::new(decoded(url.username())?, decoded(password)?)),
            None => None,
        };
        Ok(Server { host: host.to_owned(), port: url.port().unwrap_or(port), tls, credentials })
    }

    /// Who we are to it, if the URL says it.
    pub(super) fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// Up to the server's answer to EHLO, over TLS if it is to be; each address of the host is tried for as long.
    pub(super) async fn connect(&self, within: Duration) -> Result<AsyncSmtpConnection, Error> {
        let (hello, address) = (ClientId::default(), (self.host.as_str(), self.port));
        let from_the_start = match &self.tls {
            Tls::FromTheStart(parameters) => Some(parameters.clone()),
            Tls::No | Tls::Required(_) => None,
        };
        let mut connection = AsyncSmtpConnection::connect_tokio1(address, Some(within), &hello, from_the_start, None).await?;
        if let Tls::Required(parameters) = &self.tls {
            connection.starttls(parameters.clone(), &hello).await?;
        }
        Ok(connection)
    }
}
