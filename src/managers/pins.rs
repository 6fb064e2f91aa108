//! Files by which other managers, and the go command, say which Go a directory wants.

use crate::error::{Code, Error, Result};
use crate::files;
use crate::host::{Host, bytes};
use crate::path::display;
use crate::pin::{self, Origin, Pin};
use crate::ui::shown;
use crate::version::{ACCEPTED_FORMS, Request};
use std::ffi::OsStr;
use std::path::Path;
use toml_edit::{Document, Item, Value};

/// By their names, those that pin before those that set a minimum. Of the files that
/// mise reads, a `.toml` with `mise` in its name is one of its own
/// (mise.jdx.dev/configuration.html).
pub const FILES: [&str; 6] =
    [".tool-versions", "mise.toml", ".mise.toml", ".config/mise.toml", "go.work", "go.mod"];

/// Ten times what a large one has.
const LIMIT: usize = 256 << 10;

/// By which names mise knows Go: its own, its alias, and the name of its backend.
const NAMES: [&str; 3] = ["go", "golang", "core:go"];

/// What the first of these files in a directory asks for.
///
/// # Errors
/// As [`in_file`].
pub fn in_directory(directory: &Path) -> Result<Option<Pin>> {
    for name in FILES {
        if let Some(pin) = in_file(&directory.join(name))? {
            return Ok(Some(pin));
        }
    }
    Ok(None)
}

/// What a file asks for, in the form that its name stands for; `None` where it is not
/// there, or says nothing of Go.
///
/// # Errors
/// It cannot be read, or says something that is no version.
pub fn in_file(file: &Path) -> Result<Option<Pin>> {
    if file.extension().is_some_and(|extension| extension == OsStr::new("toml")) {
        return in_toml(file);
    }
    Ok(pin::in_file(&Host, &bytes(file.as_os_str().to_os_string()))?)
}

/// The first version of Go in the table `tools`: a text, a table with `version`, or a
/// list of these.
fn in_toml(file: &Path) -> Result<Option<Pin>> {
    let unusable =
        |why: String| Error::new(Code::Usage, format!("{} cannot be used: {why}", shown(file)));
    let text = files::read_text(file, LIMIT).map_err(|why| unusable(why.to_string()))?;
    let Some(text) = text else { return Ok(None) };
    let document = Document::parse(&*text).map_err(|why| {
        let first = why.message().lines().next().unwrap_or_default();
        unusable(display(first.as_bytes()).to_string())
    })?;
    let Some(tools) = document.get("tools").and_then(Item::as_table_like) else { return Ok(None) };
    let Some(item) = NAMES.iter().find_map(|name| tools.get(name)) else { return Ok(None) };
    let line = |span: Option<std::ops::Range<usize>>| {
        let start = span.map_or(0, |span| span.start).min(text.len());
        1 + text[..start].matches('\n').count()
    };
    let first = match item {
        Item::Value(Value::Array(all)) => all.get(0).map(version),
        Item::Value(value) => Some(version(value)),
        Item::Table(table) => Some(table.get("version").and_then(Item::as_str)),
        _ => None,
    };
    let line = line(item.span());
    let Some(Some(wanted)) = first else {
        return Err(unusable(format!("what line {line} says of Go is no version")));
    };
    // Its `prefix:1.22` is our `1.22`.
    let wanted = wanted.strip_prefix("prefix:").unwrap_or(wanted);
    let request = Request::parse(wanted).map_err(|reason| {
        let told = display(wanted.as_bytes());
        unusable(format!("line {line}: `{told}`: {reason}; accepted are {ACCEPTED_FORMS}"))
    })?;
    let file = bytes(file.as_os_str().to_os_string());
    Ok(Some(Pin { request, origin: Origin::File { file, line } }))
}

fn version(value: &Value) -> Option<&str> {
    match value {
        Value::InlineTable(table) => table.get("version")?.as_str(),
        value => value.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_that_mise_reads_is_read_and_others_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("mise.toml");
        let read = |text: &str| {
            fs_err::write(&file, text).unwrap();
            let found = in_file(&file).map_err(|error| error.message().to_string())?;
            Ok(found.map(|pin| (pin.request.to_string(), pin.origin.to_string())))
        };
        let at = |version: &str, line: usize| {
            Ok::<_, String>(Some((version.to_string(), format!("{}:{line}", shown(&file)))))
        };
        assert_eq!(read("[tools]\nnode = \"20\"\ngo = \"1.22.4\"\n"), at("1.22.4", 3));
        assert_eq!(read("[tools]\ngo = [\"1.22\", \"1.21\"]\n"), at("1.22", 2));
        assert_eq!(
            read("tools = { go = { version = \"latest\", os = [\"linux\"] } }"),
            at("latest", 1)
        );
        assert_eq!(
            read("\n[tools.golang]\nversion = \"prefix:1.22\"\n").unwrap().unwrap().0,
            "1.22"
        );
        assert_eq!(read("[tools]\n\"core:go\" = [{ version = \"1.22rc1\" }]\n"), at("1.22rc1", 2));
        assert_eq!(read("[env]\ngo = \"1.22\"\n"), Ok(None));
        assert_eq!(read("[tools]\ngopls = \"latest\"\n"), Ok(None));
        for (text, why) in [
            ("[tools]\ngo = 1.22\n", "line 2 says of Go is no version"),
            ("[tools]\ngo = []\n", "no version"),
            ("[tools]\n\ngo = \"../evil\"\n", "line 3: `../evil`"),
            ("[tools]\ngo = \"1.2\\u001b[2J\"\n", "line 2"),
            ("[tools\n", "cannot be used"),
            ("[tools]\ngo = \"path:/opt/go\"\n", "path:/opt/go"),
        ] {
            let told = read(text).unwrap_err();
            assert!(told.contains(why) && !told.contains('\u{1b}'), "{text:?}: {told}");
        }
        assert!(in_file(&directory.path().join("absent.toml")).unwrap().is_none());
    }
}
