//! What a site wants of OpenNebula: a pure function of the site.

use std::collections::BTreeSet;
use stratus_network::{AddressRange, Vnet, vnets};
use stratus_opennebula::converge::{
    Removal, Switch, Wanted, WantedCluster, WantedDatastore, WantedHost, WantedMarketplace,
    WantedNetwork, WantedRange,
};
use stratus_opennebula::{Attribute, Attributes};
use stratus_site::{Hypervisor, Node, Share, Site};

/// The objects that OpenNebula has to have. Users log in through the directory and are made at
/// their first login; nothing here has a password.
pub fn wanted(site: &Site) -> Wanted {
    Wanted {
        site: site.general.name.clone(),
        clusters: clusters(site),
        hosts: site.nodes.iter().map(host).collect(),
        datastores: datastores(site),
        networks: vnets(site).into_iter().map(network).collect(),
        marketplaces: marketplace(site).into_iter().collect(),
        removal: Removal::Keep,
        ..Wanted::default()
    }
}

fn attributes<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> Attributes {
    let mut attributes = Attributes::new();
    for (name, value) in pairs {
        attributes.push(name, Attribute::Text(value));
    }
    attributes
}

fn clusters(site: &Site) -> Vec<WantedCluster> {
    let names: BTreeSet<&String> = site.nodes.iter().filter_map(|n| n.cluster.as_ref()).collect();
    // Cluster 0 is OpenNebula's own.
    names
        .into_iter()
        .filter(|name| *name != "default")
        .map(|name| WantedCluster { name: name.clone(), ..WantedCluster::default() })
        .collect()
}

fn host(node: &Node) -> WantedHost {
    let driver = match node.hypervisor {
        Hypervisor::Kvm | Hypervisor::Qemu => "kvm",
        Hypervisor::Lxc => "lxc",
    };
    WantedHost {
        name: node.host.to_string(),
        im_mad: driver.to_owned(),
        vm_mad: if node.hypervisor == Hypervisor::Qemu { "qemu" } else { driver }.to_owned(),
        cluster: node.cluster.clone(),
        switch: Switch::AsIs,
        attributes: Attributes::new(),
    }
}

/// OpenNebula's own datastores `system` and `default` get the driver that fits the share. Where
/// some nodes share and others do not, images are copied.
fn datastores(site: &Site) -> Vec<WantedDatastore> {
    let shared = !site.nodes.is_empty() && site.nodes.iter().all(|n| n.share == Share::Nfs);
    let driver = if shared { "shared" } else { "ssh" };
    let with = |name: &str| WantedDatastore {
        name: name.to_owned(),
        attributes: attributes([("TM_MAD", driver.to_owned())]),
    };
    vec![with("system"), with("default")]
}

fn network(vnet: Vnet) -> WantedNetwork {
    WantedNetwork {
        name: vnet.name.to_string(),
        attributes: attributes(vnet.attributes.iter().map(|(n, v)| (n.as_str(), v.clone()))),
        ranges: vnet.ranges.iter().map(range).collect(),
    }
}

fn range(range: &AddressRange) -> WantedRange {
    WantedRange { ip: range.first, mac: range.mac.map(|m| m.to_string()), size: range.size }
}

/// The repository as a marketplace, through the site's cache where there is one.
fn marketplace(site: &Site) -> Option<WantedMarketplace> {
    let near = site.cache.as_ref().map(|c| &c.url);
    let endpoint = near.or(site.repository.as_ref().map(|r| &r.url))?;
    Some(WantedMarketplace {
        name: format!("Stratus {}", site.general.name),
        switch: Switch::On,
        attributes: attributes([
            ("MARKET_MAD", "one".to_owned()),
            ("ENDPOINT", endpoint.to_string()),
        ]),
    })
}
