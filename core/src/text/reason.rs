use super::{Language, placement};
use crate::{
    fault::{Fault, FaultKind},
    phase::Reason,
};

/// What happened, and what would help (empty when nothing needs doing).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentences {
    pub message: String,
    pub remedy: String,
}

pub fn reason(language: Language, reason: &Reason) -> Sentences {
    let say = |english: (&str, &str), japanese: (&str, &str)| {
        let (message, remedy) = language.pick(english, japanese);
        Sentences { message: message.to_owned(), remedy: remedy.to_owned() }
    };
    match reason {
        Reason::WaitingForRoom(why) => Sentences {
            message: placement::explanation(language, why),
            remedy: language
                .pick("It starts by itself when there is room.", "空きができると自動で起動します。")
                .to_owned(),
        },
        Reason::SentToNode => say(("The blade has its order.", ""), ("ブレードに依頼しました。", "")),
        Reason::NodeUnreachable => say(
            ("Its blade does not answer.", "What runs there probably runs on. It shows again when the blade is back."),
            ("ブレードから応答がありません。", "実行中のものは動き続けています。復旧すると表示されます。"),
        ),
        Reason::Fault { fault: what, retrying } => {
            let mut sentences = fault(language, what);
            if *retrying {
                sentences.message.push_str(language.pick(" Trying again.", "再試行しています。"));
            }
            sentences
        }
        Reason::Exited { exit_code, at_once: false } => Sentences {
            message: language.pick(
                format!("The program ended by itself (exit {exit_code})."),
                format!("プログラムが終了しました(終了コード{exit_code})。"),
            ),
            remedy: language
                .pick("Start it again when you like; its files are kept.", "再び起動できます。ファイルは残っています。")
                .to_owned(),
        },
        // What a shell, or the engine's own init, ends with when it cannot run what it was given.
        Reason::Exited { exit_code: 126 | 127, at_once: true } => {
            fault(language, &Fault::new(FaultKind::CommandNotFound, ""))
        }
        Reason::Exited { exit_code, at_once: true } => Sentences {
            message: language.pick(
                format!("The program ended at once (exit {exit_code}): the image probably needs a command or a terminal."),
                format!("起動直後に終了しました(終了コード{exit_code})。コマンドか端末が必要なイメージのようです。"),
            ),
            remedy: language.pick("Start it with a shell instead.", "シェルで起動してみてください。").to_owned(),
        },
        Reason::OutOfMemory => say(
            ("It used more memory than it has and was ended.", "Make one with more memory."),
            ("メモリが足りず終了しました。", "メモリを増やして作り直してください。"),
        ),
        Reason::StoppedByUser => say(("Stopped.", ""), ("停止しました。", "")),
        Reason::OverQuota => say(
            (
                "It was stopped, because more is stored than this site allows.",
                "Delete files (that needs no running container), then start it again.",
            ),
            (
                "保存量がサイトの上限を超えたため停止しました。",
                "ファイルを削除してから(コンテナは停止中のままで可能です)もう一度起動してください。",
            ),
        ),
        Reason::Gone => say(
            ("Its blade has nothing of it any more.", "Start it to have it made anew from its image, or delete it."),
            ("ブレード上の実体が失われています。", "起動するとイメージから作り直されます。不要なら削除してください。"),
        ),
        Reason::LeaseEnded => say(
            ("Its lease has ended.", "Extend it and start it again before it is deleted."),
            ("返却期限を過ぎたため停止しました。", "削除される前に延長すると再び起動できます。"),
        ),
    }
}

pub fn fault(language: Language, fault: &Fault) -> Sentences {
    let (message, remedy) = match fault.kind {
        FaultKind::ImageNotFound => language.pick(
            ("The image was not found.", "Check its name and tag."),
            ("イメージが見つかりません。", "名前とタグを確認してください。"),
        ),
        FaultKind::RegistryUnreachable => language.pick(
            ("The registry cannot be reached, and the blade does not have the image.", ""),
            ("レジストリに接続できず、ブレードにもイメージがありません。", ""),
        ),
        FaultKind::PortInUse { port } => {
            let message = language.pick(
                format!("Port {port} of the blade is used by another program."),
                format!("ブレードのポート{port}は別のプログラムが使用しています。"),
            );
            return Sentences { message, remedy: String::new() };
        }
        FaultKind::CommandNotFound => language.pick(
            (
                "The image has no such command.",
                "Check the command, or leave it empty for the image's own.",
            ),
            (
                "イメージに指定のコマンドがありません。",
                "コマンドを確認するか、空欄にしてください。",
            ),
        ),
        FaultKind::NoGpuRuntime => language.pick(
            ("The blade's engine cannot give GPUs to containers.", "Tell the administrators."),
            ("ブレードがGPUに対応していません。", "管理者に連絡してください。"),
        ),
        FaultKind::FirewallMissing => language.pick(
            (
                "The blade's firewall rules are missing, so it starts nothing.",
                "Tell the administrators.",
            ),
            (
                "ブレードのファイアウォール設定がないため起動できません。",
                "管理者に連絡してください。",
            ),
        ),
        FaultKind::NoSpace => language.pick(
            ("The blade's disk is full.", "Tell the administrators."),
            ("ブレードのディスクがいっぱいです。", "管理者に連絡してください。"),
        ),
        FaultKind::StorageMissing => language.pick(
            (
                "The blade does not see the homes' storage, so it starts nothing.",
                "Tell the administrators: often a share is not mounted.",
            ),
            (
                "ブレードからホームの保存領域が見えないため起動できません。",
                "管理者に連絡してください(共有ストレージが未接続の場合があります)。",
            ),
        ),
        FaultKind::HomeOwner => language.pick(
            (
                "The home on the storage belongs to another account number.",
                "Tell the administrators: nothing in it was changed.",
            ),
            (
                "保存領域にあるホームの所有者番号がアカウントと一致しません。",
                "管理者に連絡してください(ホームの内容は変更していません)。",
            ),
        ),
        FaultKind::Unsupported => language.pick(
            ("The blade's agent is too old for this.", "Tell the administrators."),
            ("ブレードのエージェントが古く、対応していません。", "管理者に連絡してください。"),
        ),
        FaultKind::Network => language.pick(
            ("Its network could not be made.", "Tell the administrators if it stays so."),
            ("ネットワークを作成できませんでした。", "続く場合は管理者に連絡してください。"),
        ),
        FaultKind::Engine => language.pick(
            ("The blade's engine reported an error.", "Tell the administrators if it stays so."),
            ("ブレードのエンジンでエラーが発生しました。", "続く場合は管理者に連絡してください。"),
        ),
        FaultKind::ForeignContainer => language.pick(
            (
                "Its name is taken on the blade by a container that is not ours.",
                "Tell the administrators.",
            ),
            ("ブレード上で同名の別のコンテナが存在します。", "管理者に連絡してください。"),
        ),
    };
    Sentences { message: message.to_owned(), remedy: remedy.to_owned() }
}
