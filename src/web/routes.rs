//! All routes on one page, grouped by who calls them, and what holds for all of them.

use std::time::Duration;

use axum::{
    Router,
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use tokio_util::sync::CancellationToken;
use tower_http::{
    CompressionLevel, catch_panic::CatchPanicLayer, compression::CompressionLayer,
    set_header::SetResponseHeaderLayer, timeout::TimeoutLayer,
};
use tracing::error;

use super::{
    App, alerts, error::Error, events, openapi, own, page, records, refused, series, stations,
    talk, validate,
};

/// An answer that takes longer is given up; the live stream's answer begins at once.
const TIME_LIMIT: Duration = Duration::from_secs(30);

const HEADERS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::CACHE_CONTROL, "no-cache"),
];

/// Documented routes, as the OpenAPI document has them.
pub(super) fn documented(stop: &CancellationToken) -> Vec<(&'static str, MethodRouter<App>)> {
    let stop = stop.clone();
    let events = get(async move |State(app), ask| events::events(&app, stop.clone(), ask));
    vec![
        // Crews, managers, pages
        ("/api/v1/stations", get(stations::list)),
        ("/api/v1/stations/{district}/{station}", get(stations::detail)),
        ("/api/v1/series", get(series::series)),
        ("/api/v1/alerts", get(alerts::list)),
        ("/api/v1/alerts/{id}", get(alerts::one)),
        ("/api/v1/alerts/{id}/confirm", post(alerts::confirm)),
        ("/api/v1/alerts/{id}/acknowledge", post(alerts::acknowledge)),
        ("/api/v1/records", get(records::list).post(records::enter)),
        (
            "/api/v1/devices/{district}/{station}/{device}/commands",
            get(talk::orders).post(talk::order),
        ),
        ("/api/v1/devices/{district}/{station}/{device}/config", get(talk::wished).put(talk::wish)),
        ("/api/v1/events", events),
        // Firmware authors, installers
        ("/api/v1/rejections", get(refused::rejections)),
        ("/api/v1/devices/unknown", get(refused::unknown)),
        ("/api/v1/validate", post(validate::validate)),
        ("/api/v1/openapi.json", get(openapi::openapi)),
        // Whoever runs the daemon, and what watches it
        ("/metrics", get(own::metrics)),
        ("/healthz", get(own::alive)),
        ("/readyz", get(own::ready)),
    ]
}

/// Everything the web answers. Bodies of requests are small; axum's limit holds for them.
pub fn router(app: App, stop: &CancellationToken) -> Router {
    let mut router = Router::new().route("/", get(page::index)).route("/{asset}", get(page::asset));
    for (path, method) in documented(stop) {
        router = router.route(path, method);
    }
    router = router
        .fallback(async || page::not_found())
        .method_not_allowed_fallback(async || Error::method_not_allowed())
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, TIME_LIMIT))
        .layer(CatchPanicLayer::custom(|_| bug()));
    for (name, value) in HEADERS {
        let value = HeaderValue::from_static(value);
        router = router.layer(SetResponseHeaderLayer::if_not_present(name, value));
    }
    router.with_state(app)
}

/// The panic itself is in the log already, with its place.
fn bug() -> Response {
    error!("a request hit a bug of ours and was answered with 500");
    Error::internal("a mistake in the daemon").into_response()
}
