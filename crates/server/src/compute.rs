//! Threads for what takes long to compute (RSA, Argon2): as many as there are processors, and of a lower priority than
//! those that answer requests, commit, or read what a directory replied. So whoever waits for a moment of the processor
//! gets it, here and in a directory or a database on the same host, and what computes gets the rest.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;

use tokio::sync::{Semaphore, oneshot};

/// How many steps a computing thread is below the others: of a processor that both want it gets a tenth.
const NICE: i32 = 10;

/// The threads. They end when the last copy is dropped.
#[derive(Debug, Clone)]
pub struct Computing {
    jobs: mpsc::Sender<Job>,
    /// Two for each thread, so that it finds the next job when it has done one. Whoever has none waits with the work in hand,
    /// and takes it along when the wait is given up: what a password is in is not left in a queue.
    turns: Arc<Semaphore>,
}

type Job = Box<dyn FnOnce() + Send>;

/// A computation panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a computation ended with a fault")]
pub struct Fault;

impl Computing {
    /// Starts the threads.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start() -> std::io::Result<Self> {
        let (sender, jobs) = mpsc::channel();
        let jobs = Arc::new(Mutex::new(jobs));
        let threads = thread::available_parallelism().map_or(2, usize::from);
        for _ in 0..threads {
            let jobs = Arc::clone(&jobs);
            thread::Builder::new().name("compute".to_owned()).spawn(move || compute(&jobs))?;
        }
        Ok(Self { jobs: sender, turns: Arc::new(Semaphore::new(2 * threads)) })
    }

    /// Computes, after those who asked before.
    ///
    /// # Errors
    /// [`Fault`]; the thread goes on to the next.
    pub async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| Fault)?;
        let (told, waits) = oneshot::channel();
        let job = move || {
            let computed = catch_unwind(AssertUnwindSafe(work));
            drop(turn);
            if let Ok(computed) = computed {
                // Whoever stopped waiting meanwhile does not need it.
                let _ = told.send(computed);
            }
        };
        self.jobs.send(Box::new(job)).map_err(|_| Fault)?;
        waits.await.map_err(|_| Fault)
    }
}

fn compute(jobs: &Mutex<mpsc::Receiver<Job>>) {
    // On Linux it is the thread's own. Without it the work is the same.
    if let Err(error) = rustix::process::nice(NICE) {
        tracing::debug!(%error, "computing threads keep the priority of the process");
    }
    // One at a time waits for the next job, the others for that one to have got it.
    let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
    while let Ok(job) = next() {
        job();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_panics_disturbs_nobody() {
        let computing = Computing::start().expect("threads");
        for _ in 0..16 {
            assert_eq!(computing.compute(|| -> u8 { panic!("on purpose") }).await, Err(Fault));
        }
        assert_eq!(computing.compute(|| 7).await, Ok(7));
    }

    /// The priority is that of these threads alone.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn only_what_computes_yields() {
        let nice = || rustix::process::nice(0).expect("the priority");
        let own = nice();
        let computing = Computing::start().expect("threads");
        assert_eq!(computing.compute(nice).await, Ok((own + NICE).min(19)));
        assert_eq!(nice(), own);
    }
}
