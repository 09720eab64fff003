//! Positions as a table for people, one for each topic.
//!
//! Promise: numbers and times stand below each other; up to 11 digits an offset, a line has 120 columns at most.

use std::fmt;

use crate::kafka::{Partition, Topic};

/// A row: cells, a word on how it is, and what there is to say below.
pub struct Row {
    /// What it is about.
    pub partition: Partition,
    /// One for each head, but for the partition's number.
    pub cells: Vec<String>,
    /// A word in the last column.
    pub verdict: String,
    /// Sentences below the row.
    pub remarks: Vec<String>,
}

/// A table with that head and those rows, which are in order.
pub struct Table<'a> {
    /// The heads of the cells.
    pub head: &'a [&'a str],
    /// The rows.
    pub rows: Vec<&'a Row>,
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |(at, head): (usize, &&str)| {
            let cells = self.rows.iter().filter_map(|row| row.cells.get(at)).map(|cell| cell.chars().count());
            cells.chain([head.chars().count()]).max().unwrap_or_default()
        };
        let widths: Vec<_> = self.head.iter().enumerate().map(width).collect();
        let mut topic: Option<&Topic> = None;
        for row in &self.rows {
            if topic != Some(&row.partition.topic) {
                topic = Some(&row.partition.topic);
                writeln!(f, "\n{}", row.partition.topic)?;
                let head = self.head.iter().map(|head| (*head).to_owned());
                line(f, "part", head, &widths, "verdict")?;
            }
            line(f, &row.partition.number.to_string(), row.cells.iter().cloned(), &widths, &row.verdict)?;
            row.remarks.iter().try_for_each(|remark| writeln!(f, "        ! {remark}"))?;
        }
        if self.rows.is_empty() { Ok(()) } else { writeln!(f) }
    }
}

fn line(
    f: &mut fmt::Formatter<'_>,
    first: &str,
    cells: impl Iterator<Item = String>,
    widths: &[usize],
    last: &str,
) -> fmt::Result {
    write!(f, "  {first:>4}")?;
    cells.zip(widths).try_for_each(|(cell, width)| write!(f, "  {cell:>width$}"))?;
    if last.is_empty() { writeln!(f) } else { writeln!(f, "  {last}") }
}

/// What is displayed where there is nothing.
pub fn or_dash(value: Option<impl fmt::Display>) -> String {
    value.map_or("-".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let row = |topic, number, cells: [&str; 2], remarks: &[&str]| Row {
            partition: Partition { topic: Topic::parse(topic).unwrap(), number },
            cells: cells.map(str::to_owned).to_vec(),
            verdict: if remarks.is_empty() { "ok".to_owned() } else { String::new() },
            remarks: remarks.iter().map(|remark| (*remark).to_owned()).collect(),
        };
        let rows =
            [row("a", 0, ["7", "-"], &[]), row("a", 11, ["123456", "x"], &["gone"]), row("b", 0, ["1", "2"], &[])];
        let expected = "
a
  part  offset  current  verdict
     0       7        -  ok
    11  123456        x
        ! gone

b
  part  offset  current  verdict
     0       1        2  ok

";
        assert_eq!(Table { head: &["offset", "current"], rows: rows.iter().collect() }.to_string(), expected);
    }
}
