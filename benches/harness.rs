//! What every part of the bench stands on: contenders that take turns, a statistic of
//! each, and one report of all as a table, as JSON and as a chart.

use super::common::Machine;
use serde::Serialize;
use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Ours,
    /// What it would cost without any version manager, or the same at its smallest.
    Floor,
    /// Another version manager.
    Peer,
}

/// How the others are held against the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Comparison {
    /// What it costs on top of the floor.
    Added,
    /// How many times the floor.
    Ratio,
    /// The figures are costs by themselves, and there is no floor.
    Plain,
}

/// One that takes its turn: what it does tells how long it took.
pub struct Contender<'a> {
    pub name: String,
    pub role: Role,
    pub turn: Box<dyn FnMut() -> Duration + 'a>,
}

impl<'a> Contender<'a> {
    pub fn new(role: Role, name: &str, turn: impl FnMut() -> Duration + 'a) -> Self {
        Self { name: name.into(), role, turn: Box::new(turn) }
    }

    /// A command, timed from its start to its end. It has to succeed.
    pub fn command(role: Role, name: &str, make: impl Fn() -> Command + 'a) -> Self {
        Self::new(role, name, move || timed(&mut make()))
    }
}

/// Microseconds of all turns: the least, the quartiles and the median.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    pub name: String,
    pub role: Role,
    pub turns: usize,
    pub min: f64,
    pub q1: f64,
    pub median: f64,
    pub q3: f64,
}

impl Run {
    /// The statistic of times that were taken elsewhere.
    pub fn of(name: &str, role: Role, times: &[Duration]) -> Self {
        let mut times: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e6).collect();
        times.sort_by(f64::total_cmp);
        let at = |part: f64| times[((times.len() - 1) as f64 * part).round() as usize];
        let [min, q1, median, q3] = [0.0, 0.25, 0.5, 0.75].map(at);
        Self { name: name.into(), role, turns: times.len(), min, q1, median, q3 }
    }
}

/// One row of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The part of the bench: `shim`, `prompt`.
    pub part: &'static str,
    pub what: String,
    pub comparison: Comparison,
    /// What is wanted of ours, for the reader: "at most 0.10 ms".
    pub wanted: Option<&'static str>,
    /// Whether it is in the chart.
    pub in_chart: bool,
    pub runs: Vec<Run>,
}

impl Row {
    fn one(&self, role: Role) -> Option<&Run> {
        self.runs.iter().find(|run| run.role == role)
    }

    /// What a run comes to, in microseconds or as a ratio.
    fn cost(&self, run: &Run) -> f64 {
        let floor = self.one(Role::Floor).map(|floor| floor.median);
        match (self.comparison, floor) {
            (Comparison::Added, Some(floor)) => run.median - floor,
            (Comparison::Ratio, Some(floor)) => run.median / floor,
            _ => run.median,
        }
    }

    fn shown_cost(&self, run: &Run) -> String {
        let cost = self.cost(run);
        match self.comparison {
            Comparison::Added if cost < 0.0 => format!("−{}", shown(-cost)),
            Comparison::Added => format!("+{}", shown(cost)),
            Comparison::Ratio => format!("{cost:.2} ×"),
            Comparison::Plain => shown(cost),
        }
    }
}

/// Everything that was measured, and what could not be.
#[derive(Serialize)]
pub struct Report {
    pub machine: String,
    pub rows: Vec<Row>,
    /// What is the same each time, in sentences.
    pub counted: Vec<String>,
    pub not_measured: Vec<String>,
    /// Directories that are deleted when all is measured, and not before.
    #[serde(skip)]
    kept: Vec<Machine>,
}

impl Report {
    pub fn new(machine: String) -> Self {
        let (rows, counted, not_measured, kept) = (vec![], vec![], vec![], vec![]);
        Self { machine, rows, counted, not_measured, kept }
    }

    /// Keeps these directories until all is measured: to delete many files slows down
    /// the file system for what is measured next.
    pub fn keep(&mut self, machine: Machine) {
        self.kept.push(machine);
    }

    pub fn add(&mut self, row: Row) {
        println!("{}", text_of(&row));
        self.rows.push(row);
    }

    pub fn counted(&mut self, what: impl Into<String>) {
        let what = what.into();
        println!("  {what}");
        self.counted.push(what);
    }

    pub fn not_measured(&mut self, what: impl Into<String>) {
        let what = what.into();
        println!("  not measured: {what}");
        self.not_measured.push(what);
    }

