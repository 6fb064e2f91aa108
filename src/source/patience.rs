//! How much a server is put up with: how often it is asked again, and how slowly it
//! may answer.

use std::cell::Cell;
use std::thread;
use std::time::Duration;

/// Before a question is put again; twice as long before the next time.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// How often in a row that is done without anything having come.
const IN_A_ROW: u32 = 3;
/// How often in all by one command, and how long its pauses may be together.
const IN_ALL: u32 = 20;
const PAUSES: Duration = Duration::from_secs(20);

/// The slowest transfer that goes on: so many bytes in so much waiting. A modem of
/// 1990 is faster.
const SLOWEST: u64 = 30_000;
const OBSERVED: Duration = Duration::from_secs(30);
/// How long an answer that is read as a whole may take, and how many bytes more
/// come for each further second.
const ANSWER: Duration = Duration::from_secs(60);
const ANSWER_RATE: u64 = 64 << 10;

/// What is left of a command's patience. By default there is none.
#[derive(Debug, Default)]
pub(super) struct Patience {
    retries: Cell<u32>,
    pauses: Cell<Duration>,
}

impl Patience {
    /// That of one command.
    pub(super) fn of_a_command() -> Self {
        Self { retries: Cell::new(IN_ALL), pauses: Cell::new(PAUSES) }
    }

    /// How long to wait before a question is put again, which `before` times in a row
    /// was of no use; `asked` is how long the server wants it to be. `None` when it
    /// was put often enough.
    fn pause(&self, before: u32, asked: Option<Duration>) -> Option<Duration> {
        let pause = asked.unwrap_or_default().max(FIRST_PAUSE * 2u32.pow(before.min(8)));
        if before >= IN_A_ROW {
            return None;
        }
        let (retries, pauses) = (self.retries.get(), self.pauses.get());
        self.retries.set(retries.checked_sub(1)?);
        self.pauses.set(pauses.checked_sub(pause)?);
        Some(pause)
    }

    /// Waits before a question is put again; `false` when it was put often enough.
    pub(super) fn wait(&self, before: u32, asked: Option<Duration>) -> bool {
        match self.pause(before, asked) {
            Some(pause) => {
                thread::sleep(pause);
                true
            }
            None => false,
        }
    }
}

/// How fast a body comes. Only the time in which it is waited for counts, not that
/// in which this machine is busy with what came.
#[derive(Debug, Default)]
pub(super) struct Pace {
    waited: Duration,
    /// Since the rate was looked at the last time.
    lately: Duration,
    bytes: u64,
}

impl Pace {
    /// Notes that so much came after so long; `false` when that is too slow.
    pub(super) fn goes_on(&mut self, bytes: u64, waited: Duration) -> bool {
        self.waited += waited;
        self.lately += waited;
        self.bytes += bytes;
        if self.lately < OBSERVED {
            return true;
        }
        let is_enough = self.bytes >= SLOWEST;
        (self.lately, self.bytes) = (Duration::ZERO, 0);
        is_enough
    }

    /// Whether an answer of at most `limit` bytes takes longer than it may.
    pub(super) fn is_overdue(&self, limit: usize) -> bool {
        self.waited > ANSWER + Duration::from_secs(limit as u64 / ANSWER_RATE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends_in_a_row_and_in_all() {
        let patience = Patience::of_a_command();
        let pauses: Vec<_> = (0..4).map(|before| patience.pause(before, None)).collect();
        let millis = |n| Some(Duration::from_millis(n));
        assert_eq!(pauses, [millis(250), millis(500), millis(1000), None]);
        // Whoever gets a little further each time comes to an end as well.
        let more = (0..100).filter(|_| patience.pause(0, None).is_some()).count();
        assert_eq!(more, IN_ALL as usize - 3);
        assert!(Patience::default().pause(0, None).is_none());
    }

    #[test]
    fn a_server_may_ask_for_a_pause_and_not_for_a_day() {
        let patience = Patience::of_a_command();
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(patience.pause(0, seconds(2)), seconds(2));
        assert_eq!(patience.pause(0, seconds(86_400)), None);
        assert_eq!(patience.pause(0, seconds(15)), seconds(15));
        assert_eq!(patience.pause(0, seconds(4)), None, "20 seconds are all there is");
    }

    #[test]
    fn a_trickle_is_no_transfer() {
        let second = Duration::from_secs(1);
        let bytes_until_the_end = |rate: u64| {
            let mut pace = Pace::default();
            (1..=3600).find(|_| !pace.goes_on(rate, second))
        };
        assert_eq!(bytes_until_the_end(1), Some(30));
        assert_eq!(bytes_until_the_end(999), Some(30));
        assert_eq!(bytes_until_the_end(1_000), None);
        // Fast at first does not help.
        let mut pace = Pace::default();
        assert!(pace.goes_on(50_000_000, OBSERVED));
        assert!(!pace.goes_on(10, OBSERVED));
    }

    #[test]
    fn a_small_answer_takes_a_minute_at_the_most() {
        let mut pace = Pace::default();
        pace.goes_on(30_000, OBSERVED);
        pace.goes_on(30_000, OBSERVED);
        assert!(!pace.is_overdue(1000));
        pace.goes_on(1, Duration::from_millis(1));
        assert!(pace.is_overdue(1000));
        assert!(!pace.is_overdue(32 << 20));
    }
}
