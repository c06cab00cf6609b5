//! Sentences for errors and for blades' problems, both languages side by side.

use berth_app::error::{Error, Kind, Precondition, Quota};
use berth_core::{
    clock::Timestamp,
    node::{Liveness, Node, Trouble},
    relay::{End, EndReason},
    text::{self as words, Language},
    violation::Violation,
};

use crate::status::shorten;

/// Agents renew after two thirds of a certificate's time: one with less than this left has failed to for weeks.
const CERTIFICATE_WARNING: std::time::Duration = std::time::Duration::from_secs(14 * 24 * 3600);

/// A sentence has some 60 letters, and a Japanese letter nine bytes in a header.
const VIOLATIONS_SAID: usize = 3;

fn pick<T>(language: Language, english: T, japanese: T) -> T {
    match language {
        Language::English => english,
        Language::Japanese => japanese,
    }
}

pub(crate) fn error(language: Language, error: &Error) -> String {
    let say = |english: &str, japanese: &str| pick(language, english, japanese).to_owned();
    match error {
        Error::InvalidArgument { violations } => invalid(language, violations),
        Error::NotFound { kind, name } => {
            let (kind, name) = (kind_name(language, *kind), shorten(name));
            pick(
                language,
                format!("There is no {kind} \"{name}\"."),
                format!("{kind}「{name}」は見つかりません。"),
            )
        }
        Error::AlreadyExists { kind, name } => {
            let (kind, name) = (kind_name(language, *kind), shorten(name));
            pick(
                language,
                format!("There is already a {kind} \"{name}\". Choose another name."),
                format!("{kind}「{name}」はすでにあります。別の名前にしてください。"),
            )
        }
        Error::Unauthenticated => say("Sign in first.", "サインインしてください。"),
        Error::SignInRefused => {
            say("Account or password is wrong.", "アカウントまたはパスワードが違います。")
        }
        Error::TooManyAttempts { retry_after } => {
            let seconds = retry_after.as_secs();
            pick(
                language,
                format!("Too many attempts. Try again in {seconds} seconds."),
                format!("試行回数が多すぎます。{seconds}秒後にもう一度お試しください。"),
            )
        }
        Error::PermissionDenied => {
            say("You are not permitted to do this.", "この操作を行う権限がありません。")
        }
        Error::QuotaExceeded { subject: Quota::ContainersPerPerson, limit } => pick(
            language,
            format!("You have {limit} containers, which is the limit. Delete one first."),
            format!("コンテナは1人{limit}個までです。先にどれかを削除してください。"),
        ),
        Error::QuotaExceeded { subject: Quota::VolumesPerPerson, limit } => pick(
            language,
            format!("You have {limit} volumes, which is the limit. Delete one first."),
            format!("ボリュームは1人{limit}個までです。先にどれかを削除してください。"),
        ),
        Error::QuotaExceeded { subject: Quota::TerminalsPerContainer, limit } => pick(
            language,
            format!("The container has {limit} terminals, which is the limit. End one first."),
            format!("端末は1コンテナ{limit}個までです。先にどれかを終了してください。"),
        ),
        Error::QuotaExceeded { subject: Quota::LinksPerContainer, limit } => pick(
            language,
            format!("The container has {limit} links, which is the limit. Delete one first."),
            format!("共有リンクは1コンテナ{limit}個までです。先にどれかを削除してください。"),
        ),
        Error::FailedPrecondition(precondition) => match precondition {
            Precondition::BeingDeleted => {
                say("It is being deleted.", "削除中のため操作できません。")
            }
            Precondition::LeaseEnded => say(
                "Its lease has ended. Extend it first.",
                "貸出期限が過ぎています。先に延長してください。",
            ),
            Precondition::NodeHasContainers => say(
                "The blade has containers. Delete them first, or have them forgotten with it.",
                "ブレードにコンテナがあります。先に削除するか、強制削除を選んでください。",
            ),
            Precondition::NotRunning => say("It is not running.", "実行中ではありません。"),
            Precondition::NoSuchCommand => say(
                "The image has no such program. Without a command: it has no shell.",
                "イメージにそのプログラムがありません(コマンド省略時はシェルがありません)。",
            ),
            Precondition::NothingListens => say(
                "Nothing in the container listens on that port. Is the program started?",
                "コンテナ内でそのポートを待ち受けているプログラムがありません。起動しているか確認してください。",
            ),
            Precondition::VolumeInUse => say(
                "A container has this volume. Delete the container first.",
                "このボリュームを使っているコンテナがあります。先にコンテナを削除してください。",
            ),
            Precondition::OverQuota => say(
                "More is stored than this site allows. Delete files first; that needs no running container.",
                "保存量がサイトの上限を超えています。先にファイルを削除してください(コンテナは停止中のままで可能です)。",
            ),
            Precondition::NoHomes => say(
                "No blade of this site keeps homes.",
                "このサイトにはホームを保存するブレードがありません。",
            ),
            Precondition::AgentTooOld => say(
                "The blade's agent is too old for this. Ask the administrators to upgrade it.",
                "ブレードのエージェントが古いため対応していません。管理者に更新を依頼してください。",
            ),
            Precondition::NoShareLinks => say(
                "This site has no links to containers.",
                "このサイトではコンテナの共有リンクを利用できません。",
            ),
        },
        Error::NeedsRecreation { fields } => {
            let fields: Vec<&str> = fields.iter().map(|f| words::field(language, *f)).collect();
            let fields = fields.join(pick(language, ", ", "、"));
            pick(
                language,
                format!(
                    "The container must be made anew for this ({fields}). What it wrote outside of home and volumes would be lost."
                ),
                format!(
                    "この変更({fields})にはコンテナの再作成が必要です。ホームとボリューム以外に保存したデータは失われます。"
                ),
            )
        }
        Error::DoesNotFit(rejections) => {
            let why: Vec<String> =
                rejections.iter().map(|why| words::rejection(language, why)).collect();
            let why = why.join(pick(language, "; ", "、"));
            pick(
                language,
                format!("The container's blade does not allow it: {why}. Nothing was changed."),
                format!(
                    "コンテナのあるブレードでは変更できません: {why}。変更は行われていません。"
                ),
            )
        }
        Error::File { fault, subject } => words::file_fault(language, *fault, &shorten(subject)),
        Error::Unavailable { .. } => say(
            "The service cannot answer at present. Try again in a moment.",
            "現在応答できません。しばらくしてからもう一度お試しください。",
        ),
        Error::Internal(_) => say(
            "Something went wrong here. Tell the administrators if it stays so.",
            "内部エラーが発生しました。続く場合は管理者に連絡してください。",
        ),
    }
}

