//! The network, from below: a default route, a name, a connection.

use std::fs;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use super::Finding;

/// One of several addresses of a host may take so long.
const CONNECT: Duration = Duration::from_secs(5);
/// Flags of a route: it can be used; it is one that rejects (linux/route.h, linux/ipv6_route.h).
const UP: u32 = 0x1;
const REJECT: u32 = 0x200;

/// There is a default route, of IPv4 or IPv6.
pub(super) fn route(proc: &Path) -> Result<Finding, String> {
    let read = |name: &str| fs::read_to_string(proc.join("net").join(name)).unwrap_or_default();
    let device = read("route")
        .lines()
        .find_map(|line| v4(line).map(str::to_owned))
        .or_else(|| read("ipv6_route").lines().find_map(|line| v6(line).map(str::to_owned)));
    device.map(|device| format!("over {device}").into()).ok_or_else(|| "there is no default route".into())
}

/// The device of a default route in a line of `/proc/net/route`: device, destination, gateway, flags, ..., mask.
fn v4(line: &str) -> Option<&str> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let [device, "00000000", _, flags, _, _, _, "00000000", ..] = fields[..] else { return None };
    is_up(flags).then_some(device)
}

/// The same of `/proc/net/ipv6_route`: destination, length, source, length, next hop, metric, two counters, flags, device.
fn v6(line: &str) -> Option<&str> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let [to, "00", _, _, _, _, _, _, flags, device] = fields[..] else { return None };
    // Linux keeps a route that rejects on `lo`.
    (to.bytes().all(|byte| byte == b'0') && device != "lo" && is_up(flags)).then_some(device)
}

fn is_up(flags: &str) -> bool {
    u32::from_str_radix(flags, 16).is_ok_and(|flags| flags & (UP | REJECT) == UP)
}

/// A name has an address.
pub(super) fn dns(name: &str) -> Result<Finding, String> {
    let found = (name, 0).to_socket_addrs().map_err(|error| format!("{name}: {error}"))?;
    let addresses: Vec<String> = found.map(|address| address.ip().to_string()).collect();
    match addresses.first() {
        Some(first) => Ok(format!("{name} is {first}").into()),
        None => Err(format!("{name} has no address")),
    }
}

/// A host takes a connection, at one of its addresses.
pub(super) fn tcp(host: &str) -> Result<Finding, String> {
    let addresses = host.to_socket_addrs().map_err(|error| format!("{host}: {error}"))?;
    let mut last = format!("{host} has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(_) => return Ok(format!("{address} takes connections").into()),
            Err(error) => last = format!("{address}: {error}"),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_default_route_is_one_that_can_be_used() {
        let proc = tempfile::tempdir().unwrap();
        fs::create_dir(proc.path().join("net")).unwrap();
        let says = |v4: &str, v6: &str| {
            fs::write(proc.path().join("net/route"), format!("Iface\tDestination\tGateway\n{v4}\n")).unwrap();
            fs::write(proc.path().join("net/ipv6_route"), format!("{v6}\n")).unwrap();
            route(proc.path()).map(|finding| finding.says)
        };
        let none = Err("there is no default route".to_owned());
        let v4 = "eth0\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0";
        assert_eq!(says(v4, ""), Ok("over eth0".into()));
        assert_eq!(says(&v4.replace("0003", "0002"), ""), none);
        assert_eq!(says(&v4.replace("0003", "0201"), ""), none);
        assert_eq!(says("eth0\t0002A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0", ""), none);
        // Half of all addresses is not all.
        assert_eq!(says("tun0\t00000000\t0\t0003\t0\t0\t0\t00000080\t0\t0\t0", ""), none);
        let zero = "0".repeat(32);
        let v6 = format!("{zero} 00 {zero} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     wlan0");
        assert_eq!(says("", &v6), Ok("over wlan0".into()));
        assert_eq!(says("", &v6.replace("wlan0", "lo").replace("00000003", "00200200")), none);
        assert_eq!(says("garbage", "garbage"), none);
        fs::remove_dir_all(proc.path().join("net")).unwrap();
        assert_eq!(route(proc.path()).map(|finding| finding.says), none);
    }

    #[test]
    fn a_host_takes_connections_or_says_why_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        assert_eq!(tcp(&address).unwrap().says, format!("{address} takes connections"));
        drop(listener);
        assert!(tcp(&address).unwrap_err().contains("refused"));
        assert!(dns("localhost").unwrap().says.starts_with("localhost is "));
        assert!(dns("name.invalid").is_err());
    }
}
