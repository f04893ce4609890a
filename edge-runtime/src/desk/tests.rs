//! An operator's work at the desk, with people who are simulated and a clock moved by hand.

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};
use shared::gallery::store::{By, Making};
use shared::gallery::{Consent, Enrollee, GalleryStore, NewTemplate, Sealing};
use shared::model_id::ModelId;
use shared::operating_point::OperatingPoint;

use super::guided::tests::{Willing, agreement, embedding, glance};
use super::view::{DeskView, Pose};
use super::*;
use crate::session::Hint;

const PIN: &str = "730418";
const OPERATOR: &str = "front desk";
/// 2027-01-15.
const TODAY: WallTime = WallTime::from_unix_seconds(1_800_000_000);
const YEAR: u64 = 365;
/// Numbers of an embedding.
const DIMENSION: usize = 8;

fn model() -> ModelId {
    ModelId::from_bytes([0x3F; 32])
}

fn judgement() -> Judgement {
    let point = |name: &str, threshold: f32| -> OperatingPoint {
        toml::from_str(&format!(
            "name = \"{name}\"\nthreshold = {threshold}\nfmr = 0.001\nimpostor_pairs = 1\ngenuine_pairs = 1\n\
             data = \"none\""
        ))
        .unwrap()
    };
    Judgement {
        decides: point("greet", 0.3),
        duplicate: point("duplicate-check", 0.2),
    }
}

fn enrollee(name: &str, person: usize) -> Enrollee {
    Enrollee {
        name: name.to_owned(),
        consent: Consent::given("I agree.", TODAY, "somebody", YEAR).unwrap(),
        templates: vec![NewTemplate {
            embedding: embedding(person, 0.0, 0.0),
            label: None,
            taken_at: TODAY,
        }],
    }
}

/// A desk, its gallery with Ada (person 0) and Bob (person 1), and what was asked to be kept.
struct Rig {
    desk: Desk,
    gallery: Gallery,
    now: Timestamp,
    wall: WallTime,
    kept: Vec<(Kept, String, WallTime)>,
}

impl Rig {
    fn new() -> Self {
        let mut gallery = Gallery::new(model(), DIMENSION);
        gallery.enroll(&enrollee("Ada", 0)).unwrap();
        gallery.enroll(&enrollee("Bob", 1)).unwrap();
        Self::with(gallery, DeskRules::default())
    }

    fn with(gallery: Gallery, rules: DeskRules) -> Self {
        let desk = Desk::new(
            rules,
            EnrollmentRules::default(),
            judgement(),
            agreement(),
            consent::STANDARD.to_owned(),
            Words::standard(crate::screen::words::Language::En),
        );
        Self {
            desk,
            gallery,
            now: Timestamp::from_millis(5_000_000),
            wall: TODAY.plus_days(1),
            kept: Vec::new(),
        }
    }

    fn pass(&mut self, ms: u64) {
        self.now = Timestamp::from_millis(self.now.millis() + ms);
        let scene = Scene {
            now: self.now,
            wall: self.wall,
            gallery: &self.gallery,
        };
        self.desk.tick(&scene);
    }

    fn give(&mut self, input: Input) {
        let scene = Scene {
            now: self.now,
            wall: self.wall,
            gallery: &self.gallery,
        };
        self.desk.input(&scene, input);
    }

    fn text(&mut self, text: &str) {
        for c in text.chars() {
            self.give(Input::Character(c));
        }
    }

    fn show(&mut self, glance: &Glance) {
        let scene = Scene {
            now: self.now,
            wall: self.wall,
            gallery: &self.gallery,
        };
        self.desk.look(&scene, glance);
    }

    /// Does what is wanted, the gate being open for the right PIN.
    fn serve(&mut self) {
        match self.desk.wants() {
            Wanted::Nothing | Wanted::Embed => {}
            Wanted::Verify { ticket, secret } => {
                let verdict = match secret.is_same(&Secret::new(PIN)) {
                    true => Ok(OPERATOR.to_owned()),
                    false => Err(PinRefusal::Wrong { tries_left: 4 }),
                };
                self.desk.verified(self.now, ticket, Ok(verdict));
            }
            Wanted::Store { kept, operator, at } => {
                if let Kept::Enrolled(enrollee) = &kept {
                    self.gallery.enroll(enrollee).unwrap();
                }
                self.kept.push((kept, operator, at));
                self.desk.stored(self.now, Ok(()));
            }
        }
    }

