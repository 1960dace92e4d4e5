//! What goes when room is needed.

use jiff::Timestamp;

/// A stored object, as eviction sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resident<Id> {
    /// Which.
    pub id: Id,
    /// Bytes it takes on the disk.
    pub bytes: u64,
    /// When it was last asked for.
    pub used: Timestamp,
    /// Whether it was asked for more than once.
    pub again: bool,
    /// Whether all of it is there.
    pub complete: bool,
    /// Pinned by an administrator, or being read or filled right now.
    pub kept: bool,
}

/// The objects to take away so that at least `need` bytes become free, fewest reasons to stay first:
/// fragments, then what was asked for once, then the rest, each from the longest unused on. One
/// scan through everything thus does not push out what is used again and again.
///
/// `None` if not enough can go.
pub fn victims<Id: Clone>(residents: &[Resident<Id>], need: u64) -> Option<Vec<Id>> {
    let mut order: Vec<&Resident<Id>> = residents.iter().filter(|r| !r.kept).collect();
    order.sort_by_key(|r| (r.complete, r.again, r.used));
    let mut freed: u64 = 0;
    let mut chosen = Vec::new();
    for resident in order {
        if freed >= need {
            break;
        }
        freed = freed.saturating_add(resident.bytes);
        chosen.push(resident.id.clone());
    }
    (freed >= need).then_some(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resident(id: u32, used: i64, again: bool, complete: bool) -> Resident<u32> {
        let used = Timestamp::from_second(used).unwrap();
        Resident { id, bytes: 10, used, again, complete, kept: false }
    }

    #[test]
    fn fragments_go_first_then_what_was_used_once_then_the_longest_unused() {
        let all = [
            resident(1, 1, true, true),
            resident(2, 5, true, true),
            resident(3, 9, false, true),
            resident(4, 8, false, true),
            resident(5, 10, true, false),
        ];
        assert_eq!(victims(&all, 1), Some(vec![5]));
        assert_eq!(victims(&all, 50), Some(vec![5, 4, 3, 1, 2]));
        assert_eq!(victims(&all, 51), None);
        assert_eq!(victims(&all, 0), Some(vec![]));
    }

    #[test]
    fn what_is_kept_stays() {
        let pinned = Resident { kept: true, ..resident(1, 1, false, false) };
        assert_eq!(victims(&[pinned], 1), None);
    }
}
