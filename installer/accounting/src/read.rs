//! oned's answers as records: a stream of elements, one record in memory at a time.
//!
//! Read are `one.vmpool.accounting` (HISTORY_RECORDS: each record with the machine as it was then)
//! and `one.vmpool.infoextended` (VM_POOL: each machine with its last record). Whatever else is in
//! them is passed over unread.

use std::net::IpAddr;

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::record::{MachineKey, Owner, Record, Sizes, Times};

/// How deep elements may nest. oned needs 6.
const MAX_DEPTH: usize = 32;
/// Bytes of one value that is read. oned's names have 128 characters at most.
const MAX_TEXT: usize = 8 * 1024;
/// Records of one machine in a pool's page.
const MAX_STAYS: usize = 10_000;

/// Why an answer is not what it should be. It never repeats the answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Not well-formed XML, a document type, or an end too early.
    #[error("the answer is not well-formed XML (byte {0})")]
    NotXml(u64),
    /// Another root element.
    #[error("the answer is neither `<HISTORY_RECORDS>` nor `<VM_POOL>`")]
    Root,
    /// Nested too deep, a value too long, or too many records of one machine.
    #[error("the answer is beyond what oned can mean (byte {0})")]
    TooMuch(u64),
    /// A value that is missing or no value.
    #[error("`<{element}>` of VM {machine}, record {sequence}, is missing or no valid value")]
    Invalid {
        /// The element.
        element: &'static str,
        /// The machine, or -1.
        machine: i64,
        /// The record, or -1.
        sequence: i64,
    },
}

/// Reads an answer and gives each record to `take`. Returns how many there were.
pub fn read_records(text: &str, take: &mut dyn FnMut(Record)) -> Result<u64, ReadError> {
    let mut source = Source { reader: Reader::from_str(text), pending: false };
    let wanted = match source.next()? {
        Token::Open(Tag::HistoryRecords) => Tag::History,
        Token::Open(Tag::VmPool) => Tag::Vm,
        _ => return Err(ReadError::Root),
    };
    let mut count = 0;
    let mut emit = |record| {
        count += 1;
        take(record);
    };
    loop {
        match source.next()? {
            Token::Open(Tag::History) if wanted == Tag::History => {
                let (stay, body) = source.history()?;
                emit(body.unwrap_or_default().with(&stay)?);
            }
            Token::Open(Tag::Vm) if wanted == Tag::Vm => {
                let (body, stays) = source.machine()?;
                for stay in stays {
                    emit(body.with(&stay)?);
                }
            }
            Token::Open(_) => source.skip()?,
            Token::Text(_) => {}
            Token::Close => break,
        }
    }
    Ok(count)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tag {
    HistoryRecords,
    History,
    VmPool,
    Vm,
    Template,
    Disk,
    Nic,
    Leaf(Field),
    Other,
}

/// Values that are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Oid,
    Seq,
    HostName,
    STime,
    ETime,
    PsTime,
    PeTime,
    RsTime,
    ReTime,
    EsTime,
    EeTime,
    Action,
    Id,
    Uid,
    Gid,
    UName,
    GName,
    Name,
    State,
    Cpu,
    VCpu,
    Memory,
    Size,
    Image,
    Ip,
}

impl Tag {
    fn of(name: &str) -> Self {
        use Field as F;
        match name {
            "HISTORY_RECORDS" => Self::HistoryRecords,
            "HISTORY" => Self::History,
            "VM_POOL" => Self::VmPool,
            "VM" => Self::Vm,
            "TEMPLATE" => Self::Template,
            "DISK" => Self::Disk,
            "NIC" => Self::Nic,
            "OID" => Self::Leaf(F::Oid),
            "SEQ" => Self::Leaf(F::Seq),
            "HOSTNAME" => Self::Leaf(F::HostName),
            "STIME" => Self::Leaf(F::STime),
            "ETIME" => Self::Leaf(F::ETime),
            "PSTIME" => Self::Leaf(F::PsTime),
            "PETIME" => Self::Leaf(F::PeTime),
            "RSTIME" => Self::Leaf(F::RsTime),
            "RETIME" => Self::Leaf(F::ReTime),
            "ESTIME" => Self::Leaf(F::EsTime),
            "EETIME" => Self::Leaf(F::EeTime),
            "ACTION" => Self::Leaf(F::Action),
            "ID" => Self::Leaf(F::Id),
            "UID" => Self::Leaf(F::Uid),
            "GID" => Self::Leaf(F::Gid),
            "UNAME" => Self::Leaf(F::UName),
            "GNAME" => Self::Leaf(F::GName),
            "NAME" => Self::Leaf(F::Name),
            "STATE" => Self::Leaf(F::State),
            "CPU" => Self::Leaf(F::Cpu),
            "VCPU" => Self::Leaf(F::VCpu),
            "MEMORY" => Self::Leaf(F::Memory),
            "SIZE" => Self::Leaf(F::Size),
            "IMAGE" => Self::Leaf(F::Image),
            "IP" | "IP6_GLOBAL" => Self::Leaf(F::Ip),
            _ => Self::Other,
        }
    }
}

