use super::Language;
use crate::violation::Problem;

/// What is wrong with a value, and what would be right.
pub fn problem(language: Language, problem: &Problem) -> String {
    let pick = |english: &str, japanese: &str| language.pick(english, japanese).to_owned();
    match problem {
        Problem::Missing => pick("is needed", "入力してください"),
        Problem::TooLong { maximum } => language.pick(
            format!("is too long: at most {maximum} bytes"),
            format!("長すぎます(最大{maximum}バイト)"),
        ),
        Problem::TooMany { maximum } => language.pick(
            format!("are too many: at most {maximum}"),
            format!("多すぎます(最大{maximum}個)"),
        ),
        Problem::NameCharacters => pick(
            "may have a-z, 0-9 and -, and begins with a letter or a digit",
            "使える文字はa-z、0-9、-です。先頭は英小文字か数字にしてください",
        ),
        Problem::NameReserved => {
            pick("is reserved, choose another", "この名前は使えません。別の名前にしてください")
        }
        Problem::ImageReference => pick(
            "is not an image reference, such as python:3.13 or ghcr.io/owner/app",
            "イメージの指定が正しくありません(例: python:3.13、ghcr.io/owner/app)",
        ),
        Problem::ImageUppercase => {
            pick("must be lower case", "イメージ名は小文字で入力してください")
        }
        Problem::EnvironmentKey => pick(
            "is not a variable's name: letters, digits and _, not beginning with a digit",
            "変数名には英字、数字、_が使えます。先頭に数字は使えません",
        ),
        Problem::EnvironmentReserved => pick(
            "is set by the site and cannot be changed",
            "この変数はシステムが設定するため変更できません",
        ),
        Problem::EnvironmentDuplicate => pick("names a variable twice", "同じ変数が2回あります"),
        Problem::EnvironmentNotKeyValue => {
            pick("wants KEY=value words", "KEY=valueの形で入力してください")
        }
        Problem::SecretNotKept => pick(
            "stands for a value that is kept, and there is none: write the secret itself",
            "引き継ぐ値がありません。秘密の値を入力してください",
        ),
        Problem::ControlCharacter => {
            pick("contains a NUL character", "使えない文字(NUL)が含まれています")
        }
        Problem::UnbalancedQuote => {
            pick("has a quote that is not closed", "引用符が閉じていません")
        }
        Problem::PortRange => pick("is not a port: 1 to 65535", "ポート番号は1から65535です"),
        Problem::PortDuplicate => pick("is there twice", "同じ番号が2回あります"),
        Problem::PortsForbidden => pick(
            "cannot be had: this site gives out no ports of blades, containers are reached by their https name",
            "このサイトではブレードのポートを公開できません。HTTPSのURLをご利用ください",
        ),
        Problem::PortNotGuest => {
            pick("is not among the guest ports", "「ポート番号」に含まれていない番号です")
        }
        Problem::NotANumber => pick("wants numbers", "数字で入力してください"),
        Problem::TooSmall { minimum } => language.pick(
            format!("is too small: at least {minimum}"),
            format!("小さすぎます({minimum}以上)"),
        ),
        Problem::TooLarge { maximum } => language.pick(
            format!("is too large: at most {maximum}"),
            format!("大きすぎます({maximum}以下)"),
        ),
        Problem::NotPositive => pick("must be a time to come", "正の値を入力してください"),
        Problem::NotAUuid => pick("is not a lower-case UUID", "小文字のUUIDではありません"),
        Problem::LabelCharacters => pick(
            "may have letters, digits, '.', '_', '/' and '-', at most 63",
            "使える文字は英数字と._/-です(63文字まで)",
        ),
        Problem::UnknownValue => pick("has a value that is not known here", "不明な値です"),
        Problem::Unavailable => {
            pick("is not available on this site", "このサイトでは利用できません")
        }
        Problem::PageToken => {
            pick("is not one that a list answered with", "ページの指定が正しくありません")
        }
        Problem::NotAbsolute => pick(
            "is not an absolute path: it begins with /",
            "絶対パスではありません(/で始めてください)",
        ),
        Problem::PathUpwards => pick("must not have \"..\" in it", "パスに「..」は使えません"),
        Problem::PathTaken => pick(
            "is a place that is taken: choose a folder of its own",
            "この場所は使えません。別のフォルダを指定してください",
        ),
        Problem::PathTwice => pick("is there twice", "同じパスが2回あります"),
        Problem::NoSuchVolume => {
            pick("is not a volume of yours", "この名前のボリュームはありません")
        }
        Problem::VolumeDeleting => pick("is being deleted", "このボリュームは削除中です"),
        Problem::AccountName => pick("is not an account's name", "アカウント名が正しくありません"),
    }
}
