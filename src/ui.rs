//! What a person sees: messages and progress, all on stderr. What a script may
//! read goes to stdout, and not through here.

use crate::path::display;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

/// How much to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ui {
    pub quiet: bool,
}

pub mod style {
    //! The colours: few, and only where they carry meaning. `anstream` drops
    //! them where the output is no terminal.
    use anstyle::{AnsiColor, Style};

    pub const GOOD: Style = AnsiColor::Green.on_default();
    pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();
    pub const ERROR: Style = AnsiColor::Red.on_default().bold();
    pub const STRONG: Style = Style::new().bold();
    pub const DIM: Style = Style::new().dimmed();
}

impl Ui {
    /// What happened, in a line.
    pub fn say(&self, message: impl Display) {
        if !self.quiet {
            line(&format!("{message}"));
        }
    }

    /// What somebody has to know, `--quiet` or not.
    pub fn warn(&self, message: impl Display) {
        warn(message);
    }

    /// Progress of something that takes `total` steps.
    #[must_use]
    pub fn steps(&self, doing: &str, label: &str, total: u64) -> Progress {
        self.bar(
            doing,
            label,
            Some(total),
            &format!(" ({total})"),
            "{msg} {wide_bar:.green} {pos}/{len} ",
        )
    }

    /// Progress of a transfer of `total` bytes, if that is known. Where there is no
    /// terminal, a line says what is begun.
    #[must_use]
    pub fn progress(&self, doing: &str, label: &str, total: Option<u64>) -> Progress {
        let size = total.map_or_else(String::new, |total| format!(" ({})", bytes(total)));
        let template = if total.is_some() {
            "{msg} {wide_bar:.green} {decimal_bytes}/{decimal_total_bytes} \
             {decimal_bytes_per_sec} {eta} left "
        } else {
            "{msg} {spinner} {decimal_bytes} {decimal_bytes_per_sec}"
        };
        self.bar(doing, label, total, &size, template)
    }

    /// Something that takes a while, on a terminal; nothing elsewhere.
    #[must_use]
    pub fn waiting(&self, doing: impl Into<String>) -> Waiting {
        if self.quiet || !std::io::stderr().is_terminal() {
            return Waiting(ProgressBar::hidden());
        }
        let style = ProgressStyle::with_template("{spinner} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let spinner = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
            .with_style(style)
            .with_message(doing.into());
        spinner.enable_steady_tick(Duration::from_millis(100));
        Waiting(spinner)
    }

    fn bar(
        &self,
        doing: &str,
        label: &str,
        total: Option<u64>,
        size: &str,
        template: &str,
    ) -> Progress {
        if self.quiet {
            return Progress(ProgressBar::hidden());
        }
        if !std::io::stderr().is_terminal() {
            self.say(format!("{doing} {label}{size}"));
            return Progress(ProgressBar::hidden());
        }
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━╸─");
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr())
            .with_style(style)
            .with_message(label.to_string());
        bar.enable_steady_tick(Duration::from_millis(100));
        Progress(bar)
    }
}

fn line(text: &str) {
    // A closed stderr is no reason to fail.
    let _ = writeln!(anstream::stderr(), "gvm: {text}");
}

/// What somebody has to know of a file that is not as it should be, wherever that is
/// noticed.
pub fn warn(message: impl Display) {
    let style = style::WARNING;
    line(&format!("{style}warning{style:#}: {message}"));
}

/// The one error that ends a command.
pub fn error(error: &dyn Display) {
    let style = style::ERROR;
    line(&format!("{style}error{style:#}: {error}"));
}

/// A transfer that is under way; the bar goes when this does.
pub struct Progress(ProgressBar);

impl Progress {
    pub fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Something that takes a while; the line goes when this does.
pub struct Waiting(ProgressBar);

impl Waiting {
    /// Says what is waited for now.
    pub fn now(&self, doing: impl Into<String>) {
        self.0.set_message(doing.into());
    }

