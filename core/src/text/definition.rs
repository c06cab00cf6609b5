use super::Language;
use crate::definition::change::Field;

/// What a part of a definition is called.
pub fn field(language: Language, field: Field) -> &'static str {
    match field {
        Field::Image => language.pick("image", "イメージ"),
        Field::Command => language.pick("command", "コマンド"),
        Field::Environment => language.pick("environment", "環境変数"),
        Field::SecretEnvironment => language.pick("secret environment", "秘密の環境変数"),
        Field::GuestPorts => language.pick("ports", "ポート番号"),
        Field::PublishedPorts => language.pick("published ports", "公開ポート"),
        Field::Gpus => "GPU",
        Field::Cpu => "CPU",
        Field::Memory => language.pick("memory", "メモリ"),
        Field::Lease => language.pick("lease", "貸出期間"),
        Field::Tty => language.pick("terminal", "端末"),
        Field::Stdin => language.pick("standard input", "標準入力"),
        Field::RunAs => language.pick("user inside", "実行ユーザー"),
        Field::NodeLabels => language.pick("blade labels", "ブレードのラベル"),
        Field::Volumes => language.pick("volumes", "ボリューム"),
    }
}
