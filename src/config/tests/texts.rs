//! What messages say, by file and by variable.

use ringback_sms::texts::Content;

use super::*;

#[test]
fn texts_are_read_from_files_and_variables() {
    let file = file(
        "[messages.texts.pt-BR]\ncode = \"{code} é o seu PIN\"\n\
         [organizations.acme.messages]\nservice_name = \"Bank\"\n",
    );
    let environment = variables(&[
        ("RINGBACK_MESSAGES__LANGUAGE", "pt-BR"),
        (
            "RINGBACK_ORGANIZATIONS__acme__MESSAGES__DOMAIN",
            "bank.example",
        ),
        (
            "RINGBACK_ORGANIZATIONS__acme__MESSAGES__TEXTS__PT_BR__CODE",
            "Bank: {code}",
        ),
    ]);
    let mut config = Config::load(Some(file.path()), environment).unwrap();
    let texts = config.texts().unwrap_or_else(|error| panic!("{error}"));
    let code = Content::Code {
        code: "123456",
        minutes_left: 10,
    };
    let write = |organization| texts.write(organization, "", code).text;
    assert_eq!(write(""), "123456 é o seu PIN");
    assert_eq!(write("acme"), "Bank: 123456\n@bank.example #123456");

    let acme = config.organizations.get_mut("acme").unwrap();
    acme.messages.texts.get_mut("pt_br").unwrap().code = Some("G-{code}".into());
    let error = config.texts().err().expect("a code that begins with G-");
    let key = "organizations.acme.messages.texts.pt_br.code: ";
    assert!(error.to_string().starts_with(key), "{error}");
}

#[test]
fn the_default_file_lists_the_languages_that_there_are() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/sms/texts");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort_by_key(|name| name.trim_end_matches(".toml").to_lowercase());
    let tags: Vec<&str> = files
        .iter()
        .filter_map(|name| name.strip_suffix(".toml"))
        .collect();
    let (_, after) = DEFAULTS.split_once("that there are texts in:").unwrap();
    let (list, _) = after.split_once(", and").unwrap();
    let listed: Vec<&str> = list
        .split_whitespace()
        .filter(|word| *word != "#")
        .collect();
    assert_eq!(listed, tags);
}
