//! Asks a running kiosk over its local socket.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a kiosk may take to answer: it answers one caller after the other.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest answer.
const MAX_BYTES: u64 = 1 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens.
    #[error(
        "expected a kiosk that answers at {path}, found none ({source}); start it (usher run, or systemctl start usher), or name its socket by --socket"
    )]
    Silent {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What was answered is none.
    #[error(
        "expected an answer to {asked} at {path}, found: {found}; restart the kiosk after an update"
    )]
    Answer {
        /// The socket.
        path: PathBuf,
        /// What was asked for.
        asked: String,
        /// What came.
        found: String,
    },
}

/// The body of what is at `asked`: "/status" or "/metrics".
///
/// # Errors
/// [`AskError`] when nobody listens, or the answer is not a good one.
pub fn ask(path: &Path, asked: &str) -> Result<String, AskError> {
    let silent = |source| AskError::Silent {
        path: path.to_owned(),
        source,
    };
    let mut stream = UnixStream::connect(path).map_err(silent)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(silent)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(silent)?;
    write!(stream, "GET {asked} HTTP/1.0\r\n\r\n").map_err(silent)?;
    let mut answer = String::new();
    stream
        .take(MAX_BYTES)
        .read_to_string(&mut answer)
        .map_err(silent)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    match head.lines().next() {
        Some("HTTP/1.0 200 OK") => Ok(body.to_owned()),
        first => Err(AskError::Answer {
            path: path.to_owned(),
            asked: asked.to_owned(),
            found: first.unwrap_or("nothing").to_owned(),
        }),
    }
}
