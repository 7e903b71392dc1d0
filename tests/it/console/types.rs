//! The console's modules against the protos: what they call there is, and what they send fits.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use ringback::proto::pool;

use super::npm;

/// TypeScript's name of a message.
fn name(message: &MessageDescriptor) -> String {
    message.full_name().replace('.', "_")
}

/// The type of one value of a field, in its JSON form; messages that it needs are added.
fn value(field: &FieldDescriptor, needed: &mut BTreeMap<String, MessageDescriptor>) -> String {
    match field.kind() {
        Kind::Bool => "boolean".to_owned(),
        Kind::String | Kind::Bytes => "string".to_owned(),
        Kind::Int64 | Kind::Uint64 | Kind::Sint64 | Kind::Fixed64 | Kind::Sfixed64 => {
            "number | string".to_owned()
        }
        Kind::Enum(kind) => {
            let names = kind.values().map(|one| format!("{:?}", one.name()));
            names.collect::<Vec<_>>().join(" | ")
        }
        Kind::Message(message) if message.full_name().starts_with("google.protobuf.") => {
            "string".to_owned()
        }
        Kind::Message(message) => {
            needed.insert(name(&message), message.clone());
            name(&message)
        }
        _ => "number".to_owned(),
    }
}

/// Every method with its request, as a declaration that `call` is typed with.
fn declarations() -> String {
    let mut open = BTreeMap::new();
    let mut text = "interface RingbackMethods {\n".to_owned();
    for service in pool().services() {
        for method in service.methods() {
            let (request, at) = (method.input(), service.full_name());
            text += &format!(
                "  {:?}: {};\n",
                format!("{at}/{}", method.name()),
                name(&request)
            );
            open.insert(name(&request), request);
        }
    }
    text += "}\n";
    let mut done = BTreeMap::new();
    while let Some((key, message)) = open.pop_first() {
        if done.contains_key(&key) {
            continue;
        }
        text += &format!("interface {key} {{\n");
        for field in message.fields() {
            let one = value(&field, &mut open);
            let list = if field.is_list() {
                format!("({one})[]")
            } else {
                one
            };
            text += &format!("  {}?: {list};\n", field.json_name());
        }
        text += "}\n";
        done.insert(key, ());
    }
    text
}

/// What `tsc` says of the modules, with the file `more` beside them.
fn checked(more: &str) -> String {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directory = tempfile::tempdir().expect("a temporary directory");
    let at = |file: &str| directory.path().join(file);
    for entry in fs::read_dir(top.join("console")).expect("console/") {
        let entry = entry.expect("a file");
        fs::copy(entry.path(), at(&entry.file_name().to_string_lossy())).expect("a copy");
    }
    fs::write(at("methods.d.ts"), declarations()).expect("a file");
    fs::write(at("more.js"), more).expect("a file");
    let options = r#"{"compilerOptions": {"allowJs": true, "checkJs": true, "noEmit": true, "strict": true,
        "target": "es2023", "module": "esnext", "moduleResolution": "bundler", "lib": ["es2023", "dom", "dom.iterable"],
        "types": []}, "include": ["*.js", "*.d.ts"]}"#;
    fs::write(at("tsconfig.json"), options).expect("a file");
    let program = npm().join(".bin/tsc");
    let ran = Command::new(program)
        .arg("-p")
        .arg(directory.path())
        .output();
    let ran = ran.expect("TypeScript: scripts/test gets it");
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

#[test]
fn the_modules_fit_the_protos() {
    let told = checked("");
    assert!(told.is_empty(), "{told}");
    // And what does not is found.
    for (wrong, found) in [
        (
            "call('ringback.phone.v1.PhoneService/NoSuchMethod');",
            "NoSuchMethod",
        ),
        (
            "call('ringback.phone.v1.PhoneService/UnlockUser', { user: 'ann' });",
            "user",
        ),
        (
            "call('ringback.sms.v1.MessageService/ListMessages', { state: 'LOST' });",
            "LOST",
        ),
    ] {
        let told = checked(&format!("import {{ call }} from './api.js';\n{wrong}\n"));
        assert!(
            told.contains("more.js(2") && told.contains(found),
            "{wrong}: {told}"
        );
    }
}

#[test]
fn nothing_but_the_template_makes_html() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("console");
    let makers = [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "setHTML",
        "DOMParser",
        "srcdoc",
        "eval(",
    ];
    for entry in fs::read_dir(top).expect("console/") {
        let path = entry.expect("a file").path();
        let text = fs::read_to_string(&path).expect("a text");
        let is_template = path.file_name().is_some_and(|name| name == "html.js");
        let found = makers
            .iter()
            .find(|maker| text.contains(**maker) && !is_template);
        assert_eq!(found, None, "{}", path.display());
        let kept = ["localStorage", "document.cookie", "indexedDB"];
        let found = kept.iter().find(|kept| text.contains(**kept));
        assert_eq!(found, None, "{}", path.display());
    }
}
