// Labeling people who passed: the form that starts it, one person after the other, and what it came to. What the device judged is not
// here before all is labeled: the device does not say it.

import { $, make, many, say, state } from "./common.js";

const EVERY_MS = 1000;
const LABELS = { masked: "Mask", bare: "No mask", worn_wrongly: "Worn wrongly", nobody: "Nobody’s face", unclear: "Cannot tell" };
const KEYS = Object.keys(LABELS);
const MISSED = ["masked", "bare", "worn_wrongly"];

let askFor = null;
let now = null; // the last state
let shown = ""; // whose pictures are asked for
let seen = 0; // which person's pictures are on the screen
let addresses = [];
let faceOf = 0; // of which person the face is shown
let isBusy = false;
let away = ""; // what did not answer the last time: "service", or "network" where nobody answered; empty: it did
let isDiscarding = false;
let isAgain = false; // the form is wanted though there is a result
let cameras = "";

export function connectLabels(ask, remembered) {
  askFor = ask;
  $("label-by").value = remembered();
  $("label-start").addEventListener("submit", (event) => {
    event.preventDefault();
    const way = new FormData($("label-start")).get("way");
    begin({ type: "StartLabels", way, minutes: Number($("label-minutes").value), by: $("label-by").value.trim(), camera: $("label-camera").value });
  });
  KEYS.forEach((label, place) => {
    const button = make("button", { type: "button" }, LABELS[label], make("kbd", { "aria-hidden": "true" }, String(place + 1)));
    button.setAttribute("aria-keyshortcuts", String(place + 1));
    button.addEventListener("click", () => put(label));
    $("label-choices").append(button);
  });
  for (const worn of MISSED) $("label-missed-rows").append(missedRow(worn));
  $("label-undo").addEventListener("click", () => deed({ type: "StepLabels", step: "undo" }));
  $("label-stop").addEventListener("click", stop);
  $("label-finish").addEventListener("click", finish);
  $("label-face").addEventListener("click", uncover);
  $("label-again").addEventListener("click", () => {
    isAgain = true;
    tell();
    $("label-by").focus();
  });
  $("label-discard").addEventListener("click", () => question("label-dialog"));
  for (const [id, step] of [["label-dialog", "discard"], ["label-finish-dialog", "finish"]]) {
    $(id).addEventListener("close", () => $(id).returnValue === step && deed({ type: "StepLabels", step }));
  }
  addEventListener("keydown", (event) => {
    if (!isForLabels(event)) return;
    const label = KEYS[Number(event.key) - 1];
    const key = event.key.toLowerCase();
    if (label) put(label);
    else if (key === "u" && now.can_undo) deed({ type: "StepLabels", step: "undo" });
    else if (key === "f" && !$("label-face").hidden) uncover();
  });
  setInterval(() => state.view === "label" && !document.hidden && renew(), EVERY_MS);
}

// Single keys do nothing where they are typed as text, in a dialog, or while the focus is outside of what is labeled, as in the
// list of views. After a reload, and after a click beside everything, it is nowhere.
function isForLabels(event) {
  if (state.view !== "label" || $("label-work").hidden || document.querySelector("dialog[open]")) return false;
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return false;
  const at = document.activeElement;
  if (at?.matches("input, select, textarea")) return false;
  return !at || at === document.body || $("label").contains(at);
}

export function openLabels() {
  renew();
}

async function renew() {
  try {
    const next = await (await askFor("labels")).json();
    const isLost = !isDiscarding && isWork(now) && next.phase === "off";
    if (isLost) gone = GONE;
    else if (isWork(next)) gone = "";
    if (gone && away === "service") gone = RESTARTED;
    if (away || isLost) say("label-said", gone);
    away = "";
    now = next;
    tell();
  } catch (error) {
    away = error.status ? "service" : "network";
    say("label-said", `The device does not answer: ${error.message}.`);
  }
}

const isWork = (each) => ["recording", "labeling"].includes(each?.phase);

// A service that stops may answer once more, without the recording, before it is away.
const RESTARTED = "The service was restarted: the recording is lost.";
const GONE = "The recording is gone: the service was restarted, or it was discarded or not labeled in time.";
let gone = "";

async function deed(wanted) {
  if (isBusy) return false;
  isBusy = true;
  isDiscarding = wanted.step === "discard";
  try {
    const { error } = await (await askFor("labels", { method: "POST", body: JSON.stringify({ deed: wanted }) })).json();
    say("label-said", error ? `Not done: ${error}.` : "");
    await renew();
    return !error;
  } catch (error) {
    if (!error.status || error.status === 503) away ||= error.status ? "service" : "network";
    say("label-said", `Not done: ${error.message}.`);
    return false;
  } finally {
    isBusy = false;
    isDiscarding = false;
  }
}

// A dialog that is left with Escape keeps the answer that it had before.
function question(id) {
  $(id).returnValue = "";
  $(id).showModal();
}

// The button is disabled then, which takes the focus away.
async function stop() {
  if (await deed({ type: "StepLabels", step: "stop" })) $("label-who").focus();
}

// Somebody who left last may be listed since the page asked last.
async function finish() {
  await renew();
  const waiting = now.recorded - now.labeled;
  if (now.phase !== "labeling") return;
  if (waiting > 0) {
    say("label-finish-title", `${many(waiting, "person waits", "people wait")} to be labeled. Show the result anyway?`);
    question("label-finish-dialog");
  } else deed({ type: "StepLabels", step: "finish" });
}

async function begin(wanted) {
  isAgain = false;
  if (await deed(wanted)) $("label-who").focus();
}

function put(label) {
  if (now?.next && now.next.visit === seen) deed({ type: "LabelVisit", visit: now.next.visit, label });
}

