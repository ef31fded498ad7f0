//! `POST /reload`: read the configuration again, now, and say what came of it.
//!
//! A file that changes is noticed without being asked. This is for who wants to know that it was: the answer is 200 when
//! the new configuration is in force, and 422 with every problem when it is not and the old one stays.

use std::fmt;
use std::sync::Arc;

use http::StatusCode;
use serde_json::json;

use super::reply::{self, Reply};

/// Reads the configuration again and puts it in force, or says why not. May block on files and names.
pub trait Reload: Send + Sync {
    fn reload(&self, because: Reason) -> Result<Applied, Refused>;
}

/// Why a configuration is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The file is another one than before.
    File,
    /// SIGHUP.
    Signal,
    /// Somebody asked the admin listener.
    Request,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "the file has changed",
            Self::Signal => "SIGHUP",
            Self::Request => "POST /reload",
        })
    }
}

/// A configuration that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Keys that differ from those the process was started with, and that only a start reads.
    pub restart_needed: Vec<String>,
    pub warnings: Vec<String>,
}

/// Everything that is wrong with one that is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub Vec<String>);

/// Reloads, beside the requests of this listener.
pub(super) async fn run(reload: Option<Arc<dyn Reload>>) -> Reply {
    let Some(reload) = reload else {
        return reply::refusal(StatusCode::CONFLICT, "this vacpack was not started from a configuration");
    };
    match tokio::task::spawn_blocking(move || reload.reload(Reason::Request)).await {
        Ok(Ok(Applied { restart_needed, warnings })) => {
            reply::json(StatusCode::OK, &json!({ "restart_needed": restart_needed, "warnings": warnings }))
        }
        Ok(Err(Refused(problems))) => reply::json(
            StatusCode::UNPROCESSABLE_ENTITY,
            &json!({ "error": format!("the old configuration stays\n{}", problems.join("\n\n")), "problems": problems }),
        ),
        Err(_) => reply::refusal(StatusCode::INTERNAL_SERVER_ERROR, "the reload broke off"),
    }
}
