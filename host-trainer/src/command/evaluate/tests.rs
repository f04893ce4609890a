use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    arguments: Arguments,
}

fn parsed(line: &str) -> Result<Arguments, clap::Error> {
    let words = ["evaluate"].into_iter().chain(line.split(' '));
    Line::try_parse_from(words).map(|line| line.arguments)
}

#[test]
fn on_lfw_has_the_defaults_of_the_line() {
    let line = parsed("--lfw data/lfw --card --model m.toml").unwrap();
    let made = Arguments::on_lfw(line.embedding.clone(), "data/lfw".into());
    assert_eq!(format!("{made:?}"), format!("{line:?}"));
}

#[test]
fn what_belongs_to_open_set_requires_it() {
    for option in [
        "--gallery-size 50",
        "--templates 2",
        "--repeats 3",
        "--seed 7",
        "--fpir 0.1",
    ] {
        let error = parsed(&format!("--lfw l {option}")).unwrap_err();
        assert!(error.to_string().contains("--open-set"), "{error}");
        assert!(parsed(&format!("--lfw l --open-set {option}")).is_ok());
    }
    let asked = parsed("--lfw l --open-set --seed 7").unwrap().open_set;
    assert_eq!((asked.gallery_size, asked.seed), (100, 7));
    assert_eq!(asked.fpir, [0.1, 0.01]);
}

#[test]
fn a_card_is_of_all_pairs_and_the_worst_are_few() {
    assert!(parsed("--lfw l --pairs-limit 600").is_ok());
    assert!(parsed("--lfw l --pairs-limit 600 --card").is_err());
    for (count, good) in [("0", false), ("1", true), ("10000", true), ("10001", false)] {
        let line = parsed(&format!("--lfw l --worst {count}"));
        assert_eq!(line.is_ok(), good, "{count}");
    }
}
