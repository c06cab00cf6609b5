// The terminal's screen: xterm.js, and what the console needs of it. Loaded on the terminal's page alone.
(function () {
  "use strict";
  const { Terminal } = (function () {
    /*{xterm.mjs}*/
  })();
  const { FitAddon } = (function () {
    /*{addon-fit.mjs}*/
  })();

  // What xterm.js makes in place of <style>, which the page's policy refuses: a constructed sheet is not inline.
  customElements.define(
    "berth-style",
    class extends HTMLElement {
      #sheet = new CSSStyleSheet();

      set textContent(text) {
        this.#sheet.replaceSync(text);
      }

      connectedCallback() {
        document.adoptedStyleSheets = [...document.adoptedStyleSheets, this.#sheet];
      }

      disconnectedCallback() {
        document.adoptedStyleSheets = document.adoptedStyleSheets.filter((sheet) => sheet !== this.#sheet);
      }
    },
  );

  const ANSI = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
  const LIGHT = {
    plain: ["#16202b", "#b3202a", "#1a7043", "#855300", "#0b5cb8", "#8a3aa8", "#0a6f7d", "#66727d"],
    bright: ["#55636f", "#c0272d", "#1a7f45", "#8f5b00", "#0b63c5", "#9b46ba", "#0b7a8a", "#7b8894"],
  };
  const DARK = {
    plain: ["#3a4656", "#ff7b72", "#4cc38a", "#f0b429", "#5aa9ff", "#d2a8ff", "#56d4dd", "#c3ced9"],
    bright: ["#7d8b9a", "#ffa198", "#7ee2b0", "#ffd166", "#8cc4ff", "#e2c5ff", "#8be9f0", "#ffffff"],
  };

  const theme = () => {
    const root = getComputedStyle(document.documentElement);
    const colour = (name) => root.getPropertyValue(name).trim();
    const dark = colour("color-scheme").includes("dark");
    const { plain, bright } = dark ? DARK : LIGHT;
    const theme = {
      background: colour("--surface"),
      foreground: colour("--text"),
      cursor: colour("--accent"),
      cursorAccent: colour("--surface"),
      selectionBackground: dark ? "#2f4d70" : "#b9d6f6",
      scrollbarSliderBackground: dark ? "#68788a66" : "#7b889466",
      scrollbarSliderHoverBackground: dark ? "#68788aaa" : "#7b8894aa",
      scrollbarSliderActiveBackground: dark ? "#68788a" : "#7b8894",
    };
    ANSI.forEach((name, i) => {
      theme[name] = plain[i];
      theme["bright" + name[0].toUpperCase() + name.slice(1)] = bright[i];
    });
    return theme;
  };

  const swallow = () => true;
  const encoder = new TextEncoder();

  class Screen {
    #terminal;
    #fit = new FitAddon();
    #element;
    #ends = [];
    #frame = 0;
    // The program's questions in what was printed long ago have been answered then.
    #history = false;
    #behind = 0;
    // The most that ever waited to be drawn, in bytes.
    most = 0;

    // `heard` has typed(bytes), sized(columns, rows), parsed(count) and left().
    constructor(element, settings, heard) {
      this.#element = element;
      Terminal.strings.promptLabel = settings.label;
      Terminal.strings.tooMuchOutput = settings.tooMuch;
      const terminal = new Terminal({
        cols: 80,
        rows: 24,
        cursorBlink: !matchMedia("(prefers-reduced-motion: reduce)").matches,
        fontFamily: settings.fontFamily,
        fontSize: settings.fontSize,
        minimumContrastRatio: 4.5,
        screenReaderMode: settings.screenReader,
        scrollback: settings.scrollback,
        theme: theme(),
      });
      this.#terminal = terminal;
      terminal.loadAddon(this.#fit);
      // A program in a container has no business with the clipboard, nor with the title of the page.
      for (const code of [0, 1, 2, 52]) {
        terminal.parser.registerOscHandler(code, swallow);
      }
      terminal.onData((text) => {
        const answer = this.#history && text.startsWith("\x1b");
        if (!answer) {
          heard.typed(encoder.encode(text));
        }
      });
      terminal.onBinary((text) => {
        if (!this.#history) {
          heard.typed(Uint8Array.from(text, (c) => c.charCodeAt(0)));
        }
      });
      terminal.onResize(({ cols, rows }) => heard.sized(cols, rows));
      terminal.attachCustomKeyEventHandler((event) => this.#key(event, heard));
      this.parsed = heard.parsed;
      terminal.open(element);
      this.#follow();
      this.fit();
    }

    // Ctrl+Shift with a letter means nothing to a program in a terminal.
    #key(event, heard) {
      const chord = event.ctrlKey && event.shiftKey && !event.altKey && !event.metaKey;
      if (!chord || (event.code !== "KeyL" && event.code !== "KeyC")) {
        return true;
      }
      if (event.type === "keydown") {
        event.preventDefault();
        if (event.code === "KeyL") {
          heard.left();
        } else if (this.#terminal.hasSelection()) {
          navigator.clipboard.writeText(this.#terminal.getSelection()).catch(console.warn);
        }
      }
      return false;
    }

    // The window's size and the colours around it.
    #follow() {
      const sizes = new ResizeObserver(() => {
        cancelAnimationFrame(this.#frame);
        this.#frame = requestAnimationFrame(() => this.fit());
      });
      sizes.observe(this.#element);
      const repaint = () => {
        this.#terminal.options.theme = theme();
      };
      const chosen = new MutationObserver(repaint);
      chosen.observe(document.documentElement, { attributeFilter: ["data-theme"] });
      const system = matchMedia("(prefers-color-scheme: dark)");
      system.addEventListener("change", repaint);
      this.#ends.push(
        () => sizes.disconnect(),
        () => chosen.disconnect(),
        () => system.removeEventListener("change", repaint),
        () => cancelAnimationFrame(this.#frame),
      );
    }

    fit() {
      this.#fit.fit();
    }

    beginHistory() {
      this.#history = true;
    }

    // With `endsHistory` what follows is new.
    write(bytes, endsHistory) {
      this.#behind += bytes.length;
      this.most = Math.max(this.most, this.#behind);
      this.#terminal.write(bytes, () => {
        this.#behind -= bytes.length;
        if (endsHistory) {
          this.#history = false;
        }
        this.parsed(bytes.length);
      });
    }

    // As if pasted or typed by somebody.
    type(text) {
      this.#terminal.input(text, true);
    }

    get columns() {
      return this.#terminal.cols;
    }

    get rows() {
      return this.#terminal.rows;
    }

    get applicationCursor() {
      return this.#terminal.modes.applicationCursorKeysMode;
    }

    set fontSize(size) {
      this.#terminal.options.fontSize = size;
      this.fit();
    }

    set screenReader(on) {
      this.#terminal.options.screenReaderMode = on;
    }

    // An ended program reads nothing.
    set readOnly(on) {
      this.#terminal.options.disableStdin = on;
      this.#terminal.options.cursorBlink = false;
    }

    focus() {
      this.#terminal.focus();
    }

    text() {
      const buffer = this.#terminal.buffer.active;
      const lines = [];
      for (let i = 0; i < buffer.length; i++) {
        lines.push(buffer.getLine(i).translateToString(true));
      }
      return lines.join("\n").trimEnd();
    }

    dispose() {
      this.#ends.forEach((end) => end());
      this.#terminal.dispose();
    }
  }

  window.berthTerminal = {
    open: (element, settings, heard) => {
      const screen = new Screen(element, settings, heard);
      // For whoever wants to know what is on the screen: the rows in the page are only those in sight.
      element.berthScreen = screen;
      return screen;
    },
  };
})();
