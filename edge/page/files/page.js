// Shows what the daemon says, and draws the area. Without a framework, and without anybody else's server.

const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const MOST_POINTS = 100;
const STEP = 0.02;
const STEEPEST_S = 60;

const make = (name, attributes = {}, text = "") => {
  const element = document.createElement(name);
  Object.assign(element, attributes);
  if (text) element.textContent = text;
  return element;
};
const shape = (name, attributes) => {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};
const clock = (at, options) => new Date(at).toLocaleTimeString([], options ?? { hour: "2-digit", minute: "2-digit" });
const day = (at) => new Date(at).toLocaleDateString([], { weekday: "short", day: "numeric", month: "short" });
const tenths = (share) => Math.ceil(10 * share) - 1;
const sameDay = (a, b) => new Date(a).toDateString() === new Date(b).toDateString();
const many = (count, one, more) => (count === 1 ? `one ${one}` : `${count} ${more}`);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let scene = null;
let account = null;
let address = null;
let sharpest = [];
let byDay = false;

// What is being drawn: null, or which kind, and the points so far.
let sketch = null;
let regions = [];
let excluded = [];
let isChanged = false;
let cursor = [0.5, 0.5];

async function ask(path, options) {
  const answer = await fetch(path, options);
  if (answer.status === 401) {
    location.replace("/login");
    await pause(60_000);
  }
  return answer;
}

// One scene after the other; a slow line gets fewer, and none waits in a queue.
async function follow() {
  let after = 0;
  for (;;) {
    if (document.hidden) {
      await pause(500);
      continue;
    }
    try {
      const answer = await ask(`/scene?after=${after}`);
      if (answer.status === 204) {
        $("nothing").textContent = "no picture comes";
        continue;
      }
      if (!answer.ok) throw new Error((await answer.json()).error);
      const content = await answer.arrayBuffer();
      const size = new DataView(content).getUint32(0);
      scene = JSON.parse(new TextDecoder().decode(new Uint8Array(content, 4, size)));
      after = scene.number;
      await show(new Blob([new Uint8Array(content, 4 + size)], { type: "image/jpeg" }));
    } catch (error) {
      lost(error);
      await pause(2000);
    }
  }
}

async function show(picture) {
  const next = URL.createObjectURL(picture);
  const image = $("picture");
  image.src = next;
  await image.decode().catch(() => {});
  image.hidden = false;
  if (address) URL.revokeObjectURL(address);
  address = next;
  $("nothing").textContent = "";
  drawOverlay();
  $("people").replaceChildren(...scene.people.map((each) => make("li", {}, `${each.id}: ${each.text}`)));
  $("fps").textContent = `${scene.fps.toFixed(1)} a second`;
  const { sharpness, light, light_text: words } = scene.picture;
  const now = performance.now() / 1000;
  sharpest = sharpest.filter(([at]) => now - at < STEEPEST_S).concat([[now, sharpness]]);
  const best = Math.max(...sharpest.map(([, value]) => value), 0.1);
  $("sharpness-bar").value = sharpness / best;
  const share = Math.round((100 * sharpness) / best);
  $("sharpness").textContent = `${sharpness.toFixed(1)}: ${share >= 95 ? "as sharp as it has been" : `${share} % of the best in a minute`}`;
  $("light").textContent = `${light} %, ${words}`;
}

function lost(error) {
  $("verdict").textContent = `connection lost (${error.message}); trying again`;
  $("verdict").className = "is-fault";
  $("nothing").textContent = "connection lost";
  $("troubles").replaceChildren(make("li", { className: "fault" }, "not known: connection lost"));
  $("vitals").textContent = "";
}

async function look() {
  for (;;) {
    try {
      const answer = await ask("/report");
      if (!answer.ok) throw new Error((await answer.json()).error);
      account = await answer.json();
      $("leave").hidden = answer.headers.get("Session") !== "open";
      tell();
    } catch (error) {
      lost(error);
    }
    await pause(document.hidden ? 10_000 : 2000);
  }
}

