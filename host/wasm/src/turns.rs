//! Who may compile when: one component in each lane at a time, and of those who wait, whose tenant
//! has compiled least.
//!
//! A tenant that has used up its time gets no turn until some of it lies far enough back. What is
//! compiled already never asks for a turn.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// What one tenant may compile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileQuota {
    /// Time that compiling may take in a window. Default 5 min: five components that the compiler
    /// gives up on.
    pub time: Duration,
    /// The window. Default 15 min.
    pub window: Duration,
}

impl Default for CompileQuota {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(300),
            window: Duration::from_secs(900),
        }
    }
}

/// A tenant has used up its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) tenant: String,
    pub(crate) time: Duration,
    /// When a part of it is free again.
    pub(crate) again: Duration,
}

/// What is compiled in which lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// The first, short try of each component.
    Short,
    /// The second, of those that need more.
    Long,
}

/// The turns of all lanes.
pub(crate) struct Turns {
    quota: CompileQuota,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    lanes: [Queue; 2],
    accounts: HashMap<String, Account>,
    /// The next number of who waits.
    next: u64,
}

#[derive(Default)]
struct Queue {
    is_busy: bool,
    waiting: Vec<(u64, Option<String>)>,
}

/// When a tenant has compiled, and for how long; the oldest first.
#[derive(Default)]
struct Account(VecDeque<(Instant, Duration)>);

impl Account {
    fn forget(&mut self, before: Option<Instant>) {
        let Some(before) = before else { return };
        while self.0.front().is_some_and(|(ended, _)| *ended < before) {
            self.0.pop_front();
        }
    }

    fn spent(&self) -> Duration {
        self.0.iter().map(|(_, took)| took).sum()
    }
}

impl State {
    /// Returns what the tenant has spent; nobody's components cost nobody anything.
    fn spent(&self, tenant: Option<&str>) -> Duration {
        let account = tenant.and_then(|tenant| self.accounts.get(tenant));
        account.map(Account::spent).unwrap_or_default()
    }

    /// Returns who is next in a lane: of the tenants that have spent least, who waits longest.
    fn next_of(&self, lane: Lane) -> Option<u64> {
        let waiting = self.lanes[lane as usize].waiting.iter();
        let next = waiting.min_by_key(|(number, tenant)| (self.spent(tenant.as_deref()), *number));
        next.map(|(number, _)| *number)
    }
}

