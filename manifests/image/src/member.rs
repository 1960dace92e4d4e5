//! The gzip members that Stratus writes.
//!
//! An image is cut into pieces of [`CONTENT`] bytes, and each becomes a gzip member of its own, so
//! that pieces are compressed and inflated on all cores. RFC 1952 section 2.2 allows any number of
//! members, and every gzip program reads them. To find the next member without inflating this one,
//! its header carries an extra field (RFC 1952 section 2.3.1.1) with one subfield:
//!
//! ```text
//!  offset  0..10  1f 8b 08 04, time 0 0 0 0, XFL, OS ff     (no name, no time: same bytes each time)
//!         10..12  XLEN = 12
//!         12..14  'S' 'T'
//!         14..16  LEN = 8
//!         16..20  length of the whole member, little endian
//!         20..24  length of its content, little endian
//!         24..    deflate data, CRC-32, ISIZE
//! ```
//!
//! The numbers come from strangers, so every reader here checks them against the member itself.

use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress, Status};

/// Bytes of the image in each member but the last.
pub(crate) const CONTENT: usize = 1 << 20;
/// Length of the header drawn above.
pub(crate) const HEADER: usize = 24;
const TRAILER: usize = 8;
/// The largest member that is read into memory as a whole.
const LARGEST: u32 = 2 << 20;

/// How hard to compress: 1 (fast) to 9 (small).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(u8);

