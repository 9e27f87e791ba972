//! An InfluxDB that answers as it is told. What it takes it remembers.

use std::{
    collections::BTreeMap,
    io::Read as _,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
    routing::post,
};
use futures_util::stream;
use tokio::{net::TcpListener, task::JoinSet};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Mood {
    Fine,
    /// As InfluxDB does with a line it cannot read: 400, and nothing of the batch is written.
    Chokes(&'static str),
    /// 413 for more than so many bytes of lines.
    Swallows(usize),
    Answers(u16, &'static str),
    /// 429 with `Retry-After`.
    Busy,
    /// Begins an answer and breaks the connection.
    HalfABody,
    /// Takes the request and says nothing.
    Silent,
}

/// Gone when dropped.
#[derive(Debug)]
pub(super) struct Fake {
    shared: Arc<Shared>,
    _server: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    mood: Mutex<Mood>,
    /// By series and time, as a time series is.
    points: Mutex<BTreeMap<String, String>>,
}

impl Fake {
    pub(super) async fn start(port: u16, mood: Mood) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let shared = Arc::new(Shared { mood: Mutex::new(mood), points: Mutex::default() });
        let router =
            Router::new().route("/api/v2/write", post(write)).with_state(Arc::clone(&shared));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { shared, _server: server }
    }

    /// `[store]` settings that write to `port`.
    pub(super) fn settings(port: u16) -> String {
        format!(
            "[store]\nkind = \"influx\"\n[store.influx]\nurl = \"http://127.0.0.1:{port}\"\n\
             token = \"t\"\ntimeout = \"1s\"\n"
        )
    }

    pub(super) fn set(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap() = mood;
    }

    /// How many readings of fridges it has.
    pub(super) fn readings(&self) -> usize {
        self.points().filter(|line| line.starts_with("fridge,")).count()
    }

    pub(super) fn has(&self, part: &str) -> bool {
        self.points().any(|line| line.contains(part))
    }

    fn points(&self) -> impl Iterator<Item = String> {
        self.shared.points.lock().unwrap().values().cloned().collect::<Vec<_>>().into_iter()
    }
}

async fn write(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*body).read_to_string(&mut text).unwrap();
    let mood = *shared.mood.lock().unwrap();
    let refusal = |status: u16, code: &str, message: &str| {
        let body = serde_json::json!({"code": code, "message": message}).to_string();
        (StatusCode::from_u16(status).unwrap(), body).into_response()
    };
    match mood {
        Mood::Chokes(poison) if text.contains(poison) => {
            refusal(400, "invalid", "unable to parse 'fridge …': invalid number")
        }
        Mood::Swallows(most) if text.len() > most => {
            refusal(413, "request too large", "request body too large")
        }
        Mood::Answers(status, message) => refusal(status, "unavailable", message),
        Mood::Busy => (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, "2")]).into_response(),
        Mood::HalfABody => half_a_body(),
        Mood::Silent => std::future::pending().await,
        Mood::Fine | Mood::Chokes(_) | Mood::Swallows(_) => {
            take(&shared, &text);
            StatusCode::NO_CONTENT.into_response()
        }
    }
}

fn take(shared: &Shared, text: &str) {
    let mut points = shared.points.lock().unwrap();
    for line in text.lines() {
        let (series, at) = (line.split_once(' ').unwrap().0, line.rsplit_once(' ').unwrap().1);
        points.insert(format!("{series} {at}"), line.to_owned());
    }
}

fn half_a_body() -> Response {
    let begun = Ok(Bytes::from_static(b"{\"code\":\"internal er"));
    let broken = Err(std::io::Error::other("the wire is cut"));
    let mut response = Body::from_stream(stream::iter([begun, broken])).into_response();
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}
