//! What is wrong with a file, and what to do about it.

use super::Language;
use crate::files::{FileFault, Refused};

/// `name` is which one, as it may be shown.
pub fn file_fault(language: Language, fault: FileFault, name: &str) -> String {
    let (english, japanese) = match fault {
        FileFault::Refused(refused) => return archive(language, refused, name),
        FileFault::NotFound => ("is not there.", "が見つかりません。"),
        FileFault::AlreadyExists => ("is there already.", "はすでにあります。"),
        FileFault::NotADirectory => (
            "is not a folder, or leads through something that is none.",
            "はフォルダーではありません。",
        ),
        FileFault::IsADirectory => ("is a folder.", "はフォルダーです。"),
        FileFault::NotPermitted => ("cannot be changed.", "は変更できません。"),
        FileFault::ReadOnly => ("is on a file system that is read-only.", "は読み取り専用です。"),
        FileFault::LinkLoop => {
            ("leads round in circles, by its links.", "はリンクが循環しているため開けません。")
        }
        FileFault::NotAFile => {
            ("is neither a file nor a folder.", "はファイルでもフォルダーでもありません。")
        }
        FileFault::NoSpace => (
            "does not fit: there is too little room left on the blade.",
            "を保存できません。ブレードの空き容量が足りません。",
        ),
        FileFault::Changed => (
            "has changed meanwhile. Begin anew.",
            "は途中で変更されました。最初からやり直してください。",
        ),
        FileFault::Busy => (
            "is busy at present. Try again in a moment.",
            "は使用中です。しばらくしてからもう一度お試しください。",
        ),
        FileFault::WrongSize => {
            ("has more or fewer bytes than were announced.", "のサイズが申告と一致しません。")
        }
        FileFault::WrongDigest => (
            "has not arrived as it was sent: the checksums differ. Send it again.",
            "のチェックサムが一致しません。もう一度送信してください。",
        ),
        FileFault::OtherFileSystem => (
            "cannot be moved between two file systems. Copy it instead.",
            "は別のファイルシステムへ移動できません。コピーしてください。",
        ),
        FileFault::IntoItself => {
            ("cannot be moved into itself.", "を自分自身の中へ移動することはできません。")
        }
        FileFault::Stopped => (
            "cannot be reached while the container is stopped. Start it first.",
            "には停止中のコンテナからアクセスできません。先に起動してください。",
        ),
    };
    language.pick(format!("\"{name}\" {english}"), format!("「{name}」{japanese}"))
}

fn archive(language: Language, refused: Refused, name: &str) -> String {
    let (english, japanese) = match refused {
        Refused::Name => ("its name leads out of the folder", "名前がフォルダーの外を指しています"),
        Refused::Link => {
            ("it is a link that leads out of the archive", "アーカイブの外を指すリンクです")
        }
        Refused::ThroughLink => {
            ("it lies below something that is no folder", "フォルダーでないものの下にあります")
        }
        Refused::Device => ("it is a device or a pipe", "デバイスまたはパイプです"),
        Refused::Setuid => ("it is setuid or setgid", "setuidまたはsetgidが設定されています"),
        Refused::Duplicate => ("it is there twice", "同じ名前が2回あります"),
        Refused::Sparse => ("it is a sparse file", "スパースファイルです"),
        Refused::TooManyEntries => ("there are too many entries", "エントリーが多すぎます"),
        Refused::Broken => ("the archive is broken there", "アーカイブが壊れています"),
    };
    language.pick(
        format!("The archive was refused at \"{name}\": {english}. Nothing of it was kept."),
        format!("アーカイブの「{name}」を受け付けられません({japanese})。何も保存していません。"),
    )
}
