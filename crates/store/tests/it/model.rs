//! Random batches, on both databases and through a plain model: the same outcomes and the same end.

use std::collections::BTreeMap;

use futures::future::join_all;
use ringback_core::limit::NumberBudget;
use ringback_core::{Action, Budget, Budgets, Change, Command, Moment, Slot, Which, decide};
use ringback_store::Store;

use crate::requests::*;
use crate::world::{World, seed};

on_both!(random_batches_end_as_in_a_plain_model);

/// Numbers that look random and are the same in every run (the constants of Knuth's MMIX).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

const USERS: u64 = 4;
const NUMBERS: u64 = 5;

fn random(dice: &mut Dice, codes: &BTreeMap<String, String>) -> Command {
    let user = format!("user {}", dice.roll(USERS));
    let number = number(u32::try_from(dice.roll(NUMBERS)).expect("small"));
    let caller = match dice.roll(3) {
        0 => own(&user),
        _ => service(),
    };
    let action = match dice.roll(12) {
        0 | 1 => named("someone"),
        2 => rename(&format!("name {}", dice.roll(3))),
        3 | 4 => set(&number, SEND),
        5 => set(&number, RETURN),
        6 => set(&number, TRUSTED),
        7 => Action::Change(Change::Add {
            number: number.as_str().into(),
            verification: Some(SEND),
        }),
        8 | 9 => guess(codes.get(&user).map_or("000000", String::as_str)),
        10 => match dice.roll(4) {
            0 => Action::Delete,
            _ => Action::Change(Change::Remove {
                which: Which::Primary,
            }),
        },
        _ => guess("123456"),
    };
    command(&caller, &user, action)
}

/// What the store should be: everything in memory, one command after the other.
#[derive(Default)]
struct Model {
    accounts: BTreeMap<String, Slot>,
    budgets: Budgets,
    decided: u64,
}

impl Model {
    fn execute(&mut self, world: &World, command: &Command) -> Result<String, String> {
        let at = Moment {
            now: world.now(),
            seed: seed(self.decided),
            policies: &world.rules.policies,
            keys: &world.rules.keys,
            conversion: None,
            guard: None,
            share: 0,
        };
        self.decided += 1;
        for n in 0..NUMBERS {
            let number = number(u32::try_from(n).expect("small"));
            let pseudonym = world.rules.keys.pseudonym(&number);
            self.budgets.entry(pseudonym).or_default();
        }
        let slot = self.accounts.entry(command.account.clone());
        let slot = slot.or_insert_with(|| Slot::empty("acme"));
        let decision = decide(slot, &mut self.budgets, command, &at);
        let reply = decision.result.map(|reply| format!("{reply:?}"));
        reply.map_err(|refusal| refusal.to_string())
    }
}

async fn check(world: &World, store: &Store, model: &Model) {
    for (id, expected) in &model.accounts {
        let found = store.find_account(id).await.expect("must read");
        assert_eq!(found.as_deref(), expected.account.as_ref(), "{id}");
    }
    let rows = world
        .texts("SELECT pseudonym || ' ' || state FROM budgets ORDER BY pseudonym")
        .await;
    let found: BTreeMap<String, Budget> = rows
        .iter()
        .map(|row| {
            let (pseudonym, state) = row.split_once(' ').expect("two parts");
            let budget: NumberBudget = serde_json::from_str(state).expect("a budget");
            (pseudonym.to_owned(), budget.into())
        })
        .collect();
    for (pseudonym, expected) in &model.budgets {
        let found = found.get(pseudonym).cloned().unwrap_or_default();
        assert_eq!(&found, expected);
    }
}

async fn random_batches_end_as_in_a_plain_model(world: &World) {
    let store = world.single_lane().await;
    let (mut dice, mut model) = (Dice(42), Model::default());
    let mut codes = BTreeMap::new();
    for _ in 0..120 {
        let commands: Vec<Command> = (0..1 + dice.roll(12))
            .map(|_| random(&mut dice, &codes))
            .collect();
        let expected: Vec<_> = commands
            .iter()
            .map(|command| model.execute(world, command))
            .collect();
        let done = commands
            .iter()
            .map(|command| store.execute(command.clone(), None));
        let done = join_all(done).await;
        for ((command, done), expected) in commands.iter().zip(done).zip(expected) {
            if let Ok(Some(code)) = done.as_ref().map(|reply| reply.code.as_ref()) {
                codes.insert(command.account.clone(), code.reveal().to_owned());
            }
            let done = done.map(|reply| format!("{reply:?}"));
            assert_eq!(
                done.map_err(|refusal| refusal.to_string()),
                expected,
                "{command:?}"
            );
        }
        world.pass(dice.roll(120));
    }
    check(world, &store, &model).await;
    // A second store reads the same.
    check(world, &world.store().await, &model).await;
}