function uncover() {
  if (!now?.next) return;
  faceOf = now.next.visit;
  tellPerson();
}

function missedRow(worn) {
  const less = make("button", { type: "button" }, "−");
  const more = make("button", { type: "button" }, "+");
  less.setAttribute("aria-label", `One less passed and is not listed: ${LABELS[worn]}`);
  more.setAttribute("aria-label", `One more passed and is not listed: ${LABELS[worn]}`);
  less.addEventListener("click", () => deed({ type: "CountMissed", state: worn, by: -1 }));
  more.addEventListener("click", () => deed({ type: "CountMissed", state: worn }));
  return make("div", { className: "missed" }, make("span", {}, LABELS[worn]), less, make("output", { id: `missed-${worn}` }, "0"), more);
}

function tell() {
  const isOn = isWork(now);
  const isDone = now.phase === "done";
  $("label-start").hidden = isOn || Boolean(now.refused) || (isDone && !isAgain);
  $("label-work").hidden = !isOn;
  $("label-done").hidden = !isDone;
  say("label-refused", now.refused ? `Nothing can be labeled: ${now.refused}.` : "");
  if (isOn) tellWork();
  else dropPictures();
  if (isDone) tellResult(now.result);
  if (!isOn) tellForm();
}

function tellForm() {
  $("label-pictures").disabled = !now.may_uncover;
  $("label-locked").hidden = now.may_uncover;
  const names = state.account?.cameras ?? [];
  if (cameras === JSON.stringify(names)) return;
  cameras = JSON.stringify(names);
  $("label-camera-field").hidden = names.length < 2;
  $("label-camera").replaceChildren(...names.map((each) => make("option", { value: each, selected: each === state.account.camera_name }, each)));
}

const left = (seconds) => (seconds < 60 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`);

function tellWork() {
  const isRecording = now.phase === "recording";
  const isOfDoor = now.way === "door";
  const at = now.camera ? ` at ${now.camera}` : "";
  const what = isRecording ? `Recording${at}, ${left(now.left_s)} left.` : `The recording is over. All is dropped in ${left(now.left_s)}.`;
  say("label-progress", `${what} ${many(now.recorded, "person", "people")} recorded, ${now.labeled} labeled.`);
  $("label-blind").hidden = now.is_watching || !isRecording;
  $("label-missed").hidden = !isOfDoor;
  for (const worn of MISSED) say(`missed-${worn}`, String(now.missed[worn] ?? 0));
  for (const button of $("label-missed").querySelectorAll("button:last-child")) button.disabled = !isRecording;
  $("label-undo").disabled = !now.can_undo;
  // Both stay where they are: a second click on the one must not be one on the other.
  $("label-stop").disabled = !isRecording;
  $("label-finish").disabled = isRecording || !now.labeled;
  tellPerson();
  tellChoices();
}

// Not disabled, which would take the focus away.
function tellChoices() {
  for (const button of $("label-choices").children) button.setAttribute("aria-disabled", String(!now.next || now.next.visit !== seen));
}

function tellPerson() {
  const { next } = now;
  const time = next && new Date(next.at).toLocaleTimeString("en-GB");
  const none = now.phase === "recording" ? "Nobody waits to be labeled. Each person is listed a few seconds after leaving the picture." : "Everybody is labeled.";
  say("label-who", next ? `Person ${next.visit}, who left at ${time}` : none);
  $("label-face").hidden = !next?.faces || faceOf === next.visit;
  const key = next ? `${next.visit} ${faceOf === next.visit}` : "";
  if (key === shown) return;
  shown = key;
  showPictures(next, faceOf === next?.visit, key);
}

async function showPictures(next, isFace, key) {
  if (!next) return dropPictures();
  const wanted = Array.from({ length: next.pictures }, (_, number) => `labels/picture?visit=${next.visit}&number=${number}${isFace ? "&face" : ""}`);
  const images = [];
  for (const path of wanted) {
    const blob = await askFor(path).then((answer) => answer.blob()).catch(() => null);
    if (key !== shown) return; // another person is to be labeled meanwhile
    if (blob) images.push(URL.createObjectURL(blob));
  }
  dropPictures(key);
  addresses = images;
  const words = (place) => (isFace && place < next.faces ? "face shown" : "head covered");
  const shownNow = images.map((src, place) => make("img", { src, alt: `Person ${next.visit}, ${words(place)}, picture ${place + 1} of ${images.length}` }));
  $("label-images").replaceChildren(...(shownNow.length ? shownNow : [make("p", { className: "note" }, "There is no picture of this person.")]));
  seen = next.visit; // only now a label is taken: nobody is labeled unseen
  tellChoices();
}

function dropPictures(key = "") {
  shown = key;
  seen = 0;
  addresses.forEach((each) => URL.revokeObjectURL(each));
  addresses = [];
  $("label-images").replaceChildren();
}

function tellResult({ is_qualified: isQualified, why_unused: why, criteria }) {
  const wrong = criteria.filter((each) => !each.is_met).length;
  say("label-verdict", isQualified ? "Qualified: all criteria are met." : `Not qualified: ${wrong} of ${many(criteria.length, "criterion is", "criteria are")} not met.`);
  say("label-corrects", why ? `Rates are not corrected with it: ${why}.` : "From now on, rates of this door are corrected with it, in reports of the past, too.");
  const rows = criteria.map((each) => make("tr", {}, make("th", { scope: "row" }, each.required), make("td", {}, each.measured),
    make("td", {}, each.is_met ? "met" : make("strong", {}, "not met"))));
  $("label-rows").replaceChildren(...rows);
}
