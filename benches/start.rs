//! What gvm itself takes to start, against a program that does nothing.

use super::common::{GVM, Machine};
use super::harness::{Comparison, Contender, Report, Role, Row, in_turns};
use super::{REAL, empty_program, rounds};

pub fn run(report: &mut Report) {
    let machine = Machine::new();
    machine.fake(REAL);
    machine.refresh_shims();
    machine.repository(".", &[(".go-version", &format!("{REAL}\n"))]);
    let empty = empty_program(&machine);
    let commands: [(&str, &[&str]); 4] = [
        ("gvm root 1.26", &["root", "1.26"]),
        ("gvm current", &["current"]),
        ("gvm env", &["env"]),
        ("gvm hook bash --refresh (a change at the prompt)", &["hook", "bash", "--refresh"]),
    ];
    for (what, arguments) in commands {
        let gvm = || {
            let mut command = machine.command(GVM);
            command.args(arguments);
            command
        };
        let mut contenders = vec![
            Contender::command(Role::Floor, "an empty Rust program", || machine.command(&empty)),
            Contender::command(Role::Ours, "gvm", gvm),
        ];
        if arguments[0] == "root" {
            contenders
                .push(Contender::command(Role::Peer, "/bin/true", || machine.command("/bin/true")));
        }
        report.add(Row {
            part: "start",
            what: what.into(),
            comparison: Comparison::Ratio,
            wanted: (arguments[0] == "root").then_some("under 1.5 ×"),
            in_chart: false,
            runs: in_turns(rounds(300), contenders),
        });
    }
}
