//! A processor for the servers and another for the load, where a rate is to say what a server can do and not what is left to it.

use anyhow::{Context, Result, bail};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Two processors. Whatever is started stays on the one that was chosen last; when this is dropped, all are there again.
pub(crate) struct Apart {
    all: CpuSet,
    servers: usize,
    load: usize,
}

impl Apart {
    /// Finds two, as far from each other as there are: neighbours may be halves of one.
    pub(crate) fn find() -> Result<Self> {
        let all = sched_getaffinity(None).context("asking for the processors")?;
        let mut there = (0..CpuSet::MAX_CPU).filter(|processor| all.is_set(*processor));
        let (Some(servers), Some(load)) = (there.next(), there.next_back()) else { bail!("two processors are needed") };
        Ok(Self { all, servers, load })
    }

    /// Servers are started now.
    pub(crate) fn servers(&self) -> Result<()> {
        stay_on(self.servers)
    }

    /// Load is started now.
    pub(crate) fn load(&self) -> Result<()> {
        stay_on(self.load)
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        let _no_worse_than_before = sched_setaffinity(None, &self.all);
    }
}

fn stay_on(processor: usize) -> Result<()> {
    let mut only = CpuSet::new();
    only.set(processor);
    sched_setaffinity(None, &only).context("choosing a processor")
}
