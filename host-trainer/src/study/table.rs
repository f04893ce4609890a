//! A study as a table of text.

use std::fmt::{self, Display};

use super::{FALSE_ACCEPT_RATES, Measured, Row, Study};

/// What a column shows of a row.
type Cell<'a> = Box<dyn Fn(&Row) -> Option<String> + 'a>;

/// A column: what stands above it, and in each row.
struct Column<'a> {
    head: String,
    cell: Cell<'a>,
}

impl<'a> Column<'a> {
    fn new(head: impl Into<String>, cell: impl Fn(&Row) -> Option<String> + 'a) -> Self {
        Self {
            head: head.into(),
            cell: Box::new(cell),
        }
    }

    fn measured(head: impl Into<String>, cell: impl Fn(&Measured) -> Option<String> + 'a) -> Self {
        Self::new(head, move |row| row.measured.as_ref().and_then(&cell))
    }
}

fn columns(study: &Study) -> Vec<Column<'_>> {
    let percent = |share: f64| format!("{:.1}", share * 100.0);
    let mut columns = vec![
        Column::new(study.study.column(), |row| Some(row.value.clone())),
        Column::measured("pairs right, %", move |it| {
            let error = percent(it.standard_error);
            Some(format!("{} ± {error}", percent(it.accuracy)))
        }),
        Column::measured("AUC", |it| Some(format!("{:.3}", it.auc))),
    ];
    columns.extend(FALSE_ACCEPT_RATES.map(|far| {
        let head = format!("VAL at FAR {far:.0e}, %");
        Column::measured(head, move |it| {
            let val = it.val.iter().find(|val| val.far == far)?;
            Some(percent(val.val))
        })
    }));
    columns.push(Column::measured("steps", |it| {
        it.trained.map(|trained| trained.steps.to_string())
    }));
    columns.push(Column::measured("pictures seen", |it| {
        it.trained.map(|trained| trained.pictures_seen.to_string())
    }));
    columns.push(Column::new("paper: VAL at FAR 1e-3, %", |row| {
        let paper = row.paper?;
        Some(match paper.standard_error {
            Some(error) => format!("{:.1} ± {error:.1}", paper.val_percent),
            None => format!("{:.1}", paper.val_percent),
        })
    }));
    columns
}

impl Display for Study {
    /// What it is about, then the table; columns that no row has something for are left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.study.title())?;
        for sentence in &self.about {
            writeln!(f, "{sentence}")?;
        }
        writeln!(f)?;
        let mut lines = vec![String::new(); 1 + self.rows.len()];
        for column in columns(self) {
            let cells: Vec<Option<String>> = self.rows.iter().map(&column.cell).collect();
            if cells.iter().all(Option::is_none) {
                continue;
            }
            let cells = cells.into_iter().map(|cell| cell.unwrap_or("-".to_owned()));
            let cells: Vec<String> = [column.head].into_iter().chain(cells).collect();
            let widths = cells.iter().map(|cell| cell.chars().count());
            let width = widths.max().unwrap_or_default();
            for (line, cell) in lines.iter_mut().zip(cells) {
                let gap = if line.is_empty() { "" } else { "   " };
                line.push_str(&format!("{gap}{cell:>width$}"));
            }
        }
        lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
