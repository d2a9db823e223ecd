//! From where people are trusted: networks and countries. Which country an address is in is asked elsewhere.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};

use super::InvalidAuthOrg;

/// The networks and countries that are told apart, in the contract's names (`NetworkConfiguration`).
///
/// An empty list says nothing, like none, and then nobody is trusted for where they are. Nor is whoever is in a country that
/// is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkConfig {
    /// Addresses and networks (`192.0.2.7`, `192.0.2.0/24`, `2001:db8::/32`).
    pub range: Option<Vec<String>>,
    /// Countries (ISO 3166, two upper-case letters).
    pub geolocation: Option<Vec<String>>,
    /// Whether what is listed is what is trusted; otherwise everything else is. It must be said where anything is listed: one
    /// that was left out would turn the list into its opposite.
    pub whitelisted: Option<bool>,
}

/// How far somebody is trusted for where they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trust {
    /// Whether they are on a network that is trusted.
    pub network: bool,
    /// Whether they are in a country that is trusted.
    pub country: bool,
}

impl NetworkConfig {
    /// How far somebody is trusted who comes from this address, which is in that country where it is known.
    pub fn trust(&self, address: IpAddr, country: Option<&str>) -> Trust {
        let address = address.to_canonical();
        let in_range =
            said(&self.range).map(|all| all.iter().filter_map(|one| network(one)).any(|it| it.contains(&address)));
        let in_country =
            said(&self.geolocation).zip(country).map(|(all, country)| all.iter().any(|one| one == country));
        Trust {
            network: in_range.is_some() && in_range == self.whitelisted,
            country: in_country.is_some() && in_country == self.whitelisted,
        }
    }

    /// Refuses what is no network, what is no country, and lists that nobody says the meaning of.
    ///
    /// # Errors
    /// The first that is wrong: in which list, and at which place.
    pub fn validate(&self) -> Result<(), InvalidAuthOrg> {
        let wrong = |field, at: usize, must_be| InvalidAuthOrg::new(field, format!("entry {}: {must_be}", at + 1));
        if let Some(at) = self.range.iter().flatten().position(|one| network(one).is_none()) {
            return Err(wrong("range", at, "an address or a network, as 192.0.2.0/24, is expected"));
        }
        let is_country = |one: &String| one.len() == 2 && one.bytes().all(|letter| letter.is_ascii_uppercase());
        if let Some(at) = self.geolocation.iter().flatten().position(|one| !is_country(one)) {
            return Err(wrong("geolocation", at, "a country's two upper-case letters are expected"));
        }
        let says_anything = said(&self.range).is_some() || said(&self.geolocation).is_some();
        match says_anything && self.whitelisted.is_none() {
            true => {
                Err(InvalidAuthOrg::new("whitelisted", "must say whether what is listed is trusted, or all else is"))
            }
            false => Ok(()),
        }
    }
}

/// A list that says anything.
fn said(list: &Option<Vec<String>>) -> Option<&Vec<String>> {
    list.as_ref().filter(|list| !list.is_empty())
}

