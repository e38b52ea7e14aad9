// The reports: a day, a week or a month, as `tensormask report` makes them on the device. What the verdict and the notes say is not
// said again beside them.

import { chosen, connectChoice, dayBefore, query, tellChoice, tellDay } from "./choice.js";
import { $, duration, make, many, pause, say, shape, state } from "./common.js";
import { connectSigning, tellSigned } from "./signing.js";
import { remedyFor } from "./verdict.js";

const FORMS = { html: "HTML", pdf: "PDF", csv: "CSV", json: "JSON" };
const KINDS = [["masked", "masked"], ["worn", "worn_wrongly"], ["bare", "without"], ["unknown", "not_judged"]];
const MARKS = {
  unwatched: "too little watched, not in the rate", "not-judged": "too many not judged, not in the rate", "without-proof": "no proof of sight",
  "wrong-clock": "clock wrong or set", closed: "closed", "rule-off": "mask rule off", "summer-time": "clocks change", "not-over": "not over",
};
const UNSEEN = {
  "not-running": "program not running", "no-history": "nothing known", lost: "no picture", dark: "too dark", blinded: "too bright", covered: "covered",
  turned: "turned", paused: "paused", crowded: "too crowded",
};
const LEFT_PX = 34;
const HEIGHT_PX = 230;
const BASE_PX = 58;
const TURNS = 6; // of 16 s each

let shown = null; // the report on the screen; null: there is none
let wanted = 0; // the number of the last request: an answer to an earlier one is not shown
let isAway = false; // there is no report because the device did not answer
let askFor = null;

export function connectReports(ask) {
  askFor = ask;
  connectChoice(load, () => shown);
  connectSigning(patiently, () => ({ report: shown, name: [title(shown), where(shown)].filter(Boolean).join(", ") }), show, load);
  new ResizeObserver(() => shown && !isEmpty(shown) && chart(shown)).observe($("report-chart"));
}

// What can be chosen changes with the settings, and with what is drawn. What is shown stays while the device does not answer: it is of
// the past.
export function openReports() {
  if (state.lost) {
    if (shown === null && !isBusy() && !isAway) tellAway();
    return;
  }
  if (!state.account) return;
  tellChoice(shown);
  if (shown === null && !isBusy() && (wanted === 0 || isAway)) load();
}

const isBusy = () => $("report").hasAttribute("aria-busy");

async function load() {
  const number = (wanted += 1);
  say("report-said", "Making the report …");
  $("report").setAttribute("aria-busy", "true");
  try {
    const report = await (await patiently(`document?${query()}&form=json&view`)).json();
    if (number === wanted) show(report);
  } catch (error) {
    if (number !== wanted) return;
    if (state.lost) tellAway();
    else tellNone(`${error.message[0].toUpperCase()}${error.message.slice(1)}.`);
  } finally {
    if (number === wanted) $("report").removeAttribute("aria-busy");
  }
}

function tellAway() {
  tellNone(`No report can be made: ${remedyFor(state.lost)}`);
  isAway = true;
}

function tellNone(why) {
  shown = null;
  isAway = false;
  say("report-title", "No report");
  say("report-where", "");
  say("report-said", why);
  $("report-content").hidden = true;
  if (chosen.day) $("report-at").value = chosen.day;
}

// A month takes a slow device longer than a request may last: it is asked for again until it is there.
async function patiently(path, options) {
  for (let turn = 1; ; turn += 1) {
    try {
      return await askFor(path, options);
    } catch (error) {
      if (error.status !== 503 || turn === TURNS || state.lost) throw error;
      await pause(1000);
    }
  }
}

function show(report) {
  shown = report;
  tell(report);
  say("report-said", "");
  $("report-content").hidden = false;
}