    fn view(&self) -> Option<DeskView> {
        self.desk.view(self.now)
    }

    fn unlock(&mut self) {
        self.give(Input::Operator);
        self.text(PIN);
        self.give(Input::Enter);
        self.serve();
    }

    /// Up to the beginning of a capture of somebody new.
    fn agree(&mut self, name: &str) {
        self.unlock();
        self.give(Input::Choice(0));
        self.text(name);
        self.give(Input::Enter);
        self.give(Input::Enter);
    }

    /// Shows a person who does what the screen says until it asks or says something else.
    fn watch(&mut self, person: &mut Willing) {
        for _ in 0..1000 {
            let Some(DeskView::Guided { pose, .. }) = self.view() else {
                return;
            };
            if !self.desk.is_looking() {
                return;
            }
            self.pass(100);
            let glance = person.frame(self.now, pose);
            self.show(&glance);
        }
        panic!("100 s, and it still looks");
    }

    #[track_caller]
    fn title(&self) -> String {
        match self.view() {
            Some(DeskView::Question { title, .. }) => title,
            other => panic!("no question: {other:?}"),
        }
    }

    #[track_caller]
    fn assert_menu(&self) {
        assert_eq!(self.title(), "What would you like to do?");
    }

    #[track_caller]
    fn failure(&self) -> String {
        match self.view() {
            Some(DeskView::Failed { cause, remedy }) => format!("{cause}; {remedy}"),
            other => panic!("no failure: {other:?}"),
        }
    }
}

#[test]
fn somebody_is_enrolled() {
    let mut rig = Rig::new();
    assert!(rig.view().is_none() && !rig.desk.is_open());
    rig.agree("Zoë");
    let began = rig.now;
    rig.watch(&mut Willing::new(2, 1));
    assert!(rig.now.since(began) < Duration::from_secs(20));
    assert!(rig.kept.is_empty(), "not before the very end");
    rig.serve();
    let (kept, operator, at) = rig.kept.pop().unwrap();
    let Kept::Enrolled(enrollee) = kept else {
        panic!("{kept:?}")
    };
    assert_eq!(
        (enrollee.name.as_str(), operator.as_str()),
        ("Zoë", OPERATOR)
    );
    assert_eq!(enrollee.templates.len(), 5);
    assert_eq!((at, enrollee.templates[0].taken_at), (rig.wall, rig.wall));
    let consent = &enrollee.consent;
    assert_eq!(consent.operator(), OPERATOR);
    assert_eq!(
        consent.text_sha256()[..],
        Sha256::digest(consent::STANDARD)[..]
    );
    assert_eq!(consent.expires_at(), rig.wall.plus_days(YEAR));
    assert_eq!(
        rig.view(),
        Some(DeskView::Done {
            name: "Zoë".to_owned()
        })
    );
    rig.pass(4000);
    rig.assert_menu();
    assert!(rig.kept.is_empty() && matches!(rig.desk.wants(), Wanted::Nothing));
    rig.pass(60_000);
    assert!(rig.view().is_none(), "idle");
}

/// Names of states, and how to get there.
type Way = fn(&mut Rig);

