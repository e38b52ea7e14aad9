// Visits: the rate, and visits by hour or day. Times are the viewer's own.

import { $, date, day, duration, make, many, moment, say, shape, state, time } from "./common.js";

const HOUR_MS = 3_600_000;
const KINDS = ["masked", "worn", "bare", "unknown"];
const LEFT_PX = 34;
const BASE_PX = 40;
const HEIGHT_PX = 210;

let byDay = false;
let shown = "";

export function tellVisits() {
  const { account } = state;
  const summary = byDay ? account.month : account.day;
  const now = JSON.stringify([summary, byDay, account.camera_name, account.hours.length, $("chart").clientWidth]);
  if (now === shown) return;
  shown = now;
  const slots = slotted(account, summary);
  tellRate(summary, account);
  chart(slots);
  table(slots);
}

const percent = (share) => `${Math.round(100 * share)} %`;

// Which of several cameras counted them.
const at = () => (state.account.camera_name ? `: ${state.account.camera_name}` : "");

function tellRate({ masked, bare, worn_wrongly: worn, unknown, rate, rate_low: low, rate_high: high, rate_of: of, counted_apart: apart, watched_s: watched, span_s: span }, { counts_since: begun, now: today }) {
  say("rate-title", `Wearing rate${at()}`);
  say("rate", rate === null ? "–" : percent(rate));
  say("interval", rate === null ? "nobody was judged" : `of ${of} with or without a mask; 95 % interval ${Math.round(100 * low)} to ${percent(high)}`);
  const excused = apart ? ` ${apart} counted apart: no mask was required of them.` : "";
  const counts = { masked, bare, worn, unknown };
  for (const [kind, count] of Object.entries(counts)) say(`n-${kind}`, String(count));
  const all = masked + bare + worn + unknown;
  $("bar").setAttribute("viewBox", "0 0 100 10");
  $("bar").setAttribute("preserveAspectRatio", "none");
  let x = 0;
  const rects = [shape("rect", { width: 100, height: 10, class: "empty" })];
  for (const kind of ["masked", "bare", "worn", "unknown"]) {
    const width = all ? (100 * counts[kind]) / all : 0;
    if (width) rects.push(shape("rect", { x, width, height: 10, class: kind }));
    x += width;
  }
  $("bar").replaceChildren(...rects);
  const missed = Math.max(0, span - watched);
  const most = watched < missed ? `Watched for only ${duration(watched)}.` : `Not watched for ${duration(missed)}.`;
  const reach = begun ? ` Counts begin with the start, ${moment(begun, today)}: [history] is off.` : "";
  say("watched", `${missed < 60 ? "Watched all the time." : most}${excused}${reach}`);
}

// The hours of the summary, or the days in which they lie; the first day may be cut.
function slotted(account, summary) {
  const last = Math.floor(Date.parse(account.now) / HOUR_MS);
  const known = new Map(account.hours.map((hour) => [hour.began, hour]));
  const slots = new Map();
  for (let began = last - summary.hours + 1; began <= last; began += 1) {
    const at = new Date(began * HOUR_MS);
    if (byDay) at.setHours(0, 0, 0, 0);
    const key = at.getTime();
    if (!slots.has(key)) slots.set(key, { at: key, masked: 0, worn: 0, bare: 0, unknown: 0, watched: 0, span: 0 });
    const slot = slots.get(key);
    slot.span += began === last ? (Date.parse(account.now) % HOUR_MS) / 1000 : 3600;
    const hour = known.get(began);
    if (!hour) continue;
    slot.masked += hour.masked;
    slot.worn += hour.worn_wrongly;
    slot.bare += hour.bare;
    slot.unknown += hour.unknown;
    slot.watched += hour.watched_s;
  }
  return [...slots.values()];
}

const total = (slot) => KINDS.reduce((sum, kind) => sum + slot[kind], 0);