const percent = (share) => {
  if (share === null) return "–";
  const whole = Math.round(100 * share);
  return (whole === 0 && share > 0) || (whole === 100 && share < 1) ? `${(100 * share).toFixed(1)} %` : `${whole} %`;
};
const span = (seconds) => (seconds === null ? "–" : duration(seconds));
const clock = (at) => at.slice(11, 16);
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sept", "Oct", "Nov", "Dec"];
const dayName = (at) => `${Number(at.slice(8, 10))} ${MONTHS[Number(at.slice(5, 7)) - 1]}`;
const isHours = (report) => report.days.length === 0;
const bins = (report) => (isHours(report) ? report.hours : report.days);

function tell(report) {
  say("report-title", title(report));
  say("report-where", where(report));
  say("report-verdict", isEmpty(report) ? nobody(report) : report.verdict);
  $("report-people").hidden = isEmpty(report);
  tellDay(report);
  tellChoice(report);
  conditions(report);
  tellSigned(report, where(report));
  made(report);
  downloads(report);
  if (isEmpty(report)) return;
  $("report-notes").replaceChildren(...report.notes.map((each) => make("li", {}, each)));
  tellPeople(report);
  tellAlerts(report);
  chart(report);
  table(report);
  groups(report);
}

// Where nobody was, one sentence says all that there is.
const isEmpty = ({ counts, alerts, apart }) => counts.people + alerts.alerts + apart.reduce((sum, each) => sum + each.counts.people, 0) === 0;

function nobody({ watch, kind, end, until }) {
  const far = until === end ? `in this ${kind}` : `in this ${kind} so far, until ${clock(until)}`;
  const reasons = unwatched(watch);
  const why = reasons ? ` (${reasons})` : "";
  if (!watch.expected_s) return `Nobody passed ${far}, and nothing was to be watched.`;
  if (!watch.watched_s) return `Nobody was counted ${far}: nothing was watched${why}.`;
  if (watch.unwatched_s < 60) return `Nobody passed ${far}; all of the time was watched.`;
  return `Nobody was counted ${far}; ${span(watch.unwatched_s)} of ${span(watch.expected_s)} were not watched${why}.`;
}

const unwatched = (watch) => watch.unwatched.map((each) => `${UNSEEN[each.reason] ?? each.reason} ${span(each.seconds)}`).join(", ");

const where = ({ zone, camera }) => [zone && `zone ${zone}`, camera && `camera ${camera}`].filter(Boolean).join(", ");

function title({ kind: what, period, begin, end }) {
  const first = `${weekday(begin)}, ${dayName(begin)} ${begin.slice(0, 4)}`;
  if (what === "day") return first;
  if (what === "shift") return `Shift ${period.slice(period.indexOf(" ") + 1)}: ${first}, ${clock(begin)} to ${clock(end)}`;
  if (what === "week") return `Week ${period.slice(-2)}: ${dayName(begin)} to ${dayName(dayBefore(end))} ${dayBefore(end).slice(0, 4)}`;
  return `${new Date(`${begin.slice(0, 10)}T12:00:00Z`).toLocaleDateString("en-GB", { month: "long", timeZone: "UTC" })} ${begin.slice(0, 4)}`;
}
const weekday = (at) => new Date(`${at.slice(0, 10)}T12:00:00Z`).toLocaleDateString("en-GB", { weekday: "long", timeZone: "UTC" });

function tellPeople({ rate, counts, watch }) {
  say("report-corrected", rate === null || rate.corrected === null ? ""
    : `The rate is corrected for what the eyes miss. As counted: ${percent(rate.naive)}, ${percent(rate.naive_low)} to ${percent(rate.naive_high)}.`);
  for (const [name, field] of KINDS) say(`r-${name}`, String(counts[field]));
  const bar = $("report-bar");
  bar.setAttribute("viewBox", "0 0 100 10");
  bar.setAttribute("preserveAspectRatio", "none");
  let x = 0;
  const rects = [shape("rect", { width: 100, height: 10, class: "empty" })];
  for (const [name, field] of KINDS) {
    const width = counts.people ? (100 * counts[field]) / counts.people : 0;
    if (width) rects.push(shape("rect", { x, width, height: 10, class: name }));
    x += width;
  }
  bar.replaceChildren(...rects);
  const reasons = unwatched(watch);
  say("report-watched", reasons ? `Not watched: ${reasons}.` : "");
}