const WAYS: [(&str, Way); 15] = [
    ("pin", |rig| rig.give(Input::Operator)),
    ("pin typed", |rig| {
        rig.give(Input::Operator);
        rig.text(PIN);
    }),
    ("menu", Rig::unlock),
    ("date", |rig| {
        rig.wall = TODAY.plus_days(100);
        rig.unlock();
        rig.give(Input::Choice(0));
    }),
    ("name", |rig| {
        rig.unlock();
        rig.give(Input::Choice(0));
        rig.text("Zo");
    }),
    ("consent", |rig| {
        rig.unlock();
        rig.give(Input::Choice(0));
        rig.text("Zoë");
        rig.give(Input::Enter);
    }),
    ("capture", |rig| rig.agree("Zoë")),
    ("capture, half way", |rig| {
        rig.agree("Zoë");
        let mut person = Willing::new(2, 1);
        for _ in 0..90 {
            rig.pass(100);
            let glance = person.frame(rig.now, Pose::Straight);
            rig.show(&glance);
        }
        assert!(matches!(
            rig.view(),
            Some(DeskView::Guided { done: 1.., .. })
        ));
    }),
    ("likeness", |rig| {
        rig.agree("Zoë");
        rig.watch(&mut Willing::new(0, 1));
        assert_eq!(rig.title(), "This looks like Ada (#1)");
    }),
    ("storing", |rig| {
        rig.agree("Zoë");
        rig.watch(&mut Willing::new(2, 1));
    }),
    ("recognize", |rig| {
        rig.unlock();
        rig.give(Input::Choice(1));
    }),
    ("confirm", |rig| {
        rig.unlock();
        rig.give(Input::Choice(1));
        rig.watch(&mut Willing::new(0, 1));
        assert_eq!(rig.title(), "Is this Ada (#1)?");
    }),
    ("people", |rig| {
        rig.unlock();
        rig.give(Input::Choice(1));
        rig.give(Input::Enter);
        assert_eq!(rig.title(), "Who is it?");
    }),
    ("label", |rig| {
        rig.unlock();
        rig.give(Input::Choice(1));
        rig.give(Input::Enter);
        rig.give(Input::Choice(0));
        assert_eq!(rig.title(), "What is different?");
    }),
    ("capture of an appearance", |rig| {
        rig.unlock();
        rig.give(Input::Choice(1));
        rig.give(Input::Enter);
        rig.give(Input::Choice(0));
        rig.give(Input::Choice(1));
        assert!(rig.desk.is_looking());
    }),
];

#[test]
fn cancel_leaves_nothing_wherever_it_comes() {
    for (name, way) in WAYS {
        let mut rig = Rig::new();
        way(&mut rig);
        rig.give(Input::Cancel);
        match name {
            "pin" | "pin typed" | "menu" => assert!(rig.view().is_none(), "{name}"),
            _ => rig.assert_menu(),
        }
        assert!(matches!(rig.desk.wants(), Wanted::Nothing), "{name}");
        // Whatever the person does now, nothing is taken.
        for _ in 0..300 {
            rig.pass(100);
            rig.show(&glance(2, 0.0, 0.0));
            rig.serve();
        }
        assert!(rig.kept.is_empty(), "{name}");
        assert_eq!(rig.gallery.people(), 2, "{name}");
    }
}

#[test]
fn whoever_goes_away_leaves_nothing_and_the_desk_locks() {
    for (name, way) in WAYS {
        if name == "storing" {
            continue;
        }
        let mut rig = Rig::new();
        way(&mut rig);
        let mut seconds = 0;
        while rig.desk.is_open() {
            rig.pass(1000);
            rig.serve();
            seconds += 1;
            assert!(seconds <= 125, "{name}: still open");
        }
        // A capture has its own minute before the idle one; a search of eight seconds too.
        let most = match name {
            "capture" | "capture, half way" | "capture of an appearance" => 121,
            _ => 61,
        };
        assert!((50..=most).contains(&seconds), "{name}: {seconds} s");
        assert!(rig.kept.is_empty(), "{name}");
        // The next one to come begins at the PIN, with nothing typed.
        rig.give(Input::Operator);
        assert_eq!(
            rig.view(),
            Some(DeskView::Pin {
                typed: 0,
                refusal: None
            }),
            "{name}"
        );
    }
}

#[test]
fn what_is_being_written_is_answered() {
    let mut rig = Rig::new();
    rig.agree("Zoë");
    rig.watch(&mut Willing::new(2, 1));
    let Wanted::Store { .. } = rig.desk.wants() else {
        panic!("nothing to be kept")
    };
    rig.give(Input::Cancel);
    rig.pass(300_000);
    assert!(rig.desk.is_open(), "no way back, no idle time");
    let fault = Fault {
        cause: "the disk is full".to_owned(),
        remedy: "free space".to_owned(),
    };
    rig.desk.stored(rig.now, Err(fault));
    assert_eq!(rig.failure(), "the disk is full; free space");
    rig.give(Input::Enter);
    rig.assert_menu();
    rig.desk.stored(rig.now, Ok(()));
    rig.assert_menu();
}

