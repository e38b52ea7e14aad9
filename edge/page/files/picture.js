// The picture, and what lies over it: who is there, the area, the face-size ruler.

import { $, many, make, moment, now, pause, say, shape, since, state } from "./common.js";
import { crossesItself } from "./outline.js";

const STALE_MS = 3000;
const BEST_OF_S = 60;
const NARROW_PX = 560;
const GAP_PX = 4;
const WORDS = { in: "Region", out: "Excluded", zone: "Zone" };
export const POLICIES = { violation: "reported", count: "only counted", ignore: "ignored" };

let address = null;
let sharpest = [];

export async function show(picture) {
  const next = URL.createObjectURL(picture);
  const image = $("picture");
  image.src = next;
  await image.decode().catch(() => {});
  image.hidden = false;
  if (address) URL.revokeObjectURL(address);
  address = next;
  $("stage").style.setProperty("--ratio", state.scene.width_px / state.scene.height_px);
  noteSharpness();
  judgeAge();
  draw();
}

// Whatever the reason: what is older is not live.
export function judgeAge() {
  const isLost = state.lost !== null || state.account?.camera?.state === "lost";
  state.isStale = isLost || state.sceneAt === null || since(state.sceneAt) > STALE_MS;
  document.body.classList.toggle("lost", state.lost !== null);
  const was = $("stage").classList.contains("stale");
  $("stage").classList.toggle("stale", state.isStale);
  if (state.isStale) {
    say("caption", caption());
    sharpest = [];
  } else say("caption", "");
  if (was !== state.isStale) draw();
  tellFigures();
}

function caption() {
  if (state.scene) return `Last picture, ${moment(state.scene.at)}`;
  if (state.lost || state.account?.camera?.state === "lost") return "No picture";
  return "Waiting for the first picture";
}


function noteSharpness() {
  const at = performance.now() / 1000;
  sharpest = sharpest.filter(([then]) => at - then < BEST_OF_S).concat([[at, state.scene.picture.sharpness]]);
}

function tellFigures() {
  const { scene, isStale } = state;
  const isUnclear = !isStale && scene.picture.view !== "clear";
  say("count", isStale || isUnclear ? "–" : inView(scene));
  say("view", isStale ? "–" : isUnclear ? scene.picture.light_text : `clear, light ${scene.picture.light_text}`);
  say("light", isStale ? "–" : `${scene.picture.light} %, ${scene.picture.light_text}`);
  const best = Math.max(...sharpest.map(([, value]) => value), 0.1);
  const share = isStale || isUnclear ? 0 : scene.picture.sharpness / best;
  const percent = share > 0.95 ? "the best in the last minute" : `${Math.round(100 * share)} % of the best in the last minute`;
  $("sharpness-bar").value = share;
  say("sharpness", isStale ? "–" : isUnclear ? `unknown: ${scene.picture.light_text}` : percent);
}

function inView({ people, outside }) {
  const others = outside.length ? `, ${outside.length} outside the area` : "";
  return many(people.length, "person", "people") + others;
}

// The overlay. Its coordinates are the stage's pixels; those of areas and people are fractions.

export function draw() {
  const stage = $("stage");
  const size = [stage.clientWidth, stage.clientHeight];
  $("overlay").setAttribute("viewBox", `0 0 ${Math.max(1, size[0])} ${Math.max(1, size[1])}`);
  const shapes = [];
  const tags = [];
  const isSettingUp = state.view === "setup";
  if (isSettingUp || !state.isStale) drawParts(size, shapes, tags, isSettingUp);
  if (state.scene && !state.isStale) {
    if (isSettingUp && !state.sketch && state.edited === null) drawRuler(size, shapes, tags);
    drawPeople(size, shapes, tags, isSettingUp);
  }
  if (state.sketch) drawSketch(size, shapes);
  $("overlay").replaceChildren(...shapes);
  place(tags, size);
}

const scaled = (points, [width, height]) => points.map(([x, y]) => [x * width, y * height]);
const path = (points, isClosed) => `M${points.map((each) => each.join(" ")).join("L")}${isClosed ? "z" : ""}`;

// Each line twice, the lower one dark: to be seen on every picture.
function twice(d, className) {
  return [shape("path", { d, class: `casing ${className}` }), shape("path", { d, class: className })];
}

function drawParts(size, shapes, tags, isSettingUp) {
  state.parts.forEach((part, number) => {
    const points = scaled(part.points, size);
    const isWrong = crossesItself(part.points) ? " crossing" : "";
    shapes.push(...twice(path(points, true), `part ${part.kind} ${part.policy ?? ""}${isWrong}`));
    if (isSettingUp && number !== state.edited) {
      shapes.push(...twice(points.map(([x, y]) => `M${x} ${y}h0`).join(""), `corners ${part.kind}`));
    }
    const [x, y] = points.reduce((best, each) => (each[0] + each[1] < best[0] + best[1] ? each : best));
    const rule = isSettingUp && part.kind === "zone" ? ` · ${POLICIES[part.policy]}` : "";
    const text = (part.name || (isSettingUp ? title(part, number) : "")) + rule;
    if (text) tags.push({ x, y, width: 0, height: 0, text, className: `tag ${part.kind}`, inside: true });
  });
}

export function title(part, number) {
  const same = state.parts.slice(0, number + 1).filter((each) => each.kind === part.kind);
  return part.name || `${WORDS[part.kind]} ${same.length}`;
}