/// A network as people write it. An address is the network that has no other in it; IPv4 in the clothes of IPv6 is IPv4, as
/// the addresses are that it is compared with.
fn network(text: &str) -> Option<IpNet> {
    let network = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
    let IpNet::V6(wide) = network else { return Some(network) };
    let narrow = wide.addr().to_ipv4_mapped().zip(wide.prefix_len().checked_sub(96));
    let narrow = narrow.and_then(|(address, length)| Ipv4Net::new(address, length).ok());
    Some(narrow.map_or(network, IpNet::V4))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(range: &[&str], geolocation: &[&str], whitelisted: bool) -> NetworkConfig {
        let list = |list: &[&str]| Some(list.iter().map(|one| (*one).to_owned()).collect());
        NetworkConfig { range: list(range), geolocation: list(geolocation), whitelisted: Some(whitelisted) }
    }

    #[test]
    fn what_is_left_out_or_null_says_nothing() {
        for told in [json!({}), json!({"range": null, "geolocation": null, "whitelisted": null, "more": 1})] {
            let read: NetworkConfig = serde_json::from_value(told).expect("read");
            assert_eq!(read, NetworkConfig::default());
            assert_eq!(
                serde_json::to_value(&read).expect("written"),
                json!({"range": null, "geolocation": null, "whitelisted": null})
            );
        }
    }

    #[test]
    fn a_network_is_trusted_where_it_is_listed_or_where_it_is_not() {
        let office = ["192.0.2.0/24", "198.51.100.7", "2001:db8::/32", "::ffff:203.0.113.0/120"];
        for (address, listed) in [
            ("192.0.2.1", true),
            ("192.0.3.1", false),
            ("198.51.100.7", true),
            ("198.51.100.8", false),
            ("2001:db8:1::1", true),
            ("2001:db9::1", false),
            ("::ffff:192.0.2.1", true),
            ("::ffff:192.0.3.1", false),
            ("203.0.113.9", true),
            ("::ffff:203.0.113.9", true),
        ] {
            let from = address.parse().expect("an address");
            let is = |range: &[&str], whitelisted| config(range, &[], whitelisted).trust(from, Some("DE")).network;
            assert_eq!((is(&office, true), is(&office, false)), (listed, !listed), "{address}");
            assert_eq!((is(&[], true), is(&[], false)), (false, false), "{address}: an empty list says nothing");
            assert!(!NetworkConfig::default().trust(from, None).network, "{address}: nor does none");
        }
        let everywhere = config(&["0.0.0.0/0"], &[], true);
        assert!(everywhere.trust("::ffff:192.0.2.1".parse().expect("an address"), None).network);
    }

    #[test]
    fn a_country_is_trusted_where_it_is_listed_or_where_it_is_known_and_not_listed() {
        let from = "192.0.2.1".parse().expect("an address");
        for (listed, whitelisted, country, trusted) in [
            (&["DE", "AT"][..], true, Some("AT"), true),
            (&["DE", "AT"], true, Some("CH"), false),
            (&["DE", "AT"], true, None, false),
            (&["DE", "AT"], false, Some("AT"), false),
            (&["DE", "AT"], false, Some("CH"), true),
            (&["DE", "AT"], false, None, false),
            (&[], true, Some("DE"), false),
            (&[], false, Some("DE"), false),
        ] {
            let trust = config(&["198.51.100.0/24"], listed, whitelisted).trust(from, country);
            assert_eq!(trust.country, trusted, "{listed:?} {whitelisted} {country:?}");
            assert_eq!(trust.network, !whitelisted, "networks are another matter");
        }
    }

    #[test]
    fn a_list_says_what_it_is_a_list_of() {
        let from = "192.0.2.1".parse().expect("an address");
        for (range, geolocation) in [(&["198.51.100.0/24"][..], &[][..]), (&[], &["DE"]), (&["192.0.2.0/24"], &["DE"])]
        {
            let unsaid = NetworkConfig { whitelisted: None, ..config(range, geolocation, false) };
            let told = unsaid.validate().expect_err("it must be said").to_string();
            assert_eq!(told, "whitelisted must say whether what is listed is trusted, or all else is");
            assert_eq!(unsaid.trust(from, Some("AT")), Trust::default());
        }
        assert_eq!(NetworkConfig { whitelisted: None, ..config(&[], &[], false) }.validate(), Ok(()));
    }

    #[test]
    fn what_is_no_network_and_no_country_is_named_by_its_place() {
        let network = "an address or a network, as 192.0.2.0/24, is expected";
        let country = "a country's two upper-case letters are expected";
        for wrong in ["", "office", "192.0.2.0/33", "192.0.2", "192.0.2.1-192.0.2.9", " 192.0.2.1", "2001:db8::/129"] {
            let told = config(&["192.0.2.1", wrong], &[], true).validate().expect_err(wrong).to_string();
            assert_eq!(told, format!("range entry 2: {network}"));
        }
        for wrong in ["", "D", "de", "De", "DEU", "D1", "ÄÖ", "Ä"] {
            let told = config(&[], &[wrong], false).validate().expect_err(wrong).to_string();
            assert_eq!(told, format!("geolocation entry 1: {country}"));
        }
        assert_eq!(config(&["::1", "10.0.0.0/8", "10.1.2.3/8"], &["DE", "ZZ"], true).validate(), Ok(()));
    }
}
