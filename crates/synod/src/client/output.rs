//! What a command prints: rows and columns for people, one JSON document for programs.

use clap::ValueEnum;
use serde_json::Value;
use std::io::Write;
use std::process::ExitCode;

/// How to print.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Format {
    /// What was asked for and no more: easy to pipe.
    Plain,
    /// Columns with headings.
    Table,
    /// One JSON document; for `watch`, one a line.
    Json,
}

/// The answer to a command.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Report {
    /// For `plain`: written as it is.
    pub(super) plain: Vec<u8>,
    /// For `table`: the headings.
    pub(super) columns: Vec<&'static str>,
    /// For `table`: the rows, each as long as the headings.
    pub(super) rows: Vec<Vec<String>>,
    /// For `json`.
    pub(super) json: Value,
    /// The answer is "no": exit code 1.
    pub(super) negative: bool,
    /// Another exit code, where one command asked many members.
    pub(super) exit_code: Option<u8>,
}

impl Report {
    /// Prints to standard output; the exit code to end with.
    pub(super) fn print(&self, format: Format) -> ExitCode {
        if write(&self.render(format)).is_err() {
            // A closed pipe: the reader has what it wanted.
            return ExitCode::SUCCESS;
        }
        let default = if self.negative { 1 } else { 0 };
        ExitCode::from(self.exit_code.unwrap_or(default))
    }

    /// The bytes to print.
    pub(super) fn render(&self, format: Format) -> Vec<u8> {
        match format {
            Format::Plain => self.plain.clone(),
            Format::Table => table(&self.columns, &self.rows).into_bytes(),
            Format::Json if self.json.is_null() => Vec::new(),
            Format::Json => format!("{}\n", self.json).into_bytes(),
        }
    }
}

/// Writes to standard output at once.
pub(super) fn write(bytes: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

fn table(columns: &[&str], rows: &[Vec<String>]) -> String {
    if columns.is_empty() {
        return String::new();
    }
    let width = |index: usize| {
        let cells = rows.iter().map(|row| row[index].chars().count());
        cells.chain([columns[index].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let headings = columns.iter().map(|heading| heading.to_uppercase()).collect();
    let lines = std::iter::once(&headings).chain(rows).map(|cells: &Vec<String>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows =
            vec![vec!["a".into(), "long value".into()], vec!["longer key".into(), "b".into()]];
        let expected = "KEY         VALUE\na           long value\nlonger key  b\n";
        assert_eq!(table(&["key", "value"], &rows), expected);
    }
}