enum Token {
    Open(Tag),
    Text(String),
    Close,
}

struct Source<'a> {
    reader: Reader<&'a [u8]>,
    /// An empty element was opened; its end is still to be told.
    pending: bool,
}

impl Source<'_> {
    fn place(&self) -> u64 {
        self.reader.buffer_position()
    }

    fn event(&mut self) -> Result<Event<'_>, ReadError> {
        let place = self.reader.buffer_position();
        match self.reader.read_event() {
            Ok(Event::DocType(_) | Event::Eof) | Err(_) => Err(ReadError::NotXml(place)),
            Ok(event) => Ok(event),
        }
    }

    fn next(&mut self) -> Result<Token, ReadError> {
        if std::mem::take(&mut self.pending) {
            return Ok(Token::Close);
        }
        loop {
            let place = self.place();
            let mut opened_empty = None;
            match self.event()? {
                Event::Start(start) => return Ok(Token::Open(Tag::of(start.name().as_ref()))),
                Event::End(_) => return Ok(Token::Close),
                Event::Empty(empty) => opened_empty = Some(Tag::of(empty.name().as_ref())),
                Event::Text(text) => return Ok(Token::Text(text.xml10_content().into_owned())),
                Event::CData(text) => return Ok(Token::Text(text.xml10_content().into_owned())),
                Event::GeneralRef(reference) => {
                    let not_xml = |_| ReadError::NotXml(place);
                    if let Some(c) = reference.resolve_char_ref().map_err(not_xml)? {
                        return Ok(Token::Text(c.to_string()));
                    }
                    let text = quick_xml::escape::resolve_predefined_entity(&reference)
                        .ok_or(ReadError::NotXml(place))?;
                    return Ok(Token::Text(text.to_owned()));
                }
                _ => {}
            }
            if let Some(tag) = opened_empty {
                self.pending = true;
                return Ok(Token::Open(tag));
            }
        }
    }

    /// Passes over the element that is open. Nothing of it is kept.
    fn skip(&mut self) -> Result<(), ReadError> {
        if std::mem::take(&mut self.pending) {
            return Ok(());
        }
        let mut depth = 1;
        while depth > 0 {
            match self.event()? {
                Event::Start(_) => depth += 1,
                Event::End(_) => depth -= 1,
                _ => {}
            }
            if depth > MAX_DEPTH {
                return Err(ReadError::TooMuch(self.place()));
            }
        }
        Ok(())
    }

    /// The text of the element that is open.
    fn text(&mut self) -> Result<String, ReadError> {
        let mut all = String::new();
        loop {
            match self.next()? {
                Token::Text(text) if all.is_empty() => all = text,
                Token::Text(text) => all.push_str(&text),
                Token::Open(_) => self.skip()?,
                Token::Close => return Ok(all),
            }
            if all.len() > MAX_TEXT {
                return Err(ReadError::TooMuch(self.place()));
            }
        }
    }

    /// A HISTORY element: the stay, and the machine inside it, if it is there.
    fn history(&mut self) -> Result<(Stay, Option<Body>), ReadError> {
        let (mut stay, mut body) = (Stay::default(), None);
        loop {
            match self.next()? {
                Token::Open(Tag::Vm) => body = Some(self.machine()?.0),
                Token::Open(Tag::Leaf(field)) => stay.set(field, self.text()?),
                Token::Open(_) => self.skip()?,
                Token::Text(_) => {}
                Token::Close => return Ok((stay, body)),
            }
        }
    }

    /// A VM element: the machine and its records.
    fn machine(&mut self) -> Result<(Body, Vec<Stay>), ReadError> {
        let (mut body, mut stays) = (Body::default(), Vec::new());
        loop {
            match self.next()? {
                Token::Open(Tag::Template) => self.template(&mut body)?,
                Token::Open(Tag::HistoryRecords) => self.stays(&mut stays)?,
                Token::Open(Tag::Leaf(field)) => body.set(field, self.text()?),
                Token::Open(_) => self.skip()?,
                Token::Text(_) => {}
                Token::Close => return Ok((body, stays)),
            }
        }
    }

    fn stays(&mut self, stays: &mut Vec<Stay>) -> Result<(), ReadError> {
        loop {
            match self.next()? {
                // Records do not nest: a machine inside of a record inside of a machine is passed.
                Token::Open(Tag::History) => stays.push(self.stay()?),
                Token::Open(_) => self.skip()?,
                Token::Text(_) => {}
                Token::Close => return Ok(()),
            }
            if stays.len() > MAX_STAYS {
                return Err(ReadError::TooMuch(self.place()));
            }
        }
    }

    fn stay(&mut self) -> Result<Stay, ReadError> {
        let mut stay = Stay::default();
        loop {
            match self.next()? {
                Token::Open(Tag::Leaf(field)) => stay.set(field, self.text()?),
                Token::Open(_) => self.skip()?,
                Token::Text(_) => {}
                Token::Close => return Ok(stay),
            }
        }
    }

    fn template(&mut self, body: &mut Body) -> Result<(), ReadError> {
        loop {
            match self.next()? {
                Token::Open(Tag::Disk) => self.vector(body, Tag::Disk)?,
                Token::Open(Tag::Nic) => {
                    body.nics += 1;
                    self.vector(body, Tag::Nic)?;
                }
                Token::Open(Tag::Leaf(field @ (Field::Cpu | Field::VCpu | Field::Memory))) => {
                    body.set(field, self.text()?);
                }
                Token::Open(_) => self.skip()?,
                Token::Text(_) => {}
                Token::Close => return Ok(()),
            }
        }
    }

    fn vector(&mut self, body: &mut Body, of: Tag) -> Result<(), ReadError> {
        let mut public = false;
        loop {
            match self.next()? {
                Token::Open(Tag::Leaf(Field::Size)) if of == Tag::Disk => {
                    body.disks.push(self.text()?);
                }
                Token::Open(Tag::Leaf(Field::Image)) if of == Tag::Disk => {
                    let image = self.text()?;
                    body.image.get_or_insert(image);
                }
                Token::Open(Tag::Leaf(Field::Ip)) if of == Tag::Nic => {
                    public |= self.text()?.parse().is_ok_and(is_public);
                }
                Token::Open(_) => self.skip()?,
                Token::Text(_) => {}
                Token::Close => break,
            }
        }
        body.public_ips += i64::from(public);
        Ok(())
    }
}

