//! Records to rows and back.

use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};

use crate::record::{MachineKey, Owner, Record, Sizes, Times};

/// The columns of a record, in the order that [`numbers`] and [`texts`] have them.
pub(super) const COLUMNS: &str = "vm, born, seq, uid, gid, cpu_milli, vcpu, memory_mib, disk_mib, \
    nics, public_ips, stime, etime, pstime, petime, rstime, retime, estime, eetime, action, off, \
    name, user, grp, host, image";

/// Everything of a record that is a number.
pub(super) fn numbers(r: &Record) -> [i64; 21] {
    let (s, t) = (&r.sizes, &r.times);
    [
        r.machine.id,
        r.machine.born,
        r.sequence,
        r.owner.user_id,
        r.owner.group_id,
        s.cpu_milli,
        s.vcpu,
        s.memory_mib,
        s.disk_mib,
        s.nics,
        s.public_ips,
        t.start,
        t.end,
        t.prolog_start,
        t.prolog_end,
        t.running_start,
        t.running_end,
        t.epilog_start,
        t.epilog_end,
        r.action,
        i64::from(r.off),
    ]
}

/// Everything of a record that is a text.
pub(super) fn texts(r: &Record) -> [&str; 5] {
    [&r.name, &r.owner.user, &r.owner.group, &r.host, &r.image]
}

/// A number that tells versions of one record apart.
pub(super) fn digest(record: &Record) -> i64 {
    let mut hash = Sha256::new();
    for number in numbers(record) {
        hash.update(number.to_be_bytes());
    }
    for text in texts(record) {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    first_eight(&hash.finalize())
}

/// The first eight bytes of a digest as a number.
pub(super) fn first_eight(digest: &[u8]) -> i64 {
    digest.iter().take(8).fold(0, |number, byte| (number << 8) | i64::from(*byte))
}

impl FromRow<'_, SqliteRow> for Record {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let n = |name| row.try_get::<i64, _>(name);
        let text = |name| row.try_get::<String, _>(name);
        Ok(Self {
            machine: MachineKey { id: n("vm")?, born: n("born")? },
            sequence: n("seq")?,
            name: text("name")?,
            owner: Owner {
                user_id: n("uid")?,
                user: text("user")?,
                group_id: n("gid")?,
                group: text("grp")?,
            },
            host: text("host")?,
            image: text("image")?,
            sizes: Sizes {
                cpu_milli: n("cpu_milli")?,
                vcpu: n("vcpu")?,
                memory_mib: n("memory_mib")?,
                disk_mib: n("disk_mib")?,
                nics: n("nics")?,
                public_ips: n("public_ips")?,
            },
            times: Times {
                start: n("stime")?,
                end: n("etime")?,
                prolog_start: n("pstime")?,
                prolog_end: n("petime")?,
                running_start: n("rstime")?,
                running_end: n("retime")?,
                epilog_start: n("estime")?,
                epilog_end: n("eetime")?,
            },
            action: n("action")?,
            off: n("off")? != 0,
        })
    }
}
