//! Who speaks, and in which words: what everybody's messages say, or those of one organisation.

use std::collections::BTreeMap;
use std::sync::Arc;

use ringback_core::limit::Segments;

use super::catalogue::{self, Catalogue, Catalogues};
use super::limits::{self, Excess, Longest};
use super::rules::{self, CodeShape, MaxSegments, TextProblem, TextRules};
use super::template::Fill;
use super::{Content, Kind, language};
use crate::segments::{Encoding, is_gsm};

/// As many letters a name may have with every text of ours in its limits.
const NAME_LENGTH: usize = 20;

pub(super) struct Voice {
    pub(super) service_name: String,
    pub(super) domain: Option<String>,
    pub(super) android_hash: Option<String>,
    /// The texts for readers of other languages.
    default: Catalogue,
    pub(super) catalogues: Arc<Catalogues>,
}

/// A section of a configuration that says something about texts.
pub(super) struct Section<'a> {
    /// Its name, such as `organizations.acme.messages`.
    pub(super) place: String,
    /// What holds for it; of the texts those that are said there.
    pub(super) rules: &'a TextRules,
}

impl Section<'_> {
    fn problem(&self, key: &str, reason: impl Into<String>) -> TextProblem {
        TextProblem {
            key: format!("{}.{key}", self.place),
            reason: reason.into(),
        }
    }

    /// The key of a text that is said here.
    fn key_of(&self, normal: &str, kind: Kind) -> Option<String> {
        let mut texts = self.rules.texts.iter();
        let same = |name: &str| language::normal(name).as_deref() == Some(normal);
        let (name, wording) = texts.find(|(name, _)| same(name))?;
        wording.of(kind)?;
        Some(format!("texts.{name}.{}", kind.name()))
    }
}

impl Voice {
    /// Lays the texts of a section over those `below`.
    pub(super) fn new(
        section: &Section<'_>,
        below: &Arc<Catalogues>,
    ) -> Result<Voice, Vec<TextProblem>> {
        let rules = section.rules;
        let words = rules::judge(rules).into_iter();
        let mut problems: Vec<TextProblem> = words
            .map(|(key, reason)| section.problem(key, reason))
            .collect();
        let catalogues = if rules.texts.is_empty() {
            Arc::clone(below)
        } else {
            let over = catalogue::over(below, &rules.texts).unwrap_or_else(|wrong| {
                let texts = wrong.into_iter();
                problems.extend(
                    texts.map(|(key, reason)| section.problem(&format!("texts.{key}"), reason)),
                );
                Catalogues::clone(below)
            });
            Arc::new(over)
        };
        let default = language::normal(&rules.language).and_then(|normal| {
            let found = language::look_up(&normal, |range| catalogues.get(range));
            found.cloned()
        });
        if default.is_none() {
            let reason = format!(
                "is no language that there are texts in; there are {}",
                tags(catalogues.values())
            );
            problems.push(section.problem("language", reason));
        }
        let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        match default {
            Some(default) if problems.is_empty() => Ok(Voice {
                service_name: rules.service_name.clone(),
                domain: some(&rules.domain).map(|host| host.to_ascii_lowercase()),
                android_hash: some(&rules.android_hash),
                default,
                catalogues,
            }),
            _ => Err(problems),
        }
    }

    /// The texts that a reader gets.
    pub(super) fn choose(&self, wanted: &str) -> &Catalogue {
        let known = |range: &str| self.catalogues.get(range);
        let wanted = language::wanted(wanted);
        let mut found = wanted
            .iter()
            .filter_map(|tag| language::look_up(tag, known));
        found.next().unwrap_or(&self.default)
    }

    /// Writes a message. A code is followed by what machines look for: the app's hash, which the SMS Retriever
    /// finds anywhere, then the line `@domain #code`, which must be the last one (WICG, "Origin-bound one-time
    /// codes").
    pub(super) fn text(&self, catalogue: &Catalogue, content: Content<'_>) -> String {
        let (code, minutes) = match content {
            Content::Code { code, minutes_left } | Content::RemovalCode { code, minutes_left } => {
                (Some(code), minutes_left)
            }
            Content::Replaced | Content::Removed => (None, 0),
        };
        let mut text = String::with_capacity(256);
        let fill = Fill {
            code: code.unwrap_or_default(),
            service: &self.service_name,
            minutes,
        };
        catalogue.template(content.kind()).fill(fill, &mut text);
        if let Some(code) = code {
            if let Some(hash) = &self.android_hash {
                text.extend(["\n", hash]);
            }
            if let Some(domain) = &self.domain {
                text.extend(["\n@", domain, " #", code]);
            }
        }
        text
    }

