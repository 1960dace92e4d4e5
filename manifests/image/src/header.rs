//! The header of a gzip member, RFC 1952 section 2.3, read byte by byte.

use crate::member::{self, Lengths};
use flate2::Crc;

/// Longest name plus comment that is believed. RFC 1952 sets no limit; without one, a header could
/// go on for ever.
const TEXT_LIMIT: usize = 64 * 1024;

const FHCRC: u8 = 1 << 1;
const FEXTRA: u8 = 1 << 2;
const FNAME: u8 = 1 << 3;
const FCOMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0b1110_0000;

/// What a header can have wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderError {
    /// It does not begin with 1f 8b.
    Magic,
    /// It begins so, and then breaks a rule.
    Rule(&'static str),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Field {
    /// The ten bytes that every header has.
    #[default]
    Fixed,
    ExtraLength,
    Extra,
    Name,
    Comment,
    Crc,
    Done,
}

/// A header being read.
#[derive(Debug, Default)]
pub(crate) struct Header {
    field: Field,
    /// Bytes of the current field; not kept for name and comment.
    bytes: Vec<u8>,
    flags: u8,
    extra_length: usize,
    text: usize,
    touched: bool,
    crc: Crc,
    lengths: Option<Lengths>,
}

impl Header {
    /// Whether not even the first byte was taken.
    pub(crate) fn is_untouched(&self) -> bool {
        !self.touched
    }

    /// The lengths that the member states of itself, after the end of the header.
    pub(crate) fn lengths(&self) -> Option<Lengths> {
        self.lengths
    }

    /// Takes header bytes from the front of `input`: how many, and whether the header is complete.
    pub(crate) fn take(&mut self, input: &[u8]) -> Result<(usize, bool), HeaderError> {
        for (index, byte) in input.iter().enumerate() {
            self.touched = true;
            self.byte(*byte)?;
            if self.field == Field::Done {
                return Ok((index + 1, true));
            }
        }
        Ok((input.len(), false))
    }

    fn byte(&mut self, byte: u8) -> Result<(), HeaderError> {
        if self.field != Field::Crc {
            self.crc.update(&[byte]);
        }
        match self.field {
            Field::Name | Field::Comment => self.text_byte(byte),
            Field::Done => Ok(()),
            Field::Fixed | Field::ExtraLength | Field::Extra | Field::Crc => {
                self.bytes.push(byte);
                self.check()
            }
        }
    }

    fn text_byte(&mut self, byte: u8) -> Result<(), HeaderError> {
        self.text += 1;
        if self.text > TEXT_LIMIT {
            return Err(HeaderError::Rule("the name and comment in its header are too long"));
        }
        if byte == 0 {
            self.next();
        }
        Ok(())
    }

    /// Judges the bytes of the current field as soon as they suffice.
    fn check(&mut self) -> Result<(), HeaderError> {
        match (self.field, self.bytes.as_slice()) {
            (Field::Fixed, fixed) => return self.check_fixed(fixed.len()),
            (Field::ExtraLength, [low, high]) => {
                self.extra_length = usize::from(u16::from_le_bytes([*low, *high]));
                self.next();
                if self.extra_length == 0 {
                    self.next();
                }
            }
            (Field::Extra, extra) if extra.len() == self.extra_length => {
                self.lengths = member::find(extra);
                self.next();
            }
            (Field::Crc, [low, high]) => {
                // The two least significant bytes of the CRC-32 of all header bytes before.
                let [first, second, ..] = self.crc.sum().to_le_bytes();
                if [*low, *high] != [first, second] {
                    return Err(HeaderError::Rule("the CRC of its header does not match"));
                }
                self.next();
            }
            _ => {}
        }
        Ok(())
    }

    fn check_fixed(&mut self, have: usize) -> Result<(), HeaderError> {
        let latest = self.bytes[have - 1];
        match have {
            1 if latest != 0x1f => Err(HeaderError::Magic),
            2 if latest != 0x8b => Err(HeaderError::Magic),
            3 if latest != 8 => Err(HeaderError::Rule("its compression method is not deflate")),
            4 if latest & RESERVED != 0 => {
                Err(HeaderError::Rule("reserved flags are set in its header"))
            }
            4 => {
                self.flags = latest;
                Ok(())
            }
            10 => {
                self.next();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Goes on to the next field that the flags announce.
    fn next(&mut self) {
        self.bytes.clear();
        let flags = self.flags;
        let announced = |flag: u8| flags & flag != 0;
        self.field = match self.field {
            Field::Fixed if announced(FEXTRA) => Field::ExtraLength,
            Field::ExtraLength => Field::Extra,
            Field::Fixed | Field::Extra if announced(FNAME) => Field::Name,
            Field::Fixed | Field::Extra | Field::Name if announced(FCOMMENT) => Field::Comment,
            Field::Fixed | Field::Extra | Field::Name | Field::Comment if announced(FHCRC) => {
                Field::Crc
            }
            _ => Field::Done,
        };
    }
}
