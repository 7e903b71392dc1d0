//! How long texts become at most, and by how much some are too long.

use super::catalogue::Catalogue;
use super::rules::{CodeShape, MaxSegments};
use super::voice::Voice;
use super::{Content, Kind};
use crate::segments::{Encoding, Segments, is_gsm};

/// What Android's SMS Retriever reads of a message.
pub(super) const RETRIEVER_BYTES: usize = 140;
/// How many of the texts that are too long are told of.
const TOLD: usize = 3;

/// A text that is too long.
pub(super) struct Excess<'a> {
    /// Its normal tag.
    pub(super) normal: &'a str,
    pub(super) catalogue: &'a Catalogue,
    pub(super) kind: Kind,
    /// By so many characters, or bytes.
    over: usize,
    /// In words.
    pub(super) told: String,
}

/// The longest text of a kind, as it is sent.
pub(super) struct Longest {
    pub(super) segments: Segments,
    pub(super) bytes: usize,
}

pub(super) fn longest(
    voice: &Voice,
    catalogue: &Catalogue,
    kind: Kind,
    shape: CodeShape,
) -> Longest {
    let code = "0".repeat(shape.length);
    let minutes_left = shape.minutes;
    let content = match kind {
        Kind::Code => Content::Code {
            code: &code,
            minutes_left,
        },
        Kind::RemovalCode => Content::RemovalCode {
            code: &code,
            minutes_left,
        },
        Kind::Replaced => Content::Replaced,
        Kind::Removed => Content::Removed,
    };
    let text = voice.text(catalogue, content);
    Longest {
        segments: Segments::of(&text),
        bytes: text.len(),
    }
}

/// Whether texts of a language come in GSM 03.38 as they are meant to.
pub(super) fn in_gsm(voice: &Voice, catalogue: &Catalogue) -> bool {
    catalogue.gsm && voice.service_name.chars().all(is_gsm)
}

/// The texts of a voice that are too long, the worst first.
pub(super) fn excesses(voice: &Voice, max: MaxSegments, shape: CodeShape) -> Vec<Excess<'_>> {
    let mut found = Vec::new();
    for (normal, catalogue) in voice.catalogues.iter() {
        let gsm = in_gsm(voice, catalogue);
        let limit = if gsm { max.gsm7 } else { max.ucs2 };
        for kind in Kind::ALL {
            let longest = longest(voice, catalogue, kind, shape);
            let excess = of_segments(&longest, limit, || strangers(catalogue, kind, gsm))
                .or_else(|| of_bytes(voice, kind, &longest).filter(|_| gsm));
            found.extend(excess.map(|(over, told)| Excess {
                normal,
                catalogue,
                kind,
                over,
                told,
            }));
        }
    }
    found.sort_by_key(|excess| std::cmp::Reverse(excess.over));
    found
}

fn of_segments(
    longest: &Longest,
    limit: usize,
    strangers: impl Fn() -> Option<String>,
) -> Option<(usize, String)> {
    let Segments {
        encoding,
        units,
        count,
    } = longest.segments;
    if count <= limit {
        return None;
    }
    let room = encoding.room(limit);
    // A pair at the end of a segment can cost a segment without a character too many.
    let over = units.saturating_sub(room).max(1);
    let alphabet = match encoding {
        Encoding::Gsm7 => "GSM 03.38",
        Encoding::Ucs2 => "UCS-2",
    };
    let plural = if limit == 1 { "" } else { "s" };
    let why = strangers().unwrap_or_default();
    let told = format!(
        "takes up to {units} characters of {alphabet}, {over} more than {room} in {limit} segment{plural}{why}"
    );
    Some((over, told))
}

fn of_bytes(voice: &Voice, kind: Kind, longest: &Longest) -> Option<(usize, String)> {
    let over = longest.bytes.checked_sub(RETRIEVER_BYTES + 1)? + 1;
    let read = kind.holds_code() && voice.android_hash.is_some();
    read.then(|| {
        let bytes = longest.bytes;
        let told = format!(
            "takes up to {bytes} bytes, {over} more than the {RETRIEVER_BYTES} that Android's SMS Retriever reads"
        );
        (over, told)
    })
}

/// The characters that make a text of a GSM language longer than it looks.
fn strangers(catalogue: &Catalogue, kind: Kind, gsm: bool) -> Option<String> {
    let found = catalogue.template(kind).letters(|c| !is_gsm(c));
    (gsm && !found.is_empty()).then(|| {
        // By their numbers, too: some cannot be seen.
        let named = found
            .chars()
            .map(|c| format!("{c} (U+{:04X})", u32::from(c)));
        let named: Vec<String> = named.collect();
        let verb = if named.len() == 1 { "is" } else { "are" };
        format!(
            "; {} {verb} not in GSM 03.38: write it without",
            named.join(", ")
        )
    })
}

/// One sentence about texts of ringback's own that a name or a domain makes too long.
pub(super) fn in_one(voice: &Voice, excesses: &[&Excess<'_>]) -> String {
    let told = excesses.iter().take(TOLD).map(|excess| {
        let (kind, tag) = (excess.kind.name(), &excess.catalogue.tag);
        format!("{kind} in {tag} {}", excess.told)
    });
    let told: Vec<String> = told.collect();
    let more = match excesses.len().saturating_sub(TOLD) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let domain = match &voice.domain {
        Some(domain) => format!(", a domain of {}", domain.len()),
        None => String::new(),
    };
    let name = voice.service_name.chars().count();
    let told = told.join("; ");
    format!(
        "a service_name of {name} characters{domain} makes texts too long: {told}{more}. Shorten it, or raise \
         messages.max_segments"
    )
}
