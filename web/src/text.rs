//! Every sentence of the console, in both languages side by side. Words as in the glossary of the documentation; Japanese
//! with half-width figures, and no space beside Latin words.

mod storage;

pub(crate) use self::storage::*;
use crate::i18n::texts;

texts! {
    // --- frame
    skip: "Skip to content", "本文へ移動";
    navigation: "Main navigation", "メインメニュー";
    breadcrumbs: "Where you are", "現在の場所";
    containers: "Containers", "コンテナ";
    new_short: "New", "新規作成";
    blades: "Blades", "ブレード";
    account: "Account", "アカウント";
    loading: "Loading", "読み込み中です";
    try_again: "Try again", "再試行";
    new_version: "A new version of this console has been installed. Reload the page to go on.",
        "コンソールが新しい版に更新されました。ページを再読み込みしてください。";
    reload: "Reload", "再読み込み";
    close: "Close", "閉じる";
    copy: "Copy", "コピー";
    copied: "Copied", "コピーしました";
    copy_failed: "The browser did not allow copying.", "ブラウザがコピーを許可しませんでした。";
    copy_what(what): "Copy {what}", "{what}をコピー";
    new_tab: "(opens in a new tab)", "(新しいタブで開きます)";
    shortcuts: "Keyboard shortcuts", "キーボードショートカット";
    search: "Search", "検索";
    connection_lost: "Connection lost, trying again. What you see may be out of date.",
        "接続が切れました。再接続しています。表示が古い可能性があります。";
    connection_restored: "Connected again.", "再接続しました。";
    page_not_found: "There is no such page", "ページが見つかりません";
    page_not_found_why: "The address may be mistyped, or the page has moved.",
        "アドレスが間違っているか、ページが移動した可能性があります。";
    to_my_containers: "My containers", "マイコンテナへ";
    none: "None", "なし";
    why: "Why", "理由";
    actions: "Actions", "操作";
    state: "State", "状態";
    in_brackets(what): "({what})", "({what})";

    // --- errors
    error_network: "The controller cannot be reached. Check your connection and try again.",
        "コントローラに接続できません。ネットワークを確認して再試行してください。";
    error_garbled: "The answer was not understood. Reload the page; tell the administrators if it stays so.",
        "応答を理解できませんでした。ページを再読み込みし、続く場合は管理者に連絡してください。";
    error_not_found: "It is not there any more, or it is not yours.",
        "見つかりません。削除されたか、アクセスできないものです。";
    error_permission: "You may not do this. Ask an administrator.",
        "この操作の権限がありません。管理者に相談してください。";
    error_signed_out: "You have been signed out. Sign in again.",
        "ログアウトされました。もう一度ログインしてください。";
    error_internal: "Something went wrong in the controller. Try again; tell the administrators if it stays so.",
        "コントローラでエラーが発生しました。再試行し、続く場合は管理者に連絡してください。";
    needed: "This is needed.", "入力してください";
    please_correct: "Please correct the marked fields.", "印の付いた項目を修正してください。";

    // --- sign-in and account
    sign_in: "Sign in", "ログイン";
    signing_in: "Signing in...", "ログインしています";
    sign_out: "Sign out", "ログアウト";
    sign_in_refused: "Account name or password is not right. Please try again.",
        "アカウント名またはパスワードが違います。もう一度入力してください。";
    account_name: "Account name", "アカウント名";
    password: "Password", "パスワード";
    role: "Role", "役割";
    administrator: "Administrator", "管理者";
    teacher: "Teacher", "教員";
    student: "Student", "学生";
    version: "Version of Berth", "Berthのバージョン";
    display: "Display", "表示";
    language: "Language", "言語";
    theme: "Theme", "テーマ";
    theme_system: "Like the system", "システムに合わせる";
    theme_light: "Light", "ライト";
    theme_dark: "Dark", "ダーク";

    // --- containers
    my_containers: "My containers", "マイコンテナ";
    everybodys_containers: "Everybody's containers", "全員のコンテナ";
    whose: "Whose containers", "表示するコンテナ";
    mine: "Mine", "自分";
    everybodys: "Everybody's", "全員";
    new_container: "New container", "コンテナを作成";
    used_of(used, limit): "{used} of {limit} used", "{limit}個中{used}個を使用中";
    filter: "Filter", "絞り込み";
    search_containers: "Search name, image, blade", "名前・イメージ・ブレードで検索";
    all: "All", "すべて";
    on_the_way: "In progress", "処理中";
    nothing_matches: "Nothing matches. Change the filter to see more.",
        "一致するコンテナがありません。絞り込みの条件を変えてください。";
    empty_head: "No containers yet", "コンテナはまだありません";
    empty_why: "A container is a computer of your own for a while: choose an image, and it runs on a blade moments later. Give it back any time.",
        "コンテナは、一定期間お貸しする自分専用の実行環境です。イメージを選ぶと、すぐにブレード上で動き始めます。いつでも返却できます。";
    phase_pending: "Waiting", "順番待ち";
    phase_pulling: "Fetching image", "イメージ取得中";
    phase_starting: "Starting", "起動中";
    phase_running: "Running", "実行中";
    phase_stopping: "Stopping", "停止処理中";
    phase_stopped: "Stopped", "停止中";
    phase_failed: "Failed", "異常終了";
    phase_deleting: "Deleting", "削除中";
    is_now(name, phase): "{name}: {phase}", "{name}: {phase}";
    cores(count): "{count} CPU", "{count}コア";
    gpus(count): "{count} GPU", "GPU {count}";
    pull_known(percent, done, total): "{percent} %, {done} of {total}", "{percent}%({done}/{total})";
    pull_unknown(done): "{done} so far", "{done}取得済み";
    start: "Start", "起動";
    start_with_shell: "Start with a shell", "シェルで起動";
    stop: "Stop", "停止";
    restart: "Restart", "再起動";
    extend: "Extend", "延長";
    extend_to(span): "Extend to {span} from now", "今から{span}後まで延長";
    delete: "Delete", "削除";
    act_on(act, name): "{act}: {name}", "{name}を{act}";
    act_done(act, name): "{act}: {name}", "{name}: {act}";

    // --- one container
    endpoints: "Where it answers", "接続先";
    open_port(port): "Open port {port} in a new tab", "ポート{port}を新しいタブで開く";
    guest_port_number(port): "Port {port}", "ポート{port}";
    no_ports: "It was made without ports, so nothing reaches it from outside.",
        "ポートの指定がないため、外部からは接続できません。";
    ports_later: "The addresses appear here when it has a place on a blade.",
        "ブレードが決まると、ここに接続先が表示されます。";
    lease: "Lease", "貸出";
    back_by: "Back by", "返却期限";
    lease_end_means: "It is stopped then, and kept for a while before it is deleted.",
        "期限になると停止し、しばらく保管した後に削除します。";
    deleted_at(at): "It is deleted on {at} unless you extend it.", "延長しない場合、{at}に削除されます。";
    definition: "Definition", "構成";
    blade: "Blade", "ブレード";
    owner: "Owner", "所有者";
    image: "Image", "イメージ";
    digest: "Digest", "ダイジェスト";
    cpu: "CPU", "CPU";
    memory: "Memory", "メモリ";
    command: "Command", "コマンド";
    terminal: "Terminal", "ターミナル";
    tty_and_stdin: "Yes, with standard input", "あり(標準入力あり)";
    tty_alone: "Yes", "あり";
    stdin_alone: "No, standard input alone", "なし(標準入力のみ)";
    node_labels: "Blade labels", "ブレードのラベル";
    created: "Created", "作成";
    started: "Started", "起動";
    environment: "Environment", "環境変数";
    new_like_this: "New one like this", "同じ構成で作成";
    no_such_container: "There is no such container. It may have been deleted.",
        "コンテナが見つかりません。削除された可能性があります。";
    was_deleted: "This container has been deleted.", "このコンテナは削除されました。";
    delete_container: "Delete the container", "コンテナの削除";
    delete_what(name): "Delete {name}?", "{name}を削除しますか?";
    delete_goes: "The program in it is stopped, and what it wrote outside home and volumes is gone for good.",
        "実行中のプログラムは停止し、ホームとボリューム以外に書き込んだ内容は失われます。元に戻せません。";
    delete_stays: "Home and volumes stay.", "ホームとボリュームは残ります。";
    delete_frees: "Its place on the blade and its ports become free for others.",
        "使用していた資源とポートは他の人が使えるようになります。";
    keep: "Keep it", "削除しない";
    being_deleted(name): "{name} is being deleted.", "{name}を削除しています。";

    // --- terminal
    terminal_of(name): "Terminal of {name}", "{name}のターミナル";
    terminals_of(name): "Terminals of {name}", "{name}のターミナル一覧";
    terminal_over: "ended", "終了";
    new_terminal: "New terminal", "新しいターミナル";
    end_terminal: "End the terminal", "ターミナルの終了";
    end_terminal_number(number): "End terminal {number}", "ターミナル{number}を終了";
    end_terminal_what(number): "End terminal {number}?", "ターミナル{number}を終了しますか?";
    end_terminal_goes: "The programs that run in it are ended. The container and its files stay.",
        "中で実行中のプログラムは終了します。コンテナとファイルはそのまま残ります。";
    end_terminal_stays: "To leave it running, just close the page: it is there when you come back.",
        "実行を続けたい場合は、ページを閉じるだけで構いません。戻ってくれば続きから使えます。";
    end_it: "End it", "終了する";
    leave_it: "Leave it running", "終了しない";
    terminal_label(number): "Terminal {number}. Ctrl+Shift+L leaves it.", "ターミナル{number}。Ctrl+Shift+Lで抜けます。";
    leave_terminal: "Leave the terminal", "ターミナルから抜ける";
    terminal_leave_before: "To leave the terminal by keyboard:", "キーボードでターミナルから抜けるには";
    terminal_too_much: "Too much output to read out. Look through it by hand.", "出力が多いため読み上げを省略しました。画面を確認してください。";
    terminal_opening: "Opening the terminal", "ターミナルを開いています";
    terminal_lost: "Connection lost, coming back. What you type is not sent until then.",
        "接続が切れました。再接続しています。その間に入力した内容は送信されません。";
    terminal_back: "Back again; nothing is lost.", "再接続しました。失われた出力はありません。";
    terminal_gap: "Some output came faster than it could be kept, and is left out here.",
        "出力が速すぎたため、一部を省略しました。";
    terminal_exited(code): "The shell has ended with code {code}.", "シェルが終了しました(コード{code})。";
    terminal_container_stopped: "The container has stopped, and everything in it.",
        "コンテナが停止したため、ターミナルも終了しました。";
    terminal_no_shell: "This image has no shell, so there is nothing to type into.",
        "このイメージにはシェルがないため、ターミナルは使えません。";
    terminal_time_limit: "It was ended because its time was up.", "制限時間に達したため終了しました。";
    terminal_end_unknown: "It has ended; the blade could not say how.", "終了しました。終了の理由は不明です。";
    terminal_gone: "This terminal is no more.", "このターミナルはもうありません。";
    terminal_needs_running: "A terminal opens when the container is running.",
        "コンテナが実行中になると、ターミナルを使えます。";
    start_new_terminal: "Start a new one", "新しく開始";
    to_container: "To the container", "コンテナのページへ";
    font_smaller: "Smaller text", "文字を小さく";
    font_larger: "Larger text", "文字を大きく";
    screen_reader: "Screen reader", "読み上げ";
    terminal_keys: "Keys", "キー";
    key_ctrl: "Ctrl, for the next key", "Ctrl(次のキーと同時)";
    key_left: "Left", "左";
    key_right: "Right", "右";
    key_up: "Up", "上";
    key_down: "Down", "下";

    // --- new container
    what: "What", "何を動かしますか";
    how_big: "How big", "大きさ";
    how_long: "How long", "貸出期間";
    lend_for: "Lend it for", "期間";
    lease_hint: "You can extend it later.", "後から延長できます。";
    image_hint: "An image from a registry, such as python:3.13 or ghcr.io/owner/app",
        "レジストリのイメージ(例: python:3.13、ghcr.io/owner/app)";
    name: "Name", "名前";
    name_hint: "a-z, 0-9 and -, at most 31", "a-z、0-9、-で31文字まで";
    small: "Small", "小";
    medium: "Medium", "中";
    large: "Large", "大";
    own_size: "Own size", "自分で決める";
    own_size_hint: "CPU and memory by number", "CPUとメモリを数値で指定";
    cpu_hint: "Cores, such as 0.5 or 2", "コア数(例: 0.5、2)";
    memory_gib: "Memory (GiB)", "メモリ(GiB)";
    memory_hint: "Such as 0.5 or 4", "例: 0.5、4";
    ports_legend: "How to reach it", "接続方法";
    guest_ports: "Guest ports", "ポート番号";
    guest_ports_hint: "Ports that the program inside listens on, separated by spaces. Leave empty for none.",
        "コンテナ内のプログラムが使うポート。空白で区切ります。不要なら空欄にしてください。";
    more: "More: environment, command, labels", "詳細設定: 環境変数、コマンド、ラベル";
    environment_hint: "Paste KEY=value lines into a name to fill several at once.",
        "変数名の欄にKEY=valueの行を貼り付けると、まとめて入力できます。";
    add_variable: "Add a variable", "変数を追加";
    remove_variable: "Remove the variable", "変数を取り消す";
    variable_number(number): "Variable {number}", "変数{number}";
    variable_name: "Name of the variable", "変数名";
    variable_value: "Value", "値";
    command_hint: "Replaces the image's own. Quotes keep spaces; it is not a shell line.",
        "イメージの既定のコマンドを置き換えます。空白は引用符で囲みます。シェルの展開はありません。";
    tty: "Give it a terminal", "端末を割り当てる";
    tty_hint: "For a shell.", "シェルを使う場合に必要です。";
    stdin: "Keep standard input open", "標準入力を開いておく";
    stdin_hint: "For programs that read what is typed.", "入力を待つプログラムに必要です。";
    node_labels_hint: "Only blades with all of these, such as rack=a1", "すべて満たすブレードに限ります(例: rack=a1)";
    summary: "Summary", "まとめ";
    verdict_later: "Choose an image to see when it would start.", "イメージを選ぶと、いつ使えるか表示します。";
    starts_now_on(node): "Starts now on {node}", "すぐに使えます({node})";
    waits: "It would wait for room.", "空きを待つことになります。";
    create: "Create", "作成";
    creating: "Creating...", "作成しています";

    // --- blades
    add_blade: "Add a blade", "ブレードを追加";
    blades_lend(blades, containers): "{blades} blades, {containers} containers", "ブレード{blades}台、コンテナ{containers}個";
    no_blades: "No blades yet", "ブレードはまだありません";
    no_blades_why: "A blade is a machine whose agent has joined. Add one to lend its CPU, memory and GPUs.",
        "エージェントが参加した計算機がブレードです。追加すると、CPU・メモリ・GPUを貸し出せます。";
    ready: "Ready", "稼働中";
    unreachable: "Not answering", "応答なし";
    not_heard_of: "Not heard of yet", "接続待ち";
    cordoned: "Cordoned", "新規受付停止";
    cordon: "Cordon", "新規受付停止";
    uncordon: "Uncordon", "新規受付再開";
    free: "free", "空き";
    used_of_offered(used, offered): "{used} of {offered}", "{used}/{offered}";
    delete_blade: "Delete the blade", "ブレードの削除";
    delete_blade_what(name): "Forget {name} for good? Its certificate is refused from then on; to come back it must join anew.",
        "{name}を削除しますか?証明書は無効になり、再び使うには参加し直す必要があります。";
    delete_blade_force: "Forget its containers as well, without waiting for it to remove them",
        "ブレード上での削除を待たずに、コンテナの記録も削除する";
    join_how: "Run this as root on the new blade, with the agent installed.",
        "エージェントを導入した新しいブレードで、rootとして次のコマンドを実行してください。";
    join_once: "Good for one blade, once. Expires", "1台につき1回だけ使えます。有効期限:";

    // --- files
    files: "Files", "ファイル";
    files_of(name): "Files in {name}", "{name}のファイル";
    root_folder: "Root folder", "ルートフォルダー";
    folder: "Folder", "フォルダー";
    file: "File", "ファイル";
    file_size: "Size", "サイズ";
    file_changed: "Changed", "更新";
    folder_up: "Up one folder", "上のフォルダーへ";
    link_to(target): "Link to {target}", "{target}へのリンク";
    special_file: "Neither file nor folder", "特殊ファイル";
    unnameable: "Its name is no text: it cannot be opened or changed here.",
        "名前が文字として読めないため、ここでは操作できません。";
    upload_files: "Upload", "アップロード";
    upload_folder: "Upload a folder", "フォルダーをアップロード";
    new_folder: "New folder", "新しいフォルダー";
    folder_name: "Name of the folder", "フォルダー名";
    rename: "Rename", "名前を変更";
    new_name: "New name", "新しい名前";
    save: "Save", "保存";
    cancel: "Cancel", "キャンセル";
    download: "Download", "ダウンロード";
    download_file(name): "Download {name}", "{name}をダウンロード";
    download_zip(name): "Download {name} as a zip archive", "{name}をzipでダウンロード";
    download_folder: "Download the folder", "フォルダーをダウンロード";
    rename_what(name): "Rename {name}", "{name}の名前を変更";
    delete_what_file(name): "Delete {name}", "{name}を削除";
    choose_what(name): "Select {name}", "{name}を選択";
    choose_all: "Select all", "すべて選択";
    delete_chosen: "Delete the selected", "選択した項目を削除";
    show_hidden: "Hidden files", "隠しファイル";
    search_files: "Search this folder", "フォルダー内を検索";
    folder_empty: "Nothing in this folder", "このフォルダーは空です";
    folder_empty_why: "Drop files or folders here, or choose them.",
        "ここにファイルやフォルダーをドロップするか、選択してください。";
    only_hidden: "There are only hidden files here.", "隠しファイルだけがあります。";
    no_file_matches: "No name matches.", "一致する名前はありません。";
    folder_truncated(count): "This folder holds more than {count} entries; the rest is not listed here. Use a terminal to see all.",
        "このフォルダーには{count}件を超える項目があります。残りは表示していません。すべて見るにはターミナルを使ってください。";
    show_more(count): "Show {count} more", "さらに{count}件を表示";
    entries(count): "Entries: {count}", "{count}件";
    drop_here(folder): "Drop to upload into {folder}", "ドロップすると{folder}にアップロードします";
    file_name_dots: "A name cannot be . or ..", "「.」と「..」は名前に使えません";
    file_name_slash: "A name cannot contain a slash.", "名前に「/」は使えません";
    file_name_control: "A name cannot contain control characters.", "名前に制御文字は使えません";
    file_name_long: "The name is too long.", "名前が長すぎます";
    file_renamed(name): "It is now called {name}.", "名前を{name}に変更しました。";
    folder_made(name): "The folder {name} is there.", "フォルダー{name}を作成しました。";
    delete_one(name): "Delete {name}?", "{name}を削除しますか?";
    delete_one_folder(name): "Delete the folder {name} with everything in it?", "フォルダー{name}を中身ごと削除しますか?";
    delete_many(count): "Delete these {count}?", "次の{count}件を削除しますか?";
    delete_folders_too: "Folders go with everything in them.", "フォルダーは中身ごと削除されます。";
    delete_for_good: "This cannot be undone.", "この操作は取り消せません。";
    and_more(count): "and {count} more", "ほか{count}件";
    files_deleted(count): "Deleted: {count}", "{count}件を削除しました。";
    uploads: "Uploads", "アップロード";
    uploads_so_far(done, all): "{done} of {all} files", "{all}件中{done}件完了";
    uploads_bytes(sent, all): "{sent} of {all}", "{sent}/{all}";
    uploads_failed(count): "{count} failed", "失敗{count}件";
    uploads_skipped(count): "{count} skipped", "スキップ{count}件";
    uploads_preparing: "Preparing...", "準備しています";
    uploads_finished: "All uploads have ended.", "アップロードが終わりました。";
    uploads_more(count): "{count} more are in line", "ほか{count}件が待機中";
    upload_progress(name): "Upload of {name}", "{name}のアップロード";
    upload_waiting: "In line", "待機中";
    upload_asking: "Is there already", "同じ名前があります";
    upload_sending(percent): "{percent} %", "{percent}%";
    upload_again: "Connection lost, trying again", "接続が切れました。再試行しています";
    upload_paused: "Paused", "一時停止中";
    upload_done: "Done", "完了";
    upload_skipped: "Skipped", "スキップ";
    pause: "Pause", "一時停止";
    resume: "Resume", "再開";
    pause_what(name): "Pause {name}", "{name}を一時停止";
    resume_what(name): "Resume {name}", "{name}を再開";
    cancel_what(name): "Cancel {name}", "{name}をキャンセル";
    pause_all: "Pause all", "すべて一時停止";
    resume_all: "Resume all", "すべて再開";
    cancel_all: "Cancel all", "すべてキャンセル";
    clear_list: "Clear the list", "一覧を消す";
    upload_exists: "There is a file already", "同じ名前のファイルがあります";
    upload_exists_what(path): "{path} is there already. Replace it?", "{path}はすでにあります。置き換えますか?";
    upload_replace: "Replace", "置き換える";
    upload_skip: "Skip", "スキップ";
    upload_for_all: "Do the same for all others", "以降もすべて同じようにする";
    upload_over_folder: "There is a folder of this name.", "同じ名前のフォルダーがあります。";
    upload_unreadable: "The file on your computer has changed or cannot be read. Choose it again.",
        "手元のファイルが変更されたか、読み取れません。もう一度選択してください。";
    upload_not_read(names): "These could not be read on your computer: {names}", "手元の次の項目を読み取れませんでした: {names}";
    to_files_above: "To the folder above", "上のフォルダーへ";
    key_open: "Open (files)", "開く(ファイル)";
    key_folder_up: "Up one folder (files)", "上のフォルダーへ(ファイル)";
    key_rename: "Rename (files)", "名前を変更(ファイル)";
    key_delete_file: "Delete (files)", "削除(ファイル)";

    // --- the pages of one container
    overview: "Overview", "概要";
    logs: "Logs", "ログ";
    graphs: "Graphs", "グラフ";
    pages_of(name): "Pages of {name}", "{name}のページ";

    // --- logs
    logs_of(name): "Logs of {name}", "{name}のログ";
    logs_from: "Show", "表示範囲";
    logs_tail(count): "Last {count} lines", "最新{count}行";
    logs_minutes(count): "Last {count} minutes", "直近{count}分";
    logs_hour: "Last hour", "直近1時間";
    logs_day: "Last day", "直近1日";
    logs_times: "Times", "時刻";
    logs_wrap: "Wrap", "折り返し";
    logs_follow: "Follow", "追従";
    logs_only: "Matches only", "一致行のみ";
    logs_search: "Search what is loaded", "表示中のログを検索";
    logs_found(at, count): "{at} of {count}", "{count}件中{at}件目";
    logs_none_found: "Not found", "見つかりません";
    find_next: "Next match", "次の一致";
    find_previous: "Previous match", "前の一致";
    logs_download: "Download all", "全体をダウンロード";
    logs_downloading(size): "Stop ({size})", "中止({size})";
    logs_download_done(name): "{name} has been handed to the browser.", "{name}をブラウザに保存しました。";
    logs_gone(count): "{count} earlier lines are not kept on this page. The download has all of them.",
        "これより前の{count}行はこのページには保持していません。ダウンロードにはすべて含まれます。";
    logs_to_newest: "To the newest", "最新へ";
    logs_newer(count): "{count} newer lines", "新しい{count}行";
    logs_newer_many: "Many newer lines", "新しい行が多数あります";
    logs_live: "Live", "受信中";
    logs_ended: "Ended", "終了";
    logs_lost: "Connection lost, coming back", "接続が切れました。再接続しています";
    logs_back(span): "Back after {span}; nothing is missing.", "{span}後に再接続しました。欠けた行はありません。";
    logs_skipped: "More is printed than can be read: some lines are skipped here. The download has them.",
        "出力が多すぎるため、ここで一部の行を省略しました。ダウンロードで確認できます。";
    logs_ended_here: "The container has ended here.", "コンテナはここで終了しました。";
    logs_empty: "Nothing has been printed yet", "まだ何も出力されていません";
    logs_empty_why: "What the container's program writes to standard output and standard error appears here.",
        "コンテナのプログラムが標準出力・標準エラーに書いた内容が表示されます。";
    logs_cut: "(the line goes on; the download has all of it)", "(以下省略。全文はダウンロードで確認できます)";
    logs_error_stream: "standard error", "標準エラー";

    // --- graphs
    graphs_of(name): "Graphs of {name}", "{name}のグラフ";
    last_hour: "Last hour", "直近1時間";
    last_three_days: "3 days", "3日間";
    last_month: "30 days", "30日間";
    graphs_range: "How far back", "期間";
    network: "Network", "ネットワーク";
    network_in: "In", "受信";
    network_out: "Out", "送信";
    disk: "Disk", "ディスク";
    disk_read: "Read", "読み込み";
    disk_write: "Written", "書き込み";
    gpu_percent: "GPU use", "GPU使用率";
    gpu_memory: "GPU memory", "GPUメモリ";
    gpu_power: "GPU power", "GPU電力";
    graph_limit(limit): "Limit {limit}", "上限{limit}";
    graph_has(limit): "The machine has {limit}", "搭載{limit}";
    graph_peak(value): "peak {value}", "最大{value}";
    graph_label(what): "{what}: arrow keys read it out", "{what}: 矢印キーで値を読み上げ";
    graph_at(time, values): "{time}: {values}", "{time} {values}";
    graph_value(what, value): "{what} {value}", "{what}{value}";
    graph_no_data: "no data", "データなし";
    graphs_empty: "No figures yet", "まだ記録がありません";
    graphs_empty_why: "They begin a few seconds after the container starts; what is measured is kept for 30 days.",
        "コンテナが起動して数秒後に記録が始まり、30日間保存されます。";
    graphs_empty_range: "Nothing was measured in this time.", "この期間の記録はありません。";
    graphs_table: "As a table", "表で見る";
    graphs_time: "Time", "時刻";
    graphs_use: "What it uses", "利用状況";
    graphs_all: "All graphs", "グラフをすべて見る";
    cores_of(count): "{count} cores", "{count}コア";
    percent(count): "{count} %", "{count}%";
    watts(count): "{count} W", "{count}W";

    // --- time
    seconds(count): "{count} s", "{count}秒";
    one_day: "1 day", "1日";
    days(count): "{count} days", "{count}日";
    one_hour: "1 hour", "1時間";
    hours(count): "{count} hours", "{count}時間";
    minutes(count): "{count} minutes", "{count}分";
}

