//! Who may connect to the host, as a table of nftables.

use std::fmt::Write as _;

use super::draft::{Draft, TuningError};
use crate::recipe::{AmiRecipe, Firewall};

const UNIT: &str = "elkbake-firewall.service";
const SUBNET_UNIT: &str = "elkbake-firewall-subnet.service";

/// What every host needs: its own connections, containers on it (the ECS agent answers them at an address of the host),
/// errors and neighbours by ICMP, addresses by DHCP for IPv6, and a way in for its keeper.
const BEGINNING: &str = "\
# Made by elkbake; /usr/libexec/elkbake/firewall adds the networks that the host lies in.
table inet elkbake
delete table inet elkbake
table inet elkbake {
    set subnet4 { type ipv4_addr; flags interval; auto-merge; }
    set subnet6 { type ipv6_addr; flags interval; auto-merge; }
    chain input {
        type filter hook input priority filter; policy drop;
        iif \"lo\" accept
        ct state vmap { established : accept, related : accept, invalid : drop }
        meta iifkind { \"bridge\", \"veth\" } accept
        meta l4proto { icmp, ipv6-icmp } accept
        ip6 saddr fe80::/10 udp dport 546 accept
        tcp dport 22 accept
";

pub(super) fn write(draft: &mut Draft, ami: &AmiRecipe) -> Result<(), TuningError> {
    if ami.firewall.is_empty() {
        return Ok(());
    }
    let mut text = String::from(BEGINNING);
    for rule in &ami.firewall {
        lines(rule, &mut text);
    }
    text.push_str("    }\n}\n");
    draft.text("/etc/elkbake/firewall.nft", text)?;
    draft.program("/usr/libexec/elkbake/firewall", include_str!("../host/firewall.sh"))?;
    draft.text(&format!("/etc/systemd/system/{UNIT}"), include_str!("../host/elkbake-firewall.service"))?;
    draft.wanted(UNIT, &["sysinit.target"], "wants")?;
    // A node without its firewall is open to everybody: better none.
    draft.wanted(UNIT, &["elasticsearch.service"], "requires")?;
    if ami.firewall.iter().any(|rule| rule.from.contains("subnet")) {
        let unit = include_str!("../host/elkbake-firewall-subnet.service");
        draft.text(&format!("/etc/systemd/system/{SUBNET_UNIT}"), unit)?;
        draft.wanted(SUBNET_UNIT, &["multi-user.target"], "wants")?;
    }
    Ok(())
}

/// One line for each port and source: older releases of nft refuse sets whose ranges overlap.
fn lines(rule: &Firewall, text: &mut String) {
    for from in &rule.from {
        let sources = match from.as_str() {
            "any" => vec![String::new()],
            "subnet" => vec!["ip saddr @subnet4 ".to_owned(), "ip6 saddr @subnet6 ".to_owned()],
            network if network.contains(':') => vec![format!("ip6 saddr {network} ")],
            network => vec![format!("ip saddr {network} ")],
        };
        for (source, port) in sources.iter().flat_map(|source| rule.ports.iter().map(move |port| (source, port))) {
            let _ = writeln!(text, "        {source}{} dport {port} accept", rule.protocol);
        }
    }
}
