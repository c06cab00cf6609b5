//! What the command line says, both languages side by side. Help texts are English, as the options are.

use std::sync::LazyLock;

use berth_core::text::Language;
use berth_proto::v1::{Availability, Liveness, Phase, Role};

/// By the locale, as POSIX orders its variables.
pub(crate) static LANGUAGE: LazyLock<Language> = LazyLock::new(|| {
    ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .map_or_else(Language::default, |locale| Language::choose(&locale))
});

pub(crate) mod definition;

fn pick<T>(english: T, japanese: T) -> T {
    match *LANGUAGE {
        Language::English => english,
        Language::Japanese => japanese,
    }
}

pub(crate) fn copies_nowhere() -> &'static str {
    pick(
        "one side of a copy is a container, written NAME:PATH, and the other one this machine",
        "コピーの一方はコンテナ(名前:パス)、もう一方はこのマシンのパスにしてください",
    )
}

pub(crate) fn not_there(path: &str) -> String {
    pick(format!("{path} is not there"), format!("{path}が見つかりません"))
}

pub(crate) fn is_a_folder(path: &str) -> String {
    pick(format!("{path} is a folder"), format!("{path}はフォルダーです"))
}

pub(crate) fn is_no_folder(path: &str) -> String {
    pick(format!("{path} is no folder"), format!("{path}はフォルダーではありません"))
}

pub(crate) fn no_name(path: &str) -> String {
    pick(
        format!("{path} has no name that a container could take"),
        format!("{path}の名前はコンテナで使えません"),
    )
}

pub(crate) fn skipped(path: &str) -> String {
    pick(
        format!("left out: {path} is neither a file nor a folder, or a link that leads out"),
        format!("{path}は対象外のため除外しました(ファイル・フォルダー以外、または外を指すリンク)"),
    )
}

pub(crate) fn wrong_digest(path: &str) -> String {
    pick(
        format!("{path} has not arrived as it was sent: the checksums differ"),
        format!("{path}のチェックサムが一致しません"),
    )
}

pub(crate) fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Unspecified => "?",
        Phase::Pending => pick("pending", "待機中"),
        Phase::Pulling => pick("pulling", "取得中"),
        Phase::Starting => pick("starting", "起動中"),
        Phase::Running => pick("running", "実行中"),
        Phase::Stopping => pick("stopping", "停止処理中"),
        Phase::Stopped => pick("stopped", "停止"),
        Phase::Failed => pick("failed", "失敗"),
        Phase::Deleting => pick("deleting", "削除中"),
    }
}

pub(crate) fn role(role: Role) -> &'static str {
    match role {
        Role::Unspecified => "?",
        Role::Student => pick("student", "学生"),
        Role::Teacher => pick("teacher", "教員"),
        Role::Administrator => pick("administrator", "管理者"),
    }
}

pub(crate) fn node_state(availability: Availability, liveness: Liveness) -> &'static str {
    match (availability, liveness) {
        (_, Liveness::Unreachable) => pick("unreachable", "応答なし"),
        (_, Liveness::Unknown | Liveness::Unspecified) => pick("not heard of", "接続待ち"),
        (Availability::Cordoned, Liveness::Ready) => pick("cordoned", "新規受付停止中"),
        (Availability::Active | Availability::Unspecified, Liveness::Ready) => {
            pick("ready", "稼働中")
        }
    }
}

pub(crate) fn not_signed_in() -> &'static str {
    pick(
        "nobody is signed in: run `berth login`",
        "サインインしていません。berth login を実行してください",
    )
}

pub(crate) fn does_not_run() -> &'static str {
    pick("the container does not run", "コンテナを実行できませんでした")
}

pub(crate) fn unreachable() -> &'static str {
    pick("the service cannot be reached", "サービスに接続できません")
}

pub(crate) fn ask_url() -> &'static str {
    pick("Address of the service (https://...): ", "サービスのアドレス(https://...): ")
}

pub(crate) fn ask_account() -> &'static str {
    pick("Account: ", "アカウント: ")
}

pub(crate) fn ask_password() -> &'static str {
    pick("Password: ", "パスワード: ")
}

pub(crate) fn ask_trust(host: &str, fingerprint: &str) -> String {
    pick(
        format!(
            "{host} shows a certificate authority that is not known here yet. Its SHA-256 fingerprint:\n\n  \
             {fingerprint}\n\nCompare it with what your administrators say. Trust it? [y/N] "
        ),
        format!(
            "{host} の認証局はまだ登録されていません。SHA-256フィンガープリント:\n\n  \
             {fingerprint}\n\n管理者の案内と一致することを確認してください。信頼しますか? [y/N] "
        ),
    )
}

pub(crate) fn not_trusted() -> &'static str {
    pick(
        "the service is not trusted; nothing was sent to it",
        "信頼されなかったため、何も送信していません",
    )
}

