//! A plain HTTP/1.1 client over a kept connection, the same for everything that is measured.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// What does not answer within this is broken.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> std::io::Result<Client> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        Ok(Client { stream, buffer: vec![0; ANSWER_BYTES_MAX] })
    }

    /// Answers the status and the body; the answer must announce its length, as everything measured here does.
    pub fn get(&mut self, path: &str) -> std::io::Result<(u16, &[u8])> {
        write!(self.stream, "GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: */*\r\n\r\n")?;
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[filled..])?;
            if read == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            filled += read;
            let mut headers = [httparse::EMPTY_HEADER; 32];
            let mut answer = httparse::Response::new(&mut headers);
            if let Ok(httparse::Status::Complete(head)) = answer.parse(&self.buffer[..filled]) {
                let length = answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
                let length: usize = length.and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok()).ok_or(ErrorKind::InvalidData)?;
                let status = answer.code.unwrap_or_default();
                if filled >= head + length {
                    return Ok((status, &self.buffer[head..head + length]));
                }
            }
        }
    }
}

/// A port that nobody uses at this moment.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}
