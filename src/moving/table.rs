//! CSV (RFC 4180), read record by record and written.

use std::borrow::Cow;
use std::collections::HashSet;
use std::io::{self, BufRead};
use std::mem;

use serde_json::Value;

use super::fields::shown;
use super::{FileError, LONGEST, Part, Wrong, own, too_long};

/// Records with names for their columns.
pub(super) struct Table<R> {
    records: Records<R>,
    names: Vec<String>,
}

/// A record, and the line where it begins.
pub(super) struct Record {
    line: u64,
    fields: Result<Vec<String>, Wrong>,
}

struct Records<R> {
    input: R,
    line: u64,
}

/// The fields of the first record of a text that may go on.
pub(super) fn first_record(head: &[u8]) -> Option<Vec<String>> {
    let mut records = Records {
        input: head,
        line: 1,
    };
    records.next().ok()??.fields.ok()
}

impl<R: BufRead> Records<R> {
    /// The next record that is not empty; none at the end.
    fn next(&mut self) -> io::Result<Option<Record>> {
        loop {
            let begin = self.line;
            let mut record = Open::default();
            let mut ended = false;
            while !ended {
                let buffer = self.input.fill_buf()?;
                if buffer.is_empty() {
                    break;
                }
                let mut used = 0;
                for byte in buffer {
                    used += 1;
                    self.line += u64::from(*byte == b'\n');
                    if record.step(*byte) {
                        ended = true;
                        break;
                    }
                }
                self.input.consume(used);
            }
            if record.is_empty() {
                if ended {
                    continue;
                }
                return Ok(None);
            }
            return Ok(Some(Record {
                line: begin,
                fields: record.close(),
            }));
        }
    }
}

/// A record that is being read.
#[derive(Default)]
struct Open {
    fields: Vec<Vec<u8>>,
    field: Vec<u8>,
    length: usize,
    quoting: Quoting,
    too_long: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Quoting {
    /// At the start of a field.
    #[default]
    Start,
    /// In a field without quotes.
    Bare,
    /// Between quotes.
    Inside,
    /// After a quote that ends the field, unless another follows.
    After,
}

impl Open {
    /// Takes a byte; says whether it ends the record.
    fn step(&mut self, byte: u8) -> bool {
        use Quoting::{After, Bare, Inside, Start};
        match (self.quoting, byte) {
            (Start | Bare | After, b'\n') => return true,
            // What nobody closes must not swallow the file.
            (Inside, b'\n') if self.too_long => return true,
            (Start | Bare | After, b',') => {
                self.fields.push(mem::take(&mut self.field));
                self.quoting = Start;
                self.length += 1;
            }
            (Start, b'"') => self.quoting = Inside,
            (Inside, b'"') => self.quoting = After,
            (After, b'"') => {
                self.push(byte);
                self.quoting = Inside;
            }
            (Inside, _) => self.push(byte),
            (After, b'\r') => {}
            (Start | Bare | After, _) => {
                self.push(byte);
                self.quoting = Bare;
            }
        }
        false
    }

    fn push(&mut self, byte: u8) {
        self.length += 1;
        self.too_long |= self.length > LONGEST;
        if !self.too_long {
            self.field.push(byte);
        }
    }

    fn is_empty(&self) -> bool {
        self.fields.is_empty()
            && self.field.trim_ascii().is_empty()
            && self.quoting != Quoting::Inside
    }

    fn close(mut self) -> Result<Vec<String>, Wrong> {
        if self.too_long {
            return Err(too_long());
        }
        if self.quoting == Quoting::Inside {
            return Err("a quote is not closed; write \"\" for a quote within quotes".to_owned());
        }
        if self.field.last() == Some(&b'\r') {
            self.field.pop();
        }
        self.fields.push(self.field);
        let texts = self.fields.into_iter().map(String::from_utf8);
        let texts: Result<Vec<String>, _> = texts.collect();
        texts.map_err(|_| "is not in UTF-8; save the file as UTF-8".to_owned())
    }
}

/// Fails where two columns have the same name, as `read` reads it.
pub(super) fn each_once(names: &[String], read: impl Fn(&str) -> String) -> Result<(), Wrong> {
    let mut known = HashSet::new();
    let mut given = names.iter().filter(|name| !name.is_empty());
    match given.find(|name| !known.insert(read(name))) {
        None => Ok(()),
        Some(name) => {
            let name = shown(name);
            Err(format!("the column {name} is there twice; take one out"))
        }
    }
}

impl<R: BufRead> Table<R> {
    /// A table whose first record names the columns, which `check` may refuse. Names that are empty are of columns
    /// without anything in them, as spreadsheets add them.
    pub(super) fn with_head(
        input: R,
        check: impl Fn(&[String]) -> Result<(), Wrong>,
    ) -> Result<Table<R>, FileError> {
        let mut records = Records { input, line: 1 };
        let Some(Record { line, fields }) = records.next()? else {
            return Ok(Table {
                records,
                names: Vec::new(),
            });
        };
        let names = fields.and_then(|names| {
            let names: Vec<String> = names.iter().map(|name| name.trim().to_owned()).collect();
            each_once(&names, |name| name.to_owned())?;
            check(&names)?;
            Ok(names)
        });
        let names = names.map_err(|wrong| FileError::Columns { line, wrong })?;
        Ok(Table { records, names })
    }

