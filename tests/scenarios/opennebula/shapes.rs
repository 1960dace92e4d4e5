//! The stand-in answers in the form of the real oned: recorded requests are sent to it, and the
//! kinds of values, the error codes and the elements are compared.

use roxmltree::{Document, Node};
use stratus_opennebula::xmlrpc::{Response, Value, read_response};

use crate::recordings::{Exchange, exchanges};
use crate::setup::{Bench, PATIENCE};

/// Files and cases in the order in which they are sent; the last word says what is compared of
/// the answer besides kinds and codes.
const SCRIPT: &[(&str, &str, &str)] = &[
    ("errors.json", "version:bad-password", "text"),
    ("errors.json", "version:unknown-user", "text"),
    ("errors.json", "version:session-without-colon", "text"),
    ("errors.json", "info:missing-vm", "text"),
    ("errors.json", "info:missing-host", "text"),
    ("errors.json", "allocate:template-without-name", "text"),
    ("errors.json", "allocate:malformed-xml-template", "text"),
    ("errors.json", "allocate:malformed-template", "kinds"),
    ("errors.json", "method:unknown-method", "text"),
    ("errors.json", "info:missing-parameter", "text"),
    ("errors.json", "info:string-for-int", "text"),
    ("errors.json", "(raw):body-is-not-xml", "kinds"),
    ("errors.json", "(raw):no-params", "text"),
    ("errors.json", "(raw):untyped-string", "text"),
    ("one.system.version.json", "ok", "text"),
    ("one.clusterpool.info.json", "fresh", "elements"),
    ("one.group.json", "one.group.allocate ok", "text"),
    ("one.group.json", "one.group.allocate duplicate-name", "text"),
    ("one.group.json", "one.group.info ok", "elements"),
    ("one.group.json", "one.grouppool.info ok", "elements"),
    ("one.user.allocate.json", "core-two-groups", "text"),
    ("one.user.allocate.json", "core-default-group", "text"),
    ("one.user.allocate.json", "ldap-two-groups", "text"),
    ("one.user.allocate.json", "three-params-no-groups-array", "kinds"),
    ("one.user.allocate.json", "duplicate-name", "text"),
    ("one.user.allocate.json", "colon-in-name", "text"),
    ("one.user.allocate.json", "empty-password", "text"),
    ("one.user.allocate.json", "not-authorised", "text"),
    ("one.user.info.json", "self", "elements"),
    ("one.user.info.json", "ldap-user", "elements"),
    ("one.user.info.json", "not-authorised", "text"),
    ("one.user.info.json", "missing", "text"),
    ("one.userpool.info.json", "as-plain-user", "elements"),
    ("one.host.allocate.json", "ok", "text"),
    ("one.host.allocate.json", "duplicate-name", "text"),
    ("one.host.allocate.json", "default-cluster", "text"),
    ("one.host.allocate.json", "empty-name", "text"),
    ("one.host.allocate.json", "missing-cluster", "text"),
    ("one.host.allocate.json", "not-authorised", "text"),
    ("one.host.info.json", "just-created", "elements"),
    ("one.hostpool.info.json", "as-plain-user", "text"),
    ("one.cluster.json", "one.cluster.allocate ok", "text"),
    ("one.vn.allocate.json", "ip4-range-250", "text"),
    ("one.vn.info.json", "ip4-range-250-ready", "elements"),
    ("one.vn.allocate.json", "single-address-ars-with-macs", "text"),
    ("one.vn.allocate.json", "old-RANGED-no-VN_MAD", "text"),
    ("one.vn.allocate.json", "no-name", "text"),
    ("one.vn.allocate.json", "dummy-without-bridge", "text"),
    ("one.vn.allocate.json", "8021q-without-phydev", "text"),
    ("one.vn.allocate.json", "duplicate-name", "text"),
    ("one.vn.allocate.json", "not-authorised", "text"),
    ("one.vn.misc.json", "hold:ok", "text"),
    ("one.vn.misc.json", "hold:already-held", "text"),
    ("one.vn.misc.json", "release:ok", "text"),
    ("one.vn.misc.json", "delete:missing", "text"),
    ("one.datastore.json", "one.datastore.info default", "elements"),
    ("one.datastore.json", "one.datastore.allocate ok", "text"),
    ("one.datastore.json", "one.datastore.allocate no-DS_MAD", "text"),
    ("one.datastore.json", "one.datastore.allocate unknown-TM_MAD", "text"),
    ("one.image.allocate.json", "from-http", "text"),
    ("one.image.info.json", "locked-while-copying", "elements"),
    ("one.image.allocate.json", "datablock-without-size", "text"),
    ("one.image.allocate.json", "missing-datastore", "text"),
    ("one.market.allocate.json", "one-driver", "text"),
    ("one.market.allocate.json", "unknown-driver", "text"),
    ("one.market.allocate.json", "no-driver", "text"),
    ("one.market.info.json", "before-first-monitor", "elements"),
    ("one.market.info.json", "missing", "text"),
    ("one.template.allocate.json", "ok", "text"),
    ("one.template.allocate.json", "duplicate-name", "text"),
    ("one.template.allocate.json", "xml", "text"),
    ("one.template.info.json", "plain", "elements"),
    ("one.template.instantiate.json", "missing-template", "text"),
    ("one.vm.allocate.json", "no-memory", "text"),
    ("one.vm.allocate.json", "missing-image", "text"),
    ("one.vm.action.json", "missing-vm", "text"),
];

