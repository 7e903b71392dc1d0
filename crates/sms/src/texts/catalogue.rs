//! The languages that ringback has texts in, and what an installation says otherwise.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde::Deserialize;

use super::template::Template;
use super::{Kind, language};
use crate::segments::is_gsm;

/// The four texts of a language, by normal tag: one file each in `texts/`.
const FILES: [(&str, &str); 36] = [
    ("ar", include_str!("../../texts/ar.toml")),
    ("bg", include_str!("../../texts/bg.toml")),
    ("ca", include_str!("../../texts/ca.toml")),
    ("cs", include_str!("../../texts/cs.toml")),
    ("da", include_str!("../../texts/da.toml")),
    ("de", include_str!("../../texts/de.toml")),
    ("el", include_str!("../../texts/el.toml")),
    ("en", include_str!("../../texts/en.toml")),
    ("es", include_str!("../../texts/es.toml")),
    ("fa", include_str!("../../texts/fa.toml")),
    ("fi", include_str!("../../texts/fi.toml")),
    ("fr", include_str!("../../texts/fr.toml")),
    ("he", include_str!("../../texts/he.toml")),
    ("hi", include_str!("../../texts/hi.toml")),
    ("hr", include_str!("../../texts/hr.toml")),
    ("hu", include_str!("../../texts/hu.toml")),
    ("id", include_str!("../../texts/id.toml")),
    ("it", include_str!("../../texts/it.toml")),
    ("ja", include_str!("../../texts/ja.toml")),
    ("ko", include_str!("../../texts/ko.toml")),
    ("mk", include_str!("../../texts/mk.toml")),
    ("nl", include_str!("../../texts/nl.toml")),
    ("no", include_str!("../../texts/no.toml")),
    ("pl", include_str!("../../texts/pl.toml")),
    ("pt", include_str!("../../texts/pt.toml")),
    ("pt-br", include_str!("../../texts/pt-BR.toml")),
    ("ro", include_str!("../../texts/ro.toml")),
    ("ru", include_str!("../../texts/ru.toml")),
    ("sk", include_str!("../../texts/sk.toml")),
    ("sv", include_str!("../../texts/sv.toml")),
    ("th", include_str!("../../texts/th.toml")),
    ("tr", include_str!("../../texts/tr.toml")),
    ("uk", include_str!("../../texts/uk.toml")),
    ("vi", include_str!("../../texts/vi.toml")),
    ("zh-hans", include_str!("../../texts/zh-Hans.toml")),
    ("zh-hant", include_str!("../../texts/zh-Hant.toml")),
];

/// Texts in one language, as a file or a configuration says them; what it leaves out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wording {
    /// Carries a code to be typed in.
    pub code: Option<String>,
    /// Carries a code that removes the number.
    pub removal_code: Option<String>,
    /// Tells a number that it was replaced.
    pub replaced: Option<String>,
    /// Tells a number that it was removed.
    pub removed: Option<String>,
}

impl Wording {
    pub(super) fn of(&self, kind: Kind) -> Option<&str> {
        let text = match kind {
            Kind::Code => &self.code,
            Kind::RemovalCode => &self.removal_code,
            Kind::Replaced => &self.replaced,
            Kind::Removed => &self.removed,
        };
        text.as_deref()
    }
}

/// The texts of one language, read.
#[derive(Clone, Debug)]
pub(super) struct Catalogue {
    /// The language as people write it.
    pub(super) tag: String,
    /// Whether it can be written in GSM 03.38; what ringback's own texts are in decides.
    pub(super) gsm: bool,
    templates: [Arc<Template>; 4],
}

impl Catalogue {
    pub(super) fn template(&self, kind: Kind) -> &Template {
        &self.templates[kind as usize]
    }
}

/// Catalogues by normal tag.
pub(super) type Catalogues = BTreeMap<String, Catalogue>;

/// What ringback brings along.
pub(super) static OWN: LazyLock<Arc<Catalogues>> = LazyLock::new(|| {
    let read = |(tag, file): (&str, &str)| {
        let wording: Wording =
            toml::from_str(file).unwrap_or_else(|error| panic!("texts/{tag}.toml: {error}"));
        let one = [(tag.to_owned(), wording)].into();
        let catalogues = over(&Catalogues::new(), &one)
            .unwrap_or_else(|wrong| panic!("texts/{tag}.toml: {wrong:?}"));
        catalogues
            .into_iter()
            .next()
            .unwrap_or_else(|| panic!("texts/{tag}.toml: no texts"))
    };
    Arc::new(FILES.into_iter().map(read).collect())
});

/// What is wrong with a text: the end of its key (`de.code`), and what.
pub(super) type Wrong = (String, String);

/// Lays an installation's texts over others. A language that is new must have all four, unless a shorter form of
/// its tag has them.
pub(super) fn over(
    below: &Catalogues,
    texts: &BTreeMap<String, Wording>,
) -> Result<Catalogues, Vec<Wrong>> {
    let mut wrong = Vec::new();
    let mut named: BTreeMap<String, (&String, &Wording)> = BTreeMap::new();
    for (name, wording) in texts {
        let Some(normal) = language::normal(name) else {
            let reason = "is no language; write a tag such as de or pt-BR".to_owned();
            wrong.push((name.clone(), reason));
            continue;
        };
        match named.get(&normal) {
            Some((other, _)) => {
                let reason = format!("is the same language as {other}; write it once");
                wrong.push((name.clone(), reason));
            }
            None => {
                named.insert(normal, (name, wording));
            }
        }
    }
    let mut all = below.clone();
    // In the order of tags, so that `de` is there for `de-AT`.
    for (normal, (name, wording)) in named {
        let base = language::look_up(&normal, |range| all.get(range));
        match catalogue(&normal, wording, base) {
            Ok(catalogue) => {
                all.insert(normal, catalogue);
            }
            Err(reasons) => {
                let of_texts = reasons.into_iter();
                wrong.extend(of_texts.map(|(kind, reason)| (format!("{name}.{kind}"), reason)));
            }
        }
    }
    if wrong.is_empty() {
        Ok(all)
    } else {
        Err(wrong)
    }
}

fn catalogue(
    normal: &str,
    wording: &Wording,
    base: Option<&Catalogue>,
) -> Result<Catalogue, Vec<(&'static str, String)>> {
    let mut wrong = Vec::new();
    let mut templates = Vec::new();
    for kind in Kind::ALL {
        let template = match (wording.of(kind), base) {
            (Some(text), _) => Template::parse(text, kind).map(Arc::new),
            (None, Some(base)) => Ok(Arc::clone(&base.templates[kind as usize])),
            (None, None) => Err(format!(
                "is missing; ringback has no texts in {}, so that all of {} are needed",
                language::shown(normal),
                Kind::ALL.map(Kind::name).join(", ")
            )),
        };
        match template {
            Ok(template) => templates.push(template),
            Err(reason) => wrong.push((kind.name(), reason)),
        }
    }
    let Ok(templates) = <[Arc<Template>; 4]>::try_from(templates) else {
        return Err(wrong);
    };
    let [code, removal_code, ..] = &templates;
    if code == removal_code {
        let reason =
            "is the same text as that of a code; it must say that the code removes the number";
        return Err(vec![(Kind::RemovalCode.name(), reason.to_owned())]);
    }
    let own = || {
        templates
            .iter()
            .all(|template| template.letters(|c| !is_gsm(c)).is_empty())
    };
    Ok(Catalogue {
        tag: language::shown(normal),
        gsm: base.map_or_else(own, |base| base.gsm),
        templates,
    })
}
