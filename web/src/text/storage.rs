//! Homes, volumes, definitions and links for others.

use crate::i18n::texts;

texts! {
    // --- in the form
    home_and_volumes: "Home and volumes", "ホームとボリューム";
    run_as: "Run as", "実行ユーザー";
    run_as_you: "You.", "自分";
    run_as_you_hint: "The program runs as your account, and what it writes in your home is yours.",
        "プログラムは自分のアカウントで動き、ホームに書いたファイルは自分のものになります。";
    run_as_image: "As the image says.", "イメージの指定どおり";
    run_as_image_hint: "Often root. It has your home only on blades that can show your files as the image's user's; elsewhere it has none.",
        "多くはrootです。ホームは、ファイルの所有者を読み替えられるブレードでだけ使えます。それ以外のブレードではホームなしで動きます。";
    volumes: "Volumes", "ボリューム";
    volume: "Volume", "ボリューム";
    volume_number(number): "Volume {number}", "ボリューム{number}";
    volumes_hint: "Folders of yours that outlive containers. What is written elsewhere goes with the container.",
        "コンテナを削除しても残る自分用のフォルダーです。それ以外の場所に書いた内容は、コンテナと一緒に消えます。";
    volumes_none_hint: "You have no volumes yet: folders that outlive containers.",
        "ボリューム(コンテナを削除しても残るフォルダー)はまだありません。";
    add_volume: "Add a volume", "ボリュームを追加";
    remove_volume: "Remove the volume", "ボリュームを取り消す";
    volume_path: "Path inside", "コンテナ内のパス";
    read_only: "Read only", "読み取り専用";
    secret: "Secret", "秘密";
    secret_kept: "stays as it is", "変更なし";
    published_ports: "At the blade's address too", "ブレードのアドレスでも公開";
    published_ports_hint: "For programs that do not speak HTTP. Anyone in the network may reach these.",
        "HTTP以外で通信するプログラム向けです。ネットワーク内の誰でも接続できます。";
    define_only: "Define it without starting", "起動せずに定義だけする";
    define_only_hint: "It starts when you start it; the lease begins now.",
        "起動は後から自分で行います。貸出期間は今から始まります。";
    define: "Define", "定義";

    // --- home and volumes
    home: "Home", "ホーム";
    home_use: "Space in your home", "ホームの使用量";
    home_files: "Files in your home", "ホームのファイル";
    home_inside(path): "Inside containers it is {path}, and it outlives all of them.",
        "コンテナの中では{path}にあり、コンテナを削除しても残ります。";
    home_shared: "It is the same on every blade.", "どのブレードでも同じ内容です。";
    home_on_node(node): "It is on {node} alone: containers on other blades have another one.",
        "{node}だけにあります。他のブレードのコンテナでは別のホームになります。";
    home_no_limit(used): "{used} used, without a limit", "{used}を使用中(上限なし)";
    home_not_counted: "Not counted yet", "まだ集計していません";
    home_enforced: "The file system keeps the limit: beyond it nothing can be written.",
        "上限はファイルシステムが守ります。超える書き込みはできません。";
    home_metered: "It is counted from time to time, so the figure may lag behind. Whoever is far over has their containers stopped; files stay.",
        "ときどき集計するため、表示が実際より遅れることがあります。上限を大きく超えるとコンテナを停止しますが、ファイルは消しません。";
    home_counted: "It is counted from time to time, so the figure may lag behind.",
        "ときどき集計するため、表示が実際より遅れることがあります。";
    new_volume: "New volume", "ボリュームを作成";
    volumes_empty: "No volumes yet. A volume is a folder that outlives containers; several containers can have it.",
        "ボリュームはまだありません。ボリュームはコンテナを削除しても残るフォルダーで、複数のコンテナから使えます。";
    volume_place: "Where", "場所";
    volume_used: "Used", "使用量";
    volume_containers: "Containers that have it", "使用中のコンテナ";
    volume_shared: "Every blade", "すべてのブレード";
    volume_on_node(node): "On {node}", "{node}";
    volume_no_node: "On the blade of its first container", "最初に使うコンテナのブレード";
    volume_deleting: "Being deleted", "削除中";
    volume_scope: "Where it is", "置き場所";
    scope_shared: "Shared.", "共有";
    scope_shared_hint: "The same on every blade.", "どのブレードからも同じ内容を使えます。";
    scope_node: "On one blade.", "1台のブレード";
    scope_node_hint: "Often faster. Containers that have it run on that blade alone.",
        "多くの場合、より高速です。使うコンテナはそのブレードでだけ動きます。";
    volume_made(name): "The volume {name} is there.", "ボリューム{name}を作成しました。";
    delete_volume: "Delete the volume", "ボリュームの削除";
    delete_volume_what(name): "Delete the volume {name}? Everything in it is gone for good.",
        "ボリューム{name}を削除しますか?中身はすべて失われます。元に戻せません。";
    delete_volume_holds(used): "When it was counted last, it held {used}.", "最後に集計した時点の使用量は{used}です。";
    delete_volume_in_use(names): "These containers have it: {names}. Delete them first, or take it out of their definitions.",
        "次のコンテナが使用中です: {names}。先にコンテナを削除するか、構成から外してください。";
    volume_going(name): "The volume {name} is being deleted.", "ボリューム{name}を削除しています。";

    home_at_shared(path): "{path}, the same on every blade", "{path}(すべてのブレードで共通)";
    home_at_node(path): "{path}, on its blade alone", "{path}(このブレードだけ)";
    home_later: "Known when it has a place on a blade", "ブレードが決まると分かります";
    home_none: "None: its blade cannot give it one", "なし(このブレードでは使えません)";

    // --- the definition
    definition_of(name): "Definition of {name}", "{name}の構成";
    definition_changes: "Changes", "変更";
    definition_means: "Most changes make the container anew. Then you are told what is lost, and asked first.",
        "多くの変更では、コンテナを作り直します。その場合は、失われるものを表示して確認します。";
    definition_save: "Save the changes", "変更を保存";
    definition_saved(name): "{name}: the definition is saved.", "{name}の構成を保存しました。";
    lease_anew_hint: "Another period begins now; the same one changes nothing.",
        "変更すると、期間は今から始まります。同じままなら期限は変わりません。";
    duplicate: "Duplicate", "複製";
    anew: "The container is made anew", "コンテナの作り直し";
    anew_why(fields): "This cannot be changed in place: {fields}.", "作り直さないと変更できない項目: {fields}";
    anew_goes: "What runs in it ends, and what it wrote outside home and volumes is gone for good.",
        "実行中のプログラムは終了し、ホームとボリューム以外に書き込んだ内容は失われます。元に戻せません。";
    anew_stays: "Its name, ports, home and volumes stay.", "名前、ポート、ホーム、ボリュームはそのまま残ります。";
    anew_not: "Change nothing", "変更しない";
    anew_do: "Make it anew", "作り直す";

    // --- links for others
    any_port: "Any other port answers under its number:", "その他のポートの接続先(PORTを番号に置き換え):";
    share_links: "Share links", "共有リンク";
    share_link: "Link", "リンク";
    share_means: "Whoever has such a link reaches one port of this container, without signing in, until it ends.",
        "リンクを知っている人は、期限まで、ログインせずにこのコンテナのポート1つに接続できます。";
    share_new: "Share a port", "ポートを共有";
    share_port: "Port", "ポート番号";
    share_for: "For", "有効期間";
    share_usual: "As usual here", "サイトの標準";
    share_make: "Make the link", "リンクを作成";
    share_once: "This is the link. It is shown this once: copy it now.",
        "リンクを作成しました。表示は今回だけです。今すぐコピーしてください。";
    share_until: "ends", "終了:";
    share_by(account): "by {account}", "作成: {account}";
    share_end: "End the link", "無効にする";
    share_end_what(port): "End the link to port {port}", "ポート{port}のリンクを無効にする";
    share_ended: "The link opens nothing any more.", "リンクを無効にしました。";
}
