//! How requests fail. Every error is `{"error":{"code","says","cure"}}`: a stable word for
//! programs, what is wrong, and what to do about it.
//!
//! | status | when | code |
//! |---|---|---|
//! | 400 | the question makes no sense | `bad_query`, `too_much`, `bad_record` |
//! | 404 | no such path, station, device, metric, alert | `not_found`, `unknown_…` |
//! | 403 | another site's page asked | `foreign_page` |
//! | 405 | the path does not answer that method | `method_not_allowed` |
//! | 429 | so much is under way already | `too_many` |
//! | 503 | a part that would know does not answer; ask again | `store_unavailable`, `alerts_unavailable`, `commands_unavailable` |
//! | 504 | the answer took too long | (empty body) |
//! | 500 | a mistake of ours | `internal` |

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::QuestionError;

/// Every answer that is not 2xx.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
pub(super) struct Body {
    error: Error,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ErrorDetail)]
pub(super) struct Error {
    #[serde(skip)]
    status: StatusCode,
    /// A stable word that programs may rely on.
    code: &'static str,
    /// What is wrong.
    says: String,
    /// What to do about it.
    cure: String,
}

impl Error {
    pub(super) fn bad_query(says: impl Into<String>, cure: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_query", says, cure)
    }

    /// Work that cannot have been done so.
    pub(super) fn bad_record(says: impl Into<String>, cure: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_record", says, cure)
    }

    pub(super) fn unknown(
        code: &'static str,
        says: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, says, cure)
    }

    pub(super) fn method_not_allowed() -> Self {
        let says = "this address does not answer that method";
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            says,
            "/api/v1/openapi.json says which",
        )
    }

    pub(super) fn foreign_page() -> Self {
        let says = "a page of another site asked for this";
        let cure = "use Waystation's own page, or a program that sends no Origin";
        Self::new(StatusCode::FORBIDDEN, "foreign_page", says, cure)
    }

    pub(super) fn alerts_unavailable(why: impl Into<String>) -> Self {
        let cure = "ask again in a moment; /readyz says how the daemon is";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "alerts_unavailable", why, cure)
    }

    pub(super) fn commands_unavailable(why: impl Into<String>) -> Self {
        let cure = "ask again in a moment; /readyz says how the daemon is";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "commands_unavailable", why, cure)
    }

    pub(super) fn too_many(says: impl Into<String>) -> Self {
        let cure = "wait until they are answered or expire";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many", says, cure)
    }

    pub(super) fn internal(says: impl Into<String>) -> Self {
        let cure = "see the daemon's log, and report it";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", says, cure)
    }

    fn new(
        status: StatusCode,
        code: &'static str,
        says: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self { status, code, says: says.into(), cure: cure.into() }
    }
}

impl From<QuestionError> for Error {
    fn from(error: QuestionError) -> Self {
        let says = error.to_string();
        match error {
            QuestionError::Nonsense(_) => Self::bad_query(says, "see /api/v1/openapi.json"),
            QuestionError::TooManyPoints | QuestionError::TooManyWindows => {
                let cure = "ask for a longer window such as window=1h, or for less time";
                Self::new(StatusCode::BAD_REQUEST, "too_much", says, cure)
            }
            QuestionError::Unavailable { .. } => {
                let cure = "ask again in a moment; /readyz says how the store is";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", says, cure)
            }
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = self.status;
        let mut response = (status, Json(Body { error: self })).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let soon = axum::http::HeaderValue::from_static("5");
            response.headers_mut().insert(header::RETRY_AFTER, soon);
        }
        response
    }
}