function tellAlerts({ alerts }) {
  say("ra-closed", String(alerts.closed));
  say("ra-remedy", span(alerts.median_remedy_s));
  say("ra-close", span(alerts.median_close_s));
  say("ra-false", String(alerts.not_a_violation));
}

const ceiling = (most) => [4, 10, 20, 40, 60, 80, 100, 200, 400, 600, 1000].find((each) => each >= most) ?? Math.ceil(most / 1000) * 1000;

function chart(report) {
  const box = $("report-chart");
  const list = bins(report);
  const width = Math.max(260, box.clientWidth);
  const base = HEIGHT_PX - BASE_PX;
  const top = 8;
  const step = (width - LEFT_PX) / list.length;
  box.setAttribute("viewBox", `0 0 ${width} ${HEIGHT_PX}`);
  const most = ceiling(Math.max(...list.map((each) => each.counts.people)));
  const shapes = [patterns()];
  for (const share of [0, 0.5, 1]) {
    const y = base - share * (base - top);
    shapes.push(shape("line", { x1: LEFT_PX, x2: width, y1: y, y2: y }), shape("text", { x: LEFT_PX - 6, y: y + 4, "text-anchor": "end" }, String(most * share)));
  }
  const every = Math.max(1, Math.ceil((isHours(report) ? 44 : 50) / step));
  list.forEach((each, place) => {
    const x = LEFT_PX + place * step;
    if (!each.watch.expected_s) shapes.push(shape("rect", { x, y: top, width: step, height: base - top, fill: "url(#report-dots)", class: "apart" }));
    const unwatched = each.watch.unwatched_share ?? 0;
    if (unwatched > 0.02) {
      const wide = unwatched * step;
      shapes.push(shape("rect", { x: x + step - wide, y: top, width: wide, height: base - top, fill: "url(#report-hatch)", class: "unwatched" }));
    }
    let y = base;
    for (const [name, field] of KINDS) {
      const tall = (each.counts[field] / most) * (base - top);
      y -= tall;
      if (tall) shapes.push(shape("rect", { x: x + step * 0.12, y, width: Math.max(1, step * 0.76), height: tall, class: name }));
    }
    const middle = x + step / 2;
    if (each.alerts.alerts) shapes.push(shape("circle", { cx: middle, cy: base + 9, r: Math.min(4, Math.max(2, step / 4)), class: each.alerts.open ? "open-alert" : "closed-alert" }));
    if (each.left_out) shapes.push(shape("text", { x: middle, y: base + 26, "text-anchor": "middle", class: "mark" }, "×"));
    if (place % every === 0 && middle + 20 < width) shapes.push(shape("text", { x: middle, y: base + 44, "text-anchor": "middle" }, isHours(report) ? clock(each.begin) : dayName(each.begin)));
  });
  box.replaceChildren(...shapes);
  const what = isHours(report) ? "hour" : "day";
  say("report-chart-title", `People by ${what}`);
  say("report-caption", `${many(report.counts.people, "person", "people")} by ${what}. ● alerts, ○ all of them acknowledged, × hours not in the rate. Times: ${report.time_zone}.`);
}

