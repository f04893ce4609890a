//! Pages and pictures of a few made points.

use super::page::Page;
use super::sprites::{Sheets, base64};
use super::*;
use crate::tsne::preservation::Preservation;

const NASTY: &str = "</script><script>alert(1)</script>&\"\u{2028}";

fn groups() -> Groups {
    Groups::of(&[Some("ada"), Some("bob"), Some(NASTY), None, Some("bob")])
}

#[test]
fn the_largest_group_comes_first() {
    let groups = groups();
    assert_eq!(groups.groups[0].0, "bob");
    assert_eq!(groups.of[1], Some(0));
    assert_eq!(groups.of[3], None);
}

#[test]
fn names_from_outside_cannot_leave_the_data() {
    let (people, points) = (groups(), [[0.0, 1.0]; 5]);
    let preservation = Preservation {
        of: 2,
        kept: vec![0, 1, 2, 1, 1],
    };
    let html = Page {
        title: NASTY,
        model: "m",
        points: &points,
        files: &[
            "1.jpg".to_owned(),
            NASTY.to_owned(),
            String::new(),
            String::new(),
            String::new(),
        ],
        people: &people,
        clusters: None,
        preservation: &preservation,
        sheets: &Sheets::default(),
    }
    .html();
    assert!(!html.contains("<script>alert"));
    assert!(!html.contains("\"DATA\""));
    let start = html.find("type=\"application/json\">").unwrap();
    let json = &html[start + "type=\"application/json\">".len()..];
    let json = &json[..json.find("</script>").unwrap()];
    let data: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(data["title"], NASTY);
    assert_eq!(data["mean"], 0.5);
    assert_eq!(data["people"]["of"][3], -1);
    // Nothing is asked of anybody.
    for word in ["http://", "https://", "src=\"", "@import", "fetch("] {
        assert!(!html.contains(word), "{word}");
    }
    assert!(html.contains("default-src 'none'"));
    let svg = picture::svg(&points, &people, NASTY);
    assert!(!svg.contains("<script"));
    assert_eq!(svg.matches("<circle").count(), 5 + 3);
}

#[test]
fn dots_lie_where_they_belong() {
    let people = Groups::of(&[Some("ada"), Some("bob")]);
    let png = picture::png(&[[-1.0, 0.0], [1.0, 0.0]], &people);
    let hex = |x, y| {
        let [r, g, b] = png.get_pixel(x, y).0;
        format!("#{r:02x}{g:02x}{b:02x}")
    };
    assert_eq!(hex(500, 500), "#fbfbfa");
    assert_ne!(hex(40, 500), "#fbfbfa");
    assert_ne!(hex(40, 500), hex(959, 500));
}

#[test]
fn base64_is_that_of_rfc_4648() {
    for (text, coded) in [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foobar", "Zm9vYmFy"),
    ] {
        assert_eq!(base64(text.as_bytes()), coded);
    }
}
