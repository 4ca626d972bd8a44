//! Keywords of `vrrp_instance`.

use super::Fate::{InForce, Lvs, NoEffect, Read, Refused};
use super::{AGAIN, ANSWER, Keyword, MANY, TRACK_FILE, block, words};

const FIFO: super::Fate = NoEffect("there is no notify FIFO");
const TUNING: super::Fate = NoEffect("gratuitous ARP follows a schedule of its own");

pub(in crate::keepalived) const INSTANCE: &[Keyword] = &[
    words("state", 1, 1, Read),
    words("interface", 1, 1, Read),
    words("virtual_router_id", 1, 1, Read),
    words("priority", 1, 1, Read),
    words("version", 1, 1, Read),
    words("advert_int", 1, 1, Read),
    block("authentication", 0, Read),
    block("virtual_ipaddress", 0, Read),
    block("virtual_ipaddress_excluded", 0, Read),
    block("virtual_routes", 0, Read),
    block("virtual_rules", 0, Read),
    words("unicast_src_ip", 1, 1, Read),
    words("mcast_src_ip", 1, 1, Read),
    block("unicast_peer", 0, Read),
    words("nopreempt", 0, 0, Read),
    words("preempt", 0, 0, Read),
    words("preempt_delay", 1, 1, Read),
    words("down_timer_adverts", 1, 1, Read),
    words("garp_master_delay", 1, 1, Read),
    words("garp_master_repeat", 1, 1, Read),
    words("garp_master_refresh", 1, 1, Read),
    words("check_unicast_src", 0, 0, Read),
    block("track_script", 0, Read),
    block("track_interface", 0, Read),
    block("track_process", 0, Read),
    words("notify_master", 1, MANY, Read),
    words("notify_backup", 1, MANY, Read),
    words("notify_fault", 1, MANY, Read),
    words("notify_stop", 1, MANY, Read),
    words("notify", 1, MANY, Read),
    words("mcast_dst_ip", 1, 1, Read),
    words("unicast_ttl", 1, 1, Read),
    words("old_unicast_checksum", 0, 1, Read),
    words("strict_mode", 0, 1, Read),
    words("native_ipv6", 0, 0, NoEffect("the addresses decide the family")),
    words("track_src_ip", 0, 0, InForce),
    words("unicast_fault_no_peer", 0, 0, InForce),
    words("accept", 0, 0, InForce),
    words(
        "skip_check_adv_addr",
        0,
        1,
        NoEffect(
            "a list of addresses that differs is reported, never a reason to discard an advert",
        ),
    ),
    words("debug", 1, 1, NoEffect("it has none in keepalived either")),
    words("smtp_alert", 0, 1, NoEffect("no mail is sent")),
    words("kernel_rx_buf_size", 1, 1, NoEffect("receive buffers are sized by the agent")),
    words("linkbeat_use_polling", 0, 0, NoEffect("links are watched through netlink")),
    words("notify_priority_changes", 0, 1, FIFO),
    words("garp_master_refresh_repeat", 1, 1, TUNING),
    words("garp_lower_prio_delay", 1, 1, AGAIN),
    words("garp_lower_prio_repeat", 1, 1, AGAIN),
    words("garp_extra_if", 1, 2, TUNING),
    words("lower_prio_no_advert", 0, 1, ANSWER),
    // A master that gives way says so with one last advert.
    words("higher_prio_send_advert", 0, 1, InForce),
    words(
        "promote_secondaries",
        0,
        0,
        NoEffect(
            "the agent sets net.ipv4.conf.IF.promote_secondaries itself while a VIP with another \
             prefix than /32 needs it",
        ),
    ),
    words("use_vmac", 0, 2, Read),
    words("vmac_xmit_base", 0, 0, Read),
    words(
        "use_vmac_addr",
        0,
        0,
        Refused(
            "addresses with an interface of their own have no virtual MAC there",
            "remove it, and announce them on their interface as they are",
        ),
    ),
    words(
        "use_ipvlan",
        0,
        3,
        Refused(
            "an IPVLAN has its interface's own MAC, as an address on the interface has",
            "remove it: the addresses are on the interface then",
        ),
    ),
    words("vrf", 1, 1, Refused("adverts leave through the instance's interface", "remove it")),
    words(
        "no_accept",
        0,
        0,
        Refused(
            "packets to the addresses are always accepted",
            "remove it, or filter them in the firewall",
        ),
    ),
    words(
        "dont_track_primary",
        0,
        0,
        Refused("an instance whose interface is down is always in FAULT", "remove it"),
    ),
    block("track_file", 0, TRACK_FILE),
    block("track_bfd", 0, Refused("there is no BFD", "remove the block")),
    words(
        "notify_deleted",
        0,
        3,
        Refused("there is no hook for a deleted instance", "use notify_stop"),
    ),
    words(
        "notify_master_rx_lower_pri",
        1,
        3,
        Refused("there is no hook for a lower advert", "use notify_master"),
    ),
    words("lvs_sync_daemon_interface", 1, 1, Lvs),
];