impl Level {
    /// A level from 1 to 9; `None` for anything else.
    pub const fn new(level: u8) -> Option<Self> {
        if level >= 1 && level <= 9 { Some(Self(level)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for Level {
    /// 6, as `gzip` has it.
    fn default() -> Self {
        Self(6)
    }
}

/// What a member says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lengths {
    /// Header, data and trailer together.
    pub(crate) member: u32,
    pub(crate) content: u32,
}

impl Lengths {
    pub(crate) fn as_u64(self) -> (u64, u64) {
        (self.member.into(), self.content.into())
    }

    /// Whether the member can be taken into memory as a whole, and can be one at all.
    pub(crate) fn is_handy(self) -> bool {
        self.member as usize > HEADER + TRAILER
            && self.member <= LARGEST
            && self.content > 0
            && self.content as usize <= CONTENT
    }
}

/// The lengths in an extra field, if it has our subfield.
pub(crate) fn find(mut extra: &[u8]) -> Option<Lengths> {
    while let [first, second, low, high, rest @ ..] = extra {
        let length = usize::from(u16::from_le_bytes([*low, *high]));
        let (value, later) = rest.split_at_checked(length)?;
        if let (b"ST", [m0, m1, m2, m3, c0, c1, c2, c3]) = (&[*first, *second], value) {
            return Some(Lengths {
                member: u32::from_le_bytes([*m0, *m1, *m2, *m3]),
                content: u32::from_le_bytes([*c0, *c1, *c2, *c3]),
            });
        }
        extra = later;
    }
    None
}

/// The lengths in the first [`HEADER`] bytes of a member that looks exactly as Stratus writes it.
pub(crate) fn lengths_of(header: &[u8; HEADER]) -> Option<Lengths> {
    let ours = header[..4] == [0x1f, 0x8b, 8, 4] && header[10..12] == [12, 0];
    ours.then(|| find(&header[12..])).flatten().filter(|lengths| lengths.is_handy())
}

/// Makes members, one after the other.
#[derive(Debug)]
pub(crate) struct Encoder {
    deflate: Compress,
    level: Level,
    /// The member for a whole piece of zeros, which disk images are full of.
    zeros: Option<Vec<u8>>,
}

impl Encoder {
    pub(crate) fn new(level: Level) -> Self {
        let deflate = Compress::new(Compression::new(level.get().into()), false);
        Self { deflate, level, zeros: None }
    }

    /// The member that holds `content`, at most [`CONTENT`] bytes.
    pub(crate) fn encode(&mut self, content: &[u8]) -> Vec<u8> {
        if content.len() != CONTENT || !crate::sparse::is_zero(content) {
            return self.fresh(content);
        }
        if self.zeros.is_none() {
            self.zeros = Some(self.fresh(content));
        }
        self.zeros.clone().unwrap_or_default()
    }

    fn fresh(&mut self, content: &[u8]) -> Vec<u8> {
        let mut member = Vec::with_capacity(HEADER + content.len() + content.len() / 512 + 64);
        member.resize(HEADER, 0);
        self.deflate_into(content, &mut member);
        let mut crc = Crc::new();
        crc.update(content);
        let content_length = u32::try_from(content.len()).expect("a piece is at most 1 MiB");
        member.extend_from_slice(&crc.sum().to_le_bytes());
        member.extend_from_slice(&content_length.to_le_bytes());
        let member_length =
            u32::try_from(member.len()).expect("a member is little more than 1 MiB");
        let xfl = match self.level.get() {
            1 => 4,
            9 => 2,
            _ => 0,
        };
        member[..12].copy_from_slice(&[0x1f, 0x8b, 8, 4, 0, 0, 0, 0, xfl, 0xff, 12, 0]);
        member[12..16].copy_from_slice(&[b'S', b'T', 8, 0]);
        member[16..20].copy_from_slice(&member_length.to_le_bytes());
        member[20..24].copy_from_slice(&content_length.to_le_bytes());
        member
    }

    fn deflate_into(&mut self, content: &[u8], member: &mut Vec<u8>) {
        self.deflate.reset();
        loop {
            let taken = usize::try_from(self.deflate.total_in()).unwrap_or(usize::MAX);
            let status =
                self.deflate.compress_vec(&content[taken..], member, FlushCompress::Finish);
            match status.expect("deflate of bytes in memory has no error but a full buffer") {
                Status::StreamEnd => return,
                Status::Ok | Status::BufError => member.reserve(content.len() / 8 + 1024),
            }
        }
    }
}

/// Inflates members that lie in memory as a whole.
#[derive(Debug)]
pub(crate) struct Decoder {
    inflate: Decompress,
}

/// What a whole member can have wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MemberError {
    Crc,
    Rule(&'static str),
}

impl Decoder {
    pub(crate) fn new() -> Self {
        Self { inflate: Decompress::new(false) }
    }

    /// Inflates one member, whose header [`lengths_of`] knew, into the front of `output`.
    ///
    /// The member must fill its stated length exactly and hold exactly the stated content.
    pub(crate) fn decode(
        &mut self,
        member: &[u8],
        lengths: Lengths,
        output: &mut [u8],
    ) -> Result<usize, MemberError> {
        const WRONG: MemberError =
            MemberError::Rule("its extra field states other lengths than it has");
        let content = lengths.content as usize;
        let body = member.get(HEADER..).ok_or(WRONG)?;
        let (data, trailer) = body.split_last_chunk::<TRAILER>().ok_or(WRONG)?;
        let output = output.get_mut(..content).ok_or(WRONG)?;
        self.inflate.reset(false);
        let status = self
            .inflate
            .decompress(data, output, FlushDecompress::Finish)
            .map_err(|_| MemberError::Rule("the compressed data break RFC 1951"))?;
        let all = self.inflate.total_in() == data.len() as u64
            && self.inflate.total_out() == content as u64;
        if status != Status::StreamEnd || !all {
            return Err(WRONG);
        }
        let mut crc = Crc::new();
        crc.update(output);
        let [c0, c1, c2, c3, l0, l1, l2, l3] = *trailer;
        if u32::from_le_bytes([c0, c1, c2, c3]) != crc.sum() {
            return Err(MemberError::Crc);
        }
        if u32::from_le_bytes([l0, l1, l2, l3]) != lengths.content {
            return Err(MemberError::Rule("the length in its trailer is not that of its content"));
        }
        Ok(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(content: &[u8], level: u8) -> Vec<u8> {
        let member = Encoder::new(Level::new(level).unwrap()).encode(content);
        let lengths = lengths_of(member[..HEADER].try_into().unwrap()).unwrap();
        assert_eq!(lengths.as_u64(), (member.len() as u64, content.len() as u64));
        let mut output = vec![1; content.len() + 3];
        let length = Decoder::new().decode(&member, lengths, &mut output).unwrap();
        assert_eq!(&output[..length], content);
        member
    }

    proptest! {
        #[test]
        fn what_is_encoded_comes_back(
            content in proptest::collection::vec(any::<u8>(), 1..5000),
            level in 1u8..=9,
        ) {
            round_trip(&content, level);
        }
    }

    #[test]
    fn bytes_that_do_not_compress_still_fit() {
        let mut state = 1u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_le_bytes()[7]
        })
        .take(CONTENT)
        .collect();
        let member = round_trip(&noise, 6);
        assert!(member.len() < CONTENT + CONTENT / 1000);
    }

    #[test]
    fn an_encoder_gives_the_same_bytes_whatever_came_before() {
        let (zeros, text) = (vec![0; CONTENT], vec![b'a'; CONTENT]);
        let mut used = Encoder::new(Level::default());
        for content in [&text, &zeros, &text, &zeros, &zeros] {
            assert_eq!(used.encode(content), Encoder::new(Level::default()).encode(content));
        }
    }

    #[test]
    fn a_member_that_lies_about_itself_is_refused() {
        let content = vec![b'x'; 1000];
        let good = Encoder::new(Level::default()).encode(&content);
        let decode = |member: &[u8], lengths| {
            Decoder::new().decode(member, lengths, &mut vec![0; 2000]).unwrap_err()
        };
        let lengths = lengths_of(good[..HEADER].try_into().unwrap()).unwrap();
        for wrong in [999, 1001, 3000] {
            let lengths = Lengths { content: wrong, ..lengths };
            assert!(matches!(decode(&good, lengths), MemberError::Rule(_)), "{wrong}");
        }
        assert!(matches!(decode(&good[..good.len() - 1], lengths), MemberError::Rule(_)));
        let mut longer = good.clone();
        longer.insert(good.len() - 8, 0);
        assert!(matches!(decode(&longer, lengths), MemberError::Rule(_)));
        let mut crc = good.clone();
        crc[good.len() - 5] ^= 1;
        assert_eq!(decode(&crc, lengths), MemberError::Crc);
    }

    #[test]
    fn the_subfield_is_found_among_others_and_broken_fields_have_none() {
        let ours = b"ST\x08\x00\x01\x00\x00\x00\x02\x00\x00\x00";
        let lengths = Some(Lengths { member: 1, content: 2 });
        assert_eq!(find(ours), lengths);
        assert_eq!(find(&[b"BC\x02\x00zz", &ours[..]].concat()), lengths);
        for extra in
            [&b""[..], b"ST", b"ST\x08\x00\x01", b"ST\x04\x00\x01\x00\x00\x00", b"AB\xff\xff"]
        {
            assert_eq!(find(extra), None, "{extra:?}");
        }
    }

    #[test]
    fn levels_go_from_one_to_nine() {
        assert_eq!((Level::new(0), Level::new(10)), (None, None));
        assert_eq!(Level::default().get(), 6);
    }
}
