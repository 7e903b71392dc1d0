//! How many connections are open, in all and from each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use ringback_core::limit::network;

/// Room for connections. 0 is no bound.
pub(super) struct Slots {
    most: usize,
    most_per_address: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    all: usize,
    by_network: HashMap<IpAddr, usize>,
}

/// Why there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    InAll,
    ForAddress,
}

/// One connection's place; given back when dropped.
pub(super) struct Slot {
    slots: Arc<Slots>,
    network: Option<IpAddr>,
}

impl Slots {
    pub(super) fn new(most: usize, most_per_address: usize) -> Arc<Slots> {
        Arc::new(Slots {
            most,
            most_per_address,
            open: Mutex::default(),
        })
    }

    /// A place for a connection, from this address if it counts there.
    pub(super) fn take(self: &Arc<Slots>, from: Option<IpAddr>) -> Result<Slot, Full> {
        let network = from.map(network);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if self.most > 0 && open.all >= self.most {
            return Err(Full::InAll);
        }
        if let Some(network) = network {
            let here = open.by_network.entry(network).or_default();
            if self.most_per_address > 0 && *here >= self.most_per_address {
                return Err(Full::ForAddress);
            }
            *here += 1;
        }
        open.all += 1;
        Ok(Slot {
            slots: self.clone(),
            network,
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let open = &self.slots.open;
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        open.all -= 1;
        if let Some(network) = self.network
            && let Some(here) = open.by_network.get_mut(&network)
        {
            *here -= 1;
            if *here == 0 {
                open.by_network.remove(&network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn connections_are_capped_in_all_and_for_each_address() {
        let slots = Slots::new(3, 2);
        let first = slots.take(from("192.0.2.1"));
        let second = slots.take(from("::ffff:192.0.2.1"));
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(slots.take(from("192.0.2.1")).err(), Some(Full::ForAddress));
        let other = slots.take(from("192.0.2.2"));
        assert_eq!(slots.take(from("192.0.2.3")).err(), Some(Full::InAll));
        drop((first, other));
        let proxy = slots.take(None);
        assert!(proxy.is_ok() && slots.take(from("192.0.2.1")).is_ok());
        drop((second, proxy));
        let open = slots.open.lock().unwrap();
        assert_eq!((open.all, open.by_network.len()), (0, 0));
    }
}