/// Whether the world can reach an address: none of the ranges that RFC 6890 keeps for others.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            let kept = ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_documentation()
                || ip.is_unspecified()
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (b == 18 || b == 19))
                || a >= 224;
            !kept
        }
        // 2000::/3 without the documentation's 2001:db8::/32.
        IpAddr::V6(ip) => {
            let [first, second, ..] = ip.segments();
            first & 0xe000 == 0x2000 && (first, second) != (0x2001, 0x0db8)
        }
    }
}

/// Values of a HISTORY element as text.
#[derive(Default)]
struct Stay {
    machine: String,
    sequence: String,
    host: String,
    action: String,
    times: [String; 8],
}

impl Stay {
    fn set(&mut self, field: Field, text: String) {
        let place = match field {
            Field::Oid => &mut self.machine,
            Field::Seq => &mut self.sequence,
            Field::HostName => &mut self.host,
            Field::Action => &mut self.action,
            Field::STime => &mut self.times[0],
            Field::ETime => &mut self.times[1],
            Field::PsTime => &mut self.times[2],
            Field::PeTime => &mut self.times[3],
            Field::RsTime => &mut self.times[4],
            Field::ReTime => &mut self.times[5],
            Field::EsTime => &mut self.times[6],
            Field::EeTime => &mut self.times[7],
            _ => return,
        };
        *place = text;
    }
}

/// Values of a VM element as text.
#[derive(Default)]
struct Body {
    id: String,
    born: String,
    name: String,
    owner: [String; 4],
    state: String,
    cpu: String,
    vcpu: String,
    memory: String,
    disks: Vec<String>,
    image: Option<String>,
    nics: i64,
    public_ips: i64,
}