#[test]
fn names_are_checked_as_they_are_entered() {
    let mut rig = Rig::new();
    rig.unlock();
    rig.give(Input::Choice(0));
    let problem = |rig: &Rig| match rig.view() {
        Some(DeskView::Name { problem, .. }) => problem,
        other => panic!("{other:?}"),
    };
    rig.give(Input::Enter);
    assert!(problem(&rig).unwrap().contains("1 to 100"));
    rig.text("Ada");
    assert_eq!(problem(&rig), None);
    rig.give(Input::Enter);
    assert!(problem(&rig).unwrap().contains("already"));
    rig.text(" B.");
    rig.give(Input::Enter);
    let Some(DeskView::Consent {
        name,
        text,
        page: 0,
    }) = rig.view()
    else {
        panic!("{:?}", rig.view())
    };
    assert_eq!(
        (name.as_str(), text.as_str()),
        ("Ada B.", consent::STANDARD)
    );
}

#[test]
fn a_consent_is_given_to_the_whole_text() {
    let mut rig = Rig::new();
    rig.unlock();
    rig.give(Input::Choice(0));
    rig.text("Zoë");
    rig.give(Input::Enter);
    rig.desk.set_consent_pages(3);
    let page = |rig: &Rig| match rig.view() {
        Some(DeskView::Consent { page, .. }) => Some(page),
        _ => None,
    };
    for (input, expected) in [
        (Input::Previous, Some(0)),
        (Input::Next, Some(1)),
        (Input::Enter, Some(2)),
        (Input::Next, Some(2)),
        (Input::Previous, Some(1)),
        (Input::Choice(0), Some(1)),
        (Input::Enter, Some(2)),
        (Input::Enter, None),
    ] {
        rig.give(input);
        assert_eq!(page(&rig), expected, "{input:?}");
    }
    assert!(rig.desk.is_looking());
}

#[test]
fn a_likeness_is_asked_about_first() {
    // Before any other pose than straight was taken.
    for (name, choice) in [("same", 0), ("twin", 1), ("cancel", 2)] {
        let mut rig = Rig::new();
        rig.agree("Zoë");
        let mut person = Willing::new(0, 1);
        rig.watch(&mut person);
        let Some(DeskView::Question {
            title,
            body,
            choices,
        }) = rig.view()
        else {
            panic!("{name}")
        };
        assert_eq!(title, "This looks like Ada (#1)");
        assert!(body.contains("1 in 500"), "{body}");
        assert_eq!(choices.len(), 3);
        rig.give(Input::Choice(choice));
        if choice == 2 {
            rig.assert_menu();
            continue;
        }
        rig.watch(&mut person);
        rig.serve();
        let (kept, ..) = rig.kept.pop().unwrap();
        match kept {
            Kept::Added { who, templates } => {
                assert_eq!((name, who.number()), ("same", 1));
                assert_eq!(templates.len(), 5);
            }
            Kept::Enrolled(enrollee) => {
                assert_eq!((name, enrollee.name.as_str()), ("twin", "Zoë"));
            }
        }
    }
}

#[test]
fn an_appearance_is_added_to_who_was_recognized() {
    let mut rig = Rig::new();
    rig.unlock();
    rig.give(Input::Choice(1));
    let mut person = Willing::new(1, 4);
    rig.watch(&mut person);
    assert_eq!(rig.title(), "Is this Bob (#2)?");
    rig.give(Input::Choice(0));
    rig.give(Input::Choice(1));
    rig.watch(&mut person);
    rig.serve();
    let (kept, operator, _) = rig.kept.pop().unwrap();
    let Kept::Added { who, templates } = kept else {
        panic!("{kept:?}")
    };
    assert_eq!((who.number(), operator.as_str()), (2, OPERATOR));
    assert!(
        templates
            .iter()
            .all(|template| template.label.as_deref() == Some("glasses"))
    );
}

#[test]
fn whoever_is_chosen_from_the_list_has_to_be_it() {
    let choose = |rig: &mut Rig, choice| {
        rig.unlock();
        rig.give(Input::Choice(1));
        rig.give(Input::Enter);
        rig.give(Input::Choice(choice));
        rig.give(Input::Choice(0));
    };
    let mut rig = Rig::new();
    choose(&mut rig, 0);
    rig.watch(&mut Willing::new(0, 4));
    rig.serve();
    assert_eq!(rig.kept.len(), 1);
    // Bob says that he is Ada; a stranger says so; Ada with a face halfway to Bob's.
    for (name, person) in [("Bob", 1), ("a stranger", 2)] {
        let mut rig = Rig::new();
        choose(&mut rig, 0);
        rig.watch(&mut Willing::new(person, 4));
        assert!(
            rig.failure().contains("too far from their templates"),
            "{name}"
        );
        rig.serve();
        assert!(rig.kept.is_empty(), "{name}");
    }
}

