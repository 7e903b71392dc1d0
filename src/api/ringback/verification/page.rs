//! The hosted page: as it is served first, and each step of it as plain HTML for browsers without scripts.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Response};
use ringback_core::code::Alphabet;
use ringback_store::Store;

use super::Settings;
use super::service::{Standing, hint};
use super::texts::{Texts, Words};
use crate::auth::Auth;

/// Nothing from elsewhere, nothing inline, in nobody's frame.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// What answers the page and its forms.
#[derive(Clone)]
pub(super) struct Page {
    pub(super) store: Store,
    pub(super) auth: Arc<Auth>,
    pub(super) settings: Arc<Settings>,
    pub(super) texts: Arc<Texts>,
}

/// Something to say above a form.
#[derive(Clone, Copy)]
pub(super) struct Problem {
    /// Which of the words.
    pub(super) name: &'static str,
    /// How long to wait.
    pub(super) seconds: u64,
}

/// `GET /verify`. Who comes is not known yet: the token is where only scripts see it, and a browser without them
/// sends the handle by a form, so that whoever only looks at links does not use it up.
pub(super) async fn show(
    State(page): State<Page>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let words = page.words(query.get("lang").map(String::as_str), &headers);
    let handle = query.get("h").map_or("", String::as_str);
    let [ended, go] = ["ended", "continue"].map(|name| escaped(words.of(name)));
    let plain = match handle {
        "" => format!("<p class=\"ringback-error\">{ended}</p>"),
        handle => {
            let handle = hidden("handle", handle);
            format!("{}{handle}{}</form>", form(words), button("open", &go))
        }
    };
    let body = format!(
        "<ringback-verify lang=\"{}\"></ringback-verify>\n<p class=\"ringback-error\" id=\"ended\" hidden>{ended}</p>\n\
         <noscript>{plain}</noscript>\n<p class=\"page-links\"><a id=\"back\" hidden>{}</a>\
         <a id=\"continue\" class=\"ringback-button\" hidden>{go}</a></p>\n\
         <script type=\"module\" src=\"verify/page.js\"></script>",
        words.tag,
        escaped(words.of("back")),
    );
    page.whole(words, &body)
}

impl Page {
    pub(super) fn words(&self, said: Option<&str>, headers: &HeaderMap) -> &Words {
        let asked = headers
            .get(header::ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok());
        let wanted: Vec<&str> = said
            .into_iter()
            .chain(asked)
            .filter(|it| !it.is_empty())
            .collect();
        // A tag is wanted more than what the browser asks for, whose weights begin at 1, too.
        self.texts.choose(&wanted.join(","))
    }

    /// A step as a form, with what went wrong in the last one.
    pub(super) fn step(
        &self,
        words: &Words,
        token: &str,
        standing: &Standing,
        wants_number: bool,
        problem: Option<Problem>,
    ) -> Response {
        let said = problem
            .map(|problem| said(words, problem, standing))
            .unwrap_or_default();
        let body = match (&standing.open, standing.proven) {
            (_, Some(_)) => done(words),
            (Some(_), None) if !wants_number => code_form(words, token, standing, &said),
            _ => number_form(words, token, standing, &said, problem.is_some()),
        };
        let back = match standing.return_url.as_str() {
            "" => String::new(),
            url => {
                let (class, name) = match standing.proven {
                    Some(_) => ("ringback-button", "continue"),
                    None => ("ringback-link", "back"),
                };
                let text = escaped(words.of(name));
                format!(
                    "<p class=\"page-links\"><a class=\"{class}\" href=\"{}\">{text}</a></p>",
                    escaped(url)
                )
            }
        };
        self.whole(words, &format!("{body}\n{back}"))
    }

    /// There is nothing to be done with this address any more.
    pub(super) fn over(&self, words: &Words, name: &str) -> Response {
        let text = escaped(words.of(name));
        self.whole(
            words,
            &format!("<p class=\"ringback-error\" role=\"alert\">{text}</p>"),
        )
    }

    fn whole(&self, words: &Words, body: &str) -> Response {
        let name = escaped(&self.settings.service_name);
        let mark = self.settings.service_name.chars().next().unwrap_or('•');
        let mark = escaped(&mark.to_uppercase().to_string());
        let title = escaped(words.of("title"));
        let html = format!(
            "<!doctype html>\n<html lang=\"{}\" dir=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"robots\" content=\"noindex\">\n\
             <title>{title} – {name}</title>\n<link rel=\"icon\" href=\"data:,\">\n\
             <link rel=\"stylesheet\" href=\"verify/page.css\">\n</head>\n\
             <body>\n<main class=\"page\">\n<p class=\"page-brand\"><span class=\"page-mark\" aria-hidden=\"true\">{mark}\
             </span> <span translate=\"no\">{name}</span></p>\n<h1>{title}</h1>\n{body}\n</main>\n</body>\n</html>\n",
            words.tag,
            words.direction(),
        );
        let headers = [
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::CACHE_CONTROL, "no-store"),
        ];
        (headers, Html(html)).into_response()
    }
}

