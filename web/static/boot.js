// Before the first paint: the theme that was chosen here, and the browser's language. Then the console itself.
(function () {
  var root = document.documentElement;
  var stored = function (key) {
    try {
      return localStorage.getItem(key);
    } catch (_) {
      return null;
    }
  };
  var theme = stored("berth.theme");
  if (theme === "light" || theme === "dark") {
    root.dataset.theme = theme;
  }
  var japanese = /^ja\b/.test(stored("berth.language") || navigator.language || "");
  root.lang = japanese ? "ja" : "en";

  import("/{berth.js}")
    .then(function (berth) {
      return berth.default({ module_or_path: "/{berth.wasm}" });
    })
    .then(function () {
      sessionStorage.removeItem("berth.reloaded");
    })
    .catch(function (error) {
      console.error(error);
      // Cut off by a change of the network, or a new version that came in between: once more helps.
      if (!sessionStorage.getItem("berth.reloaded")) {
        sessionStorage.setItem("berth.reloaded", "yes");
        location.reload();
        return;
      }
      var say = document.querySelector("#boot p");
      if (say) {
        say.textContent = japanese
          ? "読み込めませんでした。ページを再読み込みしてください。"
          : "This page could not be loaded. Please reload it.";
      }
    });
})();
