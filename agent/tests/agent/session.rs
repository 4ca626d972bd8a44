//! The agent's session with a server.

use crate::adverts::Listener;
use crate::assigned::{assignment, members, owner};
use crate::lab::{Lab, until};
use crate::local;
use crate::process::{Agent, Home};
use crate::server::{FLEET, Held, Identity, Server};
use std::time::{Duration, Instant};
use vipfleet_model::report::InstanceState;
use vipfleet_model::span::Span;
use vipfleet_model::{Assignment, NodeReport};
use vipfleet_proto::v1::agent_message::Message as FromAgent;
use vipfleet_proto::v1::server_message::Message as ToAgent;
use vipfleet_proto::v1::{self, Transition};

const ANY_PORT: &str = "127.0.0.1:0";

fn connected(lab: &Lab, home: &Home) -> (Server, Agent, Held) {
    let server = Server::start(&lab.one, ANY_PORT, FLEET);
    let agent = Agent::connected(&lab.one, home, "n1", &[&server.url]);
    let session = server.session();
    (server, agent, session)
}

#[test]
fn hello_says_what_the_node_is_and_a_push_runs() {
    let (lab, home) = (Lab::new(), Home::new());
    let (_server, _agent, session) = connected(&lab, &home);
    let hello = &session.hello;
    assert_eq!((hello.node.as_str(), hello.generation, hello.hash.as_str()), ("n1", 0, ""));
    let facts = hello.facts.clone().unwrap();
    let interface = facts.interfaces.iter().find(|it| it.name == "eth0").unwrap();
    assert_eq!(interface.addresses, ["10.78.0.1/24"]);

    session.push_accepted(7, &owner(&["10.78.0.10"]));
    let report = session.expect_report(|it| it.generation == 7 && it.settled);
    assert_eq!(report.hash, owner(&["10.78.0.10"]).hash());
    assert!(lab.one.has("10.78.0.10"));
    assert_eq!(report.instances[0].state, InstanceState::Master);
}

#[test]
fn no_report_says_settled_before_the_kernel_has_it() {
    let (lab, home) = (Lab::new(), Home::new());
    let (_server, _agent, session) = connected(&lab, &home);
    session.push_accepted(1, &owner(&["10.78.0.10"]));
    session.expect_report(|it| it.generation == 1 && it.settled);
    let mut addresses = vec!["10.78.0.10".to_owned()];
    for generation in 2..10 {
        addresses.push(format!("10.78.0.{}", 10 + generation));
        let all: Vec<_> = addresses.iter().map(String::as_str).collect();
        session.send(generation, &owner(&all));
        let report = session.expect_report(|it| it.generation == generation && it.settled);
        let added = addresses.last().unwrap();
        assert!(lab.one.has(added), "{added} at {report:?}");
        let shown = report.instances[0].addresses.iter().filter(|it| it.in_kernel).count();
        assert_eq!(shown, addresses.len(), "{report:?}");
    }
}

#[test]
fn a_backup_that_gets_an_address_is_settled_with_it_and_without_holding_it() {
    let (lab, home, peer_home) = (Lab::new(), Home::new(), Home::new());
    let _peer = Agent::on(&lab.two, &peer_home, crate::life::ONE);
    until("the peer to serve", || lab.two.has("10.78.0.10"));
    let (_server, _agent, session) = connected(&lab, &home);
    session.push_accepted(1, &assignment(100, &["10.78.0.10"]));
    session.expect_report(|it| it.generation == 1 && it.settled);
    session.push_accepted(2, &assignment(100, &["10.78.0.10", "10.78.0.11"]));
    let report = session.expect_report(|it| it.generation == 2 && it.settled);
    let instance = &report.instances[0];
    assert_eq!(instance.state, InstanceState::Backup);
    assert_eq!(instance.addresses.len(), 2);
    assert!(instance.addresses.iter().all(|it| !it.in_kernel));
}