function chart(slots) {
  const box = $("chart");
  const width = Math.max(260, box.clientWidth);
  const base = HEIGHT_PX - BASE_PX;
  const top = 8;
  const step = (width - LEFT_PX) / slots.length;
  box.setAttribute("viewBox", `0 0 ${width} ${HEIGHT_PX}`);
  const most = ceiling(Math.max(...slots.map(total)));
  const shapes = [hatch()];
  for (const share of [0, 0.5, 1]) {
    const y = base - share * (base - top);
    shapes.push(shape("line", { x1: LEFT_PX, x2: width, y1: y, y2: y }));
    shapes.push(shape("text", { x: LEFT_PX - 6, y: y + 4, "text-anchor": "end" }, String(most * share)));
  }
  slots.forEach((slot, place) => {
    const x = LEFT_PX + place * step;
    const unwatched = slot.span ? Math.max(0, 1 - slot.watched / slot.span) : 0;
    if (unwatched > 0.02) {
      const wide = unwatched * step;
      shapes.push(shape("rect", { x: x + step - wide, y: top, width: wide, height: base - top, fill: "url(#hatch)", class: "unwatched" }));
    }
    let y = base;
    for (const kind of KINDS) {
      const tall = (slot[kind] / most) * (base - top);
      y -= tall;
      if (tall) shapes.push(shape("rect", { x: x + step * 0.12, y, width: Math.max(1, step * 0.76), height: tall, class: kind }));
    }
  });
  box.replaceChildren(...shapes, ...axis(slots, step, base, width));
  const sum = slots.reduce((all, slot) => all + total(slot), 0);
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  say("visits-title", `${byDay ? "Visits by day" : "Visits by hour"}${at()}`);
  say("chart-caption", `${many(sum, "visit", "visits")}, ${byDay ? `${date(slots[0].at)} to ${date(slots.at(-1).at)}` : `${day(slots[0].at)}, ${time(slots[0].at)}, to ${day(slots.at(-1).at)}, now`}. Times: ${zone}.`);
}

// Each hour with its minutes and each first one of a day with the date; each day with its month.
function axis(slots, step, base, width) {
  const every = Math.max(1, Math.ceil((byDay ? 54 : 46) / step));
  const texts = [];
  let lastDay = "";
  let free = 0;
  slots.forEach((slot, place) => {
    const isTick = byDay ? (slots.length - 1 - place) % every === 0 : new Date(slot.at).getHours() % ticks(every) === 0;
    if (!isTick) return;
    const x = LEFT_PX + (place + 0.5) * step;
    if (x + 20 > width) return;
    texts.push(shape("text", { x, y: base + 16, "text-anchor": "middle" }, byDay ? date(slot.at) : time(slot.at)));
    if (!byDay && day(slot.at) !== lastDay && x >= free) {
      lastDay = day(slot.at);
      texts.push(shape("text", { x: Math.max(LEFT_PX, x - 17), y: base + 32, class: "day" }, lastDay));
      free = x + 80;
    }
  });
  return texts;
}

const ticks = (every) => [1, 2, 3, 4, 6, 8, 12].find((each) => each >= every) ?? 12;
const ceiling = (most) => [4, 10, 20, 40, 60, 80, 100, 200, 400, 600, 1000].find((each) => each >= most) ?? Math.ceil(most / 1000) * 1000;

function hatch() {
  const definitions = shape("defs");
  const pattern = shape("pattern", { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
  pattern.append(shape("line", { x1: 0, x2: 0, y1: 0, y2: 6, class: "hatch" }));
  definitions.append(pattern);
  return definitions;
}

function table(slots) {
  const rows = [];
  let lastDay = "";
  for (const slot of slots.toReversed()) {
    if (!byDay && day(slot.at) !== lastDay) {
      lastDay = day(slot.at);
      rows.push(make("tr", { className: "group" }, make("th", { colSpan: 6, scope: "rowgroup" }, lastDay)));
    }
    const figures = [slot.masked, slot.bare, slot.worn, slot.unknown, slot.watched < 30 ? "no" : duration(slot.watched)];
    rows.push(make("tr", {}, make("th", { scope: "row" }, byDay ? day(slot.at) : time(slot.at)), ...figures.map((each) => make("td", {}, String(each)))));
  }
  $("rows").replaceChildren(...rows);
}

for (const [id, days] of [["by-hour", false], ["by-day", true]]) {
  $(id).addEventListener("click", () => {
    byDay = days;
    $("by-hour").setAttribute("aria-pressed", String(!days));
    $("by-day").setAttribute("aria-pressed", String(days));
    if (state.account) tellVisits();
  });
}
new ResizeObserver(() => state.account && tellVisits()).observe($("chart"));
