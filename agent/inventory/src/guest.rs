//! KVM guests of this machine, by their processes: whoever started them, and with whatever tool.

use std::path::Path;

use berth_core::resources::Resources;
use procfs::process::{Process, all_processes_with_root};

/// All virtual CPUs, as though busy, and the memory that is in use now: a guest that has not touched its memory yet will.
pub(crate) fn guests(proc: &Path) -> Resources {
    let processes = match all_processes_with_root(proc) {
        Ok(processes) => processes,
        Err(error) => {
            tracing::warn!(error = %error, "cannot list processes");
            return Resources::default();
        }
    };
    // Processes come and go while they are listed; one that is gone uses nothing.
    processes
        .filter_map(Result::ok)
        .filter_map(|process| guest(&process))
        .fold(Resources::default(), Resources::plus)
}

fn guest(process: &Process) -> Option<Resources> {
    let stat = process.stat().ok()?;
    // "qemu-system-x86_64" is cut to 15 characters; RHEL calls it "qemu-kvm".
    if !stat.comm.starts_with("qemu") && stat.comm != "kvm" {
        return None;
    }
    // QEMU names the threads of virtual CPUs "CPU 0/KVM".
    let vcpus = process
        .tasks()
        .ok()?
        .filter_map(Result::ok)
        .filter_map(|task| task.stat().ok())
        .filter(|task| task.comm.starts_with("CPU ") && task.comm.ends_with("/KVM"))
        .count();
    if vcpus == 0 {
        return None;
    }
    Some(Resources {
        cpu_millis: u32::try_from(vcpus).ok()?.saturating_mul(1000),
        memory_bytes: stat.rss.saturating_mul(procfs::page_size()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(pid: u32, name: &str, rss: u64) -> String {
        format!(
            "{pid} ({name}) S 1 {pid} {pid} 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 4 0 100 1000000 {rss} 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
        )
    }

    fn process(proc: &Path, pid: u32, name: &str, threads: &[&str]) {
        let own = proc.join(pid.to_string());
        std::fs::create_dir_all(&own).unwrap();
        std::fs::write(own.join("stat"), stat(pid, name, 10)).unwrap();
        for (n, thread) in (pid..).zip(threads) {
            let task = own.join("task").join(n.to_string());
            std::fs::create_dir_all(&task).unwrap();
            std::fs::write(task.join("stat"), stat(n, thread, 10)).unwrap();
        }
    }

    #[test]
    fn recorded() {
        let proc = tempfile::tempdir().unwrap();
        process(
            proc.path(),
            100,
            "qemu-system-x86",
            &["qemu-system-x86", "CPU 0/KVM", "CPU 1/KVM", "worker"],
        );
        process(proc.path(), 200, "qemu-kvm", &["qemu-kvm", "CPU 0/KVM"]);
        // An image tool, and somebody who calls his threads so.
        process(proc.path(), 300, "qemu-img", &["qemu-img"]);
        process(proc.path(), 400, "bash", &["CPU 0/KVM"]);
        assert_eq!(guests(proc.path()), Resources::new(3000, 20 * procfs::page_size()));
    }

    #[test]
    fn nothing_to_read() {
        assert_eq!(guests(Path::new("/nonexistent")), Resources::default());
    }
}
