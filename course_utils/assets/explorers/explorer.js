(function () {
  "use strict";
  const root = document.getElementById("ID");
  const data = JSON.parse(root.querySelector("script[type='application/json']").textContent);
  const said = root.querySelector(".said");
  const words = Array.from(root.querySelectorAll(".words button"));
  const heads = Array.from(root.querySelectorAll(".heads button"));
  const places = Array.from(root.querySelectorAll("svg rect[data-key]"));
  const raw = Uint8Array.from(atob(data.weights), (c) => c.charCodeAt(0));
  let head = 0, query = data.query;

  function weight(key) { // of the chosen head and query; stored as thousandths in two bytes
    const at = 2 * ((head * data.queries + query) * data.keys + key);
    return (raw[at] + 256 * raw[at + 1]) / 10000;
  }

  function percent(x) { return (100 * x).toFixed(x < 0.0995 ? 1 : 0) + " %"; }

  function show() {
    const row = Array.from({ length: data.keys }, (_, key) => weight(key));
    const most = Math.max(1e-9, ...row);
    if (data.film) {
      places.forEach((rect) => { rect.setAttribute("fill-opacity", (0.75 * row[+rect.dataset.key] / most).toFixed(3)); });
    } else {
      words.forEach((word, key) => {
        const share = row[key];
        word.style.background = "rgba(1, 115, 178, " + Math.min(1, share).toFixed(3) + ")";
        word.style.color = share > 0.85 ? "#fff" : "#1b1b1b";
        word.title = percent(share);
      });
    }
    words.forEach((word, i) => {
      word.setAttribute("aria-pressed", String(i === query));
      word.tabIndex = i === query ? 0 : -1;
    });
    heads.forEach((button, i) => button.setAttribute("aria-pressed", String(i === head)));
    const best = row.map((share, key) => [share, key]).sort((a, b) => b[0] - a[0] || a[1] - b[1]).slice(0, 3);
    said.textContent = "“" + data.words[query] + "” looks at " +
      best.map(([share, key]) => data.names[key] + " (" + percent(share) + ")").join(", ") + ".";
  }

  function choose(i, focus) {
    query = Math.max(0, Math.min(words.length - 1, i));
    show();
    if (focus) words[query].focus();
  }

  words.forEach((word, i) => {
    word.addEventListener("mouseenter", () => choose(i, false));
    word.addEventListener("focus", () => choose(i, false));
    word.addEventListener("click", () => choose(i, true));
    word.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -words.length, End: words.length }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      choose(i + step, true);
    });
  });
  heads.forEach((button, i) => button.addEventListener("click", () => { head = i; show(); }));
  show();
})();
