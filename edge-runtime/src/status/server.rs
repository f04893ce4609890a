//! Answers GET /status and GET /metrics on a local socket, one caller after the other; nothing can be changed by it.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Board;
use crate::clock::moment::Clocks;
use crate::metrics::process::Process;
use crate::metrics::{CONTENT_TYPE, Metrics, MetricsConfig};
use crate::watchdog::Heartbeats;

/// How long one caller may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longest request.
const MAX_REQUEST_BYTES: usize = 8 << 10;

/// Why nobody can ask.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Another kiosk answers there.
    #[error(
        "expected no kiosk at {path}, found one that answers; stop it first, or set [metrics] socket to another path"
    )]
    Taken {
        /// The socket.
        path: PathBuf,
    },
    /// The socket cannot be made.
    #[error(
        "expected to listen at {place}, found: {source}; check folder and permissions, or set [metrics] to another place"
    )]
    Bind {
        /// Path or address.
        place: String,
        /// What the system said.
        source: io::Error,
    },
}

/// What is answered from.
pub struct Answers {
    /// How the kiosk is.
    pub board: Arc<Board>,
    /// What it counts.
    pub metrics: Arc<Metrics>,
    /// What its uptime is counted by.
    pub clocks: Arc<dyn Clocks>,
    /// When its parts last progressed.
    pub hearts: Arc<Heartbeats>,
}

impl Answers {
    /// Content type and body, or none where there is nothing under this path.
    fn to(&self, path: &str) -> Option<(&'static str, String)> {
        let mut status = self.board.read(self.clocks.now());
        status.parts = self.hearts.status();
        match path {
            "/status" => Some((
                "application/json",
                serde_json::to_string(&status).ok()? + "\n",
            )),
            "/metrics" => {
                self.metrics.faults.set(status.faults.len() as i64);
                let uptime = Duration::from_secs(status.uptime_s);
                Some((CONTENT_TYPE, self.metrics.to_text(uptime, &Process::now())))
            }
            _ => None,
        }
    }
}

/// The threads that answer; they end when this is dropped, and the socket goes.
#[derive(Debug)]
pub struct Server {
    stop: Arc<AtomicBool>,
    socket: Option<PathBuf>,
    port: Option<u16>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Answers where `config` says, in threads of its own.
    ///
    /// # Errors
    /// [`ServerError`] when another kiosk answers there or the socket cannot be made.
    pub fn start(config: &MetricsConfig, answers: Answers) -> Result<Self, ServerError> {
        let answers = Arc::new(answers);
        let mut server = Self {
            stop: Arc::new(AtomicBool::new(false)),
            socket: None,
            port: None,
            threads: Vec::new(),
        };
        if !config.socket.as_os_str().is_empty() {
            let path = &config.socket;
            let listener = listen(path)?;
            server.socket = Some(path.clone());
            let accept = move || listener.accept().map(|(stream, _)| stream);
            let place = path.display().to_string();
            server.answer("status", place, &answers, accept)?;
        }
        if config.tcp_port != 0 {
            let place = format!("127.0.0.1:{}", config.tcp_port);
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.tcp_port))
                .map_err(|source| bind(&place, source))?;
            server.port = Some(config.tcp_port);
            let accept = move || listener.accept().map(|(stream, _)| stream);
            server.answer("metrics", place, &answers, accept)?;
        }
        Ok(server)
    }

    fn answer<S: Stream>(
        &mut self,
        name: &str,
        place: String,
        answers: &Arc<Answers>,
        accept: impl Fn() -> io::Result<S> + Send + 'static,
    ) -> Result<(), ServerError> {
        let (stop, answers) = (Arc::clone(&self.stop), Arc::clone(answers));
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                while !stop.load(Ordering::Acquire) {
                    let served = accept().and_then(|mut stream| serve(&mut stream, &answers));
                    if let Err(error) = served {
                        tracing::debug!(%error, "a caller was not answered");
                        // Out of descriptors, accept fails at once: it must not take a core.
                        if error.raw_os_error().is_some() {
                            std::thread::park_timeout(Duration::from_millis(20));
                        }
                    }
                }
            })
            .map_err(|source| bind(&place, source))?;
        self.threads.push(thread);
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // A call wakes the thread that waits for one.
        if let Some(socket) = &self.socket {
            let _ = UnixStream::connect(socket);
        }
        if let Some(port) = self.port {
            let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        if let Some(socket) = &self.socket {
            let _ = fs::remove_file(socket);
        }
    }
}

fn bind(place: &str, source: io::Error) -> ServerError {
    ServerError::Bind {
        place: place.to_owned(),
        source,
    }
}

/// A socket at `path` for owner and group; one that a killed kiosk left is taken away.
fn listen(path: &Path) -> Result<UnixListener, ServerError> {
    let failed = |source| bind(&path.display().to_string(), source);
    if UnixStream::connect(path).is_ok() {
        return Err(ServerError::Taken {
            path: path.to_owned(),
        });
    }
    use std::os::unix::fs::FileTypeExt;
    if let Ok(metadata) = fs::symlink_metadata(path)
        && metadata.file_type().is_socket()
    {
        fs::remove_file(path).map_err(failed)?;
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o660)).map_err(failed)?;
    Ok(listener)
}

/// A connection, of either kind.
trait Stream: Read + Write {
    fn limit(&self, time: Duration) -> io::Result<()>;
}