#[test]
fn a_master_of_a_deleted_instance_says_no_goodbye_and_one_that_is_removed_does() {
    let (lab, home) = (Lab::new(), Home::new());
    let (_server, _agent, session) = connected(&lab, &home);
    let listener = Listener::start(&lab.two);
    let gone = Assignment::default();
    for (generation, deleted, goodbyes) in [(1, &["VI_1"][..], 0), (3, &[], 1)] {
        session.push_accepted(generation, &owner(&["10.78.0.10"]));
        session.expect_report(|it| it.generation == generation && it.settled);
        let heard = listener.of(51).len();
        until("adverts", || listener.of(51).len() > heard);
        session.send_deleting(generation + 1, &gone, deleted);
        session.expect_report(|it| it.generation == generation + 1 && it.settled);
        until("the address to go", || !lab.one.has("10.78.0.10"));
        until("the instance to go", || {
            local::state(&home).unwrap().report.unwrap().instances.is_empty()
        });
        // What the agent said before it forgot the instance has arrived by then: one wire.
        let said = || listener.of(51).iter().any(|it| it.priority == 0);
        if goodbyes > 0 {
            until("the goodbye", said);
        } else {
            assert!(!said(), "{:?}", listener.of(51));
        }
    }
    session.send_deleting(9, &gone, &["VI_1", ""]);
    let nack = session.expect("nack", |message| match message {
        FromAgent::Nack(nack) if nack.generation == 9 => Some(nack),
        _ => None,
    });
    assert_eq!(nack.field_path, "deleted[1]");
}

#[test]
fn an_instance_that_is_new_leaves_a_higher_member_a_second_to_learn_of_it() {
    let (lab, home) = (Lab::new(), Home::new());
    let (_server, _agent, session) = connected(&lab, &home);
    let mut pushed = assignment(100, &["10.78.0.10"]);
    let instance = &mut pushed.instances[0];
    (instance.version, instance.advert_interval) = (3, Span::from_millis(100));
    instance.members = members("n1", &[("n1", "10.78.0.1", 100), ("n2", "10.78.0.2", 150)]);
    session.send_creating(1, &pushed);
    let serves = |it: &NodeReport| {
        it.instances.iter().any(|instance| instance.state == InstanceState::Master)
    };
    let reason = session.expect_report(serves).instances[0].reason.clone();
    let waited = reason.strip_prefix("no master heard for ").and_then(|it| it.strip_suffix(" s"));
    let waited: f64 = waited.expect(&reason).parse().expect("seconds");
    // Three adverts, a skew and the second; however slow the machine is.
    assert!(waited >= 1.36, "{reason}");
}

#[test]
fn an_unfit_assignment_is_refused_with_its_field_and_the_old_one_goes_on() {
    let (lab, home) = (Lab::new(), Home::new());
    let (_server, _agent, session) = connected(&lab, &home);
    session.push_accepted(1, &owner(&["10.78.0.10"]));
    let mut unfit = owner(&["10.78.0.11"]);
    unfit.instances[0].virtual_mac = true;
    let mut other = unfit.instances[0].clone();
    (other.name, other.interface) = ("VI_2".parse().unwrap(), "elsewhere".into());
    unfit.instances.push(other);
    let nack = session.push_refused(2, &unfit);
    assert_eq!(
        (nack.field_path.as_str(), nack.running_generation),
        ("instances[VI_2].virtualMac", 1)
    );
    assert!(!nack.reason.is_empty());

    // One that does not even parse.
    let mut wire: v1::Assignment = owner(&["10.78.0.11"]).into();
    wire.instances[0].virtual_router_id = 999;
    let push = v1::Push {
        nonce: 99,
        generation: 3,
        hash: "x".into(),
        assignment: Some(wire),
        ..v1::Push::default()
    };
    session.say(ToAgent::Push(push));
    let nack = session.expect("nack", |message| match message {
        FromAgent::Nack(nack) => Some(nack),
        _ => None,
    });
    assert!(nack.field_path.contains("virtual_router_id"), "{nack:?}");
    assert!(lab.one.has("10.78.0.10") && !lab.one.has("10.78.0.11"));
    // The report follows what runs within moments: it may still be the one of before the first.
    until("the first assignment to be reported", || {
        local::report(&home).is_some_and(|it| it.generation != 0)
    });
    assert_eq!(local::report(&home).unwrap().generation, 1);
    session.push_accepted(4, &owner(&["10.78.0.11"]));
}

