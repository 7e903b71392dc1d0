//! Tests of what browsers and apps look for.

use super::*;

/// "Parse an origin-bound one-time code message" of the WICG: host, code, embedded host.
fn origin_bound(message: &str) -> Option<(String, String, Option<String>)> {
    let normal = message.replace("\r\n", "\n").replace('\r', "\n");
    let line: Vec<char> = normal.split('\n').next_back()?.chars().collect();
    let mut position = 0;
    let host = marked(&line, &mut position, '@')?;
    if *line.get(position)? != ' ' {
        return None;
    }
    position += 1;
    let code = marked(&line, &mut position, '#')?;
    let mut embedded = None;
    if line.get(position) == Some(&' ') {
        position += 1;
        embedded = marked(&line, &mut position, '@');
    }
    Some((host, code, embedded))
}

/// "Extract a marked token."
fn marked(line: &[char], position: &mut usize, marker: char) -> Option<String> {
    if *line.get(*position)? != marker {
        return None;
    }
    *position += 1;
    let rest = line.get(*position..)?.iter();
    let space = |c: &&char| !matches!(c, '\t' | '\n' | '\u{c}' | '\r' | ' ');
    let token: String = rest.take_while(space).collect();
    *position += token.chars().count();
    Some(token).filter(|token| !token.is_empty())
}

#[test]
fn the_steps_read_the_examples_of_the_specification() {
    let read = |message: &str| {
        origin_bound(message)
            .map(|(host, code, embedded)| format!("{host} {code} {}", embedded.unwrap_or_default()))
    };
    assert_eq!(
        read("747723 is your ExampleCo authentication code.\n\n@example.com #747723").as_deref(),
        Some("example.com 747723 ")
    );
    assert_eq!(
        read("@example.com #747723 @ecommerce.example $future").as_deref(),
        Some("example.com 747723 ecommerce.example")
    );
    assert_eq!(read("something @example.com #747723"), None);
    assert_eq!(read("@example.com code #747723"), None);
    assert_eq!(read("@example.com #747723\n"), None);
}

#[test]
fn browsers_and_apps_find_the_code_in_every_language() {
    let both = texts(&rules("Acme", "Login.Example.com", "FA+9qCX9VSu"));
    for catalogue in OWN.values() {
        for content in [
            code("12345678"),
            Content::RemovalCode {
                code: "12345678",
                minutes_left: 3,
            },
        ] {
            let text = both.write("", &catalogue.tag, content).text;
            let found = origin_bound(&text);
            let expected = ("login.example.com".to_owned(), "12345678".to_owned(), None);
            assert_eq!(found, Some(expected), "{text}");
            let lines: Vec<&str> = text.split('\n').collect();
            assert_eq!(lines[1..], ["FA+9qCX9VSu", "@login.example.com #12345678"]);
        }
        for notice in [Content::Replaced, Content::Removed] {
            let text = both.write("", &catalogue.tag, notice).text;
            assert!(
                !text.contains('\n'),
                "a notice holds nothing to fill in: {text}"
            );
        }
    }
    let lines = |domain, hash| {
        let texts = texts(&rules("Acme", domain, hash));
        texts
            .write("", "", code("123456"))
            .text
            .split('\n')
            .skip(1)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(lines("example.com", ""), ["@example.com #123456"]);
    assert_eq!(lines("", "FA+9qCX9VSu"), ["FA+9qCX9VSu"]);
    assert!(lines("", "").is_empty());
}
