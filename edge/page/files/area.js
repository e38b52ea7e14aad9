// Drawing the watched area: with a finger, a mouse or the keys; saved when it is asked for.

import { $, icon, make, many, say, state } from "./common.js";
import { crossesItself } from "./outline.js";
import { draw, POLICIES, title } from "./picture.js";

const MOST_POINTS = 100;
const MOST_PARTS = 20;
const STEP = 0.02;
const NEAR_PX = 24;
const SAVED_MS = 8000;
const KINDS = ["in", "out", "zone"]; // in this order
const ICONS = { in: "region", out: "excluded", zone: "zone" };
const CROSSES = "The outline crosses itself: move or remove a corner.";

let before = null; // the part that is being edited, as it was

const inside = (value) => Math.min(1, Math.max(0, Math.round(1000 * value) / 1000));
const isFixed = (kind) => (kind === "zone" ? state.account?.area.are_zones_fixed : state.account?.area_origin === "settings") ?? false;
const ofKind = (kind) => state.parts.filter((each) => each.kind === kind);
export const hasUnsaved = () => state.isChanged || state.sketch !== null || state.edited !== null;

// What the device watches, unless something else is drawn here.
export function take(area) {
  if (hasUnsaved()) return;
  const named = (kind, polygons, names) => polygons.map((points, number) => ({ kind, points, name: names[number] ?? "" }));
  const zones = area.zones.map(({ name, points, policy }) => ({ kind: "zone", points, name, policy }));
  const parts = [...named("in", area.regions, area.region_names), ...named("out", area.excluded, area.excluded_names), ...zones];
  if (JSON.stringify(parts) !== JSON.stringify(state.parts)) {
    state.parts = parts;
    draw();
  }
  tell();
}

// Rebuilt only where it has changed, or the focus would be lost.
let shown = "";

export function tell() {
  const { account, parts, sketch, edited, isChanged, isSaving } = state;
  const isBusy = sketch !== null || edited !== null || isSaving;
  const now = JSON.stringify([parts, sketch?.points.length, sketch === null, edited, isChanged, isSaving, account?.area_origin, account?.area.are_zones_fixed, account?.can_undo]);
  if (now === shown) return;
  shown = now;
  const [regions, out, zones] = KINDS.map((kind) => ofKind(kind).length);
  const where = regions ? `Faces are judged in ${many(regions, "region", "regions")}` : "Faces are judged in the whole picture";
  const but = out ? `, except in ${many(out, "excluded area", "excluded areas")}` : "";
  const fixed = isFixed("in") ? " The settings file defines this area. Change it there, or remove region, regions and excluded from [detector] to draw here." : "";
  const divided = zones ? ` ${many(zones, "zone has its", "zones have their")} own rules${zones > 1 ? "; where two overlap, the smaller one applies" : ""}.` : "";
  const fixedZones = isFixed("zone") ? " The settings file defines the zones. Change them there, or remove [[zone]] to draw here." : "";
  say("area-text", `${where}${but}.${fixed}${divided}${fixedZones}`);
  $("parts").replaceChildren(...parts.map((part, number) => row(part, number, isBusy || isFixed(part.kind))));
  for (const kind of KINDS) $(`draw-${kind}`).disabled = isBusy || isFixed(kind) || ofKind(kind).length >= MOST_PARTS;
  $("undo").disabled = isBusy || !account?.can_undo;
  tellTools();
}

function row(part, number, isOff) {
  const name = title(part, number);
  const button = (text, act) => make("button", { type: "button", disabled: isOff, "aria-label": `${text} ${name}`, onclick: act }, text);
  return make("li", { className: "part-row" }, icon(ICONS[part.kind]),
    make("span", {}, name, ...(part.kind === "zone" ? [make("small", {}, ` ${POLICIES[part.policy]}`)] : [])),
    button("Edit", () => edit(number)), button("Delete", () => remove(number)));
}

function tellTools() {
  const { sketch, edited, isChanged } = state;
  const isEditing = edited !== null;
  const isSketching = sketch !== null;
  $("tools").hidden = !(isSketching || isEditing || isChanged);
  for (const id of ["close", "back"]) $(id).hidden = !isSketching;
  $("done").hidden = !isEditing;
  $("name-field").hidden = !isEditing;
  $("policy-field").hidden = !isEditing || state.parts[edited].kind !== "zone";
  $("cancel").hidden = !(isSketching || isEditing);
  for (const id of ["save", "discard"]) {
    $(id).hidden = isSketching || isEditing || !isChanged;
    $(id).disabled = state.isSaving;
  }
  if (isSketching) {
    const count = sketch.points.length;
    $("close").disabled = count < 3;
    $("back").disabled = count === 0;
    say("instruction", count ? `${many(count, "corner", "corners")}. ${count < 3 ? "Tap the next one." : "Tap the next one, or the first again to close the outline."}`
      : "Tap the corners on the picture in order. Keyboard: arrow keys move the cursor, Enter sets a corner, C closes the outline, Backspace removes the last corner, Escape cancels.");
  } else if (isEditing) say("instruction", "Drag the corners. Keyboard: Tab selects a corner, arrow keys move it, Delete removes it.");
  else say("instruction", "Not saved yet: the device still watches the previous area.");
}

