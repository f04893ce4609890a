//! Answers about probes, and how many were right where that is known.

use std::fmt::Write;
use std::path::PathBuf;

use serde::Serialize;

use super::known::Known;

/// Wrong answers shown, unless all are asked for.
const SHOWN: usize = 20;

/// A known person near a probe.
#[derive(Debug, Serialize)]
pub(super) struct Candidate {
    pub(super) person: String,
    /// Squared L2 of one of that person's templates.
    pub(super) distance: f32,
}

/// What is said of a face.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    pub(super) picture: PathBuf,
    /// Number of the face in its picture, from 0.
    pub(super) face: usize,
    /// Who it is; absent: nobody known.
    pub(super) person: Option<String>,
    /// Squared L2 of that person's nearest template.
    pub(super) distance: Option<f32>,
    pub(super) votes: usize,
    /// Templates within D among the k nearest.
    pub(super) of: usize,
    /// Who it really is, where the folders tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) label: Option<String>,
    /// Whether the gallery knows that person by another picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mated: Option<bool>,
    /// The k nearest templates.
    pub(super) nearest: Vec<Candidate>,
}

/// How many answers were right (ISO/IEC 19795-1), of probes whose person is known.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct Score {
    /// Probes of people whom the gallery knows by another picture.
    pub(super) mated: usize,
    /// Mated probes whose nearest template is of the right person, whatever its distance.
    pub(super) rank_1: usize,
    /// Mated probes named rightly.
    pub(super) right: usize,
    /// Mated probes called unknown.
    pub(super) missed: usize,
    /// Mated probes given another's name.
    pub(super) confused: usize,
    /// Probes of all others.
    pub(super) unmated: usize,
    /// Unmated probes given somebody's name.
    pub(super) false_positives: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct Report {
    model: String,
    threshold: f32,
    /// People in the gallery.
    people: usize,
    /// Their templates.
    templates: usize,
    /// Pictures without a face, or that could not be read.
    left_out: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<Score>,
    answers: Vec<Answer>,
}

impl Answer {
    /// Whether the answer is wrong, where that can be told.
    fn is_wrong(&self) -> bool {
        match (&self.label, &self.person) {
            (Some(label), Some(person)) => label != person,
            (Some(_), None) => self.mated == Some(true),
            (None, _) => false,
        }
    }
}

impl Report {
    pub(super) fn new(
        model: String,
        threshold: f32,
        known: &Known,
        mut answers: Vec<Answer>,
        left_out: usize,
    ) -> Self {
        let labeled = answers.iter().any(|answer| answer.label.is_some());
        let score = labeled.then(|| score(&answers));
        // Wrong answers first, the most certain of them at the top.
        answers.sort_by(|a, b| {
            let key = |answer: &Answer| {
                let wrong = answer.is_wrong();
                let named = answer.person.is_some();
                (!wrong, wrong && !named)
            };
            let distance = |answer: &Answer| match key(answer) {
                (false, _) => answer.distance.unwrap_or(f32::MAX),
                _ => 0.0,
            };
            key(a)
                .cmp(&key(b))
                .then(distance(a).total_cmp(&distance(b)))
        });
        Self {
            model,
            threshold,
            people: known.names.len(),
            templates: known.templates.len(),
            left_out,
            score,
            answers,
        }
    }

    /// For a person to read.
    pub(super) fn text(&self, all: bool, origin: &str) -> String {
        let mut text = format!(
            "{} known people, {} templates; D = {:.3} ({origin} of {})\n",
            self.people, self.templates, self.threshold, self.model
        );
        if let [answer] = self.answers.as_slice() {
            return text + &one(answer);
        }
        let wrong = self.score.as_ref().map_or(0, |score| {
            score.missed + score.confused + score.false_positives
        });
        let shown = match (&self.score, all) {
            (Some(_), false) => wrong.min(SHOWN),
            _ => self.answers.len(),
        };
        if shown > 0 {
            text += &self.table(&self.answers[..shown]);
        }
        if shown < wrong {
            let _ = writeln!(text, "... and {} more (--all)", wrong - shown);
        }
        if let Some(score) = &self.score {
            text += &score.text();
            if self.left_out > 0 {
                let _ = writeln!(
                    text,
                    "{} pictures without a face that could be found are in none of these numbers",
                    self.left_out
                );
            }
        }
        text
    }

