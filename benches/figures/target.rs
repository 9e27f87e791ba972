//! A target for webhooks: notes when each request arrived, and answers 204.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Instant,
};

use serde_json::Value;

/// One request, whole.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) at: Instant,
    pub(crate) body: Value,
}

/// Takes connections until the process ends; where it is, and what comes.
pub(crate) fn listen() -> (String, Receiver<Arrival>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (arrivals, arrived) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, arrivals) = (stream.unwrap(), arrivals.clone());
            thread::spawn(move || serve(stream, &arrivals));
        }
    });
    (url, arrived)
}

/// Requests of one connection; `None` once the daemon closes it.
fn serve(mut stream: TcpStream, arrivals: &Sender<Arrival>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut input = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut length = 0;
        let mut line = String::new();
        while input.read_line(&mut line).ok().filter(|read| *read > 0)? > 2 {
            let header = line.to_ascii_lowercase();
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            line.clear();
        }
        let mut body = vec![0; length];
        input.read_exact(&mut body).ok()?;
        let at = Instant::now();
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").ok()?;
        arrivals.send(Arrival { at, body: serde_json::from_slice(&body).ok()? }).ok()?;
    }
}