/// The first few, in words: a client that knows nothing of details shows this. All of them are in the details.
fn invalid(language: Language, violations: &[Violation]) -> String {
    let said: Vec<String> = violations
        .iter()
        .take(VIOLATIONS_SAID)
        .map(|Violation { field, problem }| {
            format!("{}: {}", shorten(field), words::problem(language, problem))
        })
        .collect();
    let said = said.join(pick(language, "; ", "、"));
    match violations.len().saturating_sub(VIOLATIONS_SAID) {
        0 => said,
        more => pick(language, format!("{said}; and {more} more"), format!("{said}、ほか{more}件")),
    }
}

fn kind_name(language: Language, kind: Kind) -> &'static str {
    match kind {
        Kind::Container => pick(language, "container", "コンテナ"),
        Kind::Volume => pick(language, "volume", "ボリューム"),
        Kind::Node => pick(language, "blade", "ブレード"),
        Kind::User => pick(language, "account", "アカウント"),
        Kind::Terminal => pick(language, "terminal", "端末"),
        Kind::ShareLink => pick(language, "link", "共有リンク"),
    }
}

/// Why a terminal, or a command, is over.
pub(crate) fn exec_end(language: Language, end: &End) -> String {
    let say = |english: &str, japanese: &str| pick(language, english, japanese).to_owned();
    match end.reason {
        EndReason::Exited => pick(
            language,
            format!("The program has ended (exit {}).", end.exit_code),
            format!("プログラムが終了しました(終了コード{})。", end.exit_code),
        ),
        EndReason::ContainerNotRunning => {
            say("The container has stopped.", "コンテナが停止しました。")
        }
        EndReason::TimeLimit => say("Its time was over.", "制限時間を過ぎたため終了しました。"),
        EndReason::CommandNotFound => {
            say("The image has no such program.", "イメージにそのプログラムがありません。")
        }
        EndReason::NoSuchTerminal
        | EndReason::ConnectionRefused
        | EndReason::TooMany
        | EndReason::File(_)
        | EndReason::Failed
        | EndReason::Unsupported => say(
            "It is over, and the blade could not say how it ended.",
            "終了しましたが、理由を確認できませんでした。",
        ),
    }
}

