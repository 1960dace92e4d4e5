//! Wrong attempts, counted per address and per login.
//!
//! A bucket of attempts that fills again with time. A right password does not refill an address:
//! whoever knows one password gains no more guesses at others. Memory is bounded; what was quiet for
//! long is forgotten first.

use jiff::Timestamp;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Attempts that may follow each other at once.
const BURST: f64 = 10.0;
/// Seconds until one attempt is given back.
const REFILL_SECONDS: f64 = 6.0;
/// Most buckets that are remembered.
const CAPACITY: usize = 20_000;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Address(IpAddr),
    Login(String),
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Timestamp,
}

impl Bucket {
    fn left_at(&self, now: Timestamp) -> f64 {
        let seconds = now.duration_since(self.at).as_secs_f64().max(0.0);
        (self.left + seconds / REFILL_SECONDS).min(BURST)
    }
}

/// Who has guessed how often.
#[derive(Debug, Default)]
pub(crate) struct Limiter(Mutex<HashMap<Key, Bucket>>);

impl Limiter {
    /// Takes one attempt from both budgets, before the proof is looked at: attempts at the same time
    /// count as well. The error is how long to wait.
    pub(crate) fn take(&self, from: IpAddr, login: &str, now: Timestamp) -> Result<(), Duration> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = [Key::Address(network(from)), Key::Login(login.to_owned())];
        let left = |key: &Key| buckets.get(key).map_or(BURST, |b| b.left_at(now));
        let least = keys.iter().map(left).fold(BURST, f64::min);
        if least < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - least) * REFILL_SECONDS));
        }
        if buckets.len() + keys.len() > CAPACITY {
            forget(&mut buckets, now);
        }
        for key in keys {
            let left = buckets.get(&key).map_or(BURST, |b| b.left_at(now));
            buckets.insert(key, Bucket { left: left - 1.0, at: now });
        }
        Ok(())
    }

    /// Gives the attempt back: the proof was right, or was never looked at.
    pub(crate) fn give_back(&self, from: IpAddr, login: &str) {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for key in [Key::Address(network(from)), Key::Login(login.to_owned())] {
            if let Some(bucket) = buckets.get_mut(&key) {
                bucket.left = (bucket.left + 1.0).min(BURST);
            }
        }
    }
}

/// Full buckets say nothing; if that is not enough, the fullest half goes.
fn forget(buckets: &mut HashMap<Key, Bucket>, now: Timestamp) {
    buckets.retain(|_, b| b.left_at(now) < BURST);
    if buckets.len() > CAPACITY / 2 {
        let mut levels: Vec<f64> = buckets.values().map(|b| b.left_at(now)).collect();
        levels.sort_by(f64::total_cmp);
        let median = levels[levels.len() / 2];
        buckets.retain(|_, b| b.left_at(now) < median);
    }
}

/// The network an address stands for: one IPv4 address, or an IPv6 /64, which one person has.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        },
        IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn guessing_ends_and_waiting_helps() {
        let (limiter, now) = (Limiter::default(), Timestamp::UNIX_EPOCH);
        for _ in 0..10 {
            assert_eq!(limiter.take(ADDRESS, "ann", now), Ok(()));
        }
        let wait = limiter.take(ADDRESS, "ann", now).unwrap_err();
        let later = now + SignedDuration::try_from(wait).unwrap();
        assert_eq!(limiter.take(ADDRESS, "ann", later), Ok(()));
        assert!(limiter.take(ADDRESS, "ann", later).is_err());
    }

    #[test]
    fn one_address_cannot_walk_over_many_logins_nor_many_addresses_over_one() {
        let (limiter, now) = (Limiter::default(), Timestamp::UNIX_EPOCH);
        let walk = |n: u8| limiter.take(ADDRESS, &format!("user{n}"), now);
        assert_eq!((0..20).filter(|n| walk(*n).is_ok()).count(), 10);
        let limiter = Limiter::default();
        let from = |n: u8| limiter.take(IpAddr::from([198, 51, 100, n]), "ann", now);
        assert_eq!((0..20).filter(|n| from(*n).is_ok()).count(), 10);
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let (limiter, now) = (Limiter::default(), Timestamp::UNIX_EPOCH);
        let from = |n: u16| {
            let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, n, 0, 0, 1);
            limiter.take(address.into(), &format!("u{n}"), now)
        };
        assert_eq!((0..20).filter(|n| from(*n).is_ok()).count(), 10);
    }

    #[test]
    fn a_right_password_costs_nothing() {
        let (limiter, now) = (Limiter::default(), Timestamp::UNIX_EPOCH);
        for _ in 0..100 {
            assert_eq!(limiter.take(ADDRESS, "ann", now), Ok(()));
            limiter.give_back(ADDRESS, "ann");
        }
    }

    #[test]
    fn memory_stays_bounded() {
        let (limiter, now) = (Limiter::default(), Timestamp::UNIX_EPOCH);
        for n in 0..60_000u32 {
            let _ = limiter.take(IpAddr::from(n.to_be_bytes()), &format!("u{n}"), now);
        }
        assert!(limiter.0.lock().unwrap().len() <= CAPACITY);
    }
}
