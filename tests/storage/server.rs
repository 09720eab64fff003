//! A web server of a few lines, that says what a test wants.

#![allow(clippy::unwrap_used, reason = "what fails ends the test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

/// A request as the server got it.
pub struct Got {
    /// Method and target, such as `GET /v1/a/c/x`.
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// An answer; with fewer bytes than `length` says it breaks off.
#[derive(Default)]
pub struct Said {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    pub length: Option<usize>,
}

impl Got {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }
}

pub fn said(status: u16) -> Said {
    Said { status, ..Said::default() }
}

impl Said {
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn body(self, body: &[u8]) -> Self {
        Self { body: body.to_vec(), ..self }
    }
}

/// Serves on loopback; `None` closes the connection without an answer. Gives the URL.
pub fn serve(mut answer: impl FnMut(&Got) -> Option<Said> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        // One connection a request keeps this short.
        for stream in listener.incoming().flatten() {
            let Some(got) = read(&stream) else { continue };
            if let Some(said) = answer(&got) {
                let _ = send(stream, said, got.line.starts_with("HEAD"));
            }
        }
    });
    url
}

fn read(stream: &TcpStream) -> Option<Got> {
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let mut headers = Vec::new();
    loop {
        let line = line()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut got = Got { line: first.strip_suffix(" HTTP/1.1")?.to_owned(), headers, body: Vec::new() };
    got.body = vec![0; got.header("Content-Length").parse().unwrap_or(0)];
    reader.read_exact(&mut got.body).ok()?;
    Some(got)
}

fn send(mut stream: TcpStream, said: Said, is_head: bool) -> std::io::Result<()> {
    let length = said.length.unwrap_or(said.body.len());
    let mut text = format!("HTTP/1.1 {} x\r\nConnection: close\r\nContent-Length: {length}\r\n", said.status);
    said.headers.iter().for_each(|(name, value)| text += &format!("{name}: {value}\r\n"));
    stream.write_all(format!("{text}\r\n").as_bytes())?;
    if is_head { Ok(()) } else { stream.write_all(&said.body) }
}
