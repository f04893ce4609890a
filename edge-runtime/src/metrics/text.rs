//! The registry in Prometheus' text format, version 0.0.4.

use std::fmt::{self, Display, Write};
use std::sync::PoisonError;
use std::time::Duration;

use super::process::Process;
use super::{BUCKETS_MS, DecisionKind, Metrics};
use crate::camera::FAULT_KINDS;
use crate::latency::Stage;

/// The content type of the format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page that is being written; writing to a string does not fail.
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let _ = writeln!(self.0, "{name}{} {value}", Labels(labels));
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.head(name, kind, help);
        self.line(name, &[], value);
    }
}

struct Labels<'a>(&'a [(&'a str, &'a str)]);

impl Display for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (name, value)) in self.0.iter().enumerate() {
            let before = if place == 0 { "{" } else { "," };
            let value = value
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n");
            write!(f, "{before}{name}=\"{value}\"")?;
        }
        match self.0 {
            [] => Ok(()),
            _ => f.write_char('}'),
        }
    }
}

/// The whole page.
pub(super) fn write(metrics: &Metrics, uptime: Duration, process: &Process) -> String {
    let mut page = Page(String::with_capacity(16 << 10));
    counters(&mut page, metrics);
    stages(&mut page, metrics);
    gauges(&mut page, metrics, uptime);
    of_process(&mut page, process);
    info(&mut page, metrics);
    page.0
}

fn counters(page: &mut Page, metrics: &Metrics) {
    for (name, help, counter) in [
        (
            "usher_frames_total",
            "Frames that the camera gave.",
            &metrics.frames,
        ),
        (
            "usher_frames_dropped_total",
            "Frames that a newer one replaced before they were looked at.",
            &metrics.dropped,
        ),
        (
            "usher_camera_reopens_total",
            "How often the camera was opened anew.",
            &metrics.reopens,
        ),
        (
            "usher_door_opened_total",
            "How often the door opened.",
            &metrics.door_opened,
        ),
        (
            "usher_door_refused_total",
            "Greetings that did not open the door.",
            &metrics.door_refused,
        ),
        (
            "usher_events_lost_total",
            "Events that could not be written.",
            &metrics.events_lost,
        ),
        (
            "usher_mqtt_dropped_total",
            "Messages that were dropped before the broker got them.",
            &metrics.mqtt_dropped,
        ),
        (
            "usher_clock_jumps_total",
            "How often the wall clock was set while the kiosk ran.",
            &metrics.clock_jumps,
        ),
    ] {
        page.one(name, "counter", help, counter.value());
    }
    let name = "usher_frames_faulty_total";
    page.head(
        name,
        "counter",
        "Frames that were not decided on, by what was wrong.",
    );
    for (kind, count) in FAULT_KINDS.into_iter().zip(&metrics.faulty) {
        page.line(name, &[("kind", kind)], count.value());
    }
    let name = "usher_decisions_total";
    page.head(name, "counter", "Decisions by how they came out.");
    for kind in DecisionKind::ALL {
        let count = metrics.decisions[kind as usize].value();
        page.line(name, &[("kind", kind.name())], count);
    }
}

fn stages(page: &mut Page, metrics: &Metrics) {
    page.head(
        "usher_stage_seconds",
        "histogram",
        "How long each stage took.",
    );
    for stage in Stage::ALL {
        let histogram = &metrics.stages[stage as usize];
        let stage = stage.name();
        let mut sum = 0;
        for (bound, count) in BUCKETS_MS.iter().zip(&histogram.counts) {
            sum += count.value();
            let bound = (*bound as f64 / 1000.0).to_string();
            page.line(
                "usher_stage_seconds_bucket",
                &[("stage", stage), ("le", &bound)],
                sum,
            );
        }
        sum += histogram.counts[BUCKETS_MS.len()].value();
        page.line(
            "usher_stage_seconds_bucket",
            &[("stage", stage), ("le", "+Inf")],
            sum,
        );
        let seconds = histogram.micros.value() as f64 / 1e6;
        page.line("usher_stage_seconds_sum", &[("stage", stage)], seconds);
        page.line("usher_stage_seconds_count", &[("stage", stage)], sum);
    }
}

fn gauges(page: &mut Page, metrics: &Metrics, uptime: Duration) {
    for (name, help, gauge) in [
        (
            "usher_queue_depth",
            "Frames that wait between camera and recognition.",
            &metrics.queue_depth,
        ),
        ("usher_people", "People in the gallery.", &metrics.people),
        (
            "usher_templates",
            "Templates in the gallery.",
            &metrics.templates,
        ),
        ("usher_faults", "Faults there are now.", &metrics.faults),
        (
            "usher_mqtt_connected",
            "Whether the broker is connected.",
            &metrics.mqtt_connected,
        ),
        (
            "usher_clock_synced",
            "Whether a time server is known to have set the wall clock.",
            &metrics.clock_synced,
        ),
    ] {
        page.one(name, "gauge", help, gauge.value());
    }
    let help = "Seconds since the kiosk started.";
    page.one("usher_uptime_seconds", "gauge", help, uptime.as_secs_f64());
}

fn of_process(page: &mut Page, process: &Process) {
    for (name, help, value) in [
        (
            "usher_resident_memory_bytes",
            "Memory that the process holds.",
            process.resident_bytes,
        ),
        ("usher_threads", "Threads of the process.", process.threads),
        (
            "usher_open_files",
            "Descriptors that the process holds.",
            process.open_files,
        ),
    ] {
        if let Some(value) = value {
            page.one(name, "gauge", help, value);
        }
    }
    if !process.temperatures.is_empty() {
        let name = "usher_temperature_celsius";
        page.head(name, "gauge", "Temperature by the kernel's thermal zone.");
        for (zone, celsius) in &process.temperatures {
            page.line(name, &[("zone", zone)], celsius);
        }
    }
}

fn info(page: &mut Page, metrics: &Metrics) {
    let info = metrics
        .info
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    page.head(
        "usher_info",
        "gauge",
        "What runs: program, model and gallery.",
    );
    page.line(
        "usher_info",
        &[
            ("version", &info.version),
            ("model", &info.model),
            ("model_sha256", &info.model_sha256),
            ("gallery_sha256", &info.gallery_sha256),
        ],
        1,
    );
}