#[test]
fn whoever_is_closer_to_somebody_else_is_not_who_was_chosen() {
    // Eve looks much like Ada: close enough to be one of her faces.
    let eve = shared::embedding::Embedding::from_raw(vec![1.0, 0.0, 0.45, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let eve = eve.unwrap();
    for (is_known, expected) in [(false, None), (true, Some("closer to somebody else"))] {
        let mut rig = Rig::new();
        if is_known {
            let mut known = enrollee("Eve", 0);
            known.templates[0].embedding = eve.clone();
            rig.gallery.enroll(&known).unwrap();
        }
        rig.unlock();
        for input in [
            Input::Choice(1),
            Input::Enter,
            Input::Choice(0),
            Input::Choice(0),
        ] {
            rig.give(input);
        }
        for _ in 0..20 {
            rig.pass(100);
            let mut shown = glance(0, 0.0, 0.0);
            if let Some(face) = &mut shown.face {
                face.embedding = Some(eve.clone());
            }
            rig.show(&shown);
        }
        match expected {
            None => assert!(matches!(rig.view(), Some(DeskView::Guided { done: 1, .. }))),
            Some(words) => assert!(rig.failure().contains(words), "{}", rig.failure()),
        }
    }
}

#[test]
fn nobody_gets_more_who_may_not() {
    let add = |rig: &mut Rig| {
        rig.unlock();
        rig.give(Input::Choice(1));
        rig.give(Input::Enter);
        rig.give(Input::Choice(0));
        rig.failure()
    };
    // A consent that ran out; the gallery was used meanwhile, so the clock is believed.
    let mut rig = Rig::new();
    let mut later = enrollee("Cid", 3);
    later.consent = Consent::given("I agree.", TODAY.plus_days(YEAR), "x", 1).unwrap();
    rig.gallery.enroll(&later).unwrap();
    rig.wall = TODAY.plus_days(YEAR);
    assert!(add(&mut rig).contains("one that ran out"));
    // Too many templates.
    let mut gallery = Gallery::new(model(), DIMENSION);
    gallery.enroll(&enrollee("Ada", 0)).unwrap();
    let rules = DeskRules {
        most_templates: 1,
        ..DeskRules::default()
    };
    assert!(add(&mut Rig::with(gallery, rules)).contains("fewer than 1 templates"));
    // Nobody there at all.
    let mut rig = Rig::with(Gallery::new(model(), DIMENSION), DeskRules::default());
    rig.unlock();
    rig.give(Input::Choice(1));
    assert!(rig.failure().contains("enroll somebody first"));
}

#[test]
fn many_names_are_searched_and_paged() {
    let mut gallery = Gallery::new(model(), DIMENSION);
    for number in 0..20 {
        let name = format!("{} {number:02}", if number < 13 { "Ada" } else { "Bob" });
        gallery.enroll(&enrollee(&name, 0)).unwrap();
    }
    let mut rig = Rig::with(gallery, DeskRules::default());
    rig.unlock();
    rig.give(Input::Choice(1));
    rig.give(Input::Enter);
    rig.text("Zoe");
    rig.give(Input::Enter);
    assert!(matches!(
        rig.view(),
        Some(DeskView::Name {
            problem: Some(_),
            ..
        })
    ));
    for _ in 0..3 {
        rig.give(Input::Backspace);
    }
    rig.text("bOB");
    rig.give(Input::Enter);
    let choices = |rig: &Rig| match rig.view() {
        Some(DeskView::Question { body, choices, .. }) => (body, choices),
        other => panic!("{other:?}"),
    };
    let (body, first) = choices(&rig);
    assert_eq!(body, "Page 1 of 3");
    assert_eq!(
        first,
        [
            "Bob 13 (#14)",
            "Bob 14 (#15)",
            "Bob 15 (#16)",
            "More names",
            "Cancel"
        ]
    );
    rig.give(Input::Choice(3));
    assert_eq!(
        choices(&rig).1,
        [
            "Bob 16 (#17)",
            "Bob 17 (#18)",
            "Bob 18 (#19)",
            "Names before",
            "More names",
            "Cancel"
        ]
    );
    rig.give(Input::Next);
    assert_eq!(choices(&rig).1, ["Bob 19 (#20)", "Names before", "Cancel"]);
    rig.give(Input::Next);
    rig.give(Input::Choice(1));
    rig.give(Input::Choice(3));
    assert_eq!(choices(&rig).1, first);
    rig.give(Input::Choice(4));
    rig.assert_menu();
}

#[test]
fn a_clock_that_jumped_is_not_believed_blindly() {
    let ten_years = 3652;
    for choice in [0, 1] {
        let mut rig = Rig::new();
        rig.wall = WallTime::from_unix_seconds(TODAY.unix_seconds() - ten_years * WallTime::DAY);
        rig.unlock();
        rig.give(Input::Choice(choice));
        assert!(rig.failure().ends_with("; set the clock"), "ten years back");
        let mut rig = Rig::new();
        rig.wall = TODAY.plus_days(ten_years);
        rig.unlock();
        rig.give(Input::Choice(choice));
        assert_eq!(rig.title(), "Is today 2037-01-14?");
        rig.give(Input::Choice(1));
        assert!(
            rig.failure().ends_with("; set the clock"),
            "ten years ahead"
        );
        // A kiosk that was in a cupboard, and a clock that is right.
        rig.give(Input::Enter);
        rig.give(Input::Choice(choice));
        rig.give(Input::Choice(0));
        assert!(!matches!(rig.view(), Some(DeskView::Question { .. })));
    }
    // The desk's own times do not follow the wall clock.
    let mut rig = Rig::new();
    rig.unlock();
    for days in [0, 10 * YEAR, 20 * YEAR] {
        rig.wall = WallTime::from_unix_seconds(days * WallTime::DAY);
        rig.pass(15_000);
        rig.assert_menu();
    }
    rig.pass(15_000);
    assert!(!rig.desk.is_open());
}

#[test]
fn waits_are_shown_and_served() {
    let mut rig = Rig::new();
    rig.give(Input::Operator);
    rig.text("000999");
    rig.give(Input::Enter);
    let Wanted::Verify { ticket, .. } = rig.desk.wants() else {
        panic!("no try")
    };
    // Nothing is taken while one try is compared.
    rig.text("1234");
    rig.give(Input::Enter);
    assert!(matches!(rig.desk.wants(), Wanted::Nothing));
    let left = Duration::from_secs(30);
    let refused = Ok(Err(PinRefusal::Wait { left }));
    rig.desk.verified(rig.now, ticket, refused);
    rig.pass(12_000);
    let wait = |seconds| {
        Some(DeskView::Pin {
            typed: 0,
            refusal: Some(PinRefusal::Wait {
                left: Duration::from_secs(seconds),
            }),
        })
    };
    assert_eq!(rig.view(), wait(18));
    rig.text(PIN);
    rig.give(Input::Enter);
    assert!(matches!(rig.desk.wants(), Wanted::Nothing));
    assert_eq!(rig.view(), wait(18));
    // Locked and opened again: it is still there.
    rig.give(Input::Cancel);
    rig.give(Input::Operator);
    assert_eq!(rig.view(), wait(18));
    rig.pass(18_000);
    rig.text(PIN);
    rig.give(Input::Enter);
    rig.serve();
    rig.assert_menu();
}

#[test]
fn an_answer_to_a_try_that_was_given_up_opens_nothing() {
    for again in [false, true] {
        let mut rig = Rig::new();
        rig.give(Input::Operator);
        rig.text(PIN);
        rig.give(Input::Enter);
        let Wanted::Verify { ticket, .. } = rig.desk.wants() else {
            panic!("no try")
        };
        rig.give(Input::Cancel);
        if again {
            rig.give(Input::Operator);
            rig.text("999000");
            rig.give(Input::Enter);
        }
        rig.desk
            .verified(rig.now, ticket, Ok(Ok(OPERATOR.to_owned())));
        assert!(
            matches!(rig.view(), None | Some(DeskView::Pin { .. })),
            "{again}"
        );
        assert_eq!(rig.desk.is_open(), again);
    }
}

#[test]
fn a_broken_gate_lets_nobody_behind_it() {
    for way_out in [Input::Cancel, Input::Enter, Input::Choice(0)] {
        let mut rig = Rig::new();
        rig.give(Input::Operator);
        rig.text(PIN);
        rig.give(Input::Enter);
        let Wanted::Verify { ticket, .. } = rig.desk.wants() else {
            panic!("no try")
        };
        let error = PinError::NoOperators {
            path: "operators.toml".into(),
        };
        rig.desk.verified(rig.now, ticket, Err(error));
        assert!(rig.failure().ends_with("; run usher pin set NAME"));
        rig.give(way_out);
        assert!(!rig.desk.is_open(), "{way_out:?}");
    }
}

#[test]
fn the_configured_operator_stands_in_the_history() {
    let rules = DeskRules {
        operator: Some("the lobby".to_owned()),
        ..DeskRules::default()
    };
    let mut rig = Rig::with(Gallery::new(model(), DIMENSION), rules);
    rig.agree("Zoë");
    rig.watch(&mut Willing::new(2, 1));
    rig.serve();
    let (kept, operator, _) = rig.kept.pop().unwrap();
    let Kept::Enrolled(enrollee) = kept else {
        panic!("{kept:?}")
    };
    assert_eq!(
        (operator.as_str(), enrollee.consent.operator()),
        ("the lobby", "the lobby")
    );
}

#[test]
fn what_is_kept_is_one_record() {
    let folder = tempfile::tempdir().unwrap();
    let making = Making {
        sealing: Sealing::Plain,
        model: model(),
        dimension: DIMENSION,
        form: shared::gallery::search::TemplateForm::Full,
        rotated: false,
    };
    let by = By {
        operator: OPERATOR,
        at: TODAY,
    };
    let path = folder.path().join("people.gallery");
    let mut store = GalleryStore::create(&path, &making, by).unwrap();
    for (kept, people, templates) in [
        (Kept::Enrolled(enrollee("Ada", 0)), 1, 1),
        (
            Kept::Added {
                who: IdentityId::from_number(1),
                templates: enrollee("", 2).templates,
            },
            1,
            2,
        ),
    ] {
        let (before, _) = store.extent();
        kept.store(&mut store, by).unwrap();
        assert_eq!(store.extent().0, before + 1, "{kept:?}");
        let gallery = store.gallery();
        assert_eq!((gallery.people(), gallery.templates()), (people, templates));
    }
}

/// What a random walk has seen, independent of the desk's own state.
#[derive(Default)]
struct Witness {
    unlocked: bool,
    agreed: bool,
    poses: usize,
    frames: usize,
}

/// Whatever is typed, touched and shown: nothing is kept without a right PIN, a consent and a complete capture.
#[test]
fn random_inputs_keep_nothing_unearned() {
    let (mut enrolled, mut added, mut locked) = (0, 0, 0);
    for seed in 0..4 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut rig = Rig::new();
        let mut witness = Witness::default();
        let mut person = Willing::new(2, seed);
        let mut typed = String::new();
        for step in 0..20_000 {
            rig.pass(random.random_range(1..1500));
            if random.random_bool(0.002) {
                rig.pass(61_000);
            }
            let before = rig.view();
            if rig.desk.is_looking() && random.random_bool(0.9) {
                let is_swapped = random.random_bool(0.03);
                if is_swapped {
                    person = Willing::new(random.random_range(0..4), step);
                }
                for _ in 0..random.random_range(1..40) {
                    let Some(DeskView::Guided { pose, .. }) = rig.view() else {
                        break;
                    };
                    rig.pass(100);
                    let mut shown = person.frame(rig.now, pose);
                    if random.random_bool(0.02) {
                        shown.face = None;
                    }
                    rig.show(&shown);
                    witness.frames += 1;
                }
            } else {
                let input = likely(&mut random, before.as_ref(), &typed);
                if matches!(before, Some(DeskView::Pin { .. })) {
                    match input {
                        Input::Character(c) => typed.push(c),
                        _ => typed.clear(),
                    }
                }
                let agrees = matches!(
                    (&before, input),
                    (Some(DeskView::Consent { .. }), Input::Enter)
                );
                rig.give(input);
                witness.agreed |= agrees;
            }
            let view = rig.view();
            match &view {
                None => witness = Witness::default(),
                Some(DeskView::Question { title, .. }) if title.starts_with("What would") => {
                    assert!(
                        witness.unlocked,
                        "seed {seed}, step {step}: a menu without a PIN"
                    );
                    witness = Witness {
                        unlocked: true,
                        ..Witness::default()
                    };
                }
                Some(DeskView::Guided { done, .. }) => witness.poses = witness.poses.max(*done),
                Some(DeskView::Pin { .. }) => {}
                Some(_) => assert!(
                    witness.unlocked || matches!(view, Some(DeskView::Failed { .. })),
                    "seed {seed}, step {step}: {view:?} without a PIN"
                ),
            }
            match rig.desk.wants() {
                Wanted::Verify { ticket, secret } => {
                    let is_right = secret.is_same(&Secret::new(PIN));
                    let verdict = match is_right {
                        true => Ok(OPERATOR.to_owned()),
                        false => Err(PinRefusal::Wrong { tries_left: 4 }),
                    };
                    // Sometimes somebody cancels before the answer comes.
                    if random.random_bool(0.2) {
                        rig.give(Input::Cancel);
                    }
                    rig.desk.verified(rig.now, ticket, Ok(verdict));
                    witness.unlocked = is_right && rig.desk.is_open();
                }
                Wanted::Store { kept, .. } => {
                    let at = format!("seed {seed}, step {step}");
                    assert!(witness.unlocked, "{at}: no PIN");
                    // The last pose may have been done within this burst of frames.
                    assert!(
                        witness.poses >= 2 && witness.frames >= 20,
                        "{at}: no capture"
                    );
                    assert!(kept.templates() > 0, "{at}");
                    match &kept {
                        Kept::Enrolled(enrollee) => {
                            assert!(witness.agreed, "{at}: no consent");
                            assert!(!enrollee.consent.has_expired(rig.wall), "{at}");
                            enrolled += 1;
                        }
                        Kept::Added { who, .. } => {
                            let known = rig.gallery.identity(*who).unwrap();
                            assert!(!known.consent().has_expired(rig.wall), "{at}");
                            added += 1;
                        }
                    }
                    let result = match random.random_bool(0.9) {
                        true => Ok(()),
                        false => Err(Fault::of(&anyhow::anyhow!("no disk; buy one"))),
                    };
                    rig.desk.stored(rig.now, result);
                }
                Wanted::Nothing | Wanted::Embed => {}
            }
            locked += usize::from(!rig.desk.is_open());
        }
    }
    println!("80000 random steps: {enrolled} enrolled, {added} added, {locked} steps locked");
    assert!(
        enrolled > 10 && added > 10,
        "{enrolled} {added}: the walk gets nowhere"
    );
}

/// An input that leads on more often than not.
fn likely(random: &mut ChaCha8Rng, view: Option<&DeskView>, typed: &str) -> Input {
    let any = [
        Input::Operator,
        Input::Character('a'),
        Input::Character('1'),
        Input::Character('7'),
        Input::Backspace,
        Input::Shift,
        Input::Signs,
        Input::Enter,
        Input::Cancel,
        Input::Choice(random.random_range(0..8)),
        Input::Next,
        Input::Previous,
    ];
    if random.random_bool(0.1) {
        return *any.choose(random).unwrap();
    }
    match view {
        None => Input::Operator,
        Some(DeskView::Pin { .. }) => {
            let next = PIN.strip_prefix(typed).and_then(|rest| rest.chars().next());
            next.map_or(Input::Enter, Input::Character)
        }
        Some(DeskView::Name { .. }) => match random.random_bool(0.3) {
            true => Input::Enter,
            false => Input::Character(random.random_range('a'..='z')),
        },
        Some(DeskView::Question { choices, .. }) => {
            Input::Choice(random.random_range(0..choices.len()))
        }
        Some(DeskView::Consent { .. } | DeskView::Done { .. } | DeskView::Failed { .. }) => {
            Input::Enter
        }
        Some(DeskView::Guided { .. }) => Input::Shift,
    }
}

#[test]
fn a_hint_reaches_the_screen() {
    let mut rig = Rig::new();
    rig.agree("Zoë");
    let mut shown = glance(2, 0.0, 0.0);
    if let Some(face) = &mut shown.face {
        face.hint = Some(Hint::MoreLight);
    }
    rig.show(&shown);
    let Some(DeskView::Guided {
        hint, left, name, ..
    }) = rig.view()
    else {
        panic!("{:?}", rig.view())
    };
    assert_eq!((hint, name.as_str()), (Some(Hint::MoreLight), "Zoë"));
    assert_eq!(left, Duration::from_secs(60));
}
