//! What would come of a command, without its coming.

use ringback_core::{Command, Refusal, Reply};

use crate::Store;
use crate::batch::decide_all;
use crate::fault::Fault;
use crate::load::World;

impl Store {
    /// Decides a command on what is stored, and keeps nothing of what comes of it.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] when the database is away; within, what [`ringback_core::decide`] refuses.
    pub async fn would(&self, command: &Command) -> Result<Result<Reply, Refusal>, Refusal> {
        let shared = &self.shared;
        let commands = [command];
        let mut line = self.jobs.lock().await;
        let load = async {
            loop {
                let taken = line.take().await?;
                let world = World::load(shared, &taken.session, &commands);
                let world = taken.within(world).await;
                if let Some(world) = line.read(taken, world) {
                    break world;
                }
            }
        };
        let decided = load
            .await
            .and_then(|world| decide_all(shared, line.share, &commands, world))
            .and_then(|mut decided| {
                let outcome = decided.outcomes.pop();
                outcome.ok_or_else(|| Fault::Failed("a command was not decided".into()))
            });
        let health = &shared.dialer.health;
        decided.map_err(|fault| health.report(&fault, "reading accounts"))
    }
}
