//! Reads the sources of the repository, and Rust so far as paths go.

use std::fmt;
use std::fs;
use std::path::Path;

/// One place that breaks a rule.
pub(super) struct Breach {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) reason: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.reason)
    }
}

/// A text file of the repository; `path` is relative to its top, with slashes.
pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
}

impl Source {
    pub(super) fn breach(&self, line: usize, reason: impl Into<String>) -> Breach {
        Breach {
            file: self.path.clone(),
            line,
            reason: reason.into(),
        }
    }

    /// The API that this file belongs to: `src/api/x.rs` and all below `src/api/x/` are `x`. What they share
    /// is held to the same rules.
    pub(super) fn api(&self) -> Option<&str> {
        let below = self.path.strip_prefix("src/api/")?;
        below.split(['/', '.']).next()
    }

    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

pub(super) fn hold(breaches: Vec<Breach>) {
    let list: Vec<String> = breaches.iter().map(Breach::to_string).collect();
    assert!(list.is_empty(), "rules are broken:\n{}\n", list.join("\n"));
}

pub(super) fn each_source(rule: fn(&Source) -> Vec<Breach>) -> Vec<Breach> {
    sources().iter().flat_map(rule).collect()
}

/// Every text file of the repository, in order of path.
pub(super) fn sources() -> Vec<Source> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    collect(top, top, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(
        found.iter().any(|source| source.path == "src/lib.rs"),
        "no sources in {}",
        top.display()
    );
    found
}

fn collect(top: &Path, directory: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(directory).expect("a readable directory") {
        let entry = entry.expect("a directory entry");
        let (path, kind) = (entry.path(), entry.file_type().expect("a file type"));
        let skipped = [".git", "target", "ringback-data", "node_modules"];
        if kind.is_dir() && !skipped.iter().any(|name| entry.file_name() == *name) {
            collect(top, &path, found);
        } else if kind.is_file()
            && let Ok(text) = fs::read_to_string(&path)
        {
            let relative = path.strip_prefix(top).expect("a path below the top");
            found.push(Source {
                path: relative.to_string_lossy().replace('\\', "/"),
                text,
            });
        }
    }
}

pub(super) struct Token<'a> {
    pub(super) line: usize,
    pub(super) text: &'a str,
}

/// A path as written, `a::b::c`, with the line of its last name.
pub(super) struct WrittenPath<'a> {
    pub(super) line: usize,
    pub(super) segments: Vec<&'a str>,
}

/// Names and punctuation of Rust source, without comments, strings, characters and lifetimes.
/// `::` and `=>` are one token each.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let is_name = |c: char| c == '_' || c.is_alphanumeric();
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(raw) = raw_string(rest) {
            raw
        } else if first == '"' {
            quoted(rest, '"')
        } else if first == '\'' {
            // 'a' and '\n' are characters, 'a is a lifetime.
            let mut after = rest[1..].chars();
            let (one, two) = (after.next(), after.next());
            if one == Some('\\') || two == Some('\'') {
                quoted(rest, '\'')
            } else {
                1 + rest[1..].find(|c| !is_name(c)).unwrap_or(0)
            }
        } else {
            let length = if is_name(first) {
                rest.find(|c| !is_name(c)).unwrap_or(rest.len())
            } else if rest.starts_with("::") || rest.starts_with("=>") {
                2
            } else {
                first.len_utf8()
            };
            if !first.is_whitespace() {
                found.push(Token {
                    line,
                    text: &rest[..length],
                });
            }
            length
        };
        line += rest[..length].matches('\n').count();
        at += length;
    }
    found
}

/// The length of a raw string (`r"…"`, `br#"…"#`) that `rest` begins with.
fn raw_string(rest: &str) -> Option<usize> {
    let start = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let body = start.trim_start_matches('#');
    let hashes = start.len() - body.len();
    let body = body.strip_prefix('"')?;
    let closing = format!("\"{}", "#".repeat(hashes));
    let end = body
        .find(&closing)
        .map_or(body.len(), |end| end + closing.len());
    Some(rest.len() - body.len() + end)
}

/// The length of a string or character that `rest` begins with, its quotes included.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Every path of two names or more, in `use` and elsewhere; `a::{b, c::d}` is `a::b` and `a::c::d`.
pub(super) fn paths<'a>(tokens: &[Token<'a>]) -> Vec<WrittenPath<'a>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        at = if joined(tokens, at) {
            read_path(tokens, at, &mut Vec::new(), &mut found)
        } else {
            at + 1
        };
    }
    found
}

/// Whether a name followed by `::` stands here.
fn joined(tokens: &[Token<'_>], at: usize) -> bool {
    let is_name = tokens[at]
        .text
        .starts_with(|c: char| c == '_' || c.is_alphabetic());
    is_name && tokens.get(at + 1).is_some_and(|next| next.text == "::")
}

/// Reads the path that begins at `at` behind the names in `before`; returns where it ends.
fn read_path<'a>(
    tokens: &[Token<'a>],
    mut at: usize,
    before: &mut Vec<&'a str>,
    found: &mut Vec<WrittenPath<'a>>,
) -> usize {
    let depth = before.len();
    while joined(tokens, at) {
        before.push(tokens[at].text);
        at += 2;
        if at == tokens.len() {
            break;
        }
    }
    let Some(last) = tokens.get(at) else {
        return at;
    };
    if last.text == "{" {
        at += 1;
        while at < tokens.len() && tokens[at].text != "}" {
            at = if tokens[at].text == "," {
                at + 1
            } else {
                read_path(tokens, at, before, found)
            };
        }
    } else {
        let mut segments = before.clone();
        segments.push(last.text);
        found.push(WrittenPath {
            line: last.line,
            segments,
        });
    }
    before.truncate(depth);
    at + 1
}
