//! JSON, split into users without holding more than one of them.

use std::io::{self, BufRead};
use std::mem;

use super::{LONGEST, Object, Part, Wrong, object, too_long};

/// An object a line. Lines without one are passed over.
pub(super) struct Lines<R> {
    input: R,
    line: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Lines<R> {
        Lines { input, line: 0 }
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Part>> {
        loop {
            let Some((bytes, whole)) = line(&mut self.input)? else {
                return Ok(None);
            };
            self.line += 1;
            if whole && bytes.trim_ascii().is_empty() {
                continue;
            }
            let object = match whole {
                true => object(&bytes),
                false => Err(too_long()),
            };
            return Ok(Some(Part {
                line: self.line,
                object,
            }));
        }
    }
}

/// The next line without its end, and whether that is all of it; none at the end of the file.
fn line(input: &mut impl BufRead) -> io::Result<Option<(Vec<u8>, bool)>> {
    let (mut bytes, mut whole, mut any) = (Vec::new(), true, false);
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(any.then_some((bytes, whole)));
        }
        any = true;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let part = &buffer[..end.unwrap_or(buffer.len())];
        whole &= bytes.len() + part.len() <= LONGEST;
        if whole {
            bytes.extend_from_slice(part);
        }
        let used = part.len() + usize::from(end.is_some());
        input.consume(used);
        if end.is_some() {
            return Ok(Some((bytes, whole)));
        }
    }
}

/// The objects of a list that is the document, or a member of the object that the document is. Several
/// documents may follow each other.
pub(super) struct Documents<R> {
    input: R,
    line: u64,
    state: State,
}

/// Where in a document.
#[derive(Default)]
struct State {
    /// What is open around, outermost first; of more than two only how many.
    open: Vec<u8>,
    /// Within a text, and after a backslash in it.
    text: bool,
    escaped: bool,
    /// Within a user: the line where it began, how many brackets are open in it, and what it says.
    user: Option<(u64, usize)>,
    bytes: Vec<u8>,
    whole: bool,
    /// Within something in the list that is no object.
    other: bool,
}

impl<R: BufRead> Documents<R> {
    pub(super) fn new(input: R) -> Documents<R> {
        Documents {
            input,
            line: 1,
            state: State::default(),
        }
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Part>> {
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return Ok(self.state.cut_short(self.line));
            }
            let mut used = 0;
            let mut found = None;
            for byte in buffer {
                used += 1;
                found = self.state.step(*byte, self.line);
                if *byte == b'\n' {
                    self.line += 1;
                }
                if found.is_some() {
                    break;
                }
            }
            self.input.consume(used);
            if found.is_some() {
                return Ok(found);
            }
        }
    }
}

impl State {
    fn step(&mut self, byte: u8, line: u64) -> Option<Part> {
        if let Some((began, open)) = self.user {
            return self.in_user(byte, began, open);
        }
        if self.in_text(byte) {
            return None;
        }
        let in_list = self.in_list();
        match byte {
            b'{' if in_list && !self.other => {
                self.user = Some((line, 1));
                self.bytes = vec![byte];
                self.whole = true;
                return None;
            }
            b',' if in_list => self.other = false,
            b']' if in_list => {
                self.other = false;
                self.open.pop();
            }
            _ if byte.is_ascii_whitespace() => {}
            _ => {
                let part = (in_list && !self.other).then(|| Part {
                    line,
                    object: Err("is no JSON object; a user is written as {…}".to_owned()),
                });
                self.other |= in_list;
                self.bracket(byte);
                return part;
            }
        }
        None
    }

    /// Whether the byte is within a text, or begins or ends one.
    fn in_text(&mut self, byte: u8) -> bool {
        match (self.text, byte) {
            (true, _) if self.escaped => self.escaped = false,
            (true, b'\\') => self.escaped = true,
            (true, b'"') => self.text = false,
            (true, _) => {}
            (false, b'"') if !self.in_list() => self.text = true,
            (false, _) => return false,
        }
        true
    }

    fn in_list(&self) -> bool {
        matches!(self.open[..], [b'['] | [b'{', b'['])
    }

    fn bracket(&mut self, byte: u8) {
        match byte {
            b'"' => self.text = true,
            b'{' | b'[' => self.open.push(byte),
            b'}' | b']' => {
                self.open.pop();
            }
            _ => {}
        }
    }

    fn in_user(&mut self, byte: u8, began: u64, open: usize) -> Option<Part> {
        self.whole &= self.bytes.len() < LONGEST;
        if self.whole {
            self.bytes.push(byte);
        }
        let open = match (self.text, byte) {
            (true, _) if self.escaped => {
                self.escaped = false;
                open
            }
            (true, b'\\') => {
                self.escaped = true;
                open
            }
            (true, b'"') => {
                self.text = false;
                open
            }
            (true, _) => open,
            (false, b'"') => {
                self.text = true;
                open
            }
            (false, b'{' | b'[') => open + 1,
            (false, b'}' | b']') => open - 1,
            (false, _) => open,
        };
        if open > 0 {
            self.user = Some((began, open));
            return None;
        }
        self.user = None;
        let bytes = mem::take(&mut self.bytes);
        let object: Result<Object, Wrong> = match self.whole {
            true => object(&bytes),
            false => Err(too_long()),
        };
        Some(Part {
            line: began,
            object,
        })
    }

    /// What is left where the file ends within a document.
    fn cut_short(&mut self, line: u64) -> Option<Part> {
        let began = self.user.take().map(|(began, _)| began);
        let cut = began.is_some() || !self.open.is_empty() || self.text;
        *self = State::default();
        cut.then(|| Part {
            line: began.unwrap_or(line),
            object: Err("the file ends in the middle; export it once more".to_owned()),
        })
    }
}
