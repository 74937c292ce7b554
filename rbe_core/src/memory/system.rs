//! How much memory there is to have.

/// Bytes from which the system is asked whether they are there before they are requested of it: below, asking costs more than
/// a share worth having of what filling them costs.
const LARGE: usize = 1 << 28;

/// Whether `bytes` can be had, as far as can be known beforehand. Systems promise more memory than they have, and end the
/// process that takes them at their word.
pub(crate) fn there_is(bytes: usize) -> bool {
    bytes < LARGE || available().is_none_or(|available| bytes as u64 <= available)
}

/// Bytes that the process may still take.
#[cfg(target_os = "linux")]
fn available() -> Option<u64> {
    let machine = linux::machine();
    let group = linux::group();
    machine.into_iter().chain(group).min()
}

#[cfg(not(target_os = "linux"))]
fn available() -> Option<u64> {
    None
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::File;
    use std::io::Read;

    /// The beginning of a file, read into memory that is there already.
    fn read<'a>(path: &str, into: &'a mut [u8]) -> Option<&'a str> {
        let mut file = File::open(path).ok()?;
        let mut n = 0;
        while n < into.len() {
            match file.read(&mut into[n..]).ok()? {
                0 => break,
                more => n += more,
            }
        }
        std::str::from_utf8(&into[..n]).ok()
    }

    /// The number after `name` at the beginning of a line.
    fn field(text: &str, name: &str) -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_start_matches(':').split_whitespace().next()?.parse().ok()
    }

    /// What the machine can give without ending a process, swap included.
    pub(super) fn machine() -> Option<u64> {
        let mut text = [0; 4096];
        let text = read("/proc/meminfo", &mut text)?;
        Some((field(text, "MemAvailable")? + field(text, "SwapFree").unwrap_or(0)) * 1024)
    }

    /// What is left of the limit that containers are given, the caches that would make way included.
    pub(super) fn group() -> Option<u64> {
        let number = |path: &str| read(path, &mut [0; 64])?.trim().parse::<u64>().ok();
        let left = |limit: u64, used: u64, statistics: &str, cache: &str| {
            let mut text = [0; 8192];
            let caches = read(statistics, &mut text).and_then(|text| field(text, cache)).unwrap_or(0);
            limit.saturating_sub(used.saturating_sub(caches))
        };
        if let Some(limit) = number("/sys/fs/cgroup/memory.max") {
            return Some(left(limit, number("/sys/fs/cgroup/memory.current")?, "/sys/fs/cgroup/memory.stat", "inactive_file "));
        }
        let limit = number("/sys/fs/cgroup/memory/memory.limit_in_bytes")?;
        let used = number("/sys/fs/cgroup/memory/memory.usage_in_bytes")?;
        Some(left(limit, used, "/sys/fs/cgroup/memory/memory.stat", "total_inactive_file "))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn fields_are_found_at_the_beginning_of_lines() {
            let text = "MemTotal:  9 kB\nMemAvailable:    12 kB\nSwapFree: 3 kB\ninactive_file 77\n";
            assert_eq!(field(text, "MemAvailable"), Some(12));
            assert_eq!(field(text, "inactive_file "), Some(77));
            assert_eq!(field(text, "Available"), None);
            assert!(machine().is_some_and(|bytes| bytes > 1 << 20));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_requests_are_not_asked_about_and_absurd_ones_are_refused() {
        assert!(there_is(0) && there_is(LARGE - 1));
        assert!(!there_is(usize::MAX) || available().is_none());
    }
}
