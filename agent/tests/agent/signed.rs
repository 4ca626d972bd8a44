//! Signed adverts between two agents that take their keys from a server: who is heard, who is not,
//! and a change of keys while both go on.

use crate::adverts::Listener;
use crate::assigned::{assignment, members};
use crate::lab::{Host, Lab, until};
use crate::local;
use crate::process::{Agent, Home};
use crate::server::{FLEET, Held, Server};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use vipfleet_agent::net::{Incoming, VrrpSocket, clock, socket::GROUP};
use vipfleet_model::Assignment;
use vipfleet_model::hmac::{AntiReplay, Hmac, HmacKey, HmacMode};
use vipfleet_model::instance::{Authentication, Takeover};
use vipfleet_model::report::InstanceState;
use vipfleet_model::secret::Secret;
use vipfleet_model::span::Span;
use vipfleet_vrrp::{Family, Input, Priority, Router, Time, Transmission};

const VIP: &str = "10.78.0.10";
const SECOND: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 78, 0, 2));
const PRIORITIES: [u8; 2] = [100, 80];

/// Keys by number, the last one of which signs.
fn keys(numbers: &[u8]) -> Hmac {
    let key = |number: &u8| {
        let text = char::from(b'a' + number).to_string().repeat(32);
        HmacKey { id: *number, key: Secret::new(text) }
    };
    Hmac {
        keys: numbers.iter().map(key).collect(),
        active_key: *numbers.last().unwrap(),
        anti_replay: AntiReplay::Time,
        time_window: None,
        mode: HmacMode::Enforce,
    }
}

/// The number of the right key, and other bytes.
fn impostor() -> Hmac {
    let mut hmac = keys(&[1]);
    hmac.keys[0].key = Secret::new("x".repeat(32));
    hmac
}

fn signed(this: &str, priority: u8, hmac: Hmac) -> Assignment {
    let mut whole = assignment(priority, &[VIP]);
    let instance = &mut whole.instances[0];
    let all = [("n1", "10.78.0.1", PRIORITIES[0]), ("n2", "10.78.0.2", PRIORITIES[1])];
    instance.members = members(this, &all);
    instance.members_complete = true;
    instance.takeover = Takeover::Fast;
    instance.version = 3;
    instance.advert_interval = Span::from_millis(200);
    instance.authentication = Authentication::Hmac(hmac);
    whole
}

/// Ends in this order: an agent shows its log, which is in its home.
struct Scene {
    _agents: [Agent; 2],
    sessions: [Held; 2],
    _server: Server,
    homes: [Home; 2],
    lab: Lab,
}

impl Scene {
    fn settled() -> Self {
        let (lab, homes) = (Lab::new(), [Home::new(), Home::new()]);
        let server = Server::start(&lab.one, "10.78.0.1:7700", FLEET);
        let begin = |at: usize, host: &Host, node: &str| {
            let agent = Agent::connected(host, &homes[at], node, &[&server.url]);
            let session = server.session();
            session.push_accepted(1, &signed(node, PRIORITIES[at], keys(&[1])));
            (agent, session)
        };
        let (first, first_session) = begin(0, &lab.one, "n1");
        let (second, second_session) = begin(1, &lab.two, "n2");
        let (agents, sessions) = ([first, second], [first_session, second_session]);
        let scene = Self { _agents: agents, sessions, _server: server, homes, lab };
        scene.rests();
        scene
    }

    /// The first serves, and the second hears it.
    fn rests(&self) {
        until("the first alone to have the address", || {
            self.lab.one.has(VIP) && !self.lab.two.has(VIP)
        });
        local::instance(&self.homes[0], "VI_1", |it| it.state == InstanceState::Master);
        let before = local::instance(&self.homes[1], "VI_1", |it| {
            it.state == InstanceState::Backup && it.master.is_some()
        });
        local::instance(&self.homes[1], "VI_1", |it| {
            it.adverts_received >= before.adverts_received + 5 && it.discards == before.discards
        });
    }

    /// A socket on the second host, from which anything can be sent in its name.
    fn outside(&self) -> VrrpSocket {
        let shown = self.lab.two.ip("-o link show dev eth0");
        let index = shown.split(':').next().unwrap().parse().unwrap();
        let open = move || VrrpSocket::open("eth0", index, Family::Ipv4).unwrap();
        self.lab.two.spawn(open).join().unwrap()
    }
}