function tell() {
  $("device").textContent = account.device;
  $("place").textContent = [account.site, account.zone].filter(Boolean).join(", ");
  document.title = `${account.device}: TensorMask`;
  $("program").textContent = `TensorMask ${account.program}`;
  const faults = account.troubles.filter((each) => each.weight === "fault");
  const [first] = account.troubles;
  // What to do about it stands under Health.
  $("verdict").textContent = first ? first.text.split("; ")[0] : "all is well";
  $("verdict").className = faults.length ? "is-fault" : first ? "is-hint" : "is-well";
  const troubles = account.troubles.map((each) =>
    make("li", { className: each.weight }, `${each.text}, since ${sameDay(each.since, account.now) ? clock(each.since) : `${day(each.since)} ${clock(each.since)}`}`),
  );
  $("troubles").replaceChildren(...(troubles.length ? troubles : [make("li", { className: "well" }, "all is well")]));
  const heat = account.temperature_c === null ? "" : `, ${account.temperature_c.toFixed(0)} °C`;
  $("vitals").textContent = `${account.fps.toFixed(1)} pictures a second judged; ${many(account.waiting, "document waits", "documents wait")}${heat}`;
  const { masked, bare } = account.found;
  const known = masked && bare ? ` Of faces of 16 px and more in pictures that it had never seen, it found more than ${tenths(masked)} of 10 with a mask and ${tenths(bare)} of 10 without;` : " It finds";
  $("missed").textContent = `Whoever the detector does not find is counted nowhere.${known} fewer of those far away, turned aside or in the dark.`;
  tellRuler();
  tellArea();
  chart();
  $("told").replaceChildren(
    ...account.past.told.toReversed().map((each) => {
      const what = each.kind === "bare" ? "no mask" : "mask worn wrongly";
      const when = `${sameDay(each.started_at, account.now) ? "" : `${day(each.started_at)} `}${clock(each.started_at, {})}`;
      const how = `${each.duration_s.toFixed(1)} s, ${Math.round(100 * each.probability)} % sure`;
      return make("li", {}, `${when}: ${what}, ${how}${each.is_over ? "" : ", still there"}`);
    }),
  );
  if (!account.past.told.length) $("told").replaceChildren(make("li", {}, "nothing yet"));
}

// The area.

function tellArea() {
  if (!isChanged) {
    regions = structuredClone(account.area.regions);
    excluded = structuredClone(account.area.excluded);
  }
  const isFixed = account.area_origin === "settings";
  const parts = [
    regions.length ? `faces count in ${many(regions.length, "region", "regions")}` : "faces count in the whole picture",
    excluded.length ? `${many(excluded.length, "part is", "parts are")} left out` : "",
  ].filter(Boolean);
  $("area-text").textContent = `${parts.join("; ")}${isChanged ? " (not saved yet)" : ""}${isFixed ? ". The settings file says so: change it there, or take [detector] region, regions and excluded out of it to draw here." : "."}`;
  for (const id of ["draw-in", "draw-out"]) $(id).disabled = isFixed || sketch !== null;
  $("drop").disabled = isFixed || sketch !== null || !(regions.length + excluded.length);
  $("save").disabled = isFixed || sketch !== null || !isChanged;
  $("cancel").hidden = !(sketch || isChanged);
  $("undo").disabled = isChanged || sketch !== null || !account.can_undo;
  drawOverlay();
}

function begin(kind) {
  sketch = { kind, points: [] };
  cursor = [0.5, 0.5];
  const overlay = $("overlay");
  overlay.classList.add("drawing");
  overlay.tabIndex = 0;
  overlay.focus();
  $("hint").textContent = "Tap the corners one after the other, the first again to close. Keys: arrows move, Enter sets a corner, C closes, Backspace takes one back, Escape ends.";
  tellArea();
}

function end() {
  sketch = null;
  const overlay = $("overlay");
  overlay.classList.remove("drawing");
  overlay.removeAttribute("tabindex");
  $("hint").textContent = "";
  tellArea();
}

function close() {
  if (sketch.points.length < 3) {
    $("hint").textContent = "a region has three corners at least";
    return;
  }
  (sketch.kind === "in" ? regions : excluded).push(sketch.points);
  isChanged = true;
  end();
  $("save").focus();
}

