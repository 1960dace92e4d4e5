//! gzip (RFC 1952) decoded piece by piece, strictly.
//!
//! The decoder owns no thread and no file: bytes go in, bytes come out, and every rule of the format
//! is checked on the way. What `gzip -t` only warns about (bytes after the last member, zero
//! padding) is an error here, because a repository must serve exactly one meaning of a file.
//!
//! A member may carry the extra subfield of [`crate::member`] with its own lengths. If it does, they
//! are checked, so that a reader which jumps from member to member by them and a reader which
//! inflates everything never see different content.

use crate::header::Header;
use crate::member::Lengths;
use crate::{Form, ImageError, sniff};
use flate2::{Crc, Decompress, FlushDecompress, Status};

#[derive(Debug)]
enum Phase {
    Header(Box<Header>),
    Body,
    Trailer { bytes: [u8; 8], have: usize },
}

/// How much one call took and gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) taken: usize,
    pub(crate) given: usize,
}

/// A decoder for one gzip file of any number of members.
#[derive(Debug)]
pub(crate) struct Gunzip {
    phase: Phase,
    inflate: Decompress,
    crc: Crc,
    limit: u64,
    taken: u64,
    given: u64,
    members: u64,
    member: Member,
}

/// The member being decoded: where it and its content began, and what it says of itself.
#[derive(Clone, Copy, Debug, Default)]
struct Member {
    starts_at: u64,
    content_at: u64,
    lengths: Option<Lengths>,
}

impl Gunzip {
    /// A decoder that stops when the content grows beyond `limit` bytes.
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            phase: Phase::Header(Box::default()),
            inflate: Decompress::new(false),
            crc: Crc::new(),
            limit,
            taken: 0,
            given: 0,
            members: 0,
            member: Member::default(),
        }
    }

    /// A decoder for the rest of a file, whose first `taken` bytes were `members` whole members with
    /// `given` bytes of content.
    pub(crate) fn resume(limit: u64, taken: u64, given: u64, members: u64) -> Self {
        Self { taken, given, members, ..Self::new(limit) }
    }

    /// Decodes until `input` is used up or `output` is full.
    pub(crate) fn decode(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, ImageError> {
        let mut step = Step { taken: 0, given: 0 };
        while step.taken < input.len() {
            let rest = &input[step.taken..];
            match self.phase {
                Phase::Header(_) => step.taken += self.header(rest)?,
                Phase::Trailer { .. } => step.taken += self.trailer(rest)?,
                Phase::Body => {
                    if step.given == output.len() {
                        break;
                    }
                    let body = self.body(rest, &mut output[step.given..])?;
                    step.taken += body.taken;
                    step.given += body.given;
                }
            }
        }
        Ok(step)
    }

    /// The file ended here. Gives the number of members.
    pub(crate) fn finish(&self) -> Result<u64, ImageError> {
        let between = matches!(&self.phase, Phase::Header(header) if header.is_untouched());
        if self.taken == 0 {
            Err(ImageError::Empty(Form::Compressed))
        } else if !between {
            Err(ImageError::Truncated { at: self.taken })
        } else if self.given == 0 {
            Err(ImageError::Empty(Form::Content))
        } else {
            Ok(self.members)
        }
    }

    fn corrupt(&self, what: &'static str) -> ImageError {
        ImageError::Corrupt { member: self.members + 1, offset: self.taken, what }
    }

    fn header(&mut self, input: &[u8]) -> Result<usize, ImageError> {
        let Phase::Header(header) = &mut self.phase else { return Ok(0) };
        let fresh = header.is_untouched();
        let result = header.take(input);
        if fresh {
            self.member.starts_at = self.taken;
        }
        match result {
            Ok((taken, done)) => {
                self.taken += taken as u64;
                if done {
                    self.member.lengths = header.lengths();
                    self.member.content_at = self.given;
                    self.phase = Phase::Body;
                }
                Ok(taken)
            }
            Err(crate::header::HeaderError::Magic) => Err(self.no_member(fresh, input)),
            Err(crate::header::HeaderError::Rule(what)) => Err(self.corrupt(what)),
        }
    }

    /// What stands where a member should begin.
    fn no_member(&self, fresh: bool, input: &[u8]) -> ImageError {
        let at = self.member.starts_at;
        if self.members == 0 {
            let found = fresh.then(|| sniff::foreign_file(input)).flatten();
            ImageError::NotGzip { found }
        } else if fresh && input.first() == Some(&0) {
            ImageError::Padded { at }
        } else {
            ImageError::TrailingGarbage { at }
        }
    }

    fn body(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, ImageError> {
        let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self
            .inflate
            .decompress(input, output, FlushDecompress::None)
            .map_err(|_| self.corrupt("the compressed data break RFC 1951"))?;
        let count = |now: u64, before: u64| usize::try_from(now - before).unwrap_or(usize::MAX);
        let step = Step {
            taken: count(self.inflate.total_in(), before_in),
            given: count(self.inflate.total_out(), before_out),
        };
        self.taken += step.taken as u64;
        self.given += step.given as u64;
        if self.given > self.limit {
            return Err(ImageError::TooLarge { form: Form::Content, limit: self.limit });
        }
        self.crc.update(&output[..step.given]);
        if status == Status::StreamEnd {
            self.phase = Phase::Trailer { bytes: [0; 8], have: 0 };
        } else if step.taken == 0 && step.given == 0 {
            return Err(self.corrupt("the compressed data make no progress"));
        }
        Ok(step)
    }

    fn trailer(&mut self, input: &[u8]) -> Result<usize, ImageError> {
        let Phase::Trailer { bytes, have } = &mut self.phase else { return Ok(0) };
        let count = input.len().min(8 - *have);
        bytes[*have..*have + count].copy_from_slice(&input[..count]);
        *have += count;
        self.taken += count as u64;
        if *have == 8 {
            let [c0, c1, c2, c3, l0, l1, l2, l3] = *bytes;
            let crc = u32::from_le_bytes([c0, c1, c2, c3]);
            let length = u32::from_le_bytes([l0, l1, l2, l3]);
            self.end_of_member(crc, length)?;
        }
        Ok(count)
    }

    fn end_of_member(&mut self, crc: u32, length: u32) -> Result<(), ImageError> {
        let content = self.given - self.member.content_at;
        if crc != self.crc.sum() {
            return Err(ImageError::BadCrc { member: self.members + 1, offset: self.taken });
        }
        // RFC 1952: ISIZE is the length modulo 2^32.
        if u64::from(length) != content & 0xffff_ffff {
            return Err(self.corrupt("the length in its trailer is not that of its content"));
        }
        let found = (self.taken - self.member.starts_at, content);
        if self.member.lengths.is_some_and(|stated| stated.as_u64() != found) {
            return Err(self.corrupt("its extra field states other lengths than it has"));
        }
        self.members += 1;
        self.crc.reset();
        self.inflate.reset(false);
        self.phase = Phase::Header(Box::default());
        Ok(())
    }
}
