// The alerts, which of them are open, and the dialog in which one is acknowledged.

import { $, ZONE, day, duration, make, many, moment, sameDay, say, state, time } from "./common.js";

const RECENT = 4;
const KINDS = { bare: "No mask", worn_wrongly: "Mask worn wrongly" };
const REASONS = {
  forgotten: "Forgotten", "none-at-hand": "No mask at hand", exempt: "Exempt", refused: "Refused", eating: "Eating or drinking",
  "not-a-violation": "No violation: a false alert", other: "Another reason",
};
const REMEDIES = {
  "mask-put-on": "Mask put on", "mask-handed-out": "Mask handed out", "sent-away": "Sent away", "talked-to": "Talked to",
  none: "Nothing", other: "Something else",
};
const NAME_KEY = "acknowledged-by";

let onlyOpen = true;
let onlyAt = ""; // the place whose alerts are listed; "": all
let asked = null; // the alert that the dialog is about
let shown = "";

export function tellAlerts(account) {
  const { alerts, acknowledged, can_acknowledge: isWritten, now: today } = account;
  const key = JSON.stringify([alerts, acknowledged, isWritten, onlyOpen, onlyAt, account.counts_since, account.kept_days, day(today)]);
  if (key === shown) return;
  shown = key;
  const all = alerts.toReversed();
  tellPlaces(all);
  const newest = all.filter((each) => !onlyAt || placeOf(each) === onlyAt);
  const open = newest.filter((each) => !acknowledged[each.event_id]);
  for (const id of ["alerts-zone", "recent-zone"]) say(id, all.length ? `Times: ${ZONE}, as in this browser.` : "");
  say("alerts-title", account.counts_since ? "Alerts since the start" : `Alerts of the last ${many(account.kept_days, "day", "days")}`);
  $("recent").replaceChildren(...recent(all, account));
  $("all-alerts").hidden = all.length <= RECENT;
  $("alert-filter").hidden = !isWritten;
  say("show-open", `Open (${open.length})`);
  say("show-all", `All (${newest.length})`);
  keepingFocus(() => $("alerts").replaceChildren(...listed(isWritten && onlyOpen ? open : newest, newest.length, account)));
}

// Where somebody was seen, by camera and zone; a device with one of each has no names for it.
const placeOf = ({ camera, zone }) => [camera, zone].filter(Boolean).join(", ") || "elsewhere";

// The places that there are alerts of, to choose one; where there is one only, there is nothing to choose.
function tellPlaces(alerts) {
  const places = [...new Set([...alerts.map(placeOf), ...(onlyAt ? [onlyAt] : [])])].sort();
  const key = JSON.stringify(places);
  $("alert-place-field").hidden = places.length < 2;
  if ($("alert-place").dataset.key === key) return;
  $("alert-place").dataset.key = key;
  $("alert-place").replaceChildren(make("option", { value: "" }, "everywhere"), ...places.map((each) => make("option", { value: each }, each)));
  $("alert-place").value = onlyAt;
}

// Of a list that is built again, the same button keeps the focus; where it has gone, the list's heading gets it.
function keepingFocus(build) {
  const event = $("alerts").contains(document.activeElement) ? document.activeElement.dataset.event : null;
  build();
  if (event === null) return;
  const same = $("alerts").querySelector(`button[data-event="${event}"]`);
  (same ?? $("alerts-title")).focus();
}

function recent(newest, account) {
  if (!newest.length) return [make("li", { className: "none" }, noAlerts(account))];
  return newest.slice(0, RECENT).map((each) => entry(each, moment(each.started_at, account.now), account));
}

function noAlerts({ counts_since: begun, kept_days: days, now: today }) {
  return begun ? `No alerts since ${moment(begun, today)}; none are kept over a restart.` : `No alerts in the last ${many(days, "day", "days")}.`;
}

function listed(chosen, all, account) {
  const none = all ? `No open alerts${onlyAt && ` here`}: each one is acknowledged.`
    : `${noAlerts(account)} An alert is listed here when somebody wears no mask, or wears it wrongly.`;
  if (!chosen.length) return [make("p", { className: "none" }, none)];
  const days = new Map();
  for (const each of chosen) {
    const name = day(each.started_at);
    days.set(name, [...(days.get(name) ?? []), each]);
  }
  return [...days].flatMap(([name, those]) => [
    make("h3", {}, sameDay(those[0].started_at, account.now) ? `Today, ${name}` : name),
    make("ul", { className: "plain" }, ...those.map((each) => entry(each, time(each.started_at), account))),
  ]);
}