function addPoint(point) {
  const [first] = sketch.points;
  const overlay = $("overlay").getBoundingClientRect();
  if (first && sketch.points.length > 2) {
    const x = (first[0] - point[0]) * overlay.width;
    const y = (first[1] - point[1]) * overlay.height;
    if (Math.hypot(x, y) < 24) {
      close();
      return;
    }
  }
  if (sketch.points.length < MOST_POINTS) sketch.points.push(point.map((each) => Math.round(1000 * each) / 1000));
  const closes = sketch.points.length > 2 ? "; tap the first again, or press C, to close" : "";
  $("hint").textContent = many(sketch.points.length, "corner", "corners") + closes;
  drawOverlay();
}

$("overlay").addEventListener("pointerdown", (event) => {
  if (!sketch) return;
  event.preventDefault();
  const box = $("overlay").getBoundingClientRect();
  const inside = (value) => Math.min(1, Math.max(0, value));
  cursor = [inside((event.clientX - box.left) / box.width), inside((event.clientY - box.top) / box.height)];
  addPoint(cursor);
});
$("overlay").addEventListener("keydown", (event) => {
  if (!sketch) return;
  const moves = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
  const move = moves[event.key];
  if (move) cursor = cursor.map((each, axis) => Math.min(1, Math.max(0, each + move[axis])));
  else if (event.key === "Enter" || event.key === " ") addPoint(cursor);
  else if (event.key === "c" || event.key === "C") close();
  else if (event.key === "Backspace") sketch.points.pop();
  else if (event.key === "Escape") end();
  else return;
  event.preventDefault();
  drawOverlay();
});
$("draw-in").addEventListener("click", () => begin("in"));
$("draw-out").addEventListener("click", () => begin("out"));
$("drop").addEventListener("click", () => {
  (excluded.length ? excluded : regions).pop();
  isChanged = true;
  tellArea();
});
$("cancel").addEventListener("click", () => {
  isChanged = false;
  end();
});
$("save").addEventListener("click", () =>
  wish("/area", { type: "Draw", regions, excluded }, "saved: it is watched from now on"));
$("undo").addEventListener("click", () => wish("/area/undo", null, "the area before is watched again"));

async function wish(path, content, done) {
  try {
    const answer = await ask(path, { method: "POST", body: content && JSON.stringify(content) });
    const { error } = await answer.json();
    if (!error) isChanged = false;
    account = await (await ask("/report")).json();
    tell();
    $("hint").textContent = error || done;
  } catch (error) {
    $("hint").textContent = `not saved: ${error.message}`;
  }
}

// The picture's overlay; its coordinates are fractions of the picture.

function polygon(points, className) {
  return shape("polygon", { points: points.map((each) => each.join(",")).join(" "), class: className });
}

function drawOverlay() {
  const shapes = [
    ...regions.map((each) => polygon(each, "region")),
    ...excluded.map((each) => polygon(each, "excluded")),
  ];
  const labels = [];
  for (const each of scene?.people ?? []) {
    const { left: x, top: y, width, height } = each;
    shapes.push(shape("rect", { x, y, width, height, class: `box ${each.state ?? ""}` }));
    const label = make("span", { className: "label" }, `${each.id}: ${each.text}`);
    // On the right it ends with its box: it must not leave the picture.
    if (x > 0.7) label.style.right = `${100 * Math.max(0, 1 - x - width)}%`;
    else label.style.left = `${100 * Math.max(0, x)}%`;
    label.style.top = `${100 * Math.max(0.06, y)}%`;
    labels.push(label);
  }
  if (scene) {
    const size = Number($("ruler").value);
    const width = size / scene.width_px;
    const height = size / scene.height_px;
    shapes.push(shape("rect", { x: 0.5 - width / 2, y: 0.5 - height / 2, width, height, class: "ruler" }));
  }
  if (sketch) {
    shapes.push(polygon(sketch.points, "new"));
    const [x, y] = cursor;
    shapes.push(shape("line", { x1: x - 0.02, y1: y, x2: x + 0.02, y2: y, class: "cursor" }));
    shapes.push(shape("line", { x1: x, y1: y - 0.03, x2: x, y2: y + 0.03, class: "cursor" }));
  }
  $("overlay").replaceChildren(...shapes);
  for (const old of document.querySelectorAll(".label")) old.remove();
  $("stage").append(...labels);
}

