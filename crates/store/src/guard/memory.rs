//! The tallies in memory, each with what it was told and nobody else knows yet.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use ringback_core::Time;
use ringback_core::guard::{GuardRules, Heard, Observation, Place, ProvenToday, Tally};

/// Tallies that are kept at most. Of those that are forgotten what was written down is still there.
pub(super) const MOST: usize = 200_000;
/// Numbers that have proven something today.
const PROVEN: usize = 500_000;
/// What a tally was told and nobody else knows, while nothing can be written down; of more the older half is lost.
const PENDING: usize = 100_000;
/// A tally of numbers that begin alike is written down when it was told so often, or after so long.
const OFTEN: usize = 3;
const LONG: Duration = Duration::from_secs(30);

/// What is known of a place.
#[derive(Debug)]
struct Entry {
    /// As it was written down, and told since.
    tally: Tally,
    /// As which version it was written down; 0 for never, as far as is known.
    version: i64,
    /// What it was told since.
    pending: Vec<(Observation, Time)>,
    /// When it was told something, or read.
    last: Time,
}

/// Of one organisation.
type Places = HashMap<Place, Entry>;

/// A place of an organisation.
pub(super) type At = (String, Place);

#[derive(Debug, Default)]
pub(super) struct Memory {
    organizations: HashMap<String, Places>,
    count: usize,
    /// What is to be written down.
    dirty: HashSet<At>,
    proven: ProvenToday,
    /// The latest change that was read.
    pub(super) seen: i64,
}

impl Memory {
    pub(super) fn of(&self, organization: &str, place: &Place) -> Option<&Tally> {
        let entry = self.organizations.get(organization)?.get(place)?;
        Some(&entry.tally)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &Place, &Tally)> {
        self.organizations
            .iter()
            .flat_map(|(organization, places)| {
                let places = places.iter();
                places.map(|(place, entry)| (organization.as_str(), place, &entry.tally))
            })
    }

    pub(super) fn hear(
        &mut self,
        organization: &str,
        rules: &GuardRules,
        heard: &Heard,
        now: Time,
    ) {
        if let Heard::Answered { number, .. } = heard
            && !self.proven.is_first(organization, number, PROVEN, now)
        {
            return;
        }
        let Some((to, told)) = heard.told() else {
            return;
        };
        for place in to.places() {
            self.tell(organization, place, rules, told, now);
        }
        if self.count > MOST {
            self.forget_oldest();
        }
    }

    /// An operator lets codes go there. Says to how many places.
    pub(super) fn allow(
        &mut self,
        organization: &str,
        rules: &GuardRules,
        place: &Place,
        until: Time,
        now: Time,
    ) -> usize {
        let places = self.organizations.get(organization);
        let known = places.into_iter().flat_map(|places| places.keys());
        let begins = |known: &&Place| match (known, place) {
            (Place::Prefix(known), Place::Prefix(begin)) => known.starts_with(begin),
            (known, place) => *known == place,
        };
        let mut all: HashSet<Place> = known.filter(begins).cloned().collect();
        all.insert(place.clone());
        let count = all.len();
        for place in all {
            self.tell(
                organization,
                place,
                rules,
                Observation::Allowed { until },
                now,
            );
        }
        count
    }

    fn tell(
        &mut self,
        organization: &str,
        place: Place,
        rules: &GuardRules,
        told: Observation,
        now: Time,
    ) {
        let entry = self.entry(organization, &place);
        entry.tally.tell(rules, told, now);
        if entry.pending.len() >= PENDING {
            entry.pending.drain(..PENDING / 2);
        }
        entry.pending.push((told, now));
        entry.last = now;
        self.dirty.insert((organization.to_owned(), place));
    }

    fn entry(&mut self, organization: &str, place: &Place) -> &mut Entry {
        if !self.organizations.contains_key(organization) {
            self.organizations
                .insert(organization.to_owned(), Places::new());
        }
        let Some(places) = self.organizations.get_mut(organization) else {
            unreachable!("it was put there");
        };
        let count = &mut self.count;
        places.entry(place.clone()).or_insert_with(|| {
            *count += 1;
            Entry {
                tally: Tally::fresh(place),
                version: 0,
                pending: Vec::new(),
                last: Time::default(),
            }
        })
    }

    /// What is to be written down now, with what each was told: all of it, or what is worth it.
    pub(super) fn ripe(&self, all: bool, now: Time) -> Vec<(At, Vec<(Observation, Time)>)> {
        let pending = |at: &At| {
            let entry = self.organizations.get(&at.0)?.get(&at.1)?;
            let (_, first) = entry.pending.first()?;
            let matters =
                |(told, _): &(Observation, Time)| matches!(told, Observation::Allowed { .. });
            let ripe = all
                || matches!(at.1, Place::Country(_))
                || entry.pending.len() >= OFTEN
                || now.since(*first) >= LONG
                || entry.pending.iter().any(matters);
            ripe.then(|| (at.clone(), entry.pending.clone()))
        };
        let mut ripe: Vec<_> = self.dirty.iter().filter_map(pending).collect();
        ripe.sort_by(|a, b| a.0.cmp(&b.0));
        ripe
    }