#[tokio::test]
async fn the_stand_in_answers_in_the_form_of_the_real_oned() {
    let bench = Bench::simulated().await;
    let client = bench.client();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings/oned");
    let recorded = exchanges(&folder);
    let http = reqwest::Client::new();
    let mut problems = Vec::new();
    for (file, case, what) in SCRIPT {
        let exchange = find(&recorded, file, case);
        let name = format!("{file} {case}");
        let request = exchange.request.clone().unwrap();
        let answer = http.post(&bench.url).body(request).send().await.unwrap();
        assert_eq!(answer.headers()["connection"], "close");
        assert_eq!(answer.headers()["content-type"], "text/xml; charset=utf-8");
        let text = answer.text().await.unwrap();
        assert!(text.contains("\r\n") == exchange.response.contains("\r\n"), "{name}");
        if let Err(problem) = compare(&exchange.response, &text, what) {
            problems.push(format!("{name}: {problem}"));
        }
        if *case == "ip4-range-250" {
            let id = stratus_opennebula::NetworkId(0);
            client.wait_network_ready(id, PATIENCE).await.unwrap();
        }
        if *case == "single-address-ars-with-macs" {
            let id = stratus_opennebula::NetworkId(1);
            client.wait_network_ready(id, PATIENCE).await.unwrap();
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

fn find<'a>(recorded: &'a [Exchange], file: &str, case: &str) -> &'a Exchange {
    let matches = |e: &&Exchange| {
        e.file == file
            && (e.case == case
                || format!("{} {}", e.method, e.case) == case
                || format!("{}:{}", e.method.rsplit('.').next().unwrap_or_default(), e.case)
                    == case
                || format!("(raw):{}", e.case) == case && e.method == "(raw)"
                || case.strip_suffix(&e.case).is_some_and(|rest| rest == "method:"))
    };
    recorded.iter().find(matches).unwrap_or_else(|| panic!("no recording {file} {case}"))
}

/// The tags of the envelope, which tell the kinds of values.
fn envelope(text: &str) -> Vec<String> {
    let document = Document::parse(text).unwrap();
    document.descendants().filter(Node::is_element).map(|n| n.tag_name().name().into()).collect()
}

fn compare(real: &str, ours: &str, what: &str) -> Result<(), String> {
    if envelope(real) != envelope(ours) {
        return Err(format!("the envelopes differ: {real} {ours}"));
    }
    let read = |text: &str| read_response(text.as_bytes()).unwrap();
    match (read(real), read(ours)) {
        (Response::Fault { code: a, message: x }, Response::Fault { code: b, message: y }) => {
            if a != b || (what == "text" && x != y) {
                return Err(format!("{a} {x} / {b} {y}"));
            }
        }
        (Response::Value(Value::Array(a)), Response::Value(Value::Array(b))) => {
            // Of a failure: flag, code and object; of a success: the flag.
            let numbers = |items: &[Value]| (items[0].clone(), items.get(2..).map(<[_]>::to_vec));
            if numbers(&a) != numbers(&b) {
                return Err(format!("{a:?} / {b:?}"));
            }
            if what == "text" && a[1] != b[1] {
                return Err(format!("{:?} / {:?}", a[1], b[1]));
            }
            if what == "elements" {
                let elements = |items: &[Value]| shape(items[1].as_text().unwrap());
                let (a, b) = (elements(&a), elements(&b));
                if a != b {
                    return Err(format!("{a:?} / {b:?}"));
                }
            }
        }
        (a, b) => return Err(format!("{a:?} / {b:?}")),
    }
    Ok(())
}

/// The elements of each kind of object, in order: what is repeated counts once, and what is in
/// templates, monitoring and lists is not looked at.
fn shape(text: &str) -> Vec<String> {
    let document = Document::parse(text).unwrap();
    let mut all = Vec::new();
    walk(document.root_element(), "", &mut all);
    all
}

fn walk(node: Node<'_, '_>, path: &str, all: &mut Vec<String>) {
    let name = node.tag_name().name();
    let path = format!("{path}/{name}");
    if !all.contains(&path) {
        all.push(path.clone());
    }
    let open = [
        "TEMPLATE",
        "LOGIN_TOKEN",
        "PCI_DEVICES",
        "NUMA_NODES",
        "DATASTORES",
        "VNETS",
        "USERS",
        "HOSTS",
        "IMAGES",
        "VMS",
        "MARKETPLACEAPPS",
    ];
    if name == "LOGIN_TOKEN" {
        all.pop();
    }
    if !open.contains(&name) {
        node.children().filter(Node::is_element).for_each(|child| walk(child, &path, all));
    }
}
