//! What messages say: the texts of every language, whose one a reader gets, and how long they may be.

mod catalogue;
mod language;
mod limits;
mod rules;
mod template;
mod voice;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use rules::{CodeShape, MaxSegments, OwnTextRules, TextProblem, TextRules, Wording};

use catalogue::OWN;
use ringback_core::limit::Segments;
use voice::{Section, Voice};

/// The news of a message.
#[derive(Clone, Copy)]
pub enum Content<'a> {
    /// A code to be typed in.
    Code {
        /// In the clear.
        code: &'a str,
        /// How long it can still be used.
        minutes_left: u64,
    },
    /// A code that removes the number.
    RemovalCode {
        /// In the clear.
        code: &'a str,
        /// How long it can still be used.
        minutes_left: u64,
    },
    /// To a verified number: it was replaced.
    Replaced,
    /// To a verified number: it was removed.
    Removed,
}

impl Content<'_> {
    fn kind(&self) -> Kind {
        match self {
            Content::Code { .. } => Kind::Code,
            Content::RemovalCode { .. } => Kind::RemovalCode,
            Content::Replaced => Kind::Replaced,
            Content::Removed => Kind::Removed,
        }
    }
}

/// The first of the languages that a reader wants that is `found`, by its tag in lower case, or by a shorter one.
/// `wanted`: as in [`Texts::write`].
pub fn choose<T>(wanted: &str, found: impl Fn(&str) -> Option<T>) -> Option<T> {
    let wanted = language::wanted(wanted);
    wanted.iter().find_map(|tag| language::look_up(tag, &found))
}

/// Which of a language's texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Code,
    RemovalCode,
    Replaced,
    Removed,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::Code, Kind::RemovalCode, Kind::Replaced, Kind::Removed];

    /// The name in files and configurations.
    fn name(self) -> &'static str {
        match self {
            Kind::Code => "code",
            Kind::RemovalCode => "removal_code",
            Kind::Replaced => "replaced",
            Kind::Removed => "removed",
        }
    }

    fn holds_code(self) -> bool {
        matches!(self, Kind::Code | Kind::RemovalCode)
    }
}

/// A message as its reader finds it.
#[derive(Clone, PartialEq, Eq)]
pub struct Written {
    /// The whole text. Holds the code, if there is one.
    pub text: String,
    /// BCP 47 tag of the language that it is in, such as `pt-BR`.
    pub language: String,
}

/// Every text, ready to be filled. Cheap to clone.
#[derive(Clone)]
pub struct Texts {
    everybody: Arc<Voice>,
    organizations: Arc<BTreeMap<String, Voice>>,
    shape: CodeShape,
    max: MaxSegments,
}

impl Texts {
    /// Reads all texts of an installation, and those that organisations have of their own, by their ids. Says
    /// everything that is wrong, such as a text that is too long for codes of this shape, and by how much.
    pub fn new<'a>(
        rules: &TextRules,
        organizations: impl IntoIterator<Item = (&'a String, &'a OwnTextRules)>,
        shape: CodeShape,
    ) -> Result<Texts, Vec<TextProblem>> {
        let max = rules.max_segments;
        let mut problems = rules::judge_max(max);
        let countable = problems.is_empty();
        let section = Section {
            place: "messages".into(),
            rules,
        };
        let everybody = Voice::new(&section, &OWN);
        match &everybody {
            Ok(voice) if countable => problems.extend(voice.judge(&section, shape, true)),
            Ok(_) => {}
            Err(found) => problems.extend(found.iter().cloned()),
        }
        let below = match &everybody {
            Ok(voice) => &voice.catalogues,
            Err(_) => &*OWN,
        };
        let mut voices = BTreeMap::new();
        for (id, own) in organizations {
            if *own == OwnTextRules::default() {
                continue;
            }
            let section = Section {
                place: format!("organizations.{id}.messages"),
                rules: &own.over(rules),
            };
            match Voice::new(&section, below) {
                Ok(voice) => {
                    if countable {
                        problems.extend(voice.judge(&section, shape, own.fills_texts()));
                    }
                    voices.insert(id.clone(), voice);
                }
                // What is wrong with everybody's is said once.
                Err(found) if everybody.is_ok() || !own.texts.is_empty() => problems.extend(found),
                Err(_) => {}
            }
        }
        match everybody {
            Ok(voice) if problems.is_empty() => Ok(Texts {
                everybody: Arc::new(voice),
                organizations: Arc::new(voices),
                shape,
                max,
            }),
            _ => Err(problems),
        }
    }

    /// Writes a message to a user of an organisation. `language`: the tags that its reader prefers, best first,
    /// or an Accept-Language header, or both joined by commas. Whatever it holds, there is a text.
    pub fn write(&self, organization: &str, language: &str, content: Content<'_>) -> Written {
        let voice = self.organizations.get(organization);
        let voice = voice.unwrap_or(&self.everybody);
        let catalogue = voice.choose(language);
        Written {
            text: voice.text(catalogue, content),
            language: catalogue.tag.clone(),
        }
    }

    /// As how many text messages those of an organisation go out at most: the longest of each language.
    pub fn most_segments(&self, organization: Option<&str>) -> Segments {
        let own = organization.and_then(|id| self.organizations.get(id));
        own.unwrap_or(&self.everybody).most_segments(self.shape)
    }

    /// What there is, in words for an operator: a line for everybody, and one for each organisation that has
    /// something of its own.
    pub fn describe(&self) -> Vec<String> {
        let told = |voice: &Voice| voice.describe(self.shape, self.max);
        let everybody = format!("messages: ok: {}", told(&self.everybody));
        let own = self.organizations.iter();
        let own = own.map(|(id, voice)| format!("messages of {id}: ok: {}", told(voice)));
        std::iter::once(everybody).chain(own).collect()
    }
}

#[cfg(test)]
mod tests;