    /// The table as it stands in a README.
    pub fn markdown(&self) -> String {
        let mut text = format!(
            "{}\n\nMedians, with the quartiles around them; turns were taken in rotation.\n\n\
             | what | gvm | floor | | wanted | others |\n|---|---|---|---|---|---|\n",
            self.machine
        );
        for row in &self.rows {
            let spread = |run: &Run| {
                format!("{} ({}–{})", shown(run.median), number(run.q1), number(run.q3))
            };
            let ours = row.one(Role::Ours);
            let floor = row.one(Role::Floor);
            let peers = row.runs.iter().filter(|run| run.role == Role::Peer);
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} |",
                row.what,
                ours.map(spread).unwrap_or_default(),
                floor.map_or_else(String::new, |run| format!("{} {}", spread(run), run.name)),
                ours.map(|run| row.shown_cost(run)).unwrap_or_default(),
                row.wanted.unwrap_or_default(),
                peers
                    .map(|run| format!("{} {}", run.name, row.shown_cost(run)))
                    .collect::<Vec<_>>()
                    .join(", ")
            );
        }
        for what in &self.counted {
            let _ = writeln!(text, "\n{what}");
        }
        for what in &self.not_measured {
            let _ = write!(text, "\nNot measured: {what}");
        }
        text.trim_end().to_string() + "\n"
    }

    /// The rows that are meant for it as bars on a logarithmic scale. It takes the
    /// colours of light and dark pages, whichever it stands on.
    pub fn chart(&self) -> String {
        const LEFT: f64 = 330.0;
        const WIDTH: f64 = 420.0;
        const BAR: f64 = 16.0;
        // From 10 µs to a second and a half.
        let x = |micros: f64| (micros.max(10.0) / 10.0).log10() / 150_000_f64.log10() * WIDTH;
        let mut body = String::new();
        let mut y = 34.0;
        for row in self.rows.iter().filter(|row| row.in_chart) {
            let _ = writeln!(
                body,
                r#"<text class="what" x="16" y="{y:.0}">{}</text>"#,
                escaped(&row.what)
            );
            y += 10.0;
            for run in row.runs.iter().filter(|run| run.role != Role::Floor) {
                let class = if run.role == Role::Ours { "ours" } else { "peer" };
                let cost = row.cost(run).max(0.0);
                let _ = writeln!(
                    body,
                    r#"<text class="name" x="{:.0}" y="{:.0}">{}</text><rect class="{class}" x="{LEFT}" y="{y:.0}" width="{:.1}" height="{:.0}" rx="2"/><text x="{:.1}" y="{:.0}">{}</text>"#,
                    LEFT - 8.0,
                    y + 11.0,
                    escaped(&run.name),
                    x(cost).max(2.0),
                    BAR - 3.0,
                    LEFT + x(cost).max(2.0) + 6.0,
                    y + 11.0,
                    row.shown_cost(run),
                );
                y += BAR;
            }
            y += 22.0;
        }
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="860" height="{y:.0}" viewBox="0 0 860 {y:.0}" role="img">
<title>What gvm and other version managers add</title>
<style>
text {{ font: 12px system-ui, sans-serif; fill: #57606a }}
.what {{ font-weight: 600; fill: #1f2328 }}
.name {{ text-anchor: end }}
.ours {{ fill: #00758f }}
.peer {{ fill: #afb8c1 }}
@media (prefers-color-scheme: dark) {{
  text {{ fill: #9198a1 }}
  .what {{ fill: #f0f6fc }}
  .ours {{ fill: #2bb3d1 }}
  .peer {{ fill: #4d555e }}
}}
</style>
{body}<text x="16" y="{:.0}">Time that is added, on a logarithmic scale. cargo bench -- --chart draws this.</text>
</svg>
"#,
            y - 8.0
        )
    }
}

/// Lets the contenders take turns, so that what disturbs the machine disturbs all of
/// them, and each of them is first as often as the others.
pub fn in_turns(rounds: usize, contenders: Vec<Contender>) -> Vec<Run> {
    const WARM_UP: usize = 3;
    let mut contenders = contenders;
    let mut times = vec![Vec::with_capacity(rounds); contenders.len()];
    for round in 0..rounds + WARM_UP {
        for at in 0..contenders.len() {
            let at = (at + round) % contenders.len();
            let time = (contenders[at].turn)();
            if round >= WARM_UP {
                times[at].push(time);
            }
        }
    }
    let runs = contenders.iter().zip(&times);
    runs.map(|(contender, times)| Run::of(&contender.name, contender.role, times)).collect()
}

/// How long a command takes that has nothing to say.
pub fn timed(command: &mut Command) -> Duration {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status().unwrap();
    let time = start.elapsed();
    assert!(status.success(), "{command:?}: {status}");
    time
}

/// Microseconds for people.
pub fn shown(micros: f64) -> String {
    match micros.abs() {
        0.0..100_000.0 => format!("{} ms", number(micros)),
        _ => format!("{:.2} s", micros / 1e6),
    }
}

/// Microseconds as milliseconds, with as many digits as say something.
fn number(micros: f64) -> String {
    let millis = micros / 1e3;
    match micros.abs() {
        0.0..1_000.0 => format!("{millis:.3}"),
        1_000.0..10_000.0 => format!("{millis:.2}"),
        _ => format!("{millis:.1}"),
    }
}

fn text_of(row: &Row) -> String {
    let mut text = row.what.clone();
    for run in &row.runs {
        let cost = if run.role == Role::Floor { String::new() } else { row.shown_cost(run) };
        let _ = write!(
            text,
            "\n  {:<28} {:>12}  min {:>8}  quartiles {:>8} {:>8}  {cost}",
            run.name,
            shown(run.median),
            number(run.min),
            number(run.q1),
            number(run.q3)
        );
    }
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
