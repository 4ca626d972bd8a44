//! The operator's tool.

fn main() -> std::process::ExitCode {
    vipctl::main()
}
