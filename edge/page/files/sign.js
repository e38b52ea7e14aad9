// Shows what the device says, and nothing that is older than two seconds.

const STALE_MS = 2000;
const AGAIN_MS = 250;
const RELOAD_MS = 10_000;
const KEPT = "tensormask-sign-closed";
const LARGEST = 0.27, SMALLEST = 0.04; // of the shorter side of the screen

const text = document.getElementById("text");
const closed = { notice: "closed", lines: [{ language: "en", direction: "ltr", text: "Out of service" }] };
let tag = "", program = "", timer;

recall();
expire(STALE_MS);
addEventListener("resize", fit);
document.addEventListener("visibilitychange", keepAwake);
keepAwake();
follow();

async function follow() {
  for (;;) {
    const asked = performance.now();
    try {
      const answer = await fetch(`sign/state?after=${encodeURIComponent(tag)}`, {
        signal: AbortSignal.timeout(STALE_MS),
      });
      if (answer.ok) {
        take(await answer.json(), performance.now() - asked);
        continue;
      }
      expire(0);
      // A kiosk that was there before the device still has the token in its address.
      if (answer.status === 401 && location.search) await again(RELOAD_MS / 5, () => location.reload());
    } catch {
      // The page's own process does not answer: the time runs out.
    }
    await again(AGAIN_MS);
  }
}

function take(state, took) {
  if (program && program !== state.program) setTimeout(() => location.reload(), RELOAD_MS);
  ({ tag, program } = state);
  if (closed.notice !== state.closed || closed.lines[0].text !== state.closed_lines[0].text) remember(state);
  // The whole way may be the answer's: the network may have held it up.
  const left = STALE_MS - state.age_ms - Math.max(0, took - state.waited_ms);
  if (left > 0) show(state);
  expire(left);
}

function expire(after) {
  clearTimeout(timer);
  timer = setTimeout(() => {
    tag = "";
    show(closed);
  }, Math.max(0, after));
}

function show({ notice, lines }) {
  const shown = JSON.stringify([notice, lines]);
  if (text.dataset.shown === shown) return;
  text.dataset.shown = shown;
  document.body.dataset.notice = notice;
  document.documentElement.lang = lines[0].language;
  document.title = lines[0].text;
  text.replaceChildren(...lines.map(({ language, direction, text }, place) => {
    const line = document.createElement(place ? "p" : "h1");
    Object.assign(line, { lang: language, dir: direction, textContent: text });
    return line;
  }));
  fit();
}

// The largest letters with which the text fits beside the picture, without a word that is broken.
function fit() {
  const side = Math.min(innerWidth, innerHeight);
  let small = SMALLEST * side, large = LARGEST * side;
  const fits = (size) => {
    text.style.fontSize = `${size}px`;
    return text.scrollHeight <= room() && text.scrollWidth <= text.clientWidth;
  };
  if (fits(large)) return;
  while (large - small > 1) {
    const middle = (small + large) / 2;
    if (fits(middle)) small = middle;
    else large = middle;
  }
  fits(small);
}

function room() {
  const style = getComputedStyle(document.body);
  const rows = style.gridTemplateRows.split(" ").map(parseFloat);
  return rows[rows.length - 1];
}

function remember(state) {
  Object.assign(closed, { notice: state.closed, lines: state.closed_lines });
  try {
    localStorage.setItem(KEPT, JSON.stringify(closed));
  } catch {
    // A browser that keeps nothing begins in English.
  }
}

function recall() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT));
    if (kept.notice && kept.lines[0].text) Object.assign(closed, kept);
  } catch {
    // Nothing is kept yet.
  }
}

async function keepAwake() {
  try {
    if (!document.hidden) await navigator.wakeLock.request("screen");
  } catch {
    // Not over plain HTTP from another machine: the kiosk's own settings keep the screen on.
  }
}

function again(ms, act = () => {}) {
  return new Promise((done) => setTimeout(() => done(act()), ms));
}
