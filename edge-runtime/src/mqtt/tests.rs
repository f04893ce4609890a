//! Against a real broker, mosquitto, which each test starts for itself; skipped where there is none.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};

use rustix::process::{Pid, Signal, kill_process};

use super::*;

const PASSWORD: &str = "correct horse";
const PATIENCE: Duration = Duration::from_secs(60);

/// A port that is free now.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// A program in PATH or in /usr/sbin, where Debian puts the broker.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    folders
        .map(|folder| folder.join(name))
        .find(|path| path.exists())
}

/// A broker of this test's own.
struct Broker {
    folder: tempfile::TempDir,
    port: u16,
    tls: bool,
    child: Option<Child>,
}

impl Broker {
    /// A broker with one user; `None`, with a line on standard error, where mosquitto is missing.
    fn start(tls: bool) -> Option<Self> {
        for name in ["mosquitto", "mosquitto_sub", "mosquitto_passwd", "openssl"] {
            if program(name).is_none() {
                eprintln!(
                    "SKIPPED: no {name} (apt-get install mosquitto mosquitto-clients openssl)"
                );
                return None;
            }
        }
        let mut broker = Self {
            folder: tempfile::tempdir().unwrap(),
            port: free_port(),
            tls,
            child: None,
        };
        let passwords = broker.path("passwords");
        run(Command::new("mosquitto_passwd")
            .args(["-b", "-c"])
            .arg(&passwords)
            .args(["usher", PASSWORD]));
        let path = |name: &str| broker.path(name).display().to_string();
        let mut config = format!(
            "listener {} 127.0.0.1\nallow_anonymous false\npassword_file {}\npersistence true\n\
             persistence_location {}/\nuser root\n",
            broker.port,
            path("passwords"),
            broker.folder.path().display()
        );
        if tls {
            certificates(broker.folder.path());
            config += &format!(
                "certfile {}\nkeyfile {}\n",
                path("broker.pem"),
                path("broker.key")
            );
        }
        fs::write(broker.path("mosquitto.conf"), config).unwrap();
        let password = broker.path("password");
        fs::write(&password, format!("{PASSWORD}\n")).unwrap();
        fs::set_permissions(password, fs::Permissions::from_mode(0o600)).unwrap();
        broker.again();
        Some(broker)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts it, and waits until it takes connections.
    fn again(&mut self) {
        let log = fs::File::create(self.path("log")).unwrap();
        let child = Command::new(program("mosquitto").unwrap())
            .arg("-c")
            .arg(self.path("mosquitto.conf"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        wait_for("the broker", || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok()
        });
    }

    /// Ends it as a service manager does, so that it keeps what is retained.
    fn stop(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        let pid = Pid::from_raw(child.id() as i32).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        child.wait().unwrap();
    }

    fn config(&self) -> MqttConfig {
        MqttConfig {
            host: "localhost".to_owned(),
            port: self.port,
            tls: self.tls,
            ca_file: if self.tls {
                self.path("ca.pem")
            } else {
                PathBuf::new()
            },
            user: "usher".to_owned(),
            password_file: self.path("password"),
            id: "lobby".to_owned(),
            ..MqttConfig::default()
        }
    }

    /// What a subscriber to everything gets, as "retained topic payload".
    fn subscribe(&self) -> Subscriber {
        let mut command = Command::new("mosquitto_sub");
        command
            .args([
                "-h",
                "localhost",
                "-p",
                &self.port.to_string(),
                "-u",
                "usher",
                "-P",
                PASSWORD,
            ])
            .args(["-q", "1", "-t", "#", "-F", "%r %t %p"])
            .stdout(Stdio::piped());
        if self.tls {
            command.arg("--cafile").arg(self.path("ca.pem"));
        }
        let mut child = command.spawn().unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut early = VecDeque::new();
        // It hears what is sent from when it hears itself being asked.
        wait_for("the subscriber", || {
            self.publish("probe");
            early.extend(lines.recv_timeout(Duration::from_millis(200)));
            early.extend(lines.try_iter());
            early.iter().any(|line| is_probe(line))
        });
        Subscriber {
            child,
            early: Mutex::new(early),
            lines,
        }
    }

    fn publish(&self, topic: &str) {
        let mut command = Command::new("mosquitto_pub");
        command
            .args([
                "-h",
                "localhost",
                "-p",
                &self.port.to_string(),
                "-u",
                "usher",
                "-P",
                PASSWORD,
            ])
            .args(["-t", topic, "-m", "x"]);
        if self.tls {
            command.arg("--cafile").arg(self.path("ca.pem"));
        }
        run(&mut command);
    }
}

fn is_probe(line: &str) -> bool {
    line.ends_with(" probe x")
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Subscriber {
    child: Child,
    early: Mutex<VecDeque<String>>,
    lines: Receiver<String>,
}

impl Subscriber {
    /// All lines up to and with the first that has `part` in it.
    fn until(&self, part: &str) -> Vec<String> {
        let mut lines = Vec::new();
        let end = Instant::now() + PATIENCE;
        let mut early = self.early.lock().unwrap();
        let next = |early: &mut VecDeque<String>| {
            let left = end.saturating_duration_since(Instant::now());
            early
                .pop_front()
                .or_else(|| self.lines.recv_timeout(left).ok())
        };
        while let Some(line) = next(&mut early) {
            if is_probe(&line) {
                continue;
            }
            lines.push(line);
            if lines.last().is_some_and(|line| line.contains(part)) {
                return lines;
            }
        }
        panic!("no {part} in {lines:#?}");
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// An authority, and a certificate by it for localhost; `other.pem` is another authority.
fn certificates(folder: &Path) {
    let openssl = |arguments: &str| {
        run(Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(folder))
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    openssl(&format!(
        "req -x509 {key} -subj /CN=authority -keyout ca.key -out ca.pem"
    ));
    openssl(&format!(
        "req -x509 {key} -subj /CN=other -keyout other.key -out other.pem"
    ));
    fs::write(folder.join("names"), "subjectAltName=DNS:localhost\n").unwrap();
    openssl(&format!(
        "req {key} -subj /CN=localhost -keyout broker.key -out broker.csr"
    ));
    openssl(
        "x509 -req -in broker.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out broker.pem",
    );
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "{what}: waited in vain");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

fn device() -> Device {
    Device {
        version: "1.2.3".to_owned(),
        model: "usher-small".to_owned(),
        has_door: true,
    }
}

fn start(config: &MqttConfig) -> (Mqtt, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::default());
    let mqtt = Mqtt::start(config, device(), Arc::clone(&metrics))
        .unwrap()
        .unwrap();
    (mqtt, metrics)
}

fn greeted(frame: u64) -> Happening<'static> {
    Happening::Greeted {
        identity: "3".to_owned(),
        name: Some("Ada"),
        distance: 0.5,
        threshold: 1.0,
        frame,
        one_in: Some(900),
    }
}

const AT: Timestamp = Timestamp::from_millis(1700);

#[test]
fn a_broker_hears_events_states_and_the_end() {
    let Some(broker) = Broker::start(false) else {
        return;
    };
    let subscriber = broker.subscribe();
    let (mqtt, metrics) = start(&broker.config());
    let announced = subscriber.until("0 usher/lobby/door OFF");
    assert_eq!(
        announced
            .iter()
            .filter(|line| line.contains("/config {"))
            .count(),
        4,
        "{announced:#?}"
    );
    assert!(announced.contains(&"0 usher/lobby/availability online".to_owned()));
    assert!(mqtt.is_connected());
    assert_eq!(metrics.mqtt_connected.value(), 1);
    mqtt.set_presence(true);
    mqtt.tell(AT, None, &greeted(17));
    let door = Happening::Door {
        active: true,
        why: "greeted",
        identity: None,
    };
    mqtt.tell(AT, None, &door);
    let heard = subscriber.until("\"event\":\"door\"");
    assert_eq!(
        heard,
        [
            "0 usher/lobby/presence ON",
            "0 usher/lobby/event {\"at_ms\":1700,\"event\":\"greeted\",\"identity\":\"3\",\"distance\":0.5,\
             \"threshold\":1.0,\"frame\":17,\"one_in\":900}",
            "0 usher/lobby/door ON",
            "0 usher/lobby/event {\"at_ms\":1700,\"event\":\"door\",\"active\":true,\"why\":\"greeted\"}",
        ]
    );
    drop(mqtt);
    subscriber.until("0 usher/lobby/availability offline");
    // Retained, for who comes later: discovery and states, and no event.
    let retained = broker.subscribe().until("availability offline");
    assert!(
        retained.iter().all(|line| line.starts_with("1 ")),
        "{retained:#?}"
    );
    assert!(
        !retained.iter().any(|line| line.contains("lobby/event {")),
        "{retained:#?}"
    );
}

#[test]
fn names_are_told_only_if_the_settings_say_so() {
    let Some(broker) = Broker::start(false) else {
        return;
    };
    let subscriber = broker.subscribe();
    let config = MqttConfig {
        names: true,
        ..broker.config()
    };
    let (mqtt, _) = start(&config);
    mqtt.tell(AT, None, &greeted(1));
    let heard = subscriber.until("\"event\":\"greeted\"");
    assert!(
        heard.last().unwrap().contains("\"name\":\"Ada\""),
        "{heard:#?}"
    );
}

#[test]
fn a_broker_that_restarts_is_told_the_state_and_what_waited() {
    let Some(mut broker) = Broker::start(false) else {
        return;
    };
    // So that it connects again when somebody listens, not before.
    let cable = Cable::to(broker.port);
    let config = MqttConfig {
        port: cable.port,
        queue: 3,
        event_age_ms: 600_000,
        ..broker.config()
    };
    let (mqtt, metrics) = start(&config);
    wait_for("the first connection", || mqtt.is_connected());
    broker.stop();
    wait_for("the loss", || !mqtt.is_connected());
    cable.plug(false);
    mqtt.set_presence(true);
    for frame in 1..=5 {
        mqtt.tell(AT, None, &greeted(frame));
    }
    assert_eq!(metrics.mqtt_dropped.value(), 2, "three of five wait");
    broker.again();
    let subscriber = broker.subscribe();
    // Kept by the broker over its restart.
    let retained = subscriber.until("availability");
    assert!(
        retained.iter().all(|line| line.starts_with("1 ")),
        "{retained:#?}"
    );
    cable.plug(true);
    let heard = subscriber.until("\"frame\":5");
    for expected in [
        "0 usher/lobby/presence ON",
        "0 usher/lobby/availability online",
        "\"frame\":3",
        "\"frame\":4",
    ] {
        assert!(
            heard.iter().any(|line| line.contains(expected)),
            "no {expected} in {heard:#?}"
        );
    }
    assert!(
        !heard.iter().any(|line| line.contains("\"frame\":2,")),
        "{heard:#?}"
    );
    assert_eq!(metrics.mqtt_dropped.value(), 2);
    let retained = broker.subscribe().until("presence ON");
    assert!(
        retained.iter().all(|line| line.starts_with("1 ")),
        "{retained:#?}"
    );
}

#[test]
fn a_stale_event_is_not_sent() {
    let Some(mut broker) = Broker::start(false) else {
        return;
    };
    let config = MqttConfig {
        event_age_ms: 0,
        ..broker.config()
    };
    let (mqtt, metrics) = start(&config);
    wait_for("the first connection", || mqtt.is_connected());
    broker.stop();
    wait_for("the loss", || !mqtt.is_connected());
    mqtt.tell(AT, None, &greeted(1));
    broker.again();
    wait_for("the second connection", || mqtt.is_connected());
    assert_eq!(metrics.mqtt_dropped.value(), 1);
    let subscriber = broker.subscribe();
    mqtt.tell(AT, None, &greeted(2));
    let heard = subscriber.until("\"frame\":2");
    assert!(
        !heard.iter().any(|line| line.contains("\"frame\":1,")),
        "{heard:#?}"
    );
}

/// Passes bytes on between a client and the broker until it is cut.
struct Cable {
    port: u16,
    plugged: Arc<AtomicBool>,
    ends: Arc<Mutex<Vec<TcpStream>>>,
}

impl Cable {
    fn to(broker: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let ends: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let kept = Arc::clone(&ends);
        let plugged = Arc::new(AtomicBool::new(true));
        let passes = Arc::clone(&plugged);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if !passes.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, broker)) else {
                    continue;
                };
                let pair = [client, server];
                for (from, to) in [(0, 1), (1, 0)] {
                    let (mut from, mut to) = (
                        pair[from].try_clone().unwrap(),
                        pair[to].try_clone().unwrap(),
                    );
                    std::thread::spawn(move || {
                        let mut bytes = [0; 4096];
                        while let Ok(count @ 1..) = from.read(&mut bytes) {
                            if to.write_all(&bytes[..count]).is_err() {
                                break;
                            }
                        }
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
                kept.lock().unwrap().extend(pair);
            }
        });
        Self {
            port,
            plugged,
            ends,
        }
    }

    fn plug(&self, plugged: bool) {
        self.plugged.store(plugged, Ordering::SeqCst);
        if !plugged {
            self.cut();
        }
    }

    fn cut(&self) {
        for end in self.ends.lock().unwrap().drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

#[test]
fn a_kiosk_that_vanishes_is_offline_and_comes_back() {
    let Some(broker) = Broker::start(false) else {
        return;
    };
    let subscriber = broker.subscribe();
    let cable = Cable::to(broker.port);
    let config = MqttConfig {
        port: cable.port,
        ..broker.config()
    };
    let (mqtt, _) = start(&config);
    subscriber.until("availability online");
    cable.cut();
    subscriber.until("availability offline");
    subscriber.until("availability online");
    wait_for("the connection", || mqtt.is_connected());
}

#[test]
fn tls_with_the_right_authority_alone() {
    let Some(broker) = Broker::start(true) else {
        return;
    };
    let subscriber = broker.subscribe();
    let strange = MqttConfig {
        ca_file: broker.path("other.pem"),
        id: "strange".to_owned(),
        ..broker.config()
    };
    let (strange, _) = start(&strange);
    let (mqtt, _) = start(&broker.config());
    subscriber.until("usher/lobby/availability online");
    assert!(mqtt.is_connected());
    wait_for("the refusal", || {
        fs::read_to_string(broker.path("log"))
            .unwrap()
            .contains("unknown ca")
    });
    assert!(!strange.is_connected());
}

#[test]
fn without_a_broker_nothing_waits_and_the_queue_is_bounded() {
    let config = MqttConfig {
        host: "127.0.0.1".to_owned(),
        port: free_port(),
        queue: 10,
        ..MqttConfig::default()
    };
    let (mqtt, metrics) = start(&config);
    let begin = Instant::now();
    for frame in 0..10_000 {
        mqtt.tell(AT, None, &greeted(frame));
    }
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "{:?}",
        begin.elapsed()
    );
    assert_eq!(metrics.mqtt_dropped.value(), 9990);
    assert!(!mqtt.is_connected());
    let none = Mqtt::start(&MqttConfig::default(), device(), metrics).unwrap();
    assert!(none.is_none());
}

#[test]
fn a_password_that_others_may_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    fs::write(&path, "secret\nmore\n").unwrap();
    for (mode, good) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        match password(&path) {
            Ok(found) => assert!(good && found == "secret", "{mode:o}"),
            Err(error) => assert!(!good && !error.to_string().contains("secret"), "{mode:o}"),
        }
    }
}

#[test]
fn settings_are_checked() {
    let config = MqttConfig::default;
    assert!(config().check().is_ok());
    for (wrong, named) in [
        (
            MqttConfig {
                id: "a b".to_owned(),
                ..config()
            },
            "mqtt.id",
        ),
        (
            MqttConfig {
                id: String::new(),
                ..config()
            },
            "mqtt.id",
        ),
        (
            MqttConfig {
                topic_prefix: "a/#".to_owned(),
                ..config()
            },
            "mqtt.topic_prefix",
        ),
        (
            MqttConfig {
                port: 0,
                ..config()
            },
            "mqtt.port = 0",
        ),
        (
            MqttConfig {
                queue: 0,
                ..config()
            },
            "mqtt.queue = 0",
        ),
        (
            MqttConfig {
                tls: true,
                ..config()
            },
            "mqtt.ca_file",
        ),
    ] {
        let message = wrong.check().unwrap_err();
        assert!(message.starts_with(named), "{message}");
    }
}
