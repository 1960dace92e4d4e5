//! Elements of DER (X.690), read strictly: each in the one way that is allowed.

pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const OCTET_STRING: u8 = 0x04;
const BIT_STRING: u8 = 0x03;

/// An element: with its tag and length, and without.
pub(crate) struct Element<'a> {
    pub(crate) whole: &'a [u8],
    pub(crate) value: &'a [u8],
}

/// The element at the begin, which must have this tag, and what follows it (X.690 sections 8.1, 10.1).
pub(crate) fn take(input: &[u8], tag: u8) -> Option<(Element<'_>, &[u8])> {
    let (&[found, first], rest) = input.split_first_chunk::<2>()?;
    let (length, head) = match first {
        0..=0x7f => (usize::from(first), 2),
        0x81..=0x84 => {
            let digits = rest.get(..usize::from(first - 0x80))?;
            let length = digits.iter().fold(0_usize, |sum, d| sum << 8 | usize::from(*d));
            let is_shortest = digits[0] != 0 && length >= 0x80;
            is_shortest.then_some((length, 2 + digits.len()))?
        }
        _ => return None,
    };
    let end = head.checked_add(length).filter(|_| found == tag)?;
    let whole = input.get(..end)?;
    Some((Element { whole, value: &whole[head..] }, &input[end..]))
}

/// The value of an element that nothing follows.
pub(crate) fn only(input: &[u8], tag: u8) -> Option<&[u8]> {
    take(input, tag).filter(|(_, rest)| rest.is_empty()).map(|(element, _)| element.value)
}

/// A BIT STRING of whole bytes, which nothing follows.
pub(crate) fn bits(input: &[u8]) -> Option<&[u8]> {
    only(input, BIT_STRING)?.strip_prefix(&[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read_in_one_way_only() {
        assert_eq!(only(&[0x30, 0], 0x30), Some(&[][..]));
        assert_eq!(only(&[0x30, 1, 7], 0x30), Some(&[7][..]));
        let long = [&[0x30, 0x81, 0x80][..], &[7; 0x80]].concat();
        assert_eq!(only(&long, 0x30).map(<[u8]>::len), Some(0x80));
        for wrong in [
            &[][..],
            &[0x30],
            &[0x30, 1],
            &[0x31, 0],
            &[0x10, 0],
            &[0x30, 0, 0],
            &[0x30, 0x80],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0x81],
            &[0x30, 0x81, 1, 7],
            &[0x30, 0x82, 0, 1, 7],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x30, 0x85, 0, 0, 0, 0, 1, 7],
            &[0x30, 0xff],
        ] {
            assert_eq!(only(wrong, 0x30), None, "{wrong:x?}");
        }
        assert_eq!(bits(&[3, 2, 0, 7]), Some(&[7][..]));
        assert_eq!((bits(&[3, 2, 1, 6]), bits(&[3, 0])), (None, None));
    }
}
