//! What a panic means. Most threads can lose one task and go on. A VRRP thread or a net thread
//! that has ended leaves VIPs behind that nobody speaks for, so there the process ends at once:
//! the kernel's leases and whoever starts the agent again are quicker than any attempt to tidy up
//! with a state that is known to be wrong.

use std::panic;
use std::process;

/// Names of the threads that VIPs depend on.
const VITAL: [&str; 2] = ["vrrp", "net"];

/// From now on, a panic of a vital thread aborts the process, its message said.
pub fn abort_on_panic() {
    let say = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        say(panic);
        if std::thread::current().name().is_some_and(|name| VITAL.contains(&name)) {
            process::abort();
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{Command, ExitStatus, Stdio};

    const THREAD: &str = "VIPFLEET_TEST_PANICS_ON";

    /// Nothing by itself; the test below runs it in a process of its own.
    #[test]
    fn a_thread_panics_where_the_environment_says() {
        let Ok(name) = std::env::var(THREAD) else { return };
        abort_on_panic();
        let panics = || panic!("on purpose");
        let thread = std::thread::Builder::new().name(name).spawn(panics);
        assert!(thread.unwrap().join().is_err());
    }

    fn end_of_a_process_whose_thread_panics(name: &str) -> ExitStatus {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "vital::tests::a_thread_panics_where_the_environment_says"])
            .env(THREAD, name)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap()
    }

    #[test]
    fn a_panic_ends_the_process_exactly_where_vips_depend_on_the_thread() {
        for name in VITAL {
            let status = end_of_a_process_whose_thread_panics(name);
            assert_eq!(status.signal(), Some(nix::libc::SIGABRT), "{name}: {status}");
        }
        assert!(end_of_a_process_whose_thread_panics("agent").success());
    }
}