function changed() {
  tell();
  draw();
}

// A new part.

function begin(kind) {
  state.sketch = { kind, points: [], cursor: [0.5, 0.5] };
  say("hint", "");
  const overlay = $("overlay");
  overlay.classList.add("drawing");
  overlay.tabIndex = 0;
  changed();
  $("stage").scrollIntoView({ block: "nearest" });
  overlay.focus({ preventScroll: true });
}

function end() {
  state.sketch = null;
  $("overlay").classList.remove("drawing");
  $("overlay").removeAttribute("tabindex");
  changed();
}

function close() {
  const { kind, points } = state.sketch;
  if (points.length < 3) say("hint", "An outline needs at least three corners.");
  else if (crossesItself(points)) say("hint", CROSSES);
  else {
    const place = state.parts.filter((each) => KINDS.indexOf(each.kind) <= KINDS.indexOf(kind)).length;
    const rules = kind === "zone" ? { name: freeName(), policy: "violation" } : { name: "" };
    state.parts = state.parts.toSpliced(place, 0, { kind, points, ...rules });
    state.isChanged = true;
    say("hint", "");
    end();
    $("save").focus();
  }
}

function freeName() {
  const taken = ofKind("zone").map((each) => each.name);
  let number = 1;
  while (taken.includes(`Zone ${number}`)) number += 1;
  return `Zone ${number}`;
}

// What is wrong with the name of a zone; empty: nothing. Counts are by name.
function wrongName(part) {
  if (part.kind !== "zone") return "";
  if (!part.name) return "A zone needs a name.";
  const same = ofKind("zone").filter((each) => each.name.toLowerCase() === part.name.toLowerCase());
  return same.length > 1 ? "Another zone has this name." : "";
}

function addPoint(point) {
  const { points } = state.sketch;
  const box = $("overlay").getBoundingClientRect();
  const [first] = points;
  if (points.length > 2 && Math.hypot((first[0] - point[0]) * box.width, (first[1] - point[1]) * box.height) < NEAR_PX) {
    close();
    return;
  }
  say("hint", "");
  if (points.length < MOST_POINTS) points.push(point.map(inside));
  changed();
}

function at(event) {
  const box = $("overlay").getBoundingClientRect();
  return [inside((event.clientX - box.left) / box.width), inside((event.clientY - box.top) / box.height)];
}

const MOVES = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
const moved = (point, move) => point.map((each, axis) => inside(each + move[axis]));

$("overlay").addEventListener("pointerdown", (event) => {
  if (!state.sketch) return;
  event.preventDefault();
  state.sketch.cursor = at(event);
  addPoint(state.sketch.cursor);
});
$("overlay").addEventListener("keydown", (event) => {
  if (!state.sketch) return;
  if (MOVES[event.key]) state.sketch.cursor = moved(state.sketch.cursor, MOVES[event.key]);
  else if (event.key === "Enter" || event.key === " ") addPoint(state.sketch.cursor);
  else if (event.key === "c" || event.key === "C") close();
  else if (event.key === "Backspace") state.sketch.points.pop();
  else if (event.key === "Escape") end();
  else return;
  event.preventDefault();
  changed();
});

// A part that is there.

function edit(number) {
  state.edited = number;
  before = structuredClone(state.parts[number]);
  $("name").value = before.name;
  $("policy").value = before.policy ?? "violation";
  say("hint", "");
  changed();
  handles();
  $("stage").scrollIntoView({ block: "nearest" });
  $("handles").firstElementChild.focus({ preventScroll: true });
}

function finish() {
  state.edited = null;
  $("handles").replaceChildren();
  changed();
}

function remove(number) {
  state.parts = state.parts.toSpliced(number, 1);
  state.isChanged = true;
  say("hint", "");
  changed();
  $("save").focus();
}

