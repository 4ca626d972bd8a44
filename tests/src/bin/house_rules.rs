//! Prints every breach of the rules of the house in the checkout it was built from, or in the one
//! named by its argument. Exit 0: none; 1: some; 2: it could not look.

use std::path::PathBuf;
use std::process::ExitCode;

use vipfleet_tests::house;

fn main() -> ExitCode {
    let root = std::env::args_os()
        .nth(1)
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".."), PathBuf::from);
    match house::check(&root) {
        Ok(findings) if findings.is_empty() => ExitCode::SUCCESS,
        Ok(findings) => {
            for finding in &findings {
                println!("{finding}");
            }
            println!("{} findings", findings.len());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("house-rules: {error:#}");
            ExitCode::from(2)
        }
    }
}
