//! Events and state for a broker, and for Home Assistant behind it; the only file that knows rumqttc.
//!
//! | topic below `<topic_prefix>/<id>` | retained | what |
//! |---|---|---|
//! | `availability` | yes | `online`; `offline` at the end, or by the broker when the kiosk vanishes |
//! | `event` | no | each event, as [`crate::event`] writes it |
//! | `presence` | yes | `ON` while somebody stands there |
//! | `problem` | yes | `ON` while there is a fault |
//! | `door` | yes | `ON` while the relay is active; only with a door |
//!
//! Nothing here waits for the network: the connection lives in a thread of its own. While there is none, events wait in
//! a bounded queue, the oldest dropped first; one that waited longer than `event_age_ms` is dropped as well, because a
//! greeting that arrives a minute late might open a door for whoever stands there then. State is sent anew with each
//! connection.

mod discovery;

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rumqttc::{Client, Connection, Event, LastWill, MqttOptions, Packet, QoS, Request, Transport};
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::clock::judge::Judged;
use crate::event::{self, Happening};
use crate::metrics::Metrics;
pub use discovery::Device;

/// Waits before the second, third, ... try to connect: doubled each time, up to the last.
const BACKOFF: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(60)];
/// How long the end waits for the broker to hear of it.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// Which broker, and what it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MqttConfig {
    /// Name or address of the broker; empty: none.
    pub host: String,
    /// Its port: usually 1883, with TLS 8883.
    pub port: u16,
    /// Whether the connection is sealed by TLS.
    pub tls: bool,
    /// Certificates, PEM, of whom the broker's is accepted with TLS.
    pub ca_file: PathBuf,
    /// User name; empty: none.
    pub user: String,
    /// File whose first line is the password; for its owner alone.
    pub password_file: PathBuf,
    /// What this kiosk is called among others: letters, digits, - and _.
    pub id: String,
    /// First part of every topic.
    pub topic_prefix: String,
    /// Home Assistant's discovery prefix; empty: nothing is announced to it.
    pub discovery_prefix: String,
    /// Whether names are told.
    pub names: bool,
    /// Events that wait while there is no connection.
    pub queue: usize,
    /// Milliseconds after which a waiting event is not sent any more.
    pub event_age_ms: u64,
    /// Seconds between two signs of life.
    pub keep_alive_s: u64,
}

impl Default for MqttConfig {
    /// No broker.
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 1883,
            tls: false,
            ca_file: PathBuf::new(),
            user: String::new(),
            password_file: PathBuf::new(),
            id: "kiosk".to_owned(),
            topic_prefix: "usher".to_owned(),
            discovery_prefix: "homeassistant".to_owned(),
            names: false,
            queue: 100,
            event_age_ms: 10_000,
            keep_alive_s: 30,
        }
    }
}

impl MqttConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        let named = |text: &str| {
            !text.is_empty()
                && text.len() <= 64
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        if !named(&self.id) {
            return Err(format!(
                "mqtt.id = {:?}, which is not 1 to 64 letters, digits, - and _",
                self.id
            ));
        }
        for (name, prefix, may_be_empty) in [
            ("topic_prefix", &self.topic_prefix, false),
            ("discovery_prefix", &self.discovery_prefix, true),
        ] {
            let good = prefix.split('/').all(named) || (may_be_empty && prefix.is_empty());
            if !good {
                return Err(format!(
                    "mqtt.{name} = {prefix:?}, which is not letters, digits, - and _ between slashes"
                ));
            }
        }
        for (name, found, least, most) in [
            ("port", u64::from(self.port), 1, 65_535),
            ("queue", self.queue as u64, 1, 10_000),
            ("event_age_ms", self.event_age_ms, 0, 3_600_000),
            ("keep_alive_s", self.keep_alive_s, 5, 1200),
        ] {
            if !(least..=most).contains(&found) {
                return Err(format!(
                    "mqtt.{name} = {found}, which is not from {least} to {most}"
                ));
            }
        }
        if self.tls && self.ca_file.as_os_str().is_empty() {
            return Err(
                "mqtt.ca_file is empty, which mqtt.tls = true needs; Debian's is /etc/ssl/certs/ca-certificates.crt"
                    .to_owned(),
            );
        }
        Ok(())
    }

    fn topic(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.topic_prefix, self.id)
    }
}

/// Why the broker cannot be spoken to at all; that it does not answer is no error, it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum MqttError {
    /// A file that the settings name cannot be used.
    #[error("expected {what} in {path}, found: {source}; correct [mqtt], or the file")]
    File {
        /// What it should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may read the password.
    #[error(
        "expected {path}, which holds a password, to be for its owner alone, found mode {mode:03o}; run chmod 600 {path}"
    )]
    Readable {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The thread cannot be started.
    #[error("expected a thread for the broker, found: {0}; free some memory")]
    Thread(io::Error),
}