#[cfg(test)]
mod tests {
    use super::{ALL, storage};

    fn is_japanese(c: char) -> bool {
        matches!(c, '\u{3040}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}')
    }

    #[test]
    fn both_languages_are_there_and_well_set() {
        for (name, english, japanese) in ALL.iter().chain(storage::ALL) {
            assert!(!english.is_empty() && !japanese.is_empty(), "{name}");
            assert!(english.is_ascii(), "{name}: {english}");
            assert!(
                !japanese.contains(|c| matches!(c, '０'..='９' | 'Ａ'..='ｚ')),
                "{name}: {japanese}"
            );
            let characters: Vec<char> = japanese.chars().collect();
            for window in characters.windows(3) {
                let spaced = window[1] == ' '
                    && (is_japanese(window[0]) && window[2].is_ascii_alphanumeric()
                        || window[0].is_ascii_alphanumeric() && is_japanese(window[2]));
                assert!(!spaced, "{name}: {japanese}");
            }
        }
    }

    #[test]
    fn both_languages_say_the_same_figures() {
        fn parameters(text: &str) -> Vec<&str> {
            let mut names: Vec<&str> =
                text.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
            names.sort_unstable();
            names
        }
        for (name, english, japanese) in ALL.iter().chain(storage::ALL) {
            assert_eq!(parameters(english), parameters(japanese), "{name}");
        }
    }
}
