//! The lists of accounts inside a container that runs as its owner: without a line of their own they have no name, no shell
//! and no home, and ssh refuses to work. Pure.

use std::fmt::Write as _;

use berth_core::storage::Holder;

/// The image's own lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageAccounts {
    pub passwd: String,
    pub group: String,
}

/// With one line more in each.
pub(crate) fn with_holder(image: &ImageAccounts, holder: &Holder, home: &str) -> ImageAccounts {
    let account = holder.account.as_str();
    let (uid, gid) = (holder.posix.uid, holder.posix.gid);
    let mut passwd = without(&image.passwd, account, uid);
    if passwd.is_empty() {
        passwd.push_str("root:x:0:0:root:/root:/bin/sh\n");
    }
    let _ = writeln!(passwd, "{account}:x:{uid}:{gid}:{account}:{home}:/bin/sh");
    let mut group = lines(&image.group, |_| true);
    if group.is_empty() {
        group.push_str("root:x:0:\n");
    }
    // A group that the image knows keeps its name there.
    if !group.lines().any(|line| number(line) == Some(gid)) {
        let _ = writeln!(group, "{account}:x:{gid}:");
    }
    ImageAccounts { passwd, group }
}

/// The lines of others: two lines with one name or one number say two things at once.
fn without(list: &str, name: &str, uid: u32) -> String {
    lines(list, |line| line.split(':').next() != Some(name) && number(line) != Some(uid))
}

fn number(line: &str) -> Option<u32> {
    line.split(':').nth(2)?.parse().ok()
}

fn lines(list: &str, wanted: impl Fn(&str) -> bool) -> String {
    list.lines().filter(|line| wanted(line)).fold(String::new(), |mut text, line| {
        text.push_str(line);
        text.push('\n');
        text
    })
}

#[cfg(test)]
mod tests {
    use berth_core::{account::AccountName, storage::Posix};

    use super::*;

    fn holder(account: &str) -> Holder {
        Holder {
            account: AccountName::parse(account).unwrap(),
            posix: Posix::new(70_000, 100).unwrap(),
        }
    }

    #[test]
    fn a_line_more() {
        let image = ImageAccounts {
            passwd:
                "root:x:0:0:root:/root:/bin/bash\ngames:x:5:60:games:/usr/games:/usr/sbin/nologin"
                    .into(),
            group: "root:x:0:\nusers:x:100:bob\n".into(),
        };
        let lists = with_holder(&image, &holder("alice"), "/home/alice");
        assert_eq!(
            lists.passwd,
            "root:x:0:0:root:/root:/bin/bash\ngames:x:5:60:games:/usr/games:/usr/sbin/nologin\n\
             alice:x:70000:100:alice:/home/alice:/bin/sh\n"
        );
        assert_eq!(lists.group, "root:x:0:\nusers:x:100:bob\n");
        let taken = with_holder(&image, &holder("games"), "/");
        let lines: Vec<_> =
            taken.passwd.lines().filter(|line| line.starts_with("games:")).collect();
        assert_eq!(lines, ["games:x:70000:100:games:/:/bin/sh"]);
    }

    #[test]
    fn images_without_lists_still_have_root() {
        let lists = with_holder(&ImageAccounts::default(), &holder("alice"), "/");
        assert!(lists.passwd.starts_with("root:x:0:0:"));
        assert_eq!(lists.group, "root:x:0:\nalice:x:100:\n");
    }
}
