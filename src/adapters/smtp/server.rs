//! Where an SMTP server is, and how it is spoken to, as one URL says it.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use lettre::transport::smtp::{
    Error,
    authentication::Credentials,
    client::{AsyncSmtpConnection, AsyncTokioStream, TlsParameters},
    extension::ClientId,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::timeout,
};

pub use crate::ports::NotAnSmtpUrl;
use crate::ports::{SmtpServer, SmtpTls};

/// Why there is no conversation with the server.
pub(super) enum NotConnected {
    Unreachable,
    Smtp(Error),
}

impl From<Error> for NotConnected {
    fn from(error: Error) -> NotConnected {
        NotConnected::Smtp(error)
    }
}

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
        let SmtpServer { host, port, tls, login } = SmtpServer::parse(url)?;
        let parameters = || TlsParameters::new(host.clone()).map_err(|_| NotAnSmtpUrl);
        let tls = match tls {
            SmtpTls::No => Tls::No,
            SmtpTls::Required => Tls::Required(parameters()?),
            SmtpTls::FromTheStart => Tls::FromTheStart(parameters()?),
        };
        let credentials = login.map(|(user, password)| Credentials::new(user, String::clone(&password)));
        Ok(Server { host, port, tls, credentials })
    }

    /// Who we are to it, if the URL says it.
    pub(super) fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// Up to the server's answer to EHLO, over TLS if it is to be.
    pub(super) async fn connect(&self, within: Duration) -> Result<AsyncSmtpConnection, NotConnected> {
        let (hello, address) = (ClientId::default(), (self.host.as_str(), self.port));
        let from_the_start = match &self.tls {
            Tls::FromTheStart(parameters) => Some(parameters.clone()),
            Tls::No | Tls::Required(_) => None,
        };
        let Tls::Required(parameters) = &self.tls else {
            return Ok(AsyncSmtpConnection::connect_tokio1(address, Some(within), &hello, from_the_start, None).await?);
        };
        let Ok(Ok(stream)) = timeout(within, TcpStream::connect(address)).await else { return Err(NotConnected::Unreachable) };
        let mut connection = AsyncSmtpConnection::connect_with_transport(Box::new(ByLine(stream)), &hello).await?;
        connection.starttls(parameters.clone(), &hello).await?;
        Ok(connection)
    }
}

/// Bytes of a line that are read at once; of TLS too, which has no lines and comes in pieces all the same.
const READ_BYTES_MAX: usize = 4096;

/// A connection of which no more than a line is read at once. The library keeps what it has read behind the answer to STARTTLS, and would take it for what
/// came over TLS: whoever sits on the line could answer for the server (as in CVE-2021-38371). So nothing behind that line is read before TLS begins.
#[derive(Debug)]
struct ByLine(TcpStream);

impl AsyncRead for ByLine {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut bytes = [0; READ_BYTES_MAX];
        let mut seen = ReadBuf::new(&mut bytes[..READ_BYTES_MAX.min(buffer.remaining())]);
        ready!(self.0.poll_peek(context, &mut seen))?;
        let length = seen.filled().iter().position(|byte| *byte == b'\n').map_or(seen.filled().len(), |at| at + 1);
        let mut line = ReadBuf::new(&mut bytes[..length]);
        ready!(Pin::new(&mut self.0).poll_read(context, &mut line))?;
        buffer.put_slice(line.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ByLine {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

impl AsyncTokioStream for ByLine {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
        net::TcpListener,
    };

    use super::*;

    #[tokio::test]
    async fn nothing_is_read_behind_the_answer_to_starttls() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut reader = BufReader::new(ByLine(TcpStream::connect(listener.local_addr().unwrap()).await.unwrap()));
        let (mut server, _) = listener.accept().await.unwrap();
        let forged = "250-x\r\n250 ok\r\n354 go\r\n250 ok\r\n";
        server.write_all(format!("220 go ahead\r\n{forged}").as_bytes()).await.unwrap();
        let mut answer = String::new();
        reader.read_line(&mut answer).await.unwrap();
        assert_eq!((answer.as_str(), reader.buffer().len()), ("220 go ahead\r\n", 0));
        // It is for TLS to read, which it is not.
        server.shutdown().await.unwrap();
        let mut rest = String::new();
        reader.into_inner().read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, forged);
    }
}
