//! Writes the inputs that a long run begins with: `fuzz-seeds TARGET DIRECTORY`.

use anyhow::{Context, bail};
use std::fs;
use std::path::Path;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [wanted, directory] = arguments.as_slice() else {
        bail!("usage: fuzz-seeds TARGET DIRECTORY");
    };
    let names = vipfleet_fuzz::TARGETS.map(|target| target.name).join(", ");
    let target = vipfleet_fuzz::TARGETS.into_iter().find(|target| target.name == wanted);
    let target = target.with_context(|| format!("no target {wanted:?}: there are {names}"))?;
    fs::create_dir_all(directory).with_context(|| directory.clone())?;
    for (number, seed) in (target.seeds)()?.into_iter().enumerate() {
        let path = Path::new(directory).join(format!("seed-{number:03}"));
        fs::write(&path, seed).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
