//! The suites, in the order in which they run: what fails fast comes first. Adding one is one line.

use super::{
    ansible, console, elsewhere, nextest, service,
    suite::{Needs, Suite, Tally},
};
use crate::{deps, lint};

const fn suite(
    name: &'static str,
    needs: Needs,
    about: &'static str,
    run: fn(super::Extent) -> anyhow::Result<Tally>,
) -> Suite {
    Suite { name, about, needs, run }
}

#[rustfmt::skip]
pub(crate) const SUITES: &[Suite] = &[
    suite("format", Needs::Nothing, "rustfmt", |_| Ok(Tally::of(lint::format()))),
    suite("deps", Needs::Nothing, "who may depend on whom", |_| Ok(Tally::of(deps::run()))),
    suite("deny", Needs::Nothing, "licences, bans and sources", |_| Ok(Tally::of(lint::deny()))),
    suite("clippy", Needs::Nothing, "lints", |_| Ok(Tally::of(lint::clippy()))),
    suite("elsewhere", Needs::Nothing, "the command line's types on Windows and macOS", |_| elsewhere::run()),
    suite("console", Needs::Nothing, "the console: lints, build, size", |_| console::run()),
    suite("tests", Needs::Nothing, "units, crash schedules, simulation, stores", |_| nextest::ordinary()),
    suite("postgresql", Needs::Servers, "the stores' conformance on PostgreSQL", |_| nextest::postgresql()),
    suite("engine", Needs::Servers, "the agent on a real engine, killed at every point", |_| nextest::engine()),
    suite("many-seeds", Needs::Time, "the simulation with 2000 seeds", |_| nextest::many_seeds()),
    suite("ansible", Needs::Servers, "roles and playbooks", |_| ansible::run()),
    suite("demo-up", Needs::Demo, "from a fresh clone to a running service", |_| service::up()),
    suite("service", Needs::Demo, "the walk over gRPC", |_| service::walk()),
    suite("cli", Needs::Demo, "a day in a terminal, with Debian's ssh", |_| service::cli()),
    suite("apps", Needs::Demo, "containers' pages under their own names", |_| service::apps()),
    suite("python", Needs::Demo, "an independent gRPC client, by reflection", |_| service::python()),
    suite("browser", Needs::Demo, "the walk in a browser, both languages", |_| service::browser()),
    suite("survival", Needs::Demo, "both programs killed: containers go on", |_| service::survival()),
    suite("demo-down", Needs::Demo, "nothing of ours is left", |_| service::down()),
];