function entry(alert, when, { acknowledged, can_acknowledge: isWritten, now: today }) {
  const stay = alert.is_over ? `${when} · for ${duration(alert.duration_s)}` : `since ${when}`;
  const how = [stay, `${Math.round(100 * alert.probability)} % sure`, alert.camera, alert.zone].filter(Boolean).join(" · ");
  const said = acknowledged[alert.event_id];
  const text = [make("strong", {}, KINDS[alert.kind]), make("small", {}, how)];
  if (said) text.push(make("small", { className: "said" }, inWords(said, alert, today)));
  const badge = alert.is_over ? [] : [make("span", { className: "badge" }, "Still there")];
  const button = isWritten ? [acknowledgeButton(alert, said, when)] : [];
  return make("li", { className: `alert ${alert.kind}` }, make("span", { className: "dot", "aria-hidden": "true" }), make("div", {}, ...text), ...badge, ...button);
}

function acknowledgeButton(alert, said, when) {
  const button = make("button", { type: "button", className: said ? "quiet" : "" }, said ? "Correct" : "Acknowledge");
  button.dataset.event = alert.event_id;
  button.setAttribute("aria-label", `${button.textContent}: ${KINDS[alert.kind]}, ${when}`);
  button.addEventListener("click", () => askAbout(alert, said));
  return button;
}

function inWords(said, alert, today) {
  const after = (Date.parse(said.at) - Date.parse(alert.started_at)) / 1000;
  const by = said.by ? ` by ${said.by}` : "";
  const note = said.note ? ` · ${said.note}` : "";
  return `✓ ${REASONS[said.reason] ?? said.reason} · ${REMEDIES[said.remedy] ?? said.remedy} · ${moment(said.at, today)}${by}, after ${duration(Math.max(0, after))}${note}`;
}

function askAbout(alert, said) {
  asked = alert;
  const at = alert.camera || alert.zone ? `, ${placeOf(alert)}` : "";
  say("acknowledge-what", `${KINDS[alert.kind]}, ${moment(alert.started_at, state.account.now)}${at}`);
  $("reason").value = said?.reason ?? "";
  $("remedy").value = said?.remedy ?? "";
  $("said-note").value = said?.note ?? "";
  $("said-by").value = remembered();
  say("acknowledge-said", "");
  $("acknowledge-dialog").showModal();
}

// A browser may refuse to keep anything.
export function remembered() {
  try {
    return localStorage.getItem(NAME_KEY) ?? "";
  } catch {
    return "";
  }
}

export function remember(name) {
  try {
    localStorage.setItem(NAME_KEY, name);
  } catch {
    // It is typed again.
  }
}

export function connectAlerts(ask, renewed) {
  for (const [id, texts] of [["reason", REASONS], ["remedy", REMEDIES]]) {
    const chosen = make("option", { value: "", disabled: true, hidden: true }, "Choose");
    $(id).replaceChildren(chosen, ...Object.entries(texts).map(([value, text]) => make("option", { value }, text)));
  }
  for (const [id, open] of [["show-open", true], ["show-all", false]]) {
    $(id).addEventListener("click", () => {
      onlyOpen = open;
      $("show-open").setAttribute("aria-pressed", String(open));
      $("show-all").setAttribute("aria-pressed", String(!open));
      if (state.account) tellAlerts(state.account);
    });
  }
  $("alert-place").addEventListener("change", () => {
    onlyAt = $("alert-place").value;
    if (state.account) tellAlerts(state.account);
  });
  $("acknowledge-cancel").addEventListener("click", () => $("acknowledge-dialog").close());
  $("acknowledge-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const name = $("said-by").value.trim();
    const said = { event_id: asked.event_id, reason: $("reason").value, remedy: $("remedy").value, note: $("said-note").value.trim(), by: name };
    $("acknowledge-save").disabled = true;
    try {
      const { error } = await (await ask("acknowledge", { method: "POST", body: JSON.stringify(said) })).json();
      if (error) {
        say("acknowledge-said", `Not written down: ${error}.`);
        return;
      }
      remember(name);
      $("acknowledge-dialog").close();
      say("alert-said", `Acknowledged: ${$("acknowledge-what").textContent}.`);
      await untilShown(said, renewed);
    } catch (error) {
      say("acknowledge-said", `Not written down: ${error.message}.`);
    } finally {
      $("acknowledge-save").disabled = false;
    }
  });
}

// The device lists it within a moment: it is published first.
async function untilShown(said, renewed) {
  for (let turn = 0; turn < 5; turn += 1) {
    await renewed();
    const now = state.account.acknowledged[said.event_id];
    if (now && now.reason === said.reason && now.remedy === said.remedy && now.note === said.note) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