#[test]
fn an_answer_waits_as_long_as_the_server_asks_and_what_it_answers_does_not() {
    let (lab, home) = (Lab::new(), Home::new());
    let (_server, _agent, session) = connected(&lab, &home);
    let asked = Instant::now();
    session.send_patient(1, &owner(&["10.78.0.10"]), u32::MAX);
    until("the address", || lab.one.has("10.78.0.10"));
    let told = |message| match message {
        FromAgent::Ack(ack) => Some(ack.generation),
        FromAgent::Report(report) if report.generation > 0 => Some(0),
        _ => None,
    };
    // The verdict first, then what came of it; and never later than a second asks for.
    assert_eq!(session.expect("an answer", told), 1);
    assert!(asked.elapsed() >= Duration::from_secs(1), "{:?}", asked.elapsed());
    assert_eq!(session.expect("a report", told), 0);

    // Another assignment ends the wait.
    session.send_patient(2, &owner(&["10.78.0.11"]), u32::MAX);
    session.send(3, &owner(&["10.78.0.12"]));
    let verdict = |message| told(message).filter(|generation| *generation > 0);
    assert_eq!([(); 2].map(|()| session.expect("an answer", verdict)), [2, 3]);
}

/// Two seconds of pushes, each of which asks for an answer a second later.
#[test]
fn pushes_that_come_faster_than_their_answers_are_due_do_not_keep_reports_back() {
    const LAST: u64 = 41;
    let (lab, home) = (Lab::new(), Home::new());
    let (_server, _agent, session) = connected(&lab, &home);
    session.push_accepted(1, &owner(&["10.78.0.10"]));
    for generation in 2..=LAST {
        let address = if generation % 2 == 0 { "10.78.0.11" } else { "10.78.0.10" };
        session.send_patient(generation, &owner(&[address]), u32::MAX);
        std::thread::sleep(Duration::from_millis(50));
    }
    let told = session.expect("a report or the last answer", |message| match message {
        FromAgent::Report(report) if report.generation > 1 => Some(report.generation),
        FromAgent::Ack(ack) if ack.generation == LAST => Some(LAST),
        _ => None,
    });
    assert!(told < LAST, "nothing was reported before the last answer");
}

#[test]
fn an_older_generation_is_refused_unless_the_epoch_is_new() {
    let (lab, home) = (Lab::new(), Home::new());
    let (server, _agent, session) = connected(&lab, &home);
    session.push_accepted(10, &owner(&["10.78.0.10"]));
    let nack = session.push_refused(9, &owner(&["10.78.0.11"]));
    assert_eq!(nack.running_generation, 10);
    assert!(nack.reason.contains("older than 10"), "{}", nack.reason);
    let address = server.url.trim_start_matches("http://").to_owned();
    drop((session, server));

    let restored = Server::start(&lab.one, &address, Identity { epoch: 2, ..FLEET });
    let session = restored.session();
    assert_eq!((session.hello.generation, session.hello.epoch), (10, 1));
    session.push_accepted(3, &owner(&["10.78.0.11"]));
    until("the restored store's assignment", || lab.one.has("10.78.0.11"));
}

#[test]
fn another_fleets_server_gets_no_session() {
    let (lab, home) = (Lab::new(), Home::new());
    let (server, agent, session) = connected(&lab, &home);
    session.push_accepted(10, &owner(&["10.78.0.10"]));
    let address = server.url.trim_start_matches("http://").to_owned();
    drop((session, server));
    let other = Server::start(&lab.one, &address, Identity { fleet_id: "other", epoch: 9 });
    let session = other.session();
    session.send(99, &owner(&["10.78.0.11"]));
    session.expect_end();
    agent.expect_log("this node belongs to fleet fleet, the server to other");
    assert!(lab.one.has("10.78.0.10") && !lab.one.has("10.78.0.11"));
}