    fn table(&self, answers: &[Answer]) -> String {
        let name = |name: Option<&String>| name.map_or("-", String::as_str).to_owned();
        let rows: Vec<[String; 5]> = answers
            .iter()
            .map(|answer| {
                let nearest = answer.nearest.first();
                let person = match &answer.person {
                    Some(person) => person.clone(),
                    None => "unknown".to_owned(),
                };
                let distance = answer.distance.or(nearest.map(|nearest| nearest.distance));
                [
                    answer.picture.display().to_string(),
                    person,
                    distance.map_or("-".to_owned(), |distance| format!("{distance:.3}")),
                    format!("{}/{}", answer.votes, answer.nearest.len()),
                    name(answer.label.as_ref()),
                ]
            })
            .collect();
        let head = ["picture", "who", "distance", "votes", "label"].map(str::to_owned);
        let columns = if self.score.is_some() { 5 } else { 4 };
        let mut text = String::new();
        for row in std::iter::once(&head).chain(&rows) {
            for (index, cell) in row.iter().take(columns).enumerate() {
                let widths = std::iter::once(&head).chain(&rows);
                let width = widths.map(|row| row[index].chars().count()).max();
                let _ = write!(text, "{cell:<width$}  ", width = width.unwrap_or(0));
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text
    }
}

fn one(answer: &Answer) -> String {
    let mut text = match (&answer.person, answer.distance) {
        (Some(person), Some(distance)) => format!(
            "{person}: distance {distance:.3}, {} of {} votes\n",
            answer.votes,
            answer.nearest.len()
        ),
        _ => "unknown: nobody in the gallery is near enough\n".to_owned(),
    };
    text += "nearest:\n";
    for candidate in &answer.nearest {
        let _ = writeln!(text, "  {:.3}  {}", candidate.distance, candidate.person);
    }
    text
}

fn score(answers: &[Answer]) -> Score {
    let mut score = Score::default();
    for answer in answers {
        let Some(label) = &answer.label else { continue };
        if answer.mated != Some(true) {
            score.unmated += 1;
            score.false_positives += usize::from(answer.person.is_some());
            continue;
        }
        score.mated += 1;
        let first = answer.nearest.first();
        score.rank_1 += usize::from(first.is_some_and(|first| first.person == *label));
        match &answer.person {
            None => score.missed += 1,
            Some(person) if person == label => score.right += 1,
            Some(_) => score.confused += 1,
        }
    }
    score
}

impl Score {
    fn text(&self) -> String {
        let percent = |count: usize, of: usize| 100.0 * count as f64 / of as f64;
        let mut text = String::new();
        if self.mated > 0 {
            let _ = writeln!(
                text,
                "{} probes of known people: rank-1 {:.2} %; named rightly {:.2} %, called unknown \
                 {:.2} %, given another's name {:.2} %",
                self.mated,
                percent(self.rank_1, self.mated),
                percent(self.right, self.mated),
                percent(self.missed, self.mated),
                percent(self.confused, self.mated),
            );
        }
        if self.unmated > 0 {
            let _ = writeln!(
                text,
                "{} probes of strangers: {:.2} % given a name (FPIR)",
                self.unmated,
                percent(self.false_positives, self.unmated),
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(label: Option<&str>, person: Option<&str>, nearest: &str) -> Answer {
        Answer {
            picture: "p.jpg".into(),
            face: 0,
            person: person.map(str::to_owned),
            distance: person.map(|_| 0.5),
            votes: 1,
            of: 1,
            label: label.map(str::to_owned),
            mated: label.map(|label| label != "eve"),
            nearest: vec![Candidate {
                person: nearest.to_owned(),
                distance: 0.5,
            }],
        }
    }

    #[test]
    fn answers_are_counted_by_what_they_are() {
        let known = Known {
            names: vec!["ada".to_owned(), "bob".to_owned()],
            templates: Vec::new(),
        };
        let answers = vec![
            answer(Some("ada"), Some("ada"), "ada"),
            answer(Some("ada"), None, "ada"),
            answer(Some("bob"), Some("ada"), "ada"),
            answer(Some("eve"), Some("bob"), "bob"),
            answer(Some("eve"), None, "bob"),
            answer(None, Some("bob"), "bob"),
        ];
        let report = Report::new("tiny".to_owned(), 0.7, &known, answers, 0);
        let expected = Score {
            mated: 3,
            rank_1: 2,
            right: 1,
            missed: 1,
            confused: 1,
            unmated: 2,
            false_positives: 1,
        };
        assert_eq!(report.score, Some(expected));
        let text = report.text(false, "operating point verify");
        // The three wrong ones, names before refusals; nothing of the right ones.
        let rows: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("p.jpg"))
            .collect();
        assert_eq!(rows.len(), 3, "{text}");
        assert!(rows[2].contains("unknown"), "{text}");
        assert!(text.contains("rank-1 66.67 %"), "{text}");
        assert!(text.contains("50.00 % given a name (FPIR)"), "{text}");
    }
}