/// The broker's connection, as the rest of the kiosk has it.
pub struct Mqtt {
    config: MqttConfig,
    client: Client,
    shared: Arc<Shared>,
    ended: Receiver<()>,
}

/// What both sides touch.
struct Shared {
    held: Mutex<Held>,
    woken: Condvar,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Held {
    connected: bool,
    stop: bool,
    presence: bool,
    problem: bool,
    door: bool,
    /// Events without a connection, and since when they wait.
    waiting: VecDeque<(Instant, String)>,
}

impl Shared {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mqtt {
    /// Connects in a thread of its own, and again whenever the connection is lost; `None` without a broker.
    ///
    /// # Errors
    /// [`MqttError`] when a file that the settings name cannot be used.
    pub fn start(
        config: &MqttConfig,
        device: Device,
        metrics: Arc<Metrics>,
    ) -> Result<Option<Self>, MqttError> {
        if config.host.is_empty() {
            return Ok(None);
        }
        let options = options(config)?;
        // Room for the announcements beside what waits.
        let (client, connection) = Client::new(options, config.queue + 32);
        let shared = Arc::new(Shared {
            held: Mutex::default(),
            woken: Condvar::new(),
            metrics,
        });
        let (ending, ended) = sync_channel(1);
        let thread = Thread {
            config: config.clone(),
            device,
            client: client.clone(),
            shared: Arc::clone(&shared),
            owed: VecDeque::new(),
        };
        std::thread::Builder::new()
            .name("mqtt".to_owned())
            .spawn(move || {
                let _ending = ending;
                thread.run(connection);
            })
            .map_err(MqttError::Thread)?;
        Ok(Some(Self {
            config: config.clone(),
            client,
            shared,
            ended,
        }))
    }

    /// Tells an event; never waits.
    pub fn tell(&self, at: Timestamp, judged: Option<&Judged>, happening: &Happening<'_>) {
        if let Happening::Door { active, .. } = happening {
            self.set(|held| &mut held.door, "door", *active);
        }
        let told = match self.config.names {
            true => happening.clone(),
            false => happening.clone().without_name(),
        };
        let Ok(line) = event::line(at, judged.map(|judged| judged.moment), told) else {
            return;
        };
        let mut held = self.shared.held();
        if held.connected {
            // Under the lock, as the thread clears what is on its way when a connection is lost.
            self.send("event", false, line);
            return;
        }
        if held.waiting.len() >= self.config.queue {
            held.waiting.pop_front();
            self.shared.metrics.mqtt_dropped.add_one();
        }
        held.waiting.push_back((Instant::now(), line));
    }

    /// Whether somebody stands there; never waits.
    pub fn set_presence(&self, present: bool) {
        self.set(|held| &mut held.presence, "presence", present);
    }

    /// Whether there is a fault; never waits.
    pub fn set_problem(&self, problem: bool) {
        self.set(|held| &mut held.problem, "problem", problem);
    }

    /// Whether the broker is connected.
    pub fn is_connected(&self) -> bool {
        self.shared.held().connected
    }

    fn set(&self, which: fn(&mut Held) -> &mut bool, topic: &str, value: bool) {
        let mut held = self.shared.held();
        let changed = std::mem::replace(which(&mut held), value) != value;
        if changed && held.connected {
            self.send(topic, true, on_or_off(value).to_owned());
        }
    }

    fn send(&self, topic: &str, retain: bool, payload: String) {
        let topic = self.config.topic(topic);
        let sent = self
            .client
            .try_publish(topic, QoS::AtLeastOnce, retain, payload);
        if sent.is_err() {
            self.shared.metrics.mqtt_dropped.add_one();
        }
    }
}

impl Drop for Mqtt {
    fn drop(&mut self) {
        let mut held = self.shared.held();
        held.stop = true;
        let connected = held.connected;
        drop(held);
        self.shared.woken.notify_all();
        if connected {
            self.send("availability", true, "offline".to_owned());
            let _ = self.client.try_disconnect();
            let _ = self.ended.recv_timeout(LAST_WAIT);
        }
    }
}

/// The thread that holds the connection.
struct Thread {
    config: MqttConfig,
    device: Device,
    client: Client,
    shared: Arc<Shared>,
    /// Announcements that did not fit into the connection's queue yet.
    owed: VecDeque<(String, bool, String)>,
}

impl Thread {
    fn run(mut self, mut connection: Connection) {
        let mut wait = BACKOFF[0];
        while let Ok(event) = connection.recv() {
            match event {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    wait = BACKOFF[0];
                    tracing::info!("the broker is connected");
                    self.connected();
                }
                Ok(_) => {}
                Err(error) => {
                    if self.lost(&mut connection) {
                        tracing::warn!(%error, "the broker is not connected; it is tried again");
                    }
                    if self.pause(wait) {
                        break;
                    }
                    wait = (wait * 2).min(BACKOFF[1]);
                }
            }
            self.pay();
        }
        self.shared.metrics.mqtt_connected.set(0);
    }