impl Stream for UnixStream {
    fn limit(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time))?;
        self.set_write_timeout(Some(time))
    }
}

impl Stream for TcpStream {
    fn limit(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time))?;
        self.set_write_timeout(Some(time))
    }
}

/// Answers one caller within [`PATIENCE`].
fn serve(stream: &mut impl Stream, answers: &Answers) -> io::Result<()> {
    let request = request(stream)?;
    let (status, kind, body) = match target(&request) {
        Err(status) => (status, "text/plain", format!("{status}\n")),
        Ok(path) => match answers.to(path) {
            Some((kind, body)) => ("200 OK", kind, body),
            None => (
                "404 Not Found",
                "text/plain",
                "there are /status and /metrics\n".to_owned(),
            ),
        },
    };
    let head = format!(
        "HTTP/1.0 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes())
}

/// The head of a request, at most [`MAX_REQUEST_BYTES`].
fn request(stream: &mut impl Stream) -> io::Result<Vec<u8>> {
    let begin = Instant::now();
    let mut request = Vec::new();
    let mut bytes = [0; 1024];
    loop {
        let left = PATIENCE.saturating_sub(begin.elapsed());
        if left.is_zero() || request.len() > MAX_REQUEST_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        stream.limit(left)?;
        let count = stream.read(&mut bytes)?;
        request.extend_from_slice(&bytes[..count]);
        if count == 0 || request.windows(4).any(|four| four == b"\r\n\r\n") {
            return Ok(request);
        }
    }
}

/// The path that a request asks for, or the status of its refusal.
fn target(request: &[u8]) -> Result<&str, &'static str> {
    let line = request
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    let text = std::str::from_utf8(line).map_err(|_error| "400 Bad Request")?;
    let parts: Vec<&str> = text.split(' ').collect();
    match parts.as_slice() {
        ["GET", path, version] if version.starts_with("HTTP/1.") => {
            Ok(path.split('?').next().unwrap_or(path))
        }
        [_, _, version] if version.starts_with("HTTP/1.") => Err("405 Method Not Allowed"),
        _ => Err("400 Bad Request"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::moment::DeviceClocks;
    use crate::status::Status;
    use crate::status::client::{self, AskError};

    fn answers() -> Answers {
        let clocks = DeviceClocks::new(&[]);
        let board = Board::new(clocks.now());
        board.update(|status| status.state = "idle".to_owned());
        Answers {
            board: Arc::new(board),
            metrics: Arc::default(),
            clocks: Arc::new(clocks),
            hearts: Arc::default(),
        }
    }

    fn config(socket: &Path) -> MetricsConfig {
        MetricsConfig {
            socket: socket.to_owned(),
            tcp_port: 0,
        }
    }

    #[test]
    fn status_and_metrics_are_answered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made/usher.sock");
        let server = Server::start(&config(&path), answers()).unwrap();
        let status: Status = serde_json::from_str(&client::ask(&path, "/status").unwrap()).unwrap();
        assert_eq!(status.state, "idle");
        assert!(
            client::ask(&path, "/metrics")
                .unwrap()
                .contains("usher_frames_total 0\n")
        );
        assert!(matches!(
            client::ask(&path, "/names"),
            Err(AskError::Answer { .. })
        ));
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660);
        drop(server);
        assert!(!path.exists());
        assert!(matches!(
            client::ask(&path, "/status"),
            Err(AskError::Silent { .. })
        ));
    }

    #[test]
    fn a_socket_that_a_killed_kiosk_left_is_taken_and_a_running_ones_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("usher.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "left by a kiosk that was killed");
        let server = Server::start(&config(&path), answers()).unwrap();
        let second = Server::start(&config(&path), answers());
        assert!(matches!(second, Err(ServerError::Taken { .. })));
        drop(server);
        fs::write(&path, b"somebody's notes").unwrap();
        assert!(matches!(
            Server::start(&config(&path), answers()),
            Err(ServerError::Bind { .. })
        ));
        assert_eq!(fs::read(&path).unwrap(), b"somebody's notes");
    }

    #[test]
    fn the_port_is_of_this_machine_alone() {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let config = MetricsConfig {
            socket: PathBuf::new(),
            tcp_port: port,
        };
        let _server = Server::start(&config, answers()).unwrap();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream
            .write_all(b"GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.0 200 OK\r\n"), "{text}");
        assert!(text.contains("text/plain; version=0.0.4"), "{text}");
    }

    #[test]
    fn bad_callers_are_refused_and_the_next_is_served() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("usher.sock");
        let _server = Server::start(&config(&path), answers()).unwrap();
        for (name, request, expected) in [
            ("POST", &b"POST /status HTTP/1.1\r\n\r\n"[..], "405"),
            ("garbage", &b"\xff\xfe\r\n\r\n"[..], "400"),
            ("no version", &b"GET /status\r\n\r\n"[..], "400"),
            ("too long", &[b'x'; 20_000][..], ""),
            ("nothing", &b""[..], "400"),
        ] {
            let mut stream = UnixStream::connect(&path).unwrap();
            // The listener may hang up before it has read all.
            let _ = stream.write_all(request);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            let answer = String::from_utf8(answer).unwrap();
            assert!(answer.contains(expected), "{name}: {answer}");
        }
        assert!(client::ask(&path, "/status").is_ok());
    }
}