    /// Says which texts are too long: each that the section says itself, and in one sentence those that came
    /// with it, when `inherited` are looked at.
    pub(super) fn judge(
        &self,
        section: &Section<'_>,
        shape: CodeShape,
        inherited: bool,
    ) -> Vec<TextProblem> {
        let excesses = limits::excesses(self, section.rules.max_segments, shape);
        let own = |excess: &&Excess<'_>| section.key_of(excess.normal, excess.kind).is_some();
        let (own, mut others): (Vec<&Excess<'_>>, Vec<&Excess<'_>>) =
            excesses.iter().partition(own);
        // A text that is said here is told of once, whichever other languages take it over.
        others.retain(|other| {
            let words = |one: &Excess<'_>| std::ptr::from_ref(one.catalogue.template(one.kind));
            !own.iter().any(|one| words(one) == words(other))
        });
        let own = own.into_iter().filter_map(|excess| {
            let key = section.key_of(excess.normal, excess.kind)?;
            Some(section.problem(&key, &excess.told))
        });
        let mut problems: Vec<TextProblem> = own.collect();
        if inherited && !others.is_empty() {
            let long = self.service_name.chars().count() > NAME_LENGTH;
            let key = match &self.domain {
                Some(_) if !long => "domain",
                _ => "service_name",
            };
            let reason = limits::in_one(self, &others);
            problems.insert(0, section.problem(key, reason));
        }
        problems
    }

    /// As how many text messages one goes out at most, by language.
    pub(super) fn most_segments(&self, shape: CodeShape) -> Segments {
        let most = |catalogue: &Catalogue| {
            let counts = Kind::ALL.map(|kind| {
                let longest = limits::longest(self, catalogue, kind, shape);
                u64::try_from(longest.segments.count).unwrap_or(u64::MAX)
            });
            counts.into_iter().max().unwrap_or(1)
        };
        let all = self.catalogues.iter();
        let by_language: BTreeMap<String, u64> =
            all.map(|(tag, one)| (tag.clone(), most(one))).collect();
        Segments {
            default: most(&self.default),
            most: by_language.values().copied().max().unwrap_or(1),
            by_language,
        }
    }

    /// In words for an operator: the languages, the longest code, and what costs more than it must.
    pub(super) fn describe(&self, shape: CodeShape, max: MaxSegments) -> String {
        let all = self.catalogues.values();
        let mut told = vec![format!(
            "{} languages, {} for readers of others",
            all.len(),
            self.default.tag
        )];
        let codes = || {
            let kinds = [Kind::Code, Kind::RemovalCode];
            self.catalogues.values().flat_map(move |catalogue| {
                kinds.map(|kind| (catalogue, limits::longest(self, catalogue, kind, shape)))
            })
        };
        for (encoding, alphabet, limit) in [
            (Encoding::Gsm7, "GSM 03.38", max.gsm7),
            (Encoding::Ucs2, "UCS-2", max.ucs2),
        ] {
            let of_it =
                codes().filter(|(_, longest): &(_, Longest)| longest.segments.encoding == encoding);
            if let Some((catalogue, longest)) =
                of_it.max_by_key(|(_, longest)| longest.segments.units)
            {
                let (units, room) = (longest.segments.units, encoding.room(limit));
                told.push(format!(
                    "the longest code in {alphabet} takes {units} of {room} characters ({})",
                    catalogue.tag
                ));
            }
        }
        let strangers: String = self.service_name.chars().filter(|c| !is_gsm(*c)).collect();
        if !strangers.is_empty() {
            told.push(format!(
                "service_name has letters outside of GSM 03.38 ({strangers}), so that no text takes less than UCS-2"
            ));
        }
        let too_long = |(_, longest): &(_, Longest)| longest.bytes > limits::RETRIEVER_BYTES;
        let mut unread: Vec<&Catalogue> = codes().filter(too_long).map(|(one, _)| one).collect();
        unread.dedup_by_key(|catalogue| &catalogue.tag);
        if self.android_hash.is_some() && !unread.is_empty() {
            told.push(format!(
                "more than the {} bytes that Android's SMS Retriever reads in {}",
                limits::RETRIEVER_BYTES,
                tags(unread.into_iter())
            ));
        }
        told.join("; ")
    }
}

fn tags<'a>(catalogues: impl Iterator<Item = &'a Catalogue>) -> String {
    let tags: Vec<&str> = catalogues.map(|catalogue| catalogue.tag.as_str()).collect();
    tags.join(", ")
}
