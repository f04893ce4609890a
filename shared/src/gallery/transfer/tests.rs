//! The document comes back as it went, and what is none is refused with its place.

use super::super::tests::{NOON, enrollee, family, unit};
use super::*;

fn document() -> Document {
    let gallery = family();
    Document::of(&gallery, gallery.identities(), NOON)
}

fn text() -> String {
    let mut bytes = Vec::new();
    document().write(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn people_come_back_bit_for_bit() {
    let read = read(text().as_bytes()).unwrap();
    assert!(read == document());
    let mut other = Gallery::new(read.model(), read.dimension());
    for person in read.people() {
        other.enroll(&person.enrollee()).unwrap();
    }
    assert!(other.same_people(&family()));
    assert!(!format!("{read:?}").contains("Ada"));
}

#[test]
fn the_document_is_as_it_is_described() {
    let mut gallery = Gallery::new(super::super::tests::model(), 2);
    let mut ada = enrollee("Ada", &[unit(&[0.6, 0.8])]);
    ada.templates[0].label = Some("glasses".to_owned());
    gallery.enroll(&ada).unwrap();
    let mut bytes = Vec::new();
    let document = Document::of(&gallery, gallery.identities(), NOON);
    document.write(&mut bytes).unwrap();
    let expected = r#"{
  "format": "usher-people",
  "version": 1,
  "model": "3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f",
  "dimension": 2,
  "exported_at": "2027-01-15T08:00:00Z",
  "people": [
    {
      "name": "Ada",
      "number": 1,
      "enrolled_at": "2027-01-15T08:00:00Z",
      "consent": {
        "text_sha256": "DIGEST",
        "given_at": "2027-01-15T08:00:00Z",
        "operator": "front desk",
        "expires_at": "2028-01-15T08:00:00Z"
      },
      "templates": [
        {
          "label": "glasses",
          "taken_at": "2027-01-15T08:00:00Z",
          "numbers": [
            0.6,
            0.8
          ]
        }
      ]
    }
  ]
}
"#;
    let digest = crate::model_id::sha256_hex(b"I agree.");
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        expected.replace("DIGEST", &digest)
    );
}

#[test]
fn what_is_no_document_is_refused_with_its_place() {
    let text = text();
    for (case, changed, expected) in [
        ("nothing", String::new(), "line 1, column 0"),
        ("cut", text[..text.len() / 2].to_owned(), "found at line"),
        (
            "format",
            text.replace("usher-people", "people"),
            "another format",
        ),
        (
            "version",
            text.replace("\"version\": 1", "\"version\": 2"),
            "update usher",
        ),
        (
            "unknown field",
            text.replace("\"number\"", "\"numbre\""),
            "unknown field `numbre`",
        ),
        (
            "model",
            text.replacen("3f3f", "3F3F", 1),
            "64 lower-case hex digits",
        ),
        (
            "time",
            text.replacen("2027-01-15T", "2027-13-15T", 1),
            "a time such as",
        ),
        (
            "no unit vector",
            text.replacen("1.0", "1.1", 1),
            "no unit vector",
        ),
        (
            "no number",
            text.replacen("1.0", "1e999", 1),
            "out of range",
        ),
        (
            "dimension",
            text.replace("\"dimension\": 3", "\"dimension\": 4"),
            "entry 1: 3 numbers where the document says 4",
        ),
        (
            "no name",
            text.replacen("\"Bo\"", "\" \"", 1),
            "entry 2: a name",
        ),
        (
            "padded name",
            text.replacen("\"Bo\"", "\"Bo \"", 1),
            "entry 2: a name with white space",
        ),
        (
            "number 0",
            text.replacen("\"number\": 3", "\"number\": 0", 1),
            "entry 3: the number 0",
        ),
        (
            "consent",
            text.replacen("2028-01-15", "2026-01-15", 1),
            "no enrollment records",
        ),
        ("trailing", format!("{text}x"), "trailing characters"),
    ] {
        assert!(changed != text, "{case}");
        let message = read(changed.as_bytes()).unwrap_err().to_string();
        assert!(message.contains(expected), "{case}: {message}");
        assert!(!message.contains("Bo"), "{case}: {message}");
    }
}

#[test]
fn lists_are_capped() {
    let face = r#"{"taken_at":"2027-01-15T08:00:00Z","numbers":[1]}"#;
    let document = |faces: usize, dimension: usize| {
        let faces = vec![face; faces]
            .join(",")
            .replace("[1]", &format!("[1{}]", ",0".repeat(dimension - 1)));
        let digest = "00".repeat(32);
        format!(
            r#"{{"format":"usher-people","version":1,"model":"{digest}","dimension":{dimension},"people":[{{"name":"Ada","number":1,
            "enrolled_at":"2027-01-15T08:00:00Z","consent":{{"text_sha256":"{digest}","given_at":"2027-01-15T08:00:00Z",
            "operator":"desk","expires_at":"2027-01-16T08:00:00Z"}},"templates":[{faces}]}}]}}"#
        )
    };
    assert!(read(document(100, 1).as_bytes()).is_ok());
    assert!(read(document(1, 4096).as_bytes()).is_ok());
    for (faces, dimension, expected) in [
        (0, 1, "no template"),
        (101, 1, "at most 100 templates"),
        (1, 4097, "at most 4096 numbers"),
    ] {
        let message = read(document(faces, dimension).as_bytes())
            .unwrap_err()
            .to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_person_is_given_nobody_elses_face() {
    let mut given = document();
    given.people[0].negative_anchors = given.people[1].templates.clone();
    let own = given.without_anchors();
    assert!(
        own.people()
            .iter()
            .all(|person| person.negative_anchors.is_empty())
    );
}