function tellRuler() {
  const size = Number($("ruler").value);
  $("ruler-px").textContent = size;
  const least = account?.judged_from_px ?? 20;
  $("ruler-text").textContent = size < least ? `too small: judged from ${least} px on` : size < 24 ? "judged, but from 24 px on it is surer" : "judged";
  drawOverlay();
}
$("ruler").addEventListener("input", tellRuler);

// Who passed.

function totals() {
  const slots = new Map();
  const now = Date.parse(account.now);
  const count = byDay ? 30 : 24;
  const start = (time) => {
    const at = new Date(time);
    if (byDay) at.setHours(0, 0, 0, 0);
    else at.setMinutes(0, 0, 0);
    return at.getTime();
  };
  for (let back = count - 1; back >= 0; back -= 1) {
    const at = new Date(now);
    if (byDay) at.setDate(at.getDate() - back);
    else at.setTime(now - 3_600_000 * back);
    slots.set(start(at), { masked: 0, bare: 0, worn: 0, unknown: 0, watched: 0 });
  }
  for (const hour of account.past.hours) {
    const slot = slots.get(start(3_600_000 * hour.began));
    if (!slot) continue;
    slot.masked += hour.masked;
    slot.bare += hour.bare;
    slot.worn += hour.worn_wrongly;
    slot.unknown += hour.unknown;
    slot.watched += hour.watched_s;
  }
  return [...slots];
}

function chart() {
  const slots = totals();
  const box = $("chart");
  const width = Math.max(300, box.clientWidth);
  const height = 190;
  const base = height - 22;
  box.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const most = Math.max(4, ...slots.map(([, each]) => each.masked + each.bare + each.worn + each.unknown));
  const step = (width - 30) / slots.length;
  const shapes = [shape("line", { x1: 30, x2: width, y1: base, y2: base })];
  const top = shape("text", { x: 0, y: 12 });
  top.textContent = most;
  shapes.push(top);
  slots.forEach(([at, each], place) => {
    let y = base;
    for (const kind of ["masked", "worn", "bare", "unknown"]) {
      const tall = (each[kind] / most) * (base - 6);
      y -= tall;
      if (tall) shapes.push(shape("rect", { x: 30 + place * step + 1, y, width: Math.max(1, step - 2), height: tall, class: kind }));
    }
    if (place % (width < 500 ? 6 : 3) === 0) {
      const text = shape("text", { x: 30 + place * step, y: height - 6 });
      text.textContent = byDay ? new Date(at).getDate() : new Date(at).getHours();
      shapes.push(text);
    }
  });
  box.replaceChildren(...shapes);
  const sum = (kind) => slots.reduce((total, [, each]) => total + each[kind], 0);
  const judged = sum("masked") + sum("bare") + sum("worn");
  const all = judged + sum("unknown");
  const share = all ? `${Math.round((100 * sum("masked")) / Math.max(1, judged))} % of those judged with a mask; ${Math.round((100 * sum("unknown")) / all)} % could not be judged` : "nobody was counted";
  $("chart-caption").textContent = `${many(all, "visit", "visits")} in ${byDay ? "30 days" : "24 hours"}: ${share}`;
  $("rows").replaceChildren(
    ...slots.toReversed().filter(([, each]) => each.watched || each.masked || each.bare).map(([at, each]) => {
      const row = make("tr");
      const cells = [byDay ? day(at) : `${day(at)} ${clock(at)}`, each.masked, each.bare, each.worn, each.unknown, `${Math.round(each.watched / 60)} min`];
      row.append(...cells.map((text) => make("td", {}, String(text))));
      return row;
    }),
  );
}
for (const [id, days] of [["by-hour", false], ["by-day", true]]) {
  $(id).addEventListener("click", () => {
    byDay = days;
    $("by-hour").setAttribute("aria-pressed", String(!days));
    $("by-day").setAttribute("aria-pressed", String(days));
    if (account) chart();
  });
}
addEventListener("resize", () => account && chart());

$("leave").addEventListener("click", async () => {
  await fetch("/logout", { method: "POST" });
  location.replace("/login");
});

follow();
look();
