//! The `simulate` program: many seeds with a summary, or one seed with its trace.

use crate::mutation::Mutation;
use crate::plan::Plan;
use crate::shrink::shrink;
use crate::simulation::run;
use crate::soak::soak;
use crate::trace::Trace;
use std::ops::Range;
use std::process::ExitCode;
use std::str::FromStr;

const USAGE: &str = "\
simulate --seeds FIRST..END        run many seeds; fails if any seed does
simulate --seed N [--trace]        run one seed; with --trace print its protocol log
simulate --seed N --shrink         leave out what the failure does not need, print what is left";

/// How many failing seeds are named before the rest is only counted.
const NAMED: usize = 20;

#[derive(Debug, PartialEq, Eq)]
enum Request {
    Many(Range<u64>),
    One { seed: u64, show: Show },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Show {
    Verdict,
    Trace,
    Shrunk,
}

/// The whole program.
pub fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match parse(&arguments) {
        Ok(Request::Many(seeds)) => many(seeds),
        Ok(Request::One { seed, show }) => one(seed, show),
        Err(why) => {
            eprintln!("simulate: {why}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn parse(arguments: &[String]) -> Result<Request, String> {
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["--seeds", range] => {
            let (first, end) = range
                .split_once("..")
                .ok_or_else(|| format!("--seeds takes FIRST..END, not `{range}`"))?;
            let (first, end) = (number(first)?, number(end)?);
            if first >= end {
                return Err(format!("--seeds {range} holds no seed"));
            }
            Ok(Request::Many(first..end))
        }
        ["--seed", seed] => Ok(Request::One { seed: number(seed)?, show: Show::Verdict }),
        ["--seed", seed, "--trace"] => Ok(Request::One { seed: number(seed)?, show: Show::Trace }),
        ["--seed", seed, "--shrink"] => {
            Ok(Request::One { seed: number(seed)?, show: Show::Shrunk })
        }
        [] => Err("nothing to do".to_owned()),
        _ => Err(format!("`{}` is not understood", arguments.join(" "))),
    }
}

fn number(text: &str) -> Result<u64, String> {
    u64::from_str(text).map_err(|_| format!("`{text}` is no number of a seed"))
}

fn many(seeds: Range<u64>) -> ExitCode {
    let summary = soak(seeds);
    println!("{summary}");
    for (seed, violation) in summary.failures.iter().take(NAMED) {
        println!("seed {seed}: {violation}");
    }
    match summary.failures.first() {
        None => ExitCode::SUCCESS,
        Some((seed, _)) => {
            println!(
                "replay one: cargo run --release -p vipfleet-simulation --bin simulate -- \
                 --seed {seed} --trace"
            );
            ExitCode::FAILURE
        }
    }
}

fn one(seed: u64, show: Show) -> ExitCode {
    let plan = Plan::draw(seed);
    let plan = match show {
        Show::Shrunk => shrink(&plan, Mutation::None).unwrap_or(plan),
        Show::Verdict | Show::Trace => plan,
    };
    let trace = if show == Show::Verdict { Trace::default() } else { Trace::on() };
    let outcome = run(&plan, Mutation::None, trace);
    if show != Show::Verdict {
        println!("{plan:#?}");
        print!("{}", outcome.trace);
    }
    match outcome.violation {
        None => {
            let (elections, adverts) = (outcome.elected.len(), outcome.adverts);
            println!("seed {seed}: no violation, {elections} elections, {adverts} adverts");
            ExitCode::SUCCESS
        }
        Some(violation) => {
            println!("seed {seed}: {violation}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Request, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_documented_forms_are_understood() {
        assert_eq!(parsed("--seeds 3..9"), Ok(Request::Many(3..9)));
        assert_eq!(parsed("--seed 7"), Ok(Request::One { seed: 7, show: Show::Verdict }));
        assert_eq!(parsed("--seed 7 --trace"), Ok(Request::One { seed: 7, show: Show::Trace }));
        assert_eq!(parsed("--seed 7 --shrink"), Ok(Request::One { seed: 7, show: Show::Shrunk }));
    }

    #[test]
    fn anything_else_is_refused_with_the_reason() {
        for line in ["", "--seeds 9..3", "--seeds 3", "--seed x", "--seed 1 --loud"] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