fn number_form(words: &Words, token: &str, standing: &Standing, said: &str, wrong: bool) -> String {
    let (value, readonly) = match &standing.only {
        Some(number) => (escaped(number.as_str()), " readonly"),
        None => (String::new(), ""),
    };
    let [label, note, send] = ["number", "number_hint", "send"].map(|name| escaped(words.of(name)));
    format!(
        "{}{}<div class=\"ringback-field\"><label class=\"ringback-label\" for=\"phone\">{label}</label>\
         <input class=\"ringback-input\" id=\"phone\" name=\"phone\" type=\"tel\" autocomplete=\"tel\" dir=\"ltr\" \
         value=\"{value}\"{readonly} aria-describedby=\"note problem\"{}>\
         <p class=\"ringback-hint\" id=\"note\">{note}</p></div>{said}{}</form>",
        form(words),
        hidden("token", token),
        invalid(wrong),
        button("send", &send),
    )
}

fn code_form(words: &Words, token: &str, standing: &Standing, said: &str) -> String {
    let numeric = standing.shape.alphabet == Alphabet::Digits;
    let number = standing
        .open
        .as_ref()
        .map(|open| hint(open.number.as_str()));
    let number = format!(
        "<bdi dir=\"ltr\" translate=\"no\">{}</bdi>",
        escaped(&number.unwrap_or_default())
    );
    let [label, note, check] = ["code", "code_hint", "verify"].map(|name| escaped(words.of(name)));
    let seconds = standing.resend_after.as_millis().div_ceil(1_000);
    let again = match u64::try_from(seconds).unwrap_or(u64::MAX) {
        0 => format!(
            "<button class=\"ringback-link\" name=\"do\" value=\"resend\">{}</button>",
            escaped(words.of("resend"))
        ),
        seconds => {
            let text = escaped(words.of("resend_in")).replace("{time}", &clock(seconds));
            format!("<span class=\"ringback-wait\">{text}</span>")
        }
    };
    let fixed = standing.only.is_some();
    let other = match fixed {
        true => String::new(),
        false => format!(
            "<button class=\"ringback-link\" name=\"do\" value=\"number\">{}</button>",
            escaped(words.of("change"))
        ),
    };
    format!(
        "{}{}<div class=\"ringback-field\"><label class=\"ringback-label\" for=\"code\">{label}</label>\
         <input class=\"ringback-input ringback-code\" id=\"code\" name=\"code\" autocomplete=\"one-time-code\" \
         inputmode=\"{}\" autocapitalize=\"characters\" spellcheck=\"false\" translate=\"no\" dir=\"ltr\" \
         aria-describedby=\"note problem\"{}><p class=\"ringback-hint\" id=\"note\">{}</p></div>{said}{}\
         <div class=\"ringback-links\">{again}{other}</div></form>",
        form(words),
        hidden("token", token),
        if numeric { "numeric" } else { "text" },
        invalid(!said.is_empty()),
        note.replace("{number}", &number),
        button("check", &check),
    )
}

fn done(words: &Words) -> String {
    let text = escaped(words.of("done"));
    format!(
        "<div class=\"ringback-form\"><p class=\"ringback-done\" role=\"status\">{text}</p></div>"
    )
}

fn said(words: &Words, problem: Problem, standing: &Standing) -> String {
    let text = escaped(words.of(problem.name));
    let text = text.replace("{time}", &clock(problem.seconds));
    let text = text.replace("{n}", &standing.shape.length.to_string());
    format!("<p class=\"ringback-error\" id=\"problem\" role=\"alert\">{text}</p>")
}

fn form(words: &Words) -> String {
    // Its language goes along: each answer is a page of its own.
    let language = hidden("lang", words.tag);
    format!("<form class=\"ringback-form\" method=\"post\" action=\"verify\">{language}")
}

fn hidden(name: &str, value: &str) -> String {
    format!(
        "<input type=\"hidden\" name=\"{name}\" value=\"{}\">",
        escaped(value)
    )
}

fn button(action: &str, text: &str) -> String {
    format!("<button class=\"ringback-button\" name=\"do\" value=\"{action}\">{text}</button>")
}

fn invalid(wrong: bool) -> &'static str {
    if wrong {
        " aria-invalid=\"true\" autofocus"
    } else {
        " autofocus"
    }
}

/// `0:42`, `1:05:00`
fn clock(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{rest:02}"),
        hours => format!("{hours}:{minutes:02}:{rest:02}"),
    }
}

/// As HTML shows it, in text and in quoted attributes.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}