    /// A tally was read, or written down with the first `told` of what it was told here.
    pub(super) fn learn(
        &mut self,
        (organization, place): &At,
        rules: &GuardRules,
        (mut tally, version): (Tally, i64),
        told: usize,
        now: Time,
    ) {
        let entry = self.entry(organization, place);
        if told == 0 && version <= entry.version {
            return;
        }
        entry.pending.drain(..told.min(entry.pending.len()));
        for (told, at) in &entry.pending {
            tally.tell(rules, *told, *at);
        }
        entry.tally = tally;
        entry.version = entry.version.max(version);
        entry.last = entry.last.max(now);
        if entry.pending.is_empty() {
            self.dirty.remove(&(organization.clone(), place.clone()));
        }
    }

    pub(super) fn version(&self, (organization, place): &At) -> i64 {
        let places = self.organizations.get(organization);
        let entry = places.and_then(|places| places.get(place));
        entry.map_or(0, |entry| entry.version)
    }

    /// Forgets half of what was told nothing for longest, unless nobody else knows it.
    fn forget_oldest(&mut self) {
        let all = self.organizations.values().flat_map(HashMap::values);
        let mut lasts: Vec<Time> = all.map(|entry| entry.last).collect();
        let middle = lasts.len() / 2;
        let (_, median, _) = lasts.select_nth_unstable(middle);
        let median = *median;
        for places in self.organizations.values_mut() {
            places.retain(|place, entry| {
                let kept = entry.last > median
                    || !entry.pending.is_empty()
                    || matches!(place, Place::Country(_));
                self.count -= usize::from(!kept);
                kept
            });
        }
        self.organizations.retain(|_, places| !places.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringback_core::guard::{Destination, Mode};
    use ringback_core::number::NumberKind;

    const START: Time = Time(1_700_000_000_000_000);

    fn sent(prefix: &str) -> Heard {
        Heard::Sent {
            to: Destination {
                country: "CH".into(),
                kind: NumberKind::Mobile,
                prefix: prefix.into(),
            },
            reasons: Vec::new(),
        }
    }

    fn rules() -> GuardRules {
        GuardRules {
            mode: Mode::Enforce,
            ..GuardRules::default()
        }
    }

    #[test]
    fn what_says_little_waits_to_be_written_down() {
        let mut memory = Memory::default();
        let names = |memory: &Memory, all, now| {
            let ripe = memory.ripe(all, now).into_iter();
            ripe.map(|((_, place), _)| place).collect::<Vec<_>>()
        };
        let country = Place::Country("CH".into());
        let (one, two) = (Place::Prefix("+411".into()), Place::Prefix("+412".into()));
        memory.hear("acme", &rules(), &sent("+411"), START);
        for _ in 0..OFTEN {
            memory.hear("acme", &rules(), &sent("+412"), START);
        }
        assert_eq!(names(&memory, false, START), [country.clone(), two.clone()]);
        let all = [country, one, two];
        assert_eq!(names(&memory, true, START), all);
        assert_eq!(names(&memory, false, START + LONG), all);
    }

    #[test]
    fn what_was_told_meanwhile_comes_over_what_is_read() {
        let mut memory = Memory::default();
        let at = ("acme".to_owned(), Place::Prefix("+411".into()));
        for _ in 0..5 {
            memory.hear("acme", &rules(), &sent("+411"), START);
        }
        let mut written = Tally::fresh(&at.1);
        for _ in 0..13 {
            written.tell(&rules(), Observation::Sent, START);
        }
        // Ten of another process and the first three of here.
        memory.learn(&at, &rules(), (written.clone(), 7), 3, START);
        let mut expected = written.clone();
        expected.tell(&rules(), Observation::Sent, START);
        expected.tell(&rules(), Observation::Sent, START);
        assert_eq!(memory.of("acme", &at.1), Some(&expected));
        assert_eq!(memory.version(&at), 7);
        // What is older says nothing new.
        memory.learn(&at, &rules(), (Tally::fresh(&at.1), 6), 0, START);
        assert_eq!(memory.of("acme", &at.1), Some(&expected));
        memory.learn(&at, &rules(), (written, 8), 2, START);
        assert_eq!(memory.ripe(true, START).len(), 1, "the country");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut memory = Memory::default();
        for n in 0..=MOST {
            let now = START + Duration::from_secs(n as u64);
            memory.hear("acme", &rules(), &sent(&format!("+4{n}")), now);
            let at = ("acme".to_owned(), Place::Prefix(format!("+4{n}")));
            memory.learn(&at, &rules(), (Tally::fresh(&at.1), 1), 1, now);
        }
        assert!(memory.count <= MOST / 2 + 2, "{}", memory.count);
        assert_eq!(memory.all().count(), memory.count);
        let country = Place::Country("CH".into());
        assert!(memory.of("acme", &country).is_some());
    }

    #[test]
    fn whoever_allows_the_beginning_allows_all_that_begin_so() {
        let mut memory = Memory::default();
        for prefix in ["+41791", "+41792", "+4178"] {
            memory.hear("acme", &rules(), &sent(prefix), START);
        }
        let until = START + Duration::from_secs(60);
        let allow =
            |memory: &mut Memory, place| memory.allow("acme", &rules(), &place, until, START);
        assert_eq!(allow(&mut memory, Place::Prefix("+4179".into())), 3);
        assert_eq!(allow(&mut memory, Place::Country("CH".into())), 1);
        let allowed = |place: &str| {
            let tally = memory.of("acme", &Place::Prefix(place.into()));
            tally.and_then(|tally| tally.allowed_until(START))
        };
        assert_eq!(allowed("+41792"), Some(until));
        assert_eq!(allowed("+4178"), None);
    }
}
