//! An HTTP server on loopback that answers as a test says, and remembers what it
//! was asked.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A request: its path with query, and its headers by lower-case names.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    pub headers: HashMap<String, String>,
}

/// What to answer.
#[derive(Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub ending: Ending,
}

/// How the body ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As it should.
    Whole,
    /// The connection closes after so many bytes, with the full length announced.
    CutAfter(usize),
    /// Nothing more is sent after so many bytes, and the connection stays open
    /// until the client or the test goes away.
    StallAfter(usize),
    /// As these two, with the second half of the bytes half a second after the first.
    Slowly(usize),
    SlowlyAndCut(usize),
}

impl Answer {
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("Content-Type".into(), content_type.into())],
            body: body.into(),
            ending: Ending::Whole,
        }
    }

    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, "application/octet-stream", body)
    }

    pub fn not_found() -> Self {
        Self::new(404, "text/plain; charset=utf-8", "404 page not found\n")
    }

    pub fn html(body: &str) -> Self {
        Self::new(200, "text/html; charset=utf-8", body)
    }

    pub fn redirect(to: &str) -> Self {
        Self::new(302, "text/html", "").header("Location", to)
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn ending(mut self, ending: Ending) -> Self {
        self.ending = ending;
        self
    }
}

type Handler = dyn Fn(&Request) -> Answer + Send + Sync;

/// Serves until it is dropped.
pub struct Server {
    address: String,
    requests: Arc<Mutex<Vec<Request>>>,
    sent: Arc<AtomicU64>,
    stopping: Arc<AtomicBool>,
    listening: Option<thread::JoinHandle<()>>,
}

impl Server {
    pub fn start(handler: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let stopping = Arc::new(AtomicBool::new(false));
        let handler: Arc<Handler> = Arc::new(handler);
        let (seen, stop) = (requests.clone(), stopping.clone());
        let sent = Arc::new(AtomicU64::new(0));
        let count = sent.clone();
        let listening = thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let (handler, seen, stop) = (handler.clone(), seen.clone(), stop.clone());
                let count = count.clone();
                thread::spawn(move || serve(stream.unwrap(), &*handler, &seen, &count, &stop));
            }
        });
        Self { address, requests, sent, stopping, listening: Some(listening) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The bytes of the bodies that were sent so far, but for those that broke off.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    /// How often a path that ends so was asked for.
    pub fn count(&self, end: &str) -> usize {
        self.requests().iter().filter(|request| request.path.ends_with(end)).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(&self.address);
        // From here on, connections are refused.
        let _ = self.listening.take().map(thread::JoinHandle::join);
    }
}

fn serve(
    stream: TcpStream,
    handler: &Handler,
    seen: &Mutex<Vec<Request>>,
    sent: &AtomicU64,
    stopping: &AtomicBool,
) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let path = line.split(' ').nth(1)?.to_string();
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            match line.trim_end().split_once(": ") {
                Some((name, value)) => headers.insert(name.to_lowercase(), value.into()),
                None => break,
            };
        }
        let request = Request { path, headers };
        seen.lock().unwrap().push(request.clone());
        let answer = handler(&request);
        let mut head = format!("HTTP/1.1 {} X\r\n", answer.status);
        for (name, value) in &answer.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if answer.status != 304 {
            head.push_str(&format!("Content-Length: {}\r\n", answer.body.len()));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).ok()?;
        let slowly = |stream: &mut TcpStream, length: usize| {
            stream.write_all(&answer.body[..length / 2])?;
            stream.flush()?;
            thread::sleep(Duration::from_millis(500));
            stream.write_all(&answer.body[length / 2..length])
        };
        let stalls = match answer.ending {
            Ending::Whole => {
                // Before it arrives, so that who has it sees it counted.
                sent.fetch_add(answer.body.len() as u64, Ordering::SeqCst);
                stream.write_all(&answer.body).ok()?;
                continue;
            }
            Ending::CutAfter(length) | Ending::StallAfter(length) => {
                stream.write_all(&answer.body[..length]).ok()?;
                matches!(answer.ending, Ending::StallAfter(_))
            }
            Ending::Slowly(length) | Ending::SlowlyAndCut(length) => {
                slowly(&mut stream, length).ok()?;
                matches!(answer.ending, Ending::Slowly(_))
            }
        };
        stream.flush().ok()?;
        while stalls && !stopping.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(20));
        }
        return None;
    }
}

/// A port where nobody listens.
pub fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}
