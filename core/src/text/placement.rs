use std::collections::BTreeMap;

use super::{Language, bytes, cores, reason};
use crate::{
    container::RuntimeKind,
    explanation::{Explanation, Outcome, Rejection},
    fault::Fault,
};

/// "No blade has room: 6 blades: 2 GiB memory free, 4 GiB asked; 2 blades: cordoned." Blades that say the same are counted
/// together; of a single blade the name is said.
pub fn explanation(language: Language, explanation: &Explanation) -> String {
    if explanation.nodes.is_empty() {
        return language
            .pick("There is no blade yet.", "ブレードがまだ登録されていません。")
            .to_owned();
    }
    let mut groups: BTreeMap<&[Rejection], Vec<&str>> = BTreeMap::new();
    for verdict in &explanation.nodes {
        match &verdict.outcome {
            Outcome::Rejected(rejections) => {
                groups.entry(rejections).or_default().push(&verdict.name);
            }
            Outcome::Scored(_) => {}
        }
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then_with(|| a.0.cmp(b.0)));
    let parts: Vec<String> = groups
        .into_iter()
        .map(|(rejections, names)| {
            let why: Vec<String> = rejections.iter().map(|r| rejection(language, r)).collect();
            let why = why.join(language.pick(", ", "、"));
            match names.as_slice() {
                [name] => format!("{name}: {why}"),
                names => language.pick(
                    format!("{} blades: {why}", names.len()),
                    format!("ブレード{}台: {why}", names.len()),
                ),
            }
        })
        .collect();
    let head = language.pick("No blade has room. ", "空いているブレードがありません。");
    format!("{head}{}{}", parts.join(language.pick("; ", "、")), language.pick(".", "。"))
}

pub fn rejection(language: Language, rejection: &Rejection) -> String {
    let pick = |english: &str, japanese: &str| language.pick(english, japanese).to_owned();
    match rejection {
        Rejection::Cordoned => pick("cordoned", "新規受付停止中"),
        Rejection::Unreachable => pick("not answering", "応答なし"),
        Rejection::NotHeardOf => pick("not heard of yet", "接続待ち"),
        Rejection::AfterRestore => pick(
            "has to wait until every blade has reported to the restored database",
            "データベース復元後、全ブレードの報告待ち",
        ),
        Rejection::RefusesOrders => pick(
            "refuses the orders of a restored database",
            "復元されたデータベースの指示を拒否中",
        ),
        Rejection::Faulty(kinds) => {
            let what: Vec<String> = kinds
                .iter()
                .map(|kind| reason::fault(language, &Fault::new(*kind, "")).message)
                .map(|sentence| sentence.trim_end_matches(['.', '。']).to_owned())
                .collect();
            let what = what.join(language.pick("; ", "、"));
            language.pick(format!("out of order ({what})"), format!("故障({what})"))
        }
        Rejection::Cpu { free_millis, asked_millis } => {
            let (free, asked) = (cores(*free_millis), cores(*asked_millis));
            language.pick(
                format!("{free} of {asked} cores free"),
                format!("CPUが不足(空き{free}コア、必要{asked}コア)"),
            )
        }
        Rejection::Memory { free_bytes, asked_bytes } => {
            let (free, asked) = (bytes(*free_bytes), bytes(*asked_bytes));
            language.pick(
                format!("{free} of {asked} memory free"),
                format!("メモリが不足(空き{free}、必要{asked})"),
            )
        }
        Rejection::Gpus { total: 0, .. } => pick("has no GPU", "GPUなし"),
        Rejection::Gpus { free, total, asked } => language.pick(
            format!("{free} of {total} GPUs free, {asked} asked"),
            format!("GPUが不足(空き{free}/{total}、必要{asked})"),
        ),
        Rejection::OwnGpusLent => {
            pick("its GPUs are lent to somebody else now", "使用していたGPUは貸出中")
        }
        Rejection::Ports { free, asked } => language.pick(
            format!("{free} of {asked} ports free"),
            format!("ポートが不足(空き{free}、必要{asked})"),
        ),
        Rejection::Label { key, value } => language
            .pick(format!("lacks the label {key}={value}"), format!("ラベル{key}={value}なし")),
        Rejection::Runtime(RuntimeKind::Docker) => {
            pick("does not run Docker containers", "Docker非対応")
        }
        Rejection::Runtime(RuntimeKind::Kubernetes) => {
            pick("is no Kubernetes cluster", "Kubernetes非対応")
        }
        Rejection::VolumeElsewhere => {
            pick("does not have its volumes", "指定されたボリュームはこのブレードにありません")
        }
        Rejection::CannotMap => pick(
            "cannot give volumes to an image that runs as its own user",
            "イメージのユーザーで実行するコンテナにはボリュームを接続できません",
        ),
        Rejection::NotItsNode => {
            pick("is not where its files are", "このコンテナのファイルは別のブレードにあります")
        }
    }
}