impl Turns {
    pub(crate) fn new(quota: CompileQuota) -> Arc<Self> {
        Arc::new(Self {
            quota,
            state: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// [`Spent`]: at once, or when the time is used up while it waits.
    pub(crate) async fn take(
        self: &Arc<Self>,
        lane: Lane,
        tenant: Option<&str>,
    ) -> Result<Turn, Spent> {
        let place = self.place(lane, tenant);
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(turn) = self.try_take(&place)? {
                return Ok(turn);
            }
            changed.await;
        }
    }

    fn place(self: &Arc<Self>, lane: Lane, tenant: Option<&str>) -> Place {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        let tenant = tenant.map(str::to_owned);
        let queue = &mut state.lanes[lane as usize];
        queue.waiting.push((number, tenant.clone()));
        drop(state);
        Place {
            turns: Arc::clone(self),
            lane,
            number,
            tenant,
        }
    }

    fn try_take(self: &Arc<Self>, place: &Place) -> Result<Option<Turn>, Spent> {
        let mut state = self.lock();
        self.check(&mut state, place.tenant.as_deref())?;
        let is_next = state.next_of(place.lane) == Some(place.number);
        let queue = &mut state.lanes[place.lane as usize];
        if queue.is_busy || !is_next {
            return Ok(None);
        }
        queue.is_busy = true;
        Ok(Some(Turn {
            turns: Arc::clone(self),
            lane: place.lane,
            tenant: place.tenant.clone(),
            began: Instant::now(),
        }))
    }

    fn check(&self, state: &mut State, tenant: Option<&str>) -> Result<(), Spent> {
        let Some(tenant) = tenant else { return Ok(()) };
        let Some(account) = state.accounts.get_mut(tenant) else {
            return Ok(());
        };
        let now = Instant::now();
        account.forget(now.checked_sub(self.quota.window));
        let time = account.spent();
        if time < self.quota.time {
            return Ok(());
        }
        let oldest = account.0.front().map_or(now, |(ended, _)| *ended);
        Err(Spent {
            tenant: tenant.to_owned(),
            time,
            again: (oldest + self.quota.window).saturating_duration_since(now),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among those who wait; given up when it is dropped.
struct Place {
    turns: Arc<Turns>,
    lane: Lane,
    number: u64,
    tenant: Option<String>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.turns.lock();
        let queue = &mut state.lanes[self.lane as usize];
        queue.waiting.retain(|(number, _)| *number != self.number);
        drop(state);
        self.turns.changed.notify_waiters();
    }
}

/// The right to compile; the time until it is dropped is the tenant's.
pub(crate) struct Turn {
    turns: Arc<Turns>,
    lane: Lane,
    tenant: Option<String>,
    began: Instant,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut state = self.turns.lock();
        state.lanes[self.lane as usize].is_busy = false;
        let before = now.checked_sub(self.turns.quota.window);
        if let Some(tenant) = self.tenant.take() {
            let account = state.accounts.entry(tenant).or_default();
            account.0.push_back((now, now - self.began));
        }
        state.accounts.retain(|_, account| {
            account.forget(before);
            !account.0.is_empty()
        });
        drop(state);
        self.turns.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    fn turns(time: Duration, window: Duration) -> Arc<Turns> {
        Turns::new(CompileQuota { time, window })
    }

    const LONG: Duration = Duration::from_secs(3600);

    /// Starts to wait, and returns when it does.
    async fn waits(
        turns: &Arc<Turns>,
        tenant: Option<&'static str>,
    ) -> tokio::task::JoinHandle<Result<Turn, Spent>> {
        let before = turns.lock().lanes[Lane::Long as usize].waiting.len();
        let asked = Arc::clone(turns);
        let task = tokio::spawn(async move { asked.take(Lane::Long, tenant).await });
        while turns.lock().lanes[Lane::Long as usize].waiting.len() == before {
            tokio::task::yield_now().await;
        }
        task
    }

    #[tokio::test]
    async fn one_has_the_turn_and_the_next_waits_for_it() {
        let turns = turns(LONG, LONG);
        let first = turns.take(Lane::Long, Some("a")).await.unwrap();
        let other_lane = turns.take(Lane::Short, Some("a")).await.unwrap();
        let second = waits(&turns, Some("a")).await;
        assert!(!second.is_finished());
        drop(first);
        drop(second.await.unwrap().unwrap());
        drop(other_lane);
    }

    #[tokio::test]
    async fn who_has_compiled_least_is_next() {
        let turns = turns(LONG, LONG);
        let first = turns.take(Lane::Long, Some("bomber")).await.unwrap();
        let bomb = waits(&turns, Some("bomber")).await;
        let other = waits(&turns, Some("quiet")).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
        drop(first);
        let turn = other.await.unwrap().unwrap();
        assert!(!bomb.is_finished());
        drop(turn);
        drop(bomb.await.unwrap().unwrap());
    }

    #[tokio::test]
    async fn a_tenant_that_has_spent_its_time_is_told_when_it_may_again() {
        let turns = turns(Duration::from_millis(5), LONG);
        let turn = turns.take(Lane::Long, Some("bomber")).await.unwrap();
        let waiting = waits(&turns, Some("bomber")).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        drop(turn);
        let spent = waiting.await.unwrap().err().unwrap();
        assert_eq!(spent.tenant, "bomber");
        assert!(spent.time >= Duration::from_millis(10), "{spent:?}");
        assert!(spent.again > LONG / 2 && spent.again <= LONG, "{spent:?}");
        assert!(turns.take(Lane::Long, Some("bomber")).await.is_err());
        assert!(turns.take(Lane::Long, Some("quiet")).await.is_ok());
        assert!(turns.take(Lane::Long, None).await.is_ok());
    }

    #[tokio::test]
    async fn what_lies_before_the_window_is_forgotten() {
        let turns = turns(Duration::from_millis(1), Duration::from_millis(20));
        let turn = turns.take(Lane::Long, Some("a")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        drop(turn);
        let spent = turns.take(Lane::Long, Some("a")).await.err().unwrap();
        tokio::time::sleep(spent.again + Duration::from_millis(5)).await;
        assert!(turns.take(Lane::Long, Some("a")).await.is_ok());
    }

    #[tokio::test]
    async fn who_gives_up_keeps_nobody_waiting() {
        let turns = turns(LONG, LONG);
        let first = turns.take(Lane::Long, None).await.unwrap();
        let given_up = waits(&turns, None).await;
        let last = waits(&turns, Some("a")).await;
        given_up.abort();
        assert!(given_up.await.is_err());
        drop(first);
        assert!(last.await.unwrap().is_ok());
    }
}
