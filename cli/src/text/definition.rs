//! Of definitions.

use super::pick;

pub(crate) fn created(name: &str) -> String {
    pick(format!("{name}: created"), format!("{name}: 作成しました"))
}

pub(crate) fn defined(name: &str) -> String {
    pick(format!("{name}: defined, not started"), format!("{name}: 定義しました(未起動)"))
}

pub(crate) fn unchanged(name: &str) -> String {
    pick(format!("{name}: unchanged"), format!("{name}: 変更はありません"))
}

pub(crate) fn changed(name: &str, keys: &str) -> String {
    pick(format!("{name}: changed ({keys})"), format!("{name}: 変更しました({keys})"))
}

pub(crate) fn made_anew(name: &str, keys: &str) -> String {
    pick(format!("{name}: made anew ({keys})"), format!("{name}: 再作成しました({keys})"))
}

pub(crate) fn would_be_created(name: &str) -> String {
    pick(format!("{name}: would be created"), format!("{name}: 作成されます"))
}

pub(crate) fn would_be_changed(name: &str, keys: &str) -> String {
    pick(format!("{name}: would be changed ({keys})"), format!("{name}: 変更されます({keys})"))
}

pub(crate) fn would_be_made_anew(name: &str, keys: &str) -> String {
    pick(
        format!(
            "{name}: would be made anew ({keys}); what it wrote outside of home and volumes would be lost"
        ),
        format!("{name}: 再作成されます({keys})。ホームとボリューム以外のデータは失われます"),
    )
}

pub(crate) fn not_made_anew(name: &str, keys: &str) -> String {
    pick(
        format!(
            "{name}: not changed: it would have to be made anew ({keys}), and what it wrote outside of home and volumes \
             would be lost. --recreate allows that"
        ),
        format!(
            "{name}: 変更していません。再作成が必要です({keys})。ホームとボリューム以外のデータは失われます。\
             実行するには --recreate を指定してください"
        ),
    )
}

pub(crate) fn ask_made_anew(name: &str, keys: &str) -> String {
    pick(
        format!(
            "{name} has to be made anew ({keys}). What it wrote outside of home and volumes is lost. Go on? [y/N] "
        ),
        format!(
            "{name} の再作成が必要です({keys})。ホームとボリューム以外のデータは失われます。続けますか? [y/N] "
        ),
    )
}

pub(crate) fn nothing_in(file: &str) -> String {
    pick(format!("{file}: there is no definition in it"), format!("{file}: 定義がありません"))
}

pub(crate) fn twice(file: &str, name: &str) -> String {
    pick(
        format!("{file}: {name} is defined twice"),
        format!("{file}: {name} が2回定義されています"),
    )
}
