//! A real HTTP server that webhooks are sent to, which answers as it is told.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinSet};

/// How the target answers.
#[derive(Debug, Clone, Copy)]
#[allow(dead_code, reason = "each fault uses its own")]
pub(crate) enum Mood {
    Fine,
    Answers(u16),
    /// 429 with `Retry-After` of so many seconds.
    Busy(u64),
    /// Takes the request and lets it wait.
    Slow(Duration),
}

/// What came in: the `webhook-id`, the body, and whether it was confirmed.
#[derive(Debug, Clone)]
#[allow(dead_code, reason = "each fault looks at its own")]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    pub(crate) confirmed: bool,
    pub(crate) at: std::time::Instant,
}

impl Call {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Gone when dropped.
#[derive(Debug)]
pub(crate) struct Target {
    address: SocketAddr,
    shared: Arc<Shared>,
    _server: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    mood: Mutex<Mood>,
    calls: Mutex<Vec<Call>>,
}

impl Target {
    pub(crate) async fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, mood)
    }

    pub(crate) fn on(listener: TcpListener, mood: Mood) -> Self {
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { mood: Mutex::new(mood), calls: Mutex::new(Vec::new()) });
        let router = Router::new().route("/hook", post(take)).with_state(Arc::clone(&shared));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, shared, _server: server }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// The settings that send notices here.
    pub(crate) fn settings(&self) -> String {
        format!("[[notify.webhooks]]\nurl = \"{}\"\nsecret = \"hush\"\n", self.url())
    }

    #[allow(dead_code, reason = "each fault uses its own")]
    pub(crate) fn set(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap() = mood;
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.shared.calls.lock().unwrap().clone()
    }

    /// Confirmed notices of this type, in order of arrival.
    pub(crate) fn confirmed(&self, kind: &str) -> Vec<Call> {
        let calls = self.calls().into_iter();
        calls.filter(|call| call.confirmed && call.json()["type"] == kind).collect()
    }
}

async fn take(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let mood = *shared.mood.lock().unwrap();
    let call = Call {
        id: headers["webhook-id"].to_str().unwrap().to_owned(),
        headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
        confirmed: matches!(mood, Mood::Fine),
        at: std::time::Instant::now(),
    };
    shared.calls.lock().unwrap().push(call);
    match mood {
        Mood::Fine => StatusCode::NO_CONTENT.into_response(),
        Mood::Answers(code) => StatusCode::from_u16(code).unwrap().into_response(),
        Mood::Busy(seconds) => {
            (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, seconds.to_string())]).into_response()
        }
        Mood::Slow(pause) => {
            tokio::time::sleep(pause).await;
            StatusCode::NO_CONTENT.into_response()
        }
    }
}
