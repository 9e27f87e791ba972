//! Runs the daemon's stages together: when one ends badly, all end, and the guilty one is named.
//!
//! Only sources hold the stop token. Every other stage ends when its input closes, so that stopping
//! drains from source to sink.

use std::{collections::HashMap, future::Future, time::Duration};

use anyhow::{anyhow, bail};
use tokio::{
    task::{Id, JoinError, JoinSet},
    time,
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

/// The long-running tasks of the daemon.
#[derive(Debug)]
pub struct Stages {
    tasks: JoinSet<anyhow::Result<()>>,
    names: HashMap<Id, &'static str>,
    stop: CancellationToken,
}

/// What is known, while joining, of why the daemon ends.
#[derive(Debug, Default)]
struct Blame {
    failure: Option<anyhow::Error>,
    ended_early: Option<&'static str>,
}

impl Stages {
    pub fn new(stop: CancellationToken) -> Self {
        Self { tasks: JoinSet::new(), names: HashMap::new(), stop }
    }

    pub fn spawn(
        &mut self,
        name: &'static str,
        stage: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        let task = self.tasks.spawn(stage);
        self.names.insert(task.id(), name);
    }

    /// Waits for every stage; once stopping begins they have `grace` to drain.
    ///
    /// The first stage that fails, or ends before it was asked to, stops the others and is named.
    pub async fn join(mut self, grace: Duration) -> anyhow::Result<()> {
        let stop = self.stop.clone();
        let deadline = async {
            stop.cancelled().await;
            time::sleep(grace).await;
        };
        tokio::pin!(deadline);

        let mut blame = Blame::default();
        loop {
            tokio::select! {
                finished = self.tasks.join_next_with_id() => match finished {
                    Some(outcome) => self.settle(outcome, &mut blame),
                    None => return blame.verdict(),
                },
                () = &mut deadline => {
                    let stuck = anyhow!("still running {grace:?} after the stop: {}", self.running());
                    blame.failure.get_or_insert(stuck);
                    return blame.verdict();
                }
            }
        }
    }

    fn settle(&mut self, outcome: Result<(Id, anyhow::Result<()>), JoinError>, blame: &mut Blame) {
        let (id, result) = match outcome {
            Ok(finished) => finished,
            Err(panic) => (panic.id(), Err(anyhow!(panic))),
        };
        let name = self.names.remove(&id).unwrap_or("unknown");
        match result {
            Ok(()) if self.stop.is_cancelled() => debug!(name, "stage ended"),
            Ok(()) => {
                blame.ended_early.get_or_insert(name);
                self.stop.cancel();
            }
            Err(failure) if blame.failure.is_some() => {
                error!(name, "another stage failed while stopping: {failure:#}");
            }
            Err(failure) => {
                blame.failure = Some(failure.context(format!("stage {name} failed")));
                self.stop.cancel();
            }
        }
    }

    fn running(&self) -> String {
        let mut names: Vec<_> = self.names.values().copied().collect();
        names.sort_unstable();
        names.join(", ")
    }
}

impl Blame {
    fn verdict(self) -> anyhow::Result<()> {
        match (self.failure, self.ended_early) {
            (Some(failure), _) => Err(failure),
            (None, Some(name)) => bail!("stage {name} ended early"),
            (None, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(10);

    async fn until(stop: CancellationToken) -> anyhow::Result<()> {
        stop.cancelled().await;
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn a_stage_that_fails_stops_the_others_and_is_named() {
        let stop = CancellationToken::new();
        let mut stages = Stages::new(stop.clone());
        stages.spawn("good", until(stop.clone()));
        stages.spawn("bad", async { bail!("the disk is gone") });
        let error = stages.join(GRACE).await.unwrap_err();
        assert_eq!(format!("{error:#}"), "stage bad failed: the disk is gone");
        assert!(stop.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_is_a_failure_of_its_stage() {
        let stop = CancellationToken::new();
        let mut stages = Stages::new(stop.clone());
        stages.spawn("good", until(stop));
        stages.spawn("buggy", async { panic!("broken invariant") });
        let error = format!("{:#}", stages.join(GRACE).await.unwrap_err());
        assert!(error.starts_with("stage buggy failed"), "{error}");
        assert!(error.contains("broken invariant"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stage_that_ends_unasked_is_named() {
        let stop = CancellationToken::new();
        let mut stages = Stages::new(stop.clone());
        stages.spawn("good", until(stop));
        stages.spawn("quitter", async { Ok(()) });
        let error = stages.join(GRACE).await.unwrap_err();
        assert_eq!(error.to_string(), "stage quitter ended early");
    }

    #[tokio::test(start_paused = true)]
    async fn stopping_ends_well_when_all_drain() {
        let stop = CancellationToken::new();
        let mut stages = Stages::new(stop.clone());
        stages.spawn("source", until(stop.clone()));
        stop.cancel();
        stages.join(GRACE).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_stage_that_does_not_stop_is_named_after_the_grace() {
        let stop = CancellationToken::new();
        let mut stages = Stages::new(stop.clone());
        stages.spawn("deaf", std::future::pending());
        stop.cancel();
        let error = stages.join(GRACE).await.unwrap_err().to_string();
        assert_eq!(error, "still running 10s after the stop: deaf");
    }
}
