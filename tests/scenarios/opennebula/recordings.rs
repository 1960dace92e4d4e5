//! Every recorded answer of a real oned is read.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use stratus_opennebula::object::{Object, read_object, read_pool};
use stratus_opennebula::xmlrpc::{Response, Value, read_call, read_response};
use stratus_opennebula::{
    Acl, Attributes, Cluster, Datastore, Group, Host, Image, Machine, Marketplace, MarketplaceApp,
    Template, User, VirtualNetwork,
};

/// One exchange of a recording.
pub(crate) struct Exchange {
    pub(crate) file: String,
    pub(crate) case: String,
    pub(crate) method: String,
    pub(crate) status: u64,
    pub(crate) request: Option<String>,
    pub(crate) response: String,
}

/// Our selection; `STRATUS_TEST_RECORDINGS` names a folder with more.
pub(crate) fn folder() -> PathBuf {
    std::env::var_os("STRATUS_TEST_RECORDINGS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings/oned"),
        PathBuf::from,
    )
}

pub(crate) fn exchanges(folder: &Path) -> Vec<Exchange> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files.retain(|path| path.extension().is_some_and(|end| end == "json"));
    files.iter().flat_map(|path| read(path)).collect()
}

fn read(path: &Path) -> Vec<Exchange> {
    let json: Json = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let text = |entry: &Json, name: &str| entry[name].as_str().map(str::to_owned);
    // Some files of the bench record other things than XML-RPC.
    let entries = json.as_array().cloned().unwrap_or_default();
    let exchange = |entry: &Json| {
        Some(Exchange {
            file: path.file_name()?.to_string_lossy().into_owned(),
            case: text(entry, "case")?,
            method: text(entry, "method")?,
            status: entry["status"].as_u64()?,
            request: text(entry, "request"),
            response: text(entry, "response")?,
        })
    };
    entries.iter().filter_map(exchange).collect()
}

/// Reads a description of one kind; whether it is of that kind.
fn one<T: Object>(text: &str, root: &str) -> bool {
    if root == T::ELEMENT {
        read_object::<T>(text).unwrap_or_else(|e| panic!("{e}: {text}"));
    } else if root == T::POOL {
        read_pool::<T>(text).unwrap_or_else(|e| panic!("{e}: {text}"));
    }
    root == T::ELEMENT || root == T::POOL
}

/// Reads a description by its root element; whether we know it.
fn read_description(text: &str) -> bool {
    let root = text.trim_start_matches('<').split(['>', ' ', '/']).next().unwrap_or_default();
    one::<Acl>(text, root)
        || one::<Cluster>(text, root)
        || one::<Datastore>(text, root)
        || one::<Group>(text, root)
        || one::<Host>(text, root)
        || one::<Image>(text, root)
        || one::<Machine>(text, root)
        || one::<Marketplace>(text, root)
        || one::<MarketplaceApp>(text, root)
        || one::<Template>(text, root)
        || one::<User>(text, root)
        || one::<VirtualNetwork>(text, root)
}

#[test]
fn every_recorded_answer_is_read() {
    let (mut answers, mut objects) = (0, 0);
    for exchange in exchanges(&folder()).iter().filter(|exchange| exchange.status == 200) {
        let name = format!("{} {} {}", exchange.file, exchange.method, exchange.case);
        let response = read_response(exchange.response.as_bytes())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        answers += 1;
        if let Response::Value(Value::Array(items)) = response
            && let [Value::Boolean(true), Value::Text(text), ..] = &items[..]
        {
            objects += usize::from(text.starts_with('<') && read_description(text));
        }
    }
    println!("{answers} answers, {objects} descriptions of objects");
    assert!(answers >= 100 && objects >= 30, "{answers} answers, {objects} objects");
}

#[test]
fn every_recorded_call_and_its_templates_are_read() {
    let mut templates = 0;
    for exchange in exchanges(&folder()) {
        let name = format!("{} {} {}", exchange.file, exchange.method, exchange.case);
        let Some(request) = exchange.request.filter(|text| text.contains("<methodCall>")) else {
            continue;
        };
        let call = read_call(request.as_bytes()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let broken = exchange.case.contains("malformed");
        for text in call.parameters.iter().skip(1).filter_map(Value::as_text) {
            if text.starts_with('<') || text.contains('=') && !text.starts_with("cn=") {
                templates += 1;
                assert_eq!(Attributes::read(text).is_err(), broken, "{name}: {text}");
            }
        }
    }
    println!("{templates} templates");
    assert!(templates >= 20, "{templates}");
}

#[test]
fn the_recorded_network_is_read_in_full() {
    let wanted = |e: &&Exchange| e.method == "one.vn.info" && e.case == "with-vm-leases";
    let all = exchanges(&folder());
    let exchange = all.iter().find(wanted).unwrap();
    let text = stratus_opennebula::read_answer("here", "one.vn.info", exchange.response.as_bytes());
    let text = text.unwrap();
    let net: VirtualNetwork = read_object(text.as_text().unwrap()).unwrap();
    assert_eq!((net.name.as_str(), net.used_leases, net.ranges.len()), ("public", 6, 1));
    let range = &net.ranges[0];
    assert_eq!((range.size, range.kind.as_str()), (250, "IP4"));
    let holders: Vec<_> = range.leases.iter().map(|lease| lease.holder.to_string()).collect();
    assert_eq!(holders[3..], ["the reservation in network 8", "machine 0", "machine 1"]);
    assert_eq!(net.attributes.text("DNS"), Some("172.17.16.1 9.9.9.9"));
}
