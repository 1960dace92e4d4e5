//! What the cloud answers to a call.

use super::render::{
    datastores_xml, hosts_xml, images_xml, machine_xml, networks_xml, pool_of, users_xml,
};
use super::{CloudMachine, Content, Mood, Shared};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use stratus_opennebula::xmlrpc::{MethodCall, Value, read_call, write_response};

pub(super) fn answer(body: &[u8], shared: &Shared, mood: Mood) -> String {
    let Ok(call) = read_call(body) else { return "not a call".to_owned() };
    if call.method == "one.hostpool.info" {
        shared.looks.fetch_add(1, Ordering::SeqCst);
    }
    if mood == Mood::Refused {
        let text = format!("[{}] User couldn't be authenticated, aborting call.", call.method);
        let refused = vec![
            Value::Boolean(false),
            Value::Text(text),
            Value::Integer(0x100),
            Value::Integer(-1),
            Value::Integer(-1),
        ];
        return write_response(&Value::Array(refused));
    }
    let content = shared.content.lock().unwrap_or_else(PoisonError::into_inner);
    let text = pool(&call, &content, mood == Mood::Empty);
    drop(content);
    let text = text.unwrap_or_else(|| {
        shared.refused.fetch_add(1, Ordering::SeqCst);
        String::new()
    });
    write_response(&Value::Array(vec![Value::Boolean(true), Value::Text(text), Value::Integer(0)]))
}

fn pool(call: &MethodCall, content: &Content, empty: bool) -> Option<String> {
    let (hosts, machines) =
        if empty { (&[][..], &[][..]) } else { (&content.hosts[..], &content.machines[..]) };
    let odd = content.odd.as_deref();
    let number = |n: usize| match call.parameters.get(n) {
        Some(Value::Integer(number)) => *number,
        _ => -1,
    };
    Some(match call.method.as_str() {
        "one.hostpool.info" => hosts_xml(hosts, machines, odd),
        "one.vmpool.info" => {
            let page = page(machines, number(2), number(3));
            pool_of("VM_POOL", page.iter().map(|m| machine_xml(m, false)))
        }
        "one.vmpool.infoset" => {
            let ids = call.parameters.get(1).and_then(Value::as_text).unwrap_or_default();
            let ids: Vec<i32> = ids.split(',').filter_map(|id| id.parse().ok()).collect();
            let wanted = machines.iter().filter(|m| ids.contains(&m.id));
            pool_of("VM_POOL", wanted.map(|m| machine_xml(m, true)))
        }
        "one.vnpool.info" => pool_of("VNET_POOL", networks_xml(machines, odd).into_iter()),
        "one.datastorepool.info" => pool_of("DATASTORE_POOL", datastores_xml(odd).into_iter()),
        "one.imagepool.info" => pool_of("IMAGE_POOL", images_xml(odd).into_iter()),
        "one.userpool.info" => pool_of("USER_POOL", users_xml(odd).into_iter()),
        _ => return None,
    })
}

/// Newest first, by range or by offset and a negative size below -1, as oned does it.
fn page(machines: &[CloudMachine], first: i64, last: i64) -> Vec<&CloudMachine> {
    let newest = machines.iter().rev();
    if last < -1 {
        let skip = usize::try_from(first).unwrap_or(0);
        return newest.skip(skip).take(usize::try_from(-last).unwrap_or(0)).collect();
    }
    let within = |m: &&CloudMachine| {
        let id = i64::from(m.id);
        (first < 0 || id >= first) && (last < 0 || id <= last)
    };
    newest.filter(within).collect()
}
