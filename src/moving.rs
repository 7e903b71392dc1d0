//! Files of users: written and read in ringback's own forms, and read as other services export them.

mod draft;
mod fields;
mod format;
mod others;
mod own;
mod split;
mod strict;
mod table;
#[cfg(test)]
mod tests;
mod write;

use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use ringback_core::Policies;
use ringback_store::Incoming;
use serde_json::{Map, Value};

pub use format::Format;
pub use write::{Writer, WrittenAs};

use draft::Draft;
use format::{PEEKED, Shape, detect};
use split::{Documents, Lines};
use table::{Table, TableUsers};

/// Why one user of a file cannot be read: what is wrong and what to do. It names no number.
pub type Wrong = String;

/// A user's fields, by name.
type Object = Map<String, Value>;

/// One user of a file.
pub struct User {
    /// The line where it begins, from 1 on.
    pub line: u64,
    /// The account, or why there is none.
    pub read: Result<Incoming, Wrong>,
}

/// How users are read.
pub struct Reading {
    /// Whose rules numbers are read by.
    pub policies: Policies,
    /// Where users belong of whom the file does not say it.
    pub organization: String,
    /// No number is taken for verified, whatever the file says.
    pub unverified: bool,
}

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be opened or read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Nobody knows what it is.
    #[error(
        "cannot tell what format this is: it is neither NDJSON nor CSV with a first line of names and commas between; see docs/MOVING.md, or say --format"
    )]
    Unknown,
    /// Its columns have names that cannot be meant.
    #[error("line {line}: {wrong}")]
    Columns {
        /// The line of the names.
        line: u64,
        /// What is wrong, and what to do.
        wrong: Wrong,
    },
    /// It is not in UTF-8.
    #[error("is in UTF-16; save it as UTF-8")]
    Utf16,
}

/// The users of a file, one after the other.
pub struct Users {
    format: Format,
    source: Source,
    reading: Reading,
    seen: SeenUsers,
}

/// Of ringback's own table, which users there were, by a hash of who they are, and on which line: the first million.
#[derive(Default)]
struct SeenUsers {
    by: RandomState,
    lines: HashMap<u64, u64>,
}

impl SeenUsers {
    const MOST: usize = 1_000_000;

    /// Fails where the user was there before: its rows are not together.
    fn note(&mut self, user: &Incoming, line: u64) -> Result<(), Wrong> {
        let hash = self.by.hash_one((&user.organization, &user.id));
        if let Some(first) = self.lines.get(&hash) {
            return Err(format!(
                "is of the user of line {first}, and other users stand between; put the rows of one user together"
            ));
        }
        if self.lines.len() < Self::MOST {
            self.lines.insert(hash, line);
        }
        Ok(())
    }
}

type Input = Box<dyn BufRead + Send>;

enum Source {
    Lines(Lines<Input>),
    Documents(Documents<Input>),
    Table(TableUsers<Input>),
}

/// What was split off a file for one user.
struct Part {
    line: u64,
    object: Result<Object, Wrong>,
}

impl Users {
    /// The users of a file, which may be compressed with gzip. Without a format it is told by the first lines.
    ///
    /// # Errors
    /// See [`FileError`].
    pub fn open(file: &Path, format: Option<Format>, reading: Reading) -> Result<Users, FileError> {
        let mut file = BufReader::with_capacity(PEEKED, File::open(file)?);
        match file.fill_buf()? {
            [0x1f, 0x8b, ..] => {
                let plain = BufReader::with_capacity(PEEKED, MultiGzDecoder::new(file));
                Users::of(Box::new(plain), format, reading)
            }
            _ => Users::of(Box::new(file), format, reading),
        }
    }

    /// The same of what is read from elsewhere.
    pub(crate) fn of(
        mut input: Input,
        format: Option<Format>,
        reading: Reading,
    ) -> Result<Users, FileError> {
        let mut head = Vec::new();
        input.by_ref().take(PEEKED as u64).read_to_end(&mut head)?;
        if let [0xfe, 0xff, ..] | [0xff, 0xfe, ..] = head[..] {
            return Err(FileError::Utf16);
        }
        if head.starts_with(b"\xef\xbb\xbf") {
            head.drain(..3);
        }
        let (format, shape) = detect(&head, format).ok_or(FileError::Unknown)?;
        let input: Input = Box::new(io::Cursor::new(head).chain(input));
        let source = match shape {
            Shape::Lines => Source::Lines(Lines::new(input)),
            Shape::Documents => Source::Documents(Documents::new(input)),
            Shape::Table => {
                let table = match format {
                    Format::Firebase => Table::with_names(input, others::FIREBASE_COLUMNS),
                    Format::Csv => Table::with_head(input, own::check_columns)?,
                    _ => Table::with_head(input, |_| Ok(()))?,
                };
                Source::Table(TableUsers::new(table, format == Format::Csv))
            }
        };
        Ok(Users {
            format,
            source,
            reading,
            seen: SeenUsers::default(),
        })
    }

    /// What the file is.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The next user; none at the end.
    ///
    /// # Errors
    /// When the file cannot be read on.
    pub fn read_next(&mut self) -> io::Result<Option<User>> {
        let part = match &mut self.source {
            Source::Lines(lines) => lines.next()?,
            Source::Documents(documents) => documents.next()?,
            Source::Table(table) => table.next()?,
        };
        let Some(Part { line, object }) = part else {
            return Ok(None);
        };
        let read = object.and_then(|object| {
            let user = self.draft(object)?.finish(&self.reading)?;
            if self.format == Format::Csv {
                self.seen.note(&user, line)?;
            }
            Ok(user)
        });
        Ok(Some(User { line, read }))
    }

    fn draft(&self, object: Object) -> Result<Draft, Wrong> {
        match self.format {
            Format::Ndjson | Format::Csv => own::draft(object),
            Format::Auth0 => others::auth0(object),
            Format::Firebase => others::firebase(object),
            Format::Cognito => others::cognito(object),
            Format::Clerk => others::clerk(object),
        }
    }
}

/// The longest that one user may be, in bytes.
const LONGEST: usize = 1 << 20;

fn too_long() -> Wrong {
    format!("is longer than {LONGEST} bytes, which no user needs")
}

/// A JSON object, or why it is none. What the parser says is kept back: it quotes what it meets.
fn object(bytes: &[u8]) -> Result<Object, Wrong> {
    match strict::read(bytes) {
        Ok((_, Some(name))) => {
            let name = fields::shown(&name);
            Err(format!("{name} is there twice; take one out"))
        }
        Ok((Value::Object(object), None)) => Ok(object),
        Ok((_, None)) => Err("is no JSON object; a user is written as {…}".to_owned()),
        Err(_) if std::str::from_utf8(bytes).is_err() => {
            Err("is not in UTF-8; save the file as UTF-8".to_owned())
        }
        Err(error) => Err(format!(
            "is not JSON at character {}; each user must be whole",
            error.column()
        )),
    }
}