/// An advert as a router of priority 200 at the second host would send it.
fn outranking(hmac: Option<Hmac>) -> Vec<u8> {
    let mut whole = signed("n2", 200, keys(&[1]));
    let instance = &mut whole.instances[0];
    instance.authentication = hmac.map_or(Authentication::None, Authentication::Hmac);
    let config = instance.engine_config().unwrap();
    let mut router = Router::new(config).unwrap();
    router.set_wall_clock(clock::time_of_day());
    router.handle(Time::ZERO, Input::PrimaryAddress(Some(SECOND)));
    let mut message = Vec::new();
    let transmission = Transmission { priority: Some(Priority::new(200).unwrap()) };
    router.encode(transmission, SECOND, IpAddr::V4(GROUP), &mut message);
    message
}

/// The key that the last advert in the socket was signed with.
fn signing_key(socket: &mut VrrpSocket) -> Option<u8> {
    let mut incoming = Box::<Incoming>::default();
    socket.read(&mut incoming).unwrap();
    let packet = incoming.packets().last()?;
    // Type, key, two bytes of nothing, the sequence and the tag end the message.
    let trailer = packet.message.len().checked_sub(28)?;
    Some(packet.message[trailer + 1])
}

#[test]
fn without_the_right_key_nobody_is_heard_and_it_is_counted_and_said() {
    let scene = Scene::settled();
    let before = local::instance(&scene.homes[0], "VI_1", |_| true);
    let outside = scene.outside();
    let strangers = [None, Some(keys(&[2])), Some(impostor())];
    for (count, hmac) in (1..).zip(strangers) {
        outside.send(SECOND, IpAddr::V4(GROUP), &outranking(hmac)).unwrap();
        local::instance(&scene.homes[0], "VI_1", |it| {
            it.discards.get("authentication-mismatch") == Some(&count)
        });
    }
    let after = local::instance(&scene.homes[0], "VI_1", |_| true);
    assert_eq!((after.state, &after.since), (InstanceState::Master, &before.since));
    let said = |it: &String| it.contains("authentication") && it.contains("10.78.0.2");
    assert!(after.warnings.iter().any(said), "{:?}", after.warnings);
}

#[test]
fn an_advert_that_is_sent_again_is_discarded_although_its_signature_is_right() {
    let scene = Scene::settled();
    let outside = scene.outside();
    let captured = outranking(Some(keys(&[1])));
    outside.send(SECOND, IpAddr::V4(GROUP), &captured).unwrap();
    // The first time it is an advert like any other: a higher priority is obeyed.
    local::instance(&scene.homes[0], "VI_1", |it| it.state == InstanceState::Backup);
    let before = local::instance(&scene.homes[0], "VI_1", |it| it.state == InstanceState::Master);
    outside.send(SECOND, IpAddr::V4(GROUP), &captured).unwrap();
    let after = local::instance(&scene.homes[0], "VI_1", |it| {
        // Where the machine was slow, the window has closed over it.
        it.discards.contains_key("replay") || it.discards.contains_key("stale")
    });
    assert_eq!((after.state, after.since), (InstanceState::Master, before.since));
    scene.rests();
}

#[test]
fn keys_change_one_member_after_the_other_and_nobody_is_unheard() {
    let scene = Scene::settled();
    let states = || [0, 1].map(|at| local::instance(&scene.homes[at], "VI_1", |_| true));
    let before = states();
    let listener = Listener::start(&scene.lab.two);
    let mut wire = scene.outside();
    let mut signs = |wanted: u8| {
        until("the key to be used", || signing_key(&mut wire) == Some(wanted));
    };
    signs(1);
    for (at, node) in [(1, "n2"), (0, "n1")] {
        let both = signed(node, PRIORITIES[at], keys(&[1, 2]));
        scene.sessions[at].push_accepted(2, &both);
    }
    signs(2);
    for (at, node) in [(0, "n1"), (1, "n2")] {
        let new = signed(node, PRIORITIES[at], keys(&[2]));
        scene.sessions[at].push_accepted(3, &new);
    }
    scene.rests();
    for (before, after) in before.iter().zip(states()) {
        assert_eq!((before.state, &before.since), (after.state, &after.since));
        assert_eq!(before.discards, after.discards);
    }
    assert!(listener.longest_gap(51) < Duration::from_millis(600), "no takeover was near");
}