function handles() {
  const { points } = state.parts[state.edited];
  $("handles").replaceChildren(...points.map((point, number) => {
    const handle = make("button", { type: "button", className: "handle", "aria-label": `Corner ${number + 1} of ${points.length}` });
    const go = (to) => {
      points[number] = to;
      settle(handle, to);
      say("hint", crossesItself(points) ? CROSSES : "");
      draw();
    };
    settle(handle, point);
    handle.addEventListener("pointerdown", (event) => handle.setPointerCapture(event.pointerId));
    handle.addEventListener("pointermove", (event) => handle.hasPointerCapture(event.pointerId) && go(at(event)));
    handle.addEventListener("keydown", (event) => {
      if (MOVES[event.key]) go(moved(points[number], MOVES[event.key].map((each) => each / 2)));
      else if ((event.key === "Delete" || event.key === "Backspace") && points.length > 3) {
        points.splice(number, 1);
        handles();
        $("handles").children[number % points.length].focus();
        draw();
      } else if (event.key === "Escape") cancel();
      else return;
      event.preventDefault();
    });
    return handle;
  }));
}

function settle(handle, [x, y]) {
  handle.style.left = `${100 * x}%`;
  handle.style.top = `${100 * y}%`;
}

function cancel() {
  say("hint", "");
  if (state.sketch) {
    end();
    return;
  }
  state.parts[state.edited] = before;
  finish();
}

for (const kind of KINDS) $(`draw-${kind}`).addEventListener("click", () => begin(kind));
$("close").addEventListener("click", close);
$("back").addEventListener("click", () => {
  state.sketch.points.pop();
  changed();
});
$("cancel").addEventListener("click", cancel);
$("name").addEventListener("input", () => {
  state.parts[state.edited].name = $("name").value.trim();
  draw();
});
$("policy").addEventListener("change", () => {
  state.parts[state.edited].policy = $("policy").value;
  draw();
});
$("done").addEventListener("click", () => {
  const part = state.parts[state.edited];
  const wrong = crossesItself(part.points) ? CROSSES : wrongName(part);
  if (wrong) {
    say("hint", wrong);
    return;
  }
  say("hint", "");
  if (JSON.stringify(part) !== JSON.stringify(before)) state.isChanged = true;
  finish();
  if (state.isChanged) $("save").focus();
});

// What is not saved.

export function discard() {
  state.sketch = state.edited = null;
  state.isChanged = false;
  say("hint", "");
  $("handles").replaceChildren();
  end();
  if (state.account) take(state.account.area);
}

// Asks before something is lost; resolves to whether to go on.
export function mayDiscard() {
  if (!hasUnsaved()) return Promise.resolve(true);
  const question = $("question");
  question.returnValue = "keep";
  question.showModal();
  return new Promise((resolve) => {
    question.addEventListener("close", () => {
      const goesOn = question.returnValue === "discard";
      if (goesOn) discard();
      resolve(goesOn);
    }, { once: true });
  });
}

addEventListener("beforeunload", (event) => {
  if (hasUnsaved()) event.preventDefault();
});

export function connect(ask, renew) {
  let fading;
  const wish = async (path, content, done) => {
    state.isSaving = true;
    say("hint", "");
    tell();
    let said = done;
    try {
      const { error } = await (await ask(path, { method: "POST", body: content && JSON.stringify(content) })).json();
      if (error) said = `Not saved: ${error}.`;
      else state.isChanged = false;
    } catch (error) {
      // Without an answer of the device itself it may have been saved all the same.
      said = `${error.status < 500 ? "Not saved" : "Possibly not saved"}: ${error.message}.`;
    }
    say("hint", said);
    clearTimeout(fading); // of the last one, which may have said the same
    if (said === done) fading = setTimeout(() => $("hint").textContent === done && say("hint", ""), SAVED_MS);
    await renew().catch(() => {}); // it is asked for again every few seconds
    state.isSaving = false;
    tell();
    // The button that was pressed is gone.
    if (document.activeElement === document.body) $("draw-in").focus({ preventScroll: true });
  };
  $("save").addEventListener("click", () => {
    const all = (kind, key) => ofKind(kind).map((each) => each[key]);
    const content = {
      type: "Draw", camera: state.camera, regions: all("in", "points"), excluded: all("out", "points"),
      region_names: all("in", "name"), excluded_names: all("out", "name"),
      zones: ofKind("zone").map(({ name, points, policy }) => ({ name, points, policy })),
    };
    wish("area", content, "Saved: the device watches this area now.");
  });
  $("discard").addEventListener("click", () => mayDiscard());
  $("undo").addEventListener("click", async () => {
    if (await mayDiscard()) wish(`area/undo?camera=${encodeURIComponent(state.camera)}`, null, "Undone: the device watches the previous area again.");
  });
}