impl Body {
    fn set(&mut self, field: Field, text: String) {
        let place = match field {
            Field::Id => &mut self.id,
            Field::STime => &mut self.born,
            Field::Name => &mut self.name,
            Field::Uid => &mut self.owner[0],
            Field::UName => &mut self.owner[1],
            Field::Gid => &mut self.owner[2],
            Field::GName => &mut self.owner[3],
            Field::State => &mut self.state,
            Field::Cpu => &mut self.cpu,
            Field::VCpu => &mut self.vcpu,
            Field::Memory => &mut self.memory,
            _ => return,
        };
        *place = text;
    }

    fn with(&self, stay: &Stay) -> Result<Record, ReadError> {
        let id = if stay.machine.is_empty() { &self.id } else { &stay.machine };
        let machine = natural(id).unwrap_or(-1);
        let sequence = natural(&stay.sequence).unwrap_or(-1);
        let need = |element, value: Option<i64>| {
            value.ok_or(ReadError::Invalid { element, machine, sequence })
        };
        let need_text = |element, text: &str| need(element, natural(text));
        let time = |element, place: usize| match stay.times[place].trim() {
            // oned leaves out nothing, but a time that is not known yet may be empty or -1.
            "" | "-1" => Ok(0),
            text => need(element, natural(text)),
        };
        let disks = self.disks.iter().map(|d| need_text("SIZE", d));
        let disk_mib = disks.sum::<Result<i64, _>>()?;
        Ok(Record {
            machine: MachineKey {
                id: need("OID", Some(machine).filter(|id| *id >= 0))?,
                born: need_text("STIME", &self.born)?,
            },
            sequence: need("SEQ", Some(sequence).filter(|s| *s >= 0))?,
            name: self.name.clone(),
            owner: Owner {
                user_id: need_text("UID", &self.owner[0])?,
                user: self.owner[1].clone(),
                group_id: need_text("GID", &self.owner[2])?,
                group: self.owner[3].clone(),
            },
            host: stay.host.clone(),
            image: self.image.clone().unwrap_or_default(),
            sizes: Sizes {
                cpu_milli: need("CPU", milli(&self.cpu))?,
                vcpu: if self.vcpu.is_empty() { 1 } else { need_text("VCPU", &self.vcpu)? },
                memory_mib: need_text("MEMORY", &self.memory)?,
                disk_mib,
                nics: self.nics,
                public_ips: self.public_ips,
            },
            times: Times {
                start: time("STIME", 0)?,
                end: time("ETIME", 1)?,
                prolog_start: time("PSTIME", 2)?,
                prolog_end: time("PETIME", 3)?,
                running_start: time("RSTIME", 4)?,
                running_end: time("RETIME", 5)?,
                epilog_start: time("ESTIME", 6)?,
                epilog_end: time("EETIME", 7)?,
            },
            action: need_text("ACTION", &stay.action)?,
            // POWEROFF
            off: self.state.trim() == "8",
        })
    }
}

/// A number from 0 to 2^40: enough for seconds until the year 36,000 and for a PiB in MiB, and
/// sums of many never overflow.
fn natural(text: &str) -> Option<i64> {
    text.trim().parse().ok().filter(|n| (0..=1 << 40).contains(n))
}

/// A decimal number in thousandths, rounded; at most 100,000 of what it counts.
fn milli(text: &str) -> Option<i64> {
    let text = text.trim();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() && part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let whole: i64 = if whole.is_empty() { 0 } else { natural(whole)? };
    let digits: String = part.chars().chain("0000".chars()).take(4).collect();
    let part = (digits.parse::<i64>().ok()? + 5) / 10;
    (whole <= 100_000).then_some(whole * 1000 + part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_cores_are_read_exactly() {
        for (text, expected) in [
            ("1", Some(1000)),
            ("0.5", Some(500)),
            (".25", Some(250)),
            ("2.", Some(2000)),
            ("0.1236", Some(124)),
            ("1e3", None),
            ("-1", None),
            ("", None),
            (".", None),
            ("0.5x", None),
            ("100001", None),
        ] {
            assert_eq!(milli(text), expected, "{text}");
        }
    }

    #[test]
    fn only_addresses_that_the_world_reaches_are_public() {
        for (address, expected) in [
            ("10.0.0.1", false),
            ("100.64.0.1", false),
            ("192.0.2.10", false),
            ("147.213.80.5", true),
            ("fd00::1", false),
            ("2001:db8::1", false),
            ("2a00:1450::5", true),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
        }
    }
}
