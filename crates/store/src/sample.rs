//! Some of many, spread evenly over all of them, in bounded memory.

/// Each first, second, fourth … of what comes by: as many as there is room for.
#[derive(Debug)]
pub(crate) struct Sample<T> {
    kept: Vec<T>,
    most: usize,
    /// How many each of those stands for, and how many came by since the last.
    each: usize,
    since: usize,
}

impl<T> Sample<T> {
    /// Of at most so many, which is an even number.
    pub(crate) fn of(most: usize) -> Sample<T> {
        Sample {
            kept: Vec::new(),
            most,
            each: 1,
            since: 0,
        }
    }

    /// One more comes by; `make` is called if it is among those that are kept.
    pub(crate) fn pass(&mut self, make: impl FnOnce() -> T) {
        self.since += 1;
        if self.since < self.each {
            return;
        }
        self.since = 0;
        self.kept.push(make());
        if self.kept.len() >= self.most {
            let mut n = 0;
            self.kept.retain(|_| {
                n += 1;
                n % 2 == 0
            });
            self.each *= 2;
        }
    }

    /// Those that are kept, and how many each of them stands for. It begins anew.
    pub(crate) fn take(&mut self) -> (Vec<T>, usize) {
        let taken = std::mem::replace(self, Sample::of(self.most));
        (taken.kept, taken.each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_all_kept() {
        let mut sample = Sample::of(10);
        for n in 0..9 {
            sample.pass(|| n);
        }
        assert_eq!(sample.take(), ((0..9).collect(), 1));
        assert_eq!(sample.take(), (Vec::new(), 1));
    }

    #[test]
    fn of_many_some_stand_for_all() {
        for all in [10, 11, 39, 40, 41, 1_000, 99_999] {
            let mut sample = Sample::of(10);
            let mut made = 0;
            for n in 1..=all {
                sample.pass(|| {
                    made += 1;
                    n
                });
            }
            let (kept, each) = sample.take();
            let expected: Vec<usize> = (1..=kept.len()).map(|n| n * each).collect();
            assert_eq!(kept, expected, "{all}");
            assert!(kept.len() < 10 && all - kept.len() * each < each, "{all}");
            assert!(made <= 5 * 20, "{made} of {all}");
        }
    }
}