    /// Everything that the broker should know now, and the events that are fresh enough.
    fn connected(&mut self) {
        let mut held = self.shared.held();
        held.connected = true;
        self.owed.clear();
        for (topic, payload) in discovery::announcements(&self.config, &self.device) {
            self.owed.push_back((topic, true, payload));
        }
        let states = [
            ("availability", "online"),
            ("presence", on_or_off(held.presence)),
            ("problem", on_or_off(held.problem)),
            ("door", on_or_off(held.door)),
        ];
        for (name, payload) in states {
            if name != "door" || self.device.has_door {
                let topic = self.config.topic(name);
                self.owed.push_back((topic, true, payload.to_owned()));
            }
        }
        let oldest = Duration::from_millis(self.config.event_age_ms);
        for (since, line) in held.waiting.drain(..) {
            match since.elapsed() <= oldest {
                true => self
                    .owed
                    .push_back((self.config.topic("event"), false, line)),
                false => self.shared.metrics.mqtt_dropped.add_one(),
            }
        }
        self.shared.metrics.mqtt_connected.set(1);
    }

    /// Notes that there is no connection, and drops what was on its way: it would arrive late. True if there was one.
    fn lost(&mut self, connection: &mut Connection) -> bool {
        let mut held = self.shared.held();
        let was = std::mem::replace(&mut held.connected, false);
        self.shared.metrics.mqtt_connected.set(0);
        connection.eventloop.clean();
        let event = self.config.topic("event");
        let is_event =
            |request: &&Request| matches!(request, Request::Publish(it) if it.topic == event);
        let lost = connection.eventloop.pending.iter().filter(is_event).count()
            + self
                .owed
                .iter()
                .filter(|(topic, ..)| *topic == event)
                .count();
        self.shared.metrics.mqtt_dropped.add(lost as u64);
        connection.eventloop.pending.clear();
        self.owed.clear();
        was && !held.stop
    }

    /// Waits before the next try; true when it is the end.
    fn pause(&self, wait: Duration) -> bool {
        let waited = self
            .shared
            .woken
            .wait_timeout_while(self.shared.held(), wait, |held| !held.stop);
        waited.unwrap_or_else(PoisonError::into_inner).0.stop
    }

    /// Hands over what is owed, as far as there is room.
    fn pay(&mut self) {
        while let Some((topic, retain, payload)) = self.owed.front() {
            let sent = self.client.try_publish(
                topic.as_str(),
                QoS::AtLeastOnce,
                *retain,
                payload.as_str(),
            );
            if sent.is_err() {
                return;
            }
            self.owed.pop_front();
        }
    }
}

fn on_or_off(on: bool) -> &'static str {
    match on {
        true => "ON",
        false => "OFF",
    }
}

fn options(config: &MqttConfig) -> Result<MqttOptions, MqttError> {
    let client_id = format!("{}-{}", config.topic_prefix.replace('/', "-"), config.id);
    let mut options = MqttOptions::new(client_id, &config.host, config.port);
    options.set_keep_alive(Duration::from_secs(config.keep_alive_s));
    let will = LastWill::new(
        config.topic("availability"),
        "offline",
        QoS::AtLeastOnce,
        true,
    );
    options.set_last_will(will);
    if !config.user.is_empty() {
        options.set_credentials(&config.user, password(&config.password_file)?);
    }
    if config.tls {
        // Once for the process; another part of it may have been first with the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let ca = fs::read(&config.ca_file).map_err(|source| MqttError::File {
            what: "certificates",
            path: config.ca_file.clone(),
            source,
        })?;
        options.set_transport(Transport::tls(ca, None, None));
    } else if !config.user.is_empty() {
        tracing::warn!("the broker's password is sent unsealed; set mqtt.tls");
    }
    Ok(options)
}

/// The first line of the file; none at all when no file is named.
fn password(path: &Path) -> Result<String, MqttError> {
    if path.as_os_str().is_empty() {
        return Ok(String::new());
    }
    let failed = |source| MqttError::File {
        what: "a password",
        path: path.to_owned(),
        source,
    };
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(MqttError::Readable {
            path: path.to_owned(),
            mode,
        });
    }
    let text = fs::read_to_string(path).map_err(failed)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests;
