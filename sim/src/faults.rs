//! What breaks, when, and for how long.

use std::{sync::Arc, time::Duration};

use berth_store::FailWith;
use turmoil::Sim;

use crate::{authority::CONTROLLER, blade::Blade, clock::Chance, world::World};

/// Things that come back.
enum Broken {
    Partition(Arc<Blade>),
    Held(Arc<Blade>),
    Down(&'static str),
}

pub(crate) struct Faults {
    world: Arc<World>,
    chance: Chance,
    broken: Vec<(Duration, Broken)>,
    next: Duration,
}

impl Faults {
    pub(crate) fn new(world: Arc<World>) -> Self {
        let chance = Chance::new(world.seed, "faults");
        Self { world, chance, broken: Vec::new(), next: Duration::from_secs(3) }
    }

    /// Between two steps.
    pub(crate) fn step(&mut self, sim: &mut Sim<'_>) {
        let now = sim.elapsed();
        self.mend(sim, now);
        self.notice_end(sim, now);
        if now >= self.next && self.world.is_open() {
            self.next = now + self.chance.millis(50, 1800);
            self.strike(sim, now);
        }
    }

    /// A controller that ended itself is started again, as systemd would.
    pub(crate) fn notice_end(&mut self, sim: &mut Sim<'_>, now: Duration) {
        if self.world.take_ended() && !self.is_down(CONTROLLER) {
            self.crash(sim, CONTROLLER, now + Duration::from_millis(500));
        }
    }

    /// Everything is whole again.
    pub(crate) fn heal(&mut self, sim: &mut Sim<'_>) {
        self.mend(sim, Duration::MAX);
        self.world.trouble.end();
        for blade in &self.world.blades {
            blade.end_trouble();
            sim.repair(blade.name, CONTROLLER);
            sim.set_link_latency(blade.name, CONTROLLER, Duration::from_millis(1));
        }
    }

    pub(crate) fn mend(&mut self, sim: &mut Sim<'_>, now: Duration) {
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.broken).into_iter().partition(|(until, _)| *until <= now);
        self.broken = later;
        for (_, broken) in due {
            match broken {
                Broken::Partition(blade) => {
                    tracing::info!(target: "berth_sim", blade = blade.name, "the network is whole");
                    sim.repair(blade.name, CONTROLLER);
                }
                Broken::Held(blade) => {
                    tracing::info!(target: "berth_sim", blade = blade.name, "the network goes on");
                    sim.release(blade.name, CONTROLLER);
                }
                Broken::Down(host) => {
                    tracing::info!(target: "berth_sim", host, "up");
                    sim.bounce(host);
                }
            }
        }
    }

    pub(crate) fn crash(&mut self, sim: &mut Sim<'_>, host: &'static str, until: Duration) {
        tracing::info!(target: "berth_sim", host, "down");
        if host == CONTROLLER {
            self.world.set_live(None);
        }
        sim.crash(host);
        self.broken.push((until, Broken::Down(host)));
    }

    pub(crate) fn is_down(&self, host: &str) -> bool {
        self.broken.iter().any(|(_, broken)| matches!(broken, Broken::Down(down) if *down == host))
    }

    fn is_cut(&self, name: &str) -> bool {
        self.broken.iter().any(|(_, broken)| match broken {
            Broken::Partition(blade) | Broken::Held(blade) => blade.name == name,
            Broken::Down(_) => false,
        })
    }

    fn strike(&mut self, sim: &mut Sim<'_>, now: Duration) {
        let Some(blade) = self.chance.pick(&self.world.blades).cloned() else { return };
        match self.chance.between(0, 99) {
            0..14 => self.cut(sim, &blade, now),
            14..20 => self.hold(sim, &blade, now),
            20..32 => {
                if !self.is_down(CONTROLLER) {
                    let until = now + self.chance.millis(100, 7_000);
                    self.crash(sim, CONTROLLER, until);
                }
            }
            32..47 => {
                if !self.is_down(blade.name) {
                    let until = now + self.chance.millis(50, 6_000);
                    self.crash(sim, blade.name, until);
                }
            }
            47..53 => {
                if !self.is_down(blade.name) {
                    let until = now + self.chance.millis(500, 6_000);
                    self.crash(sim, blade.name, until);
                }
                tracing::info!(target: "berth_sim", blade = blade.name, "reboot");
                blade.reboot();
            }
            53..61 => {
                let lost = self.chance.one_in(2);
                let with = if lost { FailWith::LostAnswer } else { FailWith::Refusal };
                self.world.trouble.fail_commit(with);
            }
            61..70 => blade.fail_ledger(),
            70..80 => blade.set_trouble(self.chance.between(0, 1) * 60),
            80..84 => {
                blade.hold_ports();
                tracing::info!(target: "berth_sim", blade = blade.name, "foreign processes take ports");
            }
            _ => {
                let delay = self.chance.millis(1, 150);
                sim.set_link_latency(blade.name, CONTROLLER, delay);
            }
        }
    }

    /// Nothing arrives, in both directions or in one.
    fn cut(&mut self, sim: &mut Sim<'_>, blade: &Arc<Blade>, now: Duration) {
        if self.is_cut(blade.name) {
            return;
        }
        let direction = self.chance.between(0, 2);
        tracing::info!(target: "berth_sim", blade = blade.name, direction, "the network is cut");
        match direction {
            0 => sim.partition(blade.name, CONTROLLER),
            1 => sim.partition_oneway(blade.name, CONTROLLER),
            _ => sim.partition_oneway(CONTROLLER, blade.name),
        }
        let until = now + self.chance.millis(500, 25_000);
        self.broken.push((until, Broken::Partition(Arc::clone(blade))));
    }

    /// Everything arrives, later.
    fn hold(&mut self, sim: &mut Sim<'_>, blade: &Arc<Blade>, now: Duration) {
        if self.is_cut(blade.name) {
            return;
        }
        tracing::info!(target: "berth_sim", blade = blade.name, "the network stands still");
        sim.hold(blade.name, CONTROLLER);
        let until = now + self.chance.millis(100, 4_000);
        self.broken.push((until, Broken::Held(Arc::clone(blade))));
    }
}