    /// Writes to the terminal without getting into the way of the line.
    pub fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.0.suspend(write)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// How many columns stdout has; `None` where it is no terminal.
#[must_use]
pub fn columns() -> Option<usize> {
    let (width, _) = terminal_size::terminal_size_of(std::io::stdout())?;
    Some(usize::from(width.0))
}

/// Text that goes on, from its second line, at column `indent`, and is broken between
/// words so that it ends before column `width`. A word that is longer stays whole.
#[must_use]
pub fn wrapped(text: &str, indent: usize, width: Option<usize>) -> String {
    use unicode_width::UnicodeWidthStr;
    let Some(width) = width else { return text.into() };
    let mut shown = String::new();
    let mut column = indent;
    for word in text.split(' ') {
        if column > indent && column + 1 + word.width() > width {
            shown.push('\n');
            shown.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else if column > indent {
            shown.push(' ');
            column += 1;
        }
        shown.push_str(word);
        column += word.width();
    }
    shown
}

/// A path fit for a terminal.
#[must_use]
pub fn shown(path: &Path) -> String {
    display(path.as_os_str().as_encoded_bytes()).to_string()
}

/// A number of bytes for people: `71.7 MB`, in powers of ten as downloads are
/// advertised.
#[must_use]
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if count < 1000 {
        return format!("{count} bytes");
    }
    let mut value = count as f64;
    let mut unit = "";
    for next in UNITS {
        if value < 999.95 && !unit.is_empty() {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// A latency for people: `8.3 ms`, `120 ms`.
#[must_use]
pub fn milliseconds(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1000.0;
    if milliseconds < 10.0 {
        format!("{milliseconds:.1} ms")
    } else {
        format!("{milliseconds:.0} ms")
    }
}

/// `1 file`, `2 files`.
#[must_use]
pub fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// A table whose columns align: the first row is its head.
#[must_use]
pub fn table(rows: &[Vec<String>]) -> String {
    use unicode_width::UnicodeWidthStr;
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    // Colours take no room.
    let width_of = |cell: &String| anstream::adapter::strip_str(cell).to_string().width();
    let cells: Vec<Vec<_>> =
        rows.iter().map(|row| row.iter().map(|cell| (cell, width_of(cell))).collect()).collect();
    let width =
        |at: usize| cells.iter().filter_map(|row| row.get(at)).map(|(_, width)| *width).max();
    let widths: Vec<_> = (0..columns).map(|at| width(at).unwrap_or(0)).collect();
    let mut text = String::new();
    for (number, row) in cells.iter().enumerate() {
        let mut shown = String::new();
        for (at, (cell, width)) in row.iter().enumerate() {
            shown.push_str(cell);
            shown.extend(std::iter::repeat_n(' ', widths[at] - width + 2));
        }
        let shown = shown.trim_end();
        if number == 0 {
            let style = style::STRONG;
            text.push_str(&format!("{style}{shown}{style:#}\n"));
        } else {
            text.push_str(shown);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_broken_between_words_and_aligned() {
        assert_eq!(wrapped("aa bb cc", 2, Some(7)), "aa bb\n  cc");
        assert_eq!(wrapped("aa bb cc", 2, Some(8)), "aa bb\n  cc");
        assert_eq!(wrapped("aa bb cc", 2, Some(10)), "aa bb cc");
        assert_eq!(wrapped("a /a/very/long/path b", 1, Some(8)), "a\n /a/very/long/path\n b");
        assert_eq!(wrapped("aa bb cc", 2, None), "aa bb cc");
    }

    #[test]
    fn bytes_are_told_in_the_unit_that_people_use() {
        assert_eq!(bytes(999), "999 bytes");
        assert_eq!(bytes(1_000), "1.0 kB");
        assert_eq!(bytes(71_680_185), "71.7 MB");
        assert_eq!(bytes(999_999), "1.0 MB");
        assert_eq!(bytes(2_160_000_000), "2.2 GB");
    }
}
