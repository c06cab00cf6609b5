//! In which order a folder is shown: folders first, then by a column, and by name where that says nothing.

use std::cmp::Ordering;

use berth_proto::v1::{File, FileKind};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Name,
    Size,
    Changed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Ascending,
    Descending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) column: Column,
    pub(crate) direction: Direction,
}

impl Order {
    pub(crate) const USUAL: Order = Order { column: Column::Name, direction: Direction::Ascending };

    /// The other way round, or by another column: there the largest and the newest come first.
    pub(crate) fn chosen(self, column: Column) -> Self {
        let direction = match (self.column == column, self.direction, column) {
            (true, Direction::Ascending, _) => Direction::Descending,
            (true, Direction::Descending, _) => Direction::Ascending,
            (false, _, Column::Name) => Direction::Ascending,
            (false, _, Column::Size | Column::Changed) => Direction::Descending,
        };
        Self { column, direction }
    }

    /// `names` says how people order two names.
    pub(crate) fn sort(self, files: &mut [File], names: impl Fn(&str, &str) -> Ordering) {
        files.sort_by(|a, b| {
            let by_column = match self.column {
                Column::Name => names(&a.name, &b.name),
                Column::Size => size(a).cmp(&size(b)),
                Column::Changed => changed(a).cmp(&changed(b)),
            };
            let by_column = match self.direction {
                Direction::Ascending => by_column,
                Direction::Descending => by_column.reverse(),
            };
            is_folder(b)
                .cmp(&is_folder(a))
                .then(by_column)
                .then_with(|| names(&a.name, &b.name))
                .then_with(|| a.name.cmp(&b.name))
        });
    }
}

fn is_folder(file: &File) -> bool {
    file.kind() == FileKind::Directory
}

/// Of a folder it says nothing.
fn size(file: &File) -> u64 {
    if is_folder(file) { 0 } else { file.size_bytes }
}

fn changed(file: &File) -> (i64, i32) {
    file.modify_time.as_ref().map_or((0, 0), |at| (at.seconds, at.nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, kind: FileKind, size: u64, seconds: i64) -> File {
        File {
            name: name.to_owned(),
            kind: kind.into(),
            size_bytes: size,
            modify_time: Some(prost_types::Timestamp { seconds, nanos: 0 }),
            ..File::default()
        }
    }

    fn sorted(order: Order) -> Vec<String> {
        let mut files = vec![
            file("b", FileKind::File, 1, 30),
            file("a", FileKind::File, 2, 10),
            file("z", FileKind::Directory, 4096, 20),
            file("c", FileKind::File, 2, 20),
        ];
        order.sort(&mut files, str::cmp);
        files.into_iter().map(|file| file.name).collect()
    }

    #[test]
    fn folders_come_first_whatever_the_column() {
        let usual = Order::USUAL;
        assert_eq!(sorted(usual), ["z", "a", "b", "c"]);
        assert_eq!(sorted(usual.chosen(Column::Name)), ["z", "c", "b", "a"]);
        let size = usual.chosen(Column::Size);
        assert_eq!(sorted(size), ["z", "a", "c", "b"]);
        assert_eq!(sorted(size.chosen(Column::Size)), ["z", "b", "a", "c"]);
        assert_eq!(sorted(usual.chosen(Column::Changed)), ["z", "b", "c", "a"]);
    }
}