pub(crate) fn unimplemented(language: Language) -> &'static str {
    pick(language, "There is no such call here.", "この呼び出しには対応していません。")
}

pub(crate) fn deadline_exceeded(language: Language) -> &'static str {
    pick(language, "The time allowed for the call is over.", "呼び出しの制限時間を過ぎました。")
}

pub(crate) fn starts_now(language: Language, node: &str) -> String {
    pick(
        language,
        format!("It would start now, on {node}."),
        format!("{node}ですぐに起動できます。"),
    )
}

/// What is wrong with a blade. That it is cordoned is somebody's decision and no problem.
pub(crate) fn problems(language: Language, node: &Node, now: Timestamp) -> Vec<String> {
    let mut problems = Vec::new();
    if node.liveness == Liveness::Unreachable {
        let since = moment(node.liveness_since);
        problems.push(pick(
            language,
            format!("Has not answered since {since}."),
            format!("{since}から応答がありません。"),
        ));
    }
    problems.extend(node.troubles.iter().map(|trouble| match trouble {
        Trouble::LedgerAhead => pick(
            language,
            "It remembers more than the database, which was probably restored: stop the controller, run berth-controller new-epoch, start it again. Until then it gets no orders.".to_owned(),
            "データベースより新しい情報を持っています(復元直後と思われます)。コントローラを停止し、berth-controller new-epochを実行して起動し直してください。それまで指示は送られません。".to_owned(),
        ),
        Trouble::TwoAgents => pick(
            language,
            "Two agents use its identity: a disk was probably cloned. Stop one of them, then uncordon it.".to_owned(),
            "同じ証明書のエージェントが2つ動いています(ディスクの複製と思われます)。片方を停止してから受付を再開してください。".to_owned(),
        ),
    }));
    problems.extend(node.inventory.problems.iter().map(|problem| {
        let message = words::fault(language, problem).message;
        match problem.detail.as_str() {
            "" => message,
            detail => format!("{message} ({})", shorten(detail)),
        }
    }));
    if node.certificate_expires_at <= now {
        problems.push(
            pick(
                language,
                "Its certificate has expired. Let it join anew.",
                "証明書の期限が切れています。再登録してください。",
            )
            .to_owned(),
        );
    } else if node.certificate_expires_at < now + CERTIFICATE_WARNING {
        let end = moment(node.certificate_expires_at);
        problems.push(pick(
            language,
            format!("Its certificate ends at {end} and was not renewed."),
            format!("証明書が更新されておらず、{end}に期限が切れます。"),
        ));
    }
    if node.orphans > 0 {
        let count = node.orphans;
        problems.push(pick(
            language,
            format!("Has {count} containers of ours that nobody asked for."),
            format!("管理外になったコンテナが{count}個あります。"),
        ));
    }
    problems
}

/// UTC, the same in every language.
fn moment(moment: Timestamp) -> String {
    let since_epoch = std::time::Duration::from_millis(u64::try_from(moment.0).unwrap_or(0));
    humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + since_epoch).to_string()
}