// Of what was not watched, and of what was not to be watched.
function patterns() {
  const definitions = shape("defs");
  const hatch = shape("pattern", { id: "report-hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
  hatch.append(shape("line", { x1: 0, x2: 0, y1: 0, y2: 6, class: "hatch" }));
  const dots = shape("pattern", { id: "report-dots", width: 7, height: 7, patternUnits: "userSpaceOnUse" });
  dots.append(shape("circle", { cx: 2, cy: 2, r: 0.9, class: "dots" }));
  definitions.append(hatch, dots);
  return definitions;
}

const interval = (rate) => {
  if (rate === null) return "–";
  const [share, low, high] = rate.corrected !== null ? [rate.corrected, rate.low, rate.high] : [rate.naive, rate.naive_low, rate.naive_high];
  return share === null ? "–" : low === null ? percent(share) : `${percent(share)} (${percent(low)} to ${percent(high)})`;
};

function row(name, ...cells) {
  return make("tr", {}, make("th", { scope: "row" }, name), ...cells.map((each) => make("td", {}, String(each))));
}

// Hours or days without anybody that are alike are one row.
function table(report) {
  const name = isHours(report) ? (each) => clock(each.begin) : (each) => `${weekday(each.begin).slice(0, 3)} ${dayName(each.begin)}`;
  const rows = [];
  for (const each of bins(report)) {
    const cells = [each.counts.masked, each.counts.without, each.counts.worn_wrongly, each.counts.not_judged, interval(each.rate), each.alerts.alerts,
      span(each.watch.watched_s), each.marks.map((mark) => MARKS[mark] ?? mark).join(", ")];
    const key = each.counts.people + each.alerts.alerts + each.apart ? "" : JSON.stringify(cells);
    if (key && rows.at(-1)?.key === key) rows.at(-1).last = each;
    else rows.push({ key, first: each, last: each, cells });
  }
  const names = ({ first, last }) => (first === last ? name(first) : `${name(first)} to ${isHours(report) ? clock(last.end) : name(last)}${first.watch.watched_s ? ", each" : ""}`);
  $("report-rows").replaceChildren(...rows.map((each) => row(names(each), ...each.cells)));
}

// By shift, and by zone: with one of a kind there is nothing to compare.
function groups(report) {
  const shifts = report.shifts.filter((each) => each.name || each.counts.people || each.alerts.alerts);
  const places = report.places.map((each) => ({ ...each, name: `${[each.camera, each.zone].filter(Boolean).join(", ") || "elsewhere"}${each.is_required ? "" : " (no mask required)"}` }));
  for (const [id, list, is] of [["report-shifts", shifts, report.kind !== "shift" && report.shifts.some((each) => each.name)], ["report-places", places, places.length > 1]]) {
    $(id).hidden = !is;
    $(`${id}-rows`).replaceChildren(...list.map((each) => row(each.name || "outside of all shifts", each.counts.people, interval(each.rate), each.alerts.alerts, each.alerts.open)));
  }
}

function conditions(report) {
  $("report-conditions").hidden = report.conditions.length === 0;
  $("report-conditions-rows").replaceChildren(...report.conditions.map((each) => row(`${each.text}${each.subject ? ` (${each.subject})` : ""}`, many(each.times, "time", "times"),
    `${each.ends_known ? "" : "at most "}${span(each.seconds)}`)));
}

function made(report) {
  const rule = report.rule.length > 1 || (report.rule[0] && !report.rule[0].is_on)
    ? report.rule.map((each) => `mask rule ${each.is_on ? "on" : "off"}${each.since ? ` since ${each.since.slice(0, 16).replace("T", " ")}` : ""}${each.by ? `, by ${each.by}` : ""}`) : [];
  const eyes = report.eyes ? [`corrected by: ${report.eyes.source}`] : [];
  const lines = [...rule, ...eyes, `made ${report.made_at.slice(0, 16).replace("T", " ")} by TensorMask ${report.made_by}`, `SHA-256 ${report.digest}`];
  $("report-made").replaceChildren(...lines.map((each) => make("li", {}, each)));
}

function downloads({ begin }) {
  const links = Object.entries(FORMS).map(([form, name]) => make("a", { className: "button", href: `document?${query({ day: begin.slice(0, 10), form })}`, download: "" }, name));
  $("report-files").replaceChildren(...links);
}
