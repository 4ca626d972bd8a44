//! `make bench`: measures lines and renders what was measured.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use clap::Parser;
use vipfleet_bench::conduct::conduct;
use vipfleet_bench::line::{Effort, Line, Row};
use vipfleet_bench::machine::Machine;
use vipfleet_bench::record::{Record, Run};
use vipfleet_bench::{chart, document, lines, table};
use vipfleet_tests::daemons::use_programs_in;

/// Measures what vipfleet does beside keepalived, in network namespaces on this machine. Needs
/// root. Without --only all lines but the soaks are measured and docs/benchmarks.md is written.
#[derive(Debug, Parser)]
#[command(name = "vipfleet-bench", version)]
struct Options {
    /// Measure these lines alone, such as F4,S1; the document stays as it is.
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    only: Vec<String>,

    /// Shorter and fewer runs, and lines left out that others stand for.
    #[arg(long)]
    quick: bool,

    /// Runs of each subject, instead of each line's own number.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    runs: Option<u16>,

    /// Where our programs are. [default: beside this one]
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,

    /// Measure nothing: render the document from what is kept.
    #[arg(long, conflicts_with_all = ["only", "quick", "runs"])]
    render: bool,

    /// List the lines.
    #[arg(long)]
    list: bool,

    /// Where readings are kept.
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    kept: PathBuf,
}

fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    if options.list {
        for row in lines::all().iter().flat_map(|line| line.rows()) {
            println!("{:12} {}", row.id, row.work);
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(directory) = &options.programs {
        let directory = directory.canonicalize();
        use_programs_in(directory.context("the directory of the programs")?);
    }
    let chosen = choose(&options.only)?;
    let measured = if options.render { Vec::new() } else { measure(&options, chosen)? };
    if options.only.is_empty() {
        write_document(&options.kept)?;
    }
    let failed = measured.iter().filter(|record| record.failures().next().is_some()).count();
    if failed > 0 {
        eprintln!("{failed} lines have runs that went wrong");
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The lines with a row of one of these ids; without one, all that need not be named.
fn choose(only: &[String]) -> anyhow::Result<Vec<Box<dyn Line>>> {
    let names = |row: &Row, wanted: &str| {
        row.id.eq_ignore_ascii_case(wanted)
            || row.id.split(' ').next().is_some_and(|first| first.eq_ignore_ascii_case(wanted))
    };
    let all = lines::all();
    for wanted in only {
        let known = all.iter().flat_map(|line| line.rows()).any(|row| names(&row, wanted));
        if !known {
            let ids: BTreeSet<&str> =
                all.iter().flat_map(|line| line.rows()).map(|row| row.id).collect();
            bail!("there is no line {wanted}: take one of {ids:?}");
        }
    }
    let wanted = |line: &dyn Line| match only {
        [] => !line.rows().iter().any(|row| lines::ONLY_WHEN_NAMED.contains(&row.id)),
        _ => line.rows().iter().any(|row| only.iter().any(|it| names(row, it))),
    };
    Ok(all.into_iter().filter(|line| wanted(&**line)).collect())
}

fn measure(options: &Options, chosen: Vec<Box<dyn Line>>) -> anyhow::Result<Vec<Record>> {
    ensure!(nix::unistd::geteuid().is_root(), "network namespaces need root");
    let effort = if options.quick { Effort::Quick } else { Effort::Full };
    let machine = Machine::here();
    let mut records = Vec::new();
    let mut cells = Vec::new();
    for line in chosen {
        let rows = line.rows();
        let id = rows.first().map_or("", |row| row.id);
        let is_chosen = !options.only.is_empty() || options.runs.is_some();
        if effort == Effort::Quick && !is_chosen && lines::LEFT_OUT_IN_A_HURRY.contains(&id) {
            continue;
        }
        for row in &rows {
            eprintln!("{}: {}", row.id, row.work);
        }
        let runs = options.runs.map(usize::from);
        let record = conduct(&*line, runs, effort, &machine, |run| tell(&rows, run));
        record.write(&options.kept)?;
        cells.extend(rows.iter().map(|row| table::cells(row, &record)));
        records.push(record);
    }
    println!("{}", table::terminal(&cells));
    Ok(records)
}

fn tell(rows: &[Row], run: &Run) {
    let found = match &run.outcome {
        Ok(readings) => {
            let shown = rows.iter().filter_map(|row| {
                let value = readings.values.get(row.id)?;
                Some(format!("{} {value:.2} {}", row.id, row.unit.symbol()))
            });
            shown.collect::<Vec<_>>().join(", ")
        }
        Err(why) => format!("went wrong: {why}"),
    };
    eprintln!("  {:?}: {found}", run.subject);
}

/// From everything that is kept, of this run and of earlier ones.
fn write_document(kept: &Path) -> anyhow::Result<()> {
    let mut measured = Vec::new();
    for line in lines::all() {
        let rows = line.rows();
        let id = rows.first().map_or("", |row| row.id);
        if let Some(record) = Record::read(kept, id)? {
            measured.push((rows, record));
        }
    }
    ensure!(!measured.is_empty(), "nothing is kept in {}: measure first", kept.display());
    let records: Vec<Record> = measured.iter().map(|(_, record)| record.clone()).collect();
    let files =
        [(document::PATH, document::render(&measured)), (document::CHART, chart::svg(&records))];
    for (path, text) in files {
        std::fs::write(path, text).with_context(|| format!("write {path}"))?;
        eprintln!("wrote {path}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(only: &[&str]) -> Vec<&'static str> {
        let only: Vec<String> = only.iter().map(|it| (*it).to_owned()).collect();
        let lines = choose(&only).unwrap();
        lines.iter().map(|line| line.rows()[0].id).collect()
    }

    #[test]
    fn what_takes_long_is_measured_only_when_it_is_named() {
        let all = chosen(&[]);
        assert!(all.contains(&"F1") && all.iter().all(|id| !id.starts_with("SOAK")), "{all:?}");
        assert_eq!(chosen(&["soak"]), ["SOAK"]);
        assert_eq!(chosen(&["SOAK-FLEET", "S6"]), ["S6", "SOAK-FLEET"]);
        assert!(choose(&["SOAP".to_owned()]).is_err());
    }
}