pub(crate) fn other_authority() -> &'static str {
    pick(
        "the service's certificate authority is not the one that was given",
        "サービスの認証局が指定されたものと異なります",
    )
}

pub(crate) fn signed_in(name: &str, url: &str) -> String {
    pick(
        format!("Signed in to {url} as {name}."),
        format!("{url} に {name} としてサインインしました。"),
    )
}

pub(crate) fn signed_out() -> &'static str {
    pick("Signed out.", "サインアウトしました。")
}

pub(crate) fn ask_delete(name: &str) -> String {
    pick(
        format!("Delete {name} with everything in it? The home stays. [y/N] "),
        format!("{name} を中のデータごと削除しますか?(ホームは残ります) [y/N] "),
    )
}

pub(crate) fn ask_delete_volume(name: &str) -> String {
    pick(
        format!("Delete the volume {name} with everything in it? [y/N] "),
        format!("ボリューム {name} を中のデータごと削除しますか? [y/N] "),
    )
}

pub(crate) fn volume_scope(scope: berth_proto::v1::VolumeScope) -> &'static str {
    use berth_proto::v1::VolumeScope;
    match scope {
        VolumeScope::Shared => pick("shared", "共有"),
        VolumeScope::Node => pick("one blade", "ブレード内"),
        VolumeScope::Unspecified => "",
    }
}

pub(crate) fn not_deleted() -> &'static str {
    pick("nothing was deleted", "削除しませんでした")
}

pub(crate) fn deleted(name: &str) -> String {
    pick(format!("{name} is being deleted."), format!("{name} を削除しています。"))
}

pub(crate) fn nobody_to_ask(option: &str) -> String {
    pick(
        format!("there is no terminal to ask at: use {option}"),
        format!("端末がないため確認できません。{option} を指定してください"),
    )
}

pub(crate) fn no_address(port: u16) -> String {
    pick(
        format!("a browser cannot reach port {port}; try `berth port-forward NAME {port}`"),
        format!(
            "ポート{port}はブラウザーから開けません。berth port-forward NAME {port} を試してください"
        ),
    )
}

pub(crate) fn link_made(ends: &str) -> String {
    pick(
        format!("Whoever has this link reaches the port until {ends}. It is shown this one time."),
        format!(
            "このリンクを知っている人は{ends}までアクセスできます。リンクが表示されるのは今回だけです。"
        ),
    )
}

pub(crate) fn no_links() -> &'static str {
    pick("No links.", "共有リンクはありません。")
}

pub(crate) fn which_port() -> &'static str {
    pick(
        "which port? `berth share NAME PORT`; `--list` shows the links that there are",
        "ポートを指定してください(berth share NAME PORT)。--list で一覧を表示します",
    )
}

pub(crate) fn none_yet() -> &'static str {
    pick(
        "No containers. `berth run IMAGE` borrows one.",
        "コンテナはありません。berth run IMAGE で借りられます。",
    )
}

pub(crate) fn top_containers() -> [&'static str; 7] {
    pick(
        ["NAME", "CPU", "MEMORY", "NET IN OUT", "DISK READ WRITE", "GPU", "PIDS"],
        ["名前", "CPU", "メモリ", "受信 送信", "読込 書込", "GPU", "プロセス"],
    )
}

pub(crate) fn top_nodes() -> [&'static str; 7] {
    pick(
        ["BLADE", "CPU", "MEMORY", "NET IN OUT", "DISK READ WRITE", "GPU", "STORAGE"],
        ["ブレード", "CPU", "メモリ", "受信 送信", "読込 書込", "GPU", "ストレージ"],
    )
}

pub(crate) fn nothing_is_used() -> &'static str {
    pick(
        "No figures: no container runs, or its blade has not said anything yet.",
        "表示できる数値はありません。実行中のコンテナがないか、ブレードからまだ届いていません。",
    )
}

pub(crate) fn needs_a_terminal() -> &'static str {
    pick(
        "a terminal is needed for this; without one: `berth exec NAME -- COMMAND`",
        "端末が必要です。端末がない場合は berth exec NAME -- COMMAND を使ってください",
    )
}

pub(crate) fn connection_lost() -> &'static str {
    pick("connection lost, coming back", "接続が切れました。再接続しています")
}

pub(crate) fn left(name: &str, terminal: u32) -> String {
    pick(
        format!("Terminal {terminal} of {name} lives on: berth attach {name} {terminal}"),
        format!("{name} の端末{terminal}は動き続けています: berth attach {name} {terminal}"),
    )
}

pub(crate) fn cannot_listen(port: u16) -> String {
    pick(
        format!("port {port} of this machine cannot be used; another one: LOCAL:PORT"),
        format!("このマシンのポート{port}は使えません。LOCAL:PORTで別のポートを指定してください"),
    )
}