function drawPeople([width, height], shapes, tags, isSettingUp) {
  const everybody = [
    ...state.scene.outside.map((each) => ({ ...each, state: "outside", label: width < NARROW_PX ? "Outside" : "Outside the area", note: "" })),
    ...state.scene.people,
  ];
  for (const each of everybody) {
    const [x, y] = [each.left * width, each.top * height];
    const [w, h] = [each.width * width, each.height * height];
    const kind = each.state ?? "unjudged";
    shapes.push(...twice(brackets(x, y, w, h), `box ${kind}`));
    const size = isSettingUp && each.size_px ? `${Math.round(each.size_px)} px` : "";
    const isShort = width < NARROW_PX && each.note !== "reported";
    const more = isShort ? [] : [each.zone, each.note];
    const text = size || [each.label, ...more].filter(Boolean).join(" · ");
    tags.push({ x, y, width: w, height: h, text, className: `tag person ${kind}` });
  }
}

function brackets(x, y, w, h) {
  const [a, b] = [w / 3, h / 3];
  return [
    `M${x} ${y + b}V${y}H${x + a}`, `M${x + w - a} ${y}H${x + w}V${y + b}`,
    `M${x + w} ${y + h - b}V${y + h}H${x + w - a}`, `M${x + a} ${y + h}H${x}V${y + h - b}`,
  ].join("");
}

function drawSketch(size, shapes) {
  const { kind, points, cursor } = state.sketch;
  const corners = scaled(points, size);
  if (corners.length) {
    shapes.push(...twice(path(corners, false), `part sketch ${kind}`));
    shapes.push(...twice(corners.map(([x, y]) => `M${x} ${y}h0`).join(""), `corners ${kind}`));
  }
  const [[x, y]] = scaled([cursor], size);
  shapes.push(...twice(`M${x - 12} ${y}h24M${x} ${y - 12}v24`, "cursor"));
}

// Where nobody's face is; nowhere, where there is no room.
function drawRuler([width, height], shapes, tags) {
  const px = Number($("ruler").value);
  const [w, h] = [(px / state.scene.width_px) * width, (px / state.scene.height_px) * height];
  const taken = [...state.scene.people, ...state.scene.outside].map((each) => ({
    x: each.left * width, y: each.top * height, width: each.width * width, height: each.height * height,
  }));
  const margin = 12;
  for (const right of [0, 1, 0.5]) {
    for (const bottom of [1, 0.5, 0]) {
      const x = margin + right * (width - w - 2 * margin);
      const y = 28 + bottom * (height - h - margin - 28);
      const box = { x, y, width: w, height: h };
      const around = { x: x - 8, y: y - 28, width: Math.max(w, 90) + 16, height: h + 36 };
      if (taken.some((each) => overlaps(each, around))) continue;
      shapes.push(...twice(`M${x} ${y}h${w}v${h}h${-w}z`, "ruler"));
      tags.push({ ...box, text: `A face of ${px} px`, className: "tag ruler" });
      return;
    }
  }
}

const overlaps = (a, b) =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

// Above the box, or below it, or wherever there is room; never beyond the picture.
function place(tags, [width, height]) {
  const elements = tags.map(({ text, className }) => make("span", { className }, text));
  $("tags").replaceChildren(...elements);
  const sizes = elements.map((each) => [each.offsetWidth, each.offsetHeight]);
  const taken = [];
  tags.forEach((tag, number) => {
    const [w, h] = sizes[number];
    const x = Math.min(Math.max(tag.x, 0), Math.max(0, width - w));
    const tries = [tag.y - h - GAP_PX, tag.y + tag.height + GAP_PX, tag.y - 2 * h - 2 * GAP_PX, tag.y + tag.height + h + 2 * GAP_PX];
    if (tag.inside) tries.unshift(tag.y + GAP_PX);
    const boxes = tries.map((y) => ({ x, y: Math.min(Math.max(y, 0), Math.max(0, height - h)), width: w, height: h }));
    const box = boxes.find((each) => !taken.some((other) => overlaps(each, other))) ?? boxes[0];
    taken.push(box);
    elements[number].style.left = `${box.x}px`;
    elements[number].style.top = `${box.y}px`;
  });
}

export function tellRuler() {
  const px = Number($("ruler").value);
  const least = state.account?.judged_from_px ?? 20;
  say("ruler-px", String(px));
  say("ruler-text", px < least ? `Too small to judge: at least ${least} px are needed.` : px < 24 ? "Large enough to judge; more reliable from 24 px." : "Large enough to judge.");
  draw();
}

$("ruler").addEventListener("input", tellRuler);
new ResizeObserver(draw).observe($("stage"));
setInterval(judgeAge, 500);
for (const event of ["visibilitychange", "pageshow", "focus"]) addEventListener(event, judgeAge);

// One scene after the other; a slow line gets fewer, and none waits in a queue. `about` names the camera; `tell` is called for each once it is shown; the next one does not wait for it.
export async function follow(ask, about, tell) {
  let [camera, after] = [state.camera, 0];
  for (;;) {
    if (document.hidden || !["live", "setup"].includes(state.view)) {
      state.lookingAt = null;
      await pause(250);
      continue;
    }
    state.lookingAt ??= now();
    if (camera !== state.camera) [camera, after] = [state.camera, 0];
    try {
      const answer = await ask(about(`scene?after=${after}`));
      if (camera !== state.camera) continue; // another one was chosen meanwhile
      if (answer.status === 204) {
        await pause(250);
        continue;
      }
      const content = await answer.arrayBuffer();
      if (camera !== state.camera) continue;
      const size = new DataView(content).getUint32(0);
      state.scene = JSON.parse(new TextDecoder().decode(new Uint8Array(content, 4, size)));
      ({ number: after } = state.scene);
      state.sceneAt = now();
      await show(new Blob([new Uint8Array(content, 4 + size)], { type: "image/jpeg" }));
      tell();
    } catch {
      await pause(1000);
    }
  }
}
