//! What the state dir keeps when the server is away, and when the disk is no help.

use crate::assigned::owner;
use crate::lab::{Lab, until};
use crate::life::ONE;
use crate::process::{Agent, Home};
use crate::server::{FLEET, Server};

const NOBODY: &str = "http://127.0.0.1:9";

#[test]
fn an_agent_that_starts_without_any_server_runs_what_ran_last() {
    let (lab, home) = (Lab::new(), Home::new());
    let server = Server::start(&lab.one, "127.0.0.1:0", FLEET);
    let mut agent = Agent::connected(&lab.one, &home, "n1", &[&server.url]);
    server.session().push_accepted(7, &owner(&["10.78.0.10"]));
    until("the address", || lab.one.has("10.78.0.10"));
    drop(server);
    assert!(agent.terminate().success());
    assert!(!lab.one.has("10.78.0.10"));
    let _again = Agent::connected(&lab.one, &home, "n1", &[NOBODY]);
    until("the address of the cached assignment", || lab.one.has("10.78.0.10"));
}

#[test]
fn a_damaged_cache_is_said_and_the_server_tells_anew() {
    let (lab, home) = (Lab::new(), Home::new());
    std::fs::create_dir(home.state_dir()).unwrap();
    for file in ["assignment.json", "masters.json", "outbox.json"] {
        std::fs::write(home.state_dir().join(file), "{\"generation\": 7, \"assi").unwrap();
    }
    let server = Server::start(&lab.one, "127.0.0.1:0", FLEET);
    let agent = Agent::connected(&lab.one, &home, "n1", &[&server.url]);
    let session = server.session();
    assert_eq!(session.hello.generation, 0);
    agent.expect_log("assignment.json is damaged");
    session.push_accepted(7, &owner(&["10.78.0.10"]));
    until("the address", || lab.one.has("10.78.0.10"));
    until("a sound cache", || {
        let text = std::fs::read_to_string(home.state_dir().join("assignment.json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).is_ok()
    });
}

#[test]
fn a_full_disk_stops_nothing_and_the_cache_is_written_once_there_is_room() {
    let (lab, home) = (Lab::new(), Home::new());
    let server = Server::start(&lab.one, "127.0.0.1:0", FLEET);
    std::fs::create_dir(home.state_dir()).unwrap();
    // A disk of its own for this process alone: it goes with it.
    let state_dir = home.state_dir();
    let state = state_dir.display();
    let script = format!(
        "mount -t tmpfs -o size=16k vipfleet-test {state} && \
         (dd if=/dev/zero of={state}/full bs=4k 2>/dev/null; true) && exec \"$@\""
    );
    let inner = Agent::command(&lab.one, &home);
    let mut command = lab.one.command("sh");
    // `ip netns exec NAME` is in front of both.
    command.args(["-c", &script, "sh"]).args(inner.get_args().skip(3));
    command.args(["--node", "n1", "--server", &server.url]);
    let agent = Agent::start(command, &home);
    let session = server.session();
    session.push_accepted(7, &owner(&["10.78.0.10"]));
    session.expect_report(|it| it.generation == 7 && it.settled);
    assert!(lab.one.has("10.78.0.10"));
    agent.expect_log("state is not kept");
    let seen = std::path::PathBuf::from(format!("/proc/{}/root{state}", agent.pid()));
    assert!(!seen.join("assignment.json").exists());

    std::fs::remove_file(seen.join("full")).unwrap();
    until("the cache", || seen.join("assignment.json").exists());
    agent.expect_log("state is kept again");
}

#[test]
fn a_stand_alone_agent_keeps_no_transitions_for_a_server() {
    let (lab, home) = (Lab::new(), Home::new());
    let mut agent = Agent::on(&lab.one, &home, ONE);
    until("the address", || lab.one.has("10.78.0.10"));
    agent.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(agent.terminate().success());
    let text = std::fs::read_to_string(home.state_dir().join("outbox.json")).unwrap();
    let outbox: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(outbox["pending"].as_array().unwrap().len(), 0);
    assert_eq!(outbox["recent"].as_array().unwrap().len(), 2);
}
