//! What Home Assistant is told, so that the kiosk appears in it by itself: one retained message for each entity.
//!
//! Source: <https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery>.

use serde_json::{Value, json};

use super::MqttConfig;

/// What the kiosk is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// Of the program.
    pub version: String,
    /// Name of the model.
    pub model: String,
    /// Whether there is a door.
    pub has_door: bool,
}

/// Topic and payload of each entity; none when nothing is to be announced.
pub(super) fn announcements(config: &MqttConfig, device: &Device) -> Vec<(String, String)> {
    if config.discovery_prefix.is_empty() {
        return Vec::new();
    }
    let mut entities = vec![
        (
            "sensor",
            "event",
            json!({
                "name": "Last event",
                "icon": "mdi:account-voice",
                "value_template": "{{ value_json.event }}",
                "json_attributes_topic": config.topic("event"),
            }),
        ),
        (
            "binary_sensor",
            "presence",
            json!({ "name": "Presence", "device_class": "occupancy" }),
        ),
        (
            "binary_sensor",
            "problem",
            json!({
                "name": "Problem",
                "device_class": "problem",
                "entity_category": "diagnostic",
            }),
        ),
    ];
    if device.has_door {
        let door = json!({ "name": "Door release", "device_class": "lock" });
        entities.push(("binary_sensor", "door", door));
    }
    entities
        .into_iter()
        .map(|(component, name, mut payload)| {
            let Some(fields) = payload.as_object_mut() else {
                unreachable!("an entity is an object")
            };
            let common = [
                ("unique_id", json!(format!("usher_{}_{name}", config.id))),
                ("state_topic", json!(config.topic(name))),
                ("availability_topic", json!(config.topic("availability"))),
                ("device", of_device(config, device)),
            ];
            fields.extend(common.map(|(key, value)| (key.to_owned(), value)));
            let topic = format!(
                "{}/{component}/usher_{}/{name}/config",
                config.discovery_prefix, config.id
            );
            (topic, payload.to_string())
        })
        .collect()
}

fn of_device(config: &MqttConfig, device: &Device) -> Value {
    json!({
        "identifiers": [format!("usher_{}", config.id)],
        "name": format!("Usher {}", config.id),
        "manufacturer": "Usher",
        "model": device.model,
        "sw_version": device.version,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_entity_each_and_a_door_only_where_there_is_one() {
        let config = MqttConfig {
            id: "lobby".to_owned(),
            ..MqttConfig::default()
        };
        let mut device = Device {
            version: "1".to_owned(),
            model: "usher-small".to_owned(),
            has_door: false,
        };
        assert_eq!(announcements(&config, &device).len(), 3);
        device.has_door = true;
        let all = announcements(&config, &device);
        let topics: Vec<&str> = all.iter().map(|(topic, _)| topic.as_str()).collect();
        assert_eq!(
            topics,
            [
                "homeassistant/sensor/usher_lobby/event/config",
                "homeassistant/binary_sensor/usher_lobby/presence/config",
                "homeassistant/binary_sensor/usher_lobby/problem/config",
                "homeassistant/binary_sensor/usher_lobby/door/config",
            ]
        );
        for (topic, payload) in &all {
            let payload: Value = serde_json::from_str(payload).unwrap();
            let name = topic.split('/').nth(3).unwrap();
            assert_eq!(payload["state_topic"], format!("usher/lobby/{name}"));
            assert_eq!(payload["availability_topic"], "usher/lobby/availability");
            assert_eq!(payload["unique_id"], format!("usher_lobby_{name}"));
            assert_eq!(payload["device"]["identifiers"][0], "usher_lobby");
        }
        let silent = MqttConfig {
            discovery_prefix: String::new(),
            ..config
        };
        assert!(announcements(&silent, &device).is_empty());
    }
}