    /// A table without such a record.
    pub(super) fn with_names(input: R, names: &[&str]) -> Table<R> {
        Table {
            records: Records { input, line: 1 },
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    /// The next record as an object: what is empty is left out.
    fn next(&mut self) -> io::Result<Option<Part>> {
        let Some(Record { line, fields }) = self.records.next()? else {
            return Ok(None);
        };
        let object = fields.and_then(|fields| {
            if fields.len() > self.names.len() {
                let (has, named) = (fields.len(), self.names.len());
                return Err(format!(
                    "has {has} columns, and there are {named}; put what holds a comma in quotes"
                ));
            }
            let pairs = self.names.iter().zip(fields);
            let given = pairs.filter(|(_, field)| !field.is_empty());
            Ok(given
                .map(|(name, field)| (name.clone(), Value::String(field)))
                .collect())
        });
        Ok(Some(Part { line, object }))
    }
}

/// The users of a table: a record each or, in ringback's own, one for each number.
pub(super) struct TableUsers<R> {
    table: Table<R>,
    own: bool,
    /// The record after those of the user before.
    next: Option<Part>,
}

impl<R: BufRead> TableUsers<R> {
    pub(super) fn new(table: Table<R>, own: bool) -> TableUsers<R> {
        TableUsers {
            table,
            own,
            next: None,
        }
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Part>> {
        let first = match self.next.take() {
            Some(first) => Some(first),
            None => self.table.next()?,
        };
        let Some(Part { line, object }) = first else {
            return Ok(None);
        };
        if !self.own {
            return Ok(Some(Part { line, object }));
        }
        let mut user = object.and_then(own::row);
        while let Some(Part { line, object }) = self.table.next()? {
            let next = object.clone().and_then(own::row);
            match (user, next) {
                (Ok(rows), Ok(next)) if rows.is_same(&next) => user = Ok(rows.and(next)),
                (before, _) => {
                    user = before;
                    self.next = Some(Part { line, object });
                    break;
                }
            }
        }
        let object = user.map(own::Rows::into_object);
        Ok(Some(Part { line, object }))
    }
}

/// What a program for spreadsheets would take for a formula: it is written with an apostrophe before it, which such
/// programs take as the mark of a text. An apostrophe that stands there already gets another one, so that
/// [`as_it_was`] is the way back.
pub(super) fn no_formula(text: &str) -> Cow<'_, str> {
    match begins_a_formula(text.trim_start_matches('\'')) {
        true => format!("'{text}").into(),
        false => text.into(),
    }
}

/// A text of which [`no_formula`] was written.
pub(super) fn as_it_was(written: &str) -> &str {
    match written.strip_prefix('\'') {
        Some(text) if begins_a_formula(text.trim_start_matches('\'')) => text,
        Some(_) | None => written,
    }
}

/// As OWASP lists them (CSV injection), with their full-width forms.
fn begins_a_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}

/// A record as it is written.
pub(super) fn written<'a>(fields: impl Iterator<Item = &'a str>) -> String {
    let mut record = String::new();
    for (nth, field) in fields.enumerate() {
        if nth > 0 {
            record.push(',');
        }
        let plain = !field.contains(['"', ',', '\n', '\r'])
            && !field.starts_with(char::is_whitespace)
            && !field.ends_with(char::is_whitespace);
        match plain {
            true => record.push_str(field),
            false => {
                record.push('"');
                record.push_str(&field.replace('"', "\"\""));
                record.push('"');
            }
        }
    }
    record.push('\n');
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_defused_and_come_back_as_they_were() {
        for text in [
            "=1+2", "+a", "-b", "@c", "\td", "\re", "\nf", "＝g", "'=h", "''=i", "'+j",
        ] {
            let written = no_formula(text);
            assert_eq!(*written, format!("'{text}"));
            assert_eq!(as_it_was(&written), text);
        }
        for text in ["", "'", "ann", "O'Hara", "'t Hooft", "a=b", "''"] {
            assert_eq!(no_formula(text), text);
            assert_eq!(as_it_was(text), text);
        }
    }
}
