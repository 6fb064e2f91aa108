//! Setting shells up and taking it back: which files, which lines, and what comes
//! of it.
//!
//! A file gets one block at its end, and nothing else in it changes. Everything is
//! planned before anything is written, so what cannot be written is told before.

pub mod block;
pub mod files;
pub mod shells;
pub mod text;
pub mod verify;

use crate::error::{Error, Result};
use crate::path;
use block::Put;
use files::{Found, Places, Target};
use std::path::PathBuf;
use text::Names;

/// What is to happen to a file.
#[derive(Clone, Debug)]
pub enum Action {
    /// Lines are added at its end, or an older block is replaced: the new content.
    Write(Vec<u8>),
    /// They are there.
    Nothing,
    /// Somebody has edited the block at these lines, and it stays.
    Edited((usize, usize)),
    /// It has to be written and cannot be.
    Refused(Error),
}

/// A file and what is to happen to it.
#[derive(Clone, Debug)]
pub struct Step {
    pub target: Target,
    pub found: Found,
    /// The lines, without the marks around them.
    pub body: Vec<u8>,
    /// A line of theirs that evaluates the hook, which the block makes superfluous.
    pub hook_line: Option<usize>,
    pub action: Action,
}

/// What `gvm setup` does for these files.
///
/// # Errors
/// A file is there and cannot be read.
pub fn plan(targets: Vec<Target>, names: &Names) -> Result<Vec<Step>> {
    let mut steps: Vec<Step> = Vec::new();
    for target in targets {
        let Some(body) = text::body(target.kind, names) else { continue };
        let found = Found::read(&target.file)?;
        // Two names of one file, by a link: one block, that of the name that came first.
        if steps.iter().any(|step| step.found.is_same(&found)) {
            continue;
        }
        let content = found.content.as_deref();
        let hook_line = content.and_then(own_hook_line);
        let directories = found.missing_directories().len();
        let action = match block::put(content, directories, &body) {
            Put::Same => Action::Nothing,
            Put::Edited(lines) => Action::Edited(lines),
            Put::Changed(content) => match found.refusal() {
                Some(refusal) => Action::Refused(refusal),
                None => Action::Write(content),
            },
        };
        steps.push(Step { target, found, body, hook_line, action });
    }
    Ok(steps)
}

/// The line, counted from 1, that evaluates the hook outside of a block.
fn own_hook_line(content: &[u8]) -> Option<usize> {
    let blocks = block::find(content);
    let in_block = |number: usize| {
        blocks.iter().any(|block| (block.lines.0..=block.lines.1).contains(&number))
    };
    let has_hook = |line: &[u8]| {
        let words: &[u8] = b"gvm hook ";
        !line.trim_ascii_start().starts_with(b"#")
            && line.windows(words.len()).any(|window| window == words)
    };
    let lines = content.split(|&byte| byte == b'\n').zip(1..);
    lines.into_iter().find(|(line, number)| has_hook(line) && !in_block(*number)).map(|(_, n)| n)
}

/// A file that has blocks of setup's.
#[derive(Clone, Debug)]
pub struct Cleaning {
    /// As it is called, which may be a link.
    pub file: PathBuf,
    pub found: Found,
    pub rest: block::Without,
    /// Why nothing can be taken out.
    pub refusal: Option<Error>,
}

/// What `gvm teardown` does.
///
/// # Errors
/// A file is there and cannot be read.
pub fn cleanings(places: &Places) -> Result<Vec<Cleaning>> {
    let mut cleanings: Vec<Cleaning> = Vec::new();
    for file in places.all() {
        let found = Found::read(&file)?;
        let Some(content) = &found.content else { continue };
        let rest = block::without(content);
        let is_known = cleanings.iter().any(|cleaning| cleaning.found.is_same(&found));
        if is_known || rest.removed.is_empty() && rest.edited.is_empty() {
            continue;
        }
        let refusal = if rest.removed.is_empty() { None } else { found.refusal() };
        cleanings.push(Cleaning { file, found, rest, refusal });
    }
    Ok(cleanings)
}

impl Cleaning {
    /// Takes the blocks out, and the file where it was made for one.
    ///
    /// # Errors
    /// It cannot be changed; it is as it was then.
    pub fn apply(&self) -> Result<()> {
        match (self.rest.removed.as_slice(), self.rest.made) {
            ([], _) => Ok(()),
            (_, Some(directories)) => self.found.remove(directories),
            (_, None) => self.found.replace(&self.rest.content),
        }
    }
}

/// The path of this gvm that lasts: the name by which PATH finds it, where that is
/// this one. What a link there leads to may be gone with the next version.
///
/// # Errors
/// The system does not tell what runs.
pub fn own_path() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let same = |file: &PathBuf| fs_err::canonicalize(file).ok() == fs_err::canonicalize(&own).ok();
    let named = which::which_all("gvm").into_iter().flatten();
    let is_absolute = |file: &PathBuf| path::is_absolute(file.as_os_str().as_encoded_bytes());
    let lasting = named.filter(is_absolute).find(same);
    Ok(lasting.unwrap_or(own))
}