#[test]
fn transitions_are_said_again_until_acknowledged_and_in_order() {
    let (lab, home) = (Lab::new(), Home::new());
    let (server, agent, session) = connected(&lab, &home);
    session.push_accepted(1, &assignment(100, &["10.78.0.10"]));
    let transitions = |session: &Held, count: usize| {
        let seen = std::cell::RefCell::new(Vec::<Transition>::new());
        session.expect("transitions", |message| {
            if let FromAgent::Transitions(batch) = message {
                seen.borrow_mut().extend(batch.transitions);
            }
            (seen.borrow().len() >= count).then_some(())
        });
        seen.into_inner()
    };
    let first = transitions(&session, 2);
    let states: Vec<_> = first.iter().map(|it| (it.from(), it.to())).collect();
    use v1::InstanceState::{Backup, Init, Master};
    assert_eq!(states, [(Init, Backup), (Backup, Master)]);
    assert!(first[0].sequence < first[1].sequence);

    // Nobody acknowledged: again, also by the next incarnation.
    session.say(ToAgent::GoAway(v1::GoAway { reason: "balancing".into() }));
    drop(session);
    let session = server.session();
    assert_eq!(transitions(&session, 2), first);
    drop(session);
    let mut agent = agent;
    agent.crash();
    let again = Agent::connected(&lab.one, &home, "n1", &[&server.url]);
    let session = wait_for_session(&server, |it| it.hello.generation == 1);
    let third = transitions(&session, 3);
    assert_eq!(third[..2], first[..]);
    assert!(third[2].sequence > first[1].sequence);

    // Acknowledged up to the second: the third alone comes again.
    let sequence = first[1].sequence;
    session.say(ToAgent::TransitionAck(v1::TransitionAck { sequence }));
    until("the outbox to shrink", || {
        let text = std::fs::read_to_string(home.state_dir().join("outbox.json")).unwrap();
        let outbox: serde_json::Value = serde_json::from_str(&text).unwrap();
        outbox["pending"].as_array().unwrap().len() == 1
    });
    drop((session, again));
    let _last = Agent::connected(&lab.one, &home, "n1", &[&server.url]);
    let session = wait_for_session(&server, |it| it.hello.generation == 1);
    assert_eq!(transitions(&session, 1)[0].sequence, third[2].sequence);
}

fn wait_for_session(server: &Server, wanted: impl Fn(&Held) -> bool) -> Held {
    loop {
        let session = server.session();
        if wanted(&session) {
            return session;
        }
    }
}

#[test]
fn an_agent_whose_server_dies_goes_to_the_other() {
    let (lab, home) = (Lab::new(), Home::new());
    let one = Server::start(&lab.one, ANY_PORT, FLEET);
    let two = Server::start(&lab.one, ANY_PORT, FLEET);
    let agent = Agent::connected(&lab.one, &home, "n1", &[&one.url, &two.url]);
    let mut servers = vec![one, two];
    let (first, session) = crate::lab::wait_for("a session with either", || {
        let sessions = servers.iter().map(Server::try_session).enumerate();
        sessions.filter_map(|(index, held)| Some((index, held?))).next()
    });
    session.push_accepted(5, &owner(&["10.78.0.10"]));
    drop((session, servers.remove(first)));
    let session = servers[0].session();
    assert_eq!(session.hello.generation, 5);
    let connected_to = || local::state(&home).unwrap().connected_to;
    until("the local API to name it", || connected_to().starts_with(&servers[0].url));
    assert!(agent.log().contains("session ended"));
}

#[test]
fn a_new_address_of_the_host_is_told() {
    let (lab, home) = (Lab::new(), Home::new());
    let (_server, _agent, session) = connected(&lab, &home);
    session.push_accepted(1, &owner(&["10.78.0.10"]));
    session.expect_report(|it| it.settled && it.generation == 1);
    lab.one.ip("addr add 10.78.0.77/24 dev eth0");
    let facts = session.expect("facts", |message| match message {
        FromAgent::Facts(facts) => Some(facts),
        _ => None,
    });
    let interface = facts.interfaces.iter().find(|it| it.name == "eth0").unwrap();
    assert_eq!(interface.addresses, ["10.78.0.1/24", "10.78.0.77/24"]);
}

#[test]
fn the_last_words_of_a_stopping_agent_reach_the_server() {
    let (lab, home) = (Lab::new(), Home::new());
    let (_server, agent, session) = connected(&lab, &home);
    session.push_accepted(1, &owner(&["10.78.0.10"]));
    session.expect_report(|it| it.settled && it.generation == 1);
    agent.signal(nix::sys::signal::Signal::SIGTERM);
    session.expect("the resignation", |message| match message {
        FromAgent::Transitions(batch) => {
            batch.transitions.iter().any(|it| it.reason == "agent stopped").then_some(())
        }
        _ => None,
    });
}
