// Which report is asked for: the period, its day, and where.

import { $, make, state } from "./common.js";

const DAY_MS = 86_400_000;
const KINDS = ["day", "shift", "week", "month"];

export const chosen = { kind: "day", day: "", shift: "", zone: "", camera: "" };
let zones = []; // those that there were people in, as the reports so far say
let cameras = [];

// Days are calendar days of the device's place: their names alone are calculated with.
export function dayBefore(at, days = 1) {
  return new Date(Date.parse(`${at.slice(0, 10)}T00:00:00Z`) - days * DAY_MS).toISOString().slice(0, 10);
}

export function query(changed = {}) {
  const parts = Object.entries({ ...chosen, ...changed }).filter(([name, value]) => value && (name !== "shift" || chosen.kind === "shift"));
  return new URLSearchParams(parts).toString();
}

// The day in a period that another kind of period is asked for with: the last that is known of; empty: the present one.
function within({ begin, end, until }) {
  if (until !== end) return "";
  return dayBefore(end, end.slice(11, 19) > "00:00:00" && end.slice(0, 10) > begin.slice(0, 10) ? 0 : Number(end.slice(0, 10) > begin.slice(0, 10)));
}

// The nearest day, that one or another in the direction, on which the chosen shift begins.
function onWhichItBegins(day, step) {
  const weekdays = state.account?.reports?.shifts.find((each) => each.name === chosen.shift)?.weekdays;
  if (chosen.kind !== "shift" || !weekdays || !day) return day;
  let found = day;
  for (let turn = 0; turn < 7 && !weekdays.includes((new Date(`${found}T00:00:00Z`).getUTCDay() + 6) % 7); turn += 1) found = dayBefore(found, -step);
  return found;
}

export function connectChoice(load, shown) {
  const change = (changed) => {
    Object.assign(chosen, changed);
    load();
  };
  for (const kind of KINDS) {
    $(`report-${kind}`).addEventListener("click", () => {
      const report = shown();
      const day = report && report.kind !== kind ? within(report) : chosen.day;
      if (kind === "shift") chosen.shift ||= state.account.reports.shifts[0].name;
      chosen.kind = kind;
      press();
      change({ day: onWhichItBegins(day, -1) });
    });
  }
  // Beside the report that is shown, or beside the day for which there is none.
  $("report-before").addEventListener("click", () => change({ day: onWhichItBegins(dayBefore(shown()?.begin ?? today()), -1) }));
  $("report-after").addEventListener("click", () => {
    const report = shown();
    change({ day: onWhichItBegins(report && report.kind !== "shift" ? report.end.slice(0, 10) : dayBefore(report?.begin ?? today(), -1), 1) });
  });
  $("report-at").addEventListener("change", () => $("report-at").value && change({ day: $("report-at").value }));
  for (const [id, name] of [["report-which-shift", "shift"], ["report-zone", "zone"], ["report-camera", "camera"]]) {
    $(id).addEventListener("change", () => change({ [name]: $(id).value }));
  }
}

const today = () => chosen.day || new Date().toISOString().slice(0, 10);

function press() {
  for (const each of KINDS) $(`report-${each}`).setAttribute("aria-pressed", String(each === chosen.kind));
  $("report-shift-field").hidden = chosen.kind !== "shift";
}

// What can be chosen: what there is now, and what there was in the reports.
export function tellChoice(report) {
  const { reports, cameras: present } = state.account ?? {};
  if (!reports) return;
  if (report && !chosen.zone && !chosen.camera) {
    zones = union(zones, report.places.map((each) => each.zone));
    cameras = union(cameras, report.places.map((each) => each.camera), report.cameras.map((each) => each.camera));
  }
  const shifts = reports.shifts.map((each) => each.name);
  $("report-shift").hidden = shifts.length === 0;
  options("report-which-shift", shifts.map((name) => [name, name]), chosen.shift);
  place("zone", union(reports.zones, zones), 1);
  place("camera", union(present, cameras), 2);
}

function place(name, found, least) {
  const all = union(found, [chosen[name]]);
  $(`report-${name}-field`).hidden = all.length < least;
  options(`report-${name}`, [["", "all"], ...all.map((each) => [each, each])], chosen[name]);
}

// Only where they change: one that is open would close.
function options(id, pairs, value) {
  const key = JSON.stringify(pairs);
  if ($(id).dataset.key !== key) {
    $(id).dataset.key = key;
    $(id).replaceChildren(...pairs.map(([key_, text]) => make("option", { value: key_ }, text)));
  }
  $(id).value = value;
}

const union = (...lists) => [...new Set(lists.flat().filter(Boolean))].sort();

export function tellDay({ begin, end, until, made_at: made }) {
  $("report-at").max = made.slice(0, 10);
  $("report-at").value = begin.slice(0, 10);
  const next = chosen.kind === "shift" ? onWhichItBegins(dayBefore(begin, -1), 1) : end.slice(0, 10);
  $("report-after").disabled = until !== end || next > made.slice(0, 10);
}
