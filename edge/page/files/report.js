// What the last report says: the verdict, alerts, health, the device.

import { tellAlerts } from "./alerts.js";
import { $, day, duration, icon, make, many, moment, pause, say, since, state } from "./common.js";
import { tellRule } from "./rule.js";
import { verdict } from "./verdict.js";

const BLIND_MS = 4000;
const VIEWS = { dark: "too dark", blinded: "blinded", covered: "covered" };

// The banner and the pill, always; they are changed only where they say something else.
let said = "";

export function tellVerdict() {
  const { account, lost, scene, lookingAt, sceneAt } = state;
  const looked = lookingAt === null ? 0 : Math.min(since(lookingAt), sceneAt === null ? Infinity : since(sceneAt));
  const trouble = account?.troubles.find((each) => ["camera-lost", "camera-refused"].includes(each.code));
  const lastAt = lost ? scene?.at ?? account?.camera?.last_frame_at ?? lost.at
    : account?.camera?.last_frame_at ?? trouble?.since ?? null;
  const found = verdict({ account, lost, isStale: account?.camera?.state === "lost" || looked > BLIND_MS, lastAt });
  const key = JSON.stringify([found, account?.troubles.length]);
  if (key === said) return;
  said = key;
  $("pill").className = found.level;
  say("verdict", found.pill);
  $("pill").replaceChildren(icon(found.level), $("verdict"));
  const banner = $("banner");
  banner.className = found.headline ? `banner ${found.level}${lost ? " lost" : ""}` : "";
  if (!found.headline) {
    banner.replaceChildren();
    return;
  }
  const others = lost ? 0 : account.troubles.length - 1;
  const text = make("p", {}, make("strong", {}, found.headline), ` ${found.detail}`);
  const more = others > 0 ? [make("a", { href: "#device" }, `${others} more`)] : [];
  banner.replaceChildren(icon(found.level), text, ...more);
}

export function tellReport() {
  const { account } = state;
  say("device", account.device);
  say("place", [account.site, account.zone].filter(Boolean).join(" · "));
  document.title = `${account.device}: TensorMask`;
  say("program", `TensorMask ${account.program}`);
  say("site", account.site || "–");
  say("zone", account.zone || "–");
  say("least", `${account.judged_from_px} px`);
  tellAlerts(account);
  tellRule(account);
  tellProblems(account);
  tellHealth(account);
  tellDoor(account.signal);
  tellMissed(account.found);
}

// Lists are rebuilt only where they change: what is read or selected stays.
const lists = new Map();

function fill(id, content, build) {
  const key = JSON.stringify(content);
  if (lists.get(id) === key) return;
  lists.set(id, key);
  $(id).replaceChildren(...build());
}

function tellProblems({ troubles, now: today }) {
  fill("problems", [troubles, day(today)], () => {
    if (!troubles.length) return [make("li", { className: "row well" }, icon("well"), make("p", {}, make("strong", {}, "Everything works"), " Nothing needs to be done."))];
    return troubles.map((each) => make("li", { className: `row ${each.severity}` }, icon(each.severity),
      make("p", {}, make("strong", {}, each.text), make("small", {}, `since ${moment(each.since, today)}`), each.fix)));
  });
}

function tellHealth(account) {
  const { camera, is_connected: isConnected, waiting, temperature_c: heat, fps, troubles } = account;
  const wrong = (...keys) => troubles.find((each) => keys.some((key) => each.code.startsWith(key)))?.severity ?? "well";
  const rate = camera?.fps ? `${camera.fps.toFixed(1)} frames/s` : "running";
  const sees = camera === null ? "starting" : camera.state !== "running" ? { lost: "no picture", starting: "starting" }[camera.state]
    : VIEWS[camera.view] ?? rate;
  const judging = account.paused_for_s !== null ? "paused" : camera?.state === "running" ? `${fps.toFixed(1)} frames/s${account.plan && `, ${account.plan}`}` : "not judging";
  const which = account.camera_name ? `Camera ${account.camera_name}` : "Camera";
  const rows = [
    [which, sees, camera === null ? "unknown" : wrong("camera", "view")],
    ["Judging", judging, wrong("paused", "too-hot", "power-weak", "memory-short", "camera")],
    ["Broker", isConnected ? "connected" : "not connected", isConnected ? "well" : wrong("broker")],
    ["Queued", many(waiting, "message", "messages"), wrong("messages", "disk")],
    ...(account.sight === null ? [] : [["Proof of sight", sightOf(account.sight), account.sight.trouble ? "fault" : account.sight.share === null ? "unknown" : "well"]]),
    ...(account.signal === null ? [] : [["Lamps", account.signal.trouble ? "not working" : account.signal.shows, wrong("signal")]]),
    ...(heat === null ? [] : [["Processor", `${Math.round(heat)} °C`, wrong("too-hot", "power", "under-voltage")]]),
  ];
  fill("health", rows, () => rows.map(([name, text, level]) => make("li", { className: `row ${level}`, "data-name": name.split(" ")[0] }, icon(level), make("span", {}, name), make("strong", {}, text))));
}

function sightOf({ share, normal, waits }) {
  if (share === null) return waits || "not proved yet";
  const seen = `${Math.round(100 * share)} % of drawn heads`;
  return normal === null ? `${seen}, still learned` : `${seen}, normal ${Math.round(100 * normal)} %`;
}

function tellDoor(signal) {
  $("door").hidden = !signal || Boolean(signal.trouble);
  if (!signal) return;
  const left = signal.muted_for_s;
  say("mute", left === null ? "Mute the sound" : "Sound on");
  if (!$("mute").disabled) say("muted", left === null ? "" : `The sound at the door is off for ${duration(left)}.`);
}

export function connectDoor(ask, renewed) {
  $("mute").addEventListener("click", async () => {
    $("mute").disabled = true;
    try {
      const isMuted = state.account?.signal?.muted_for_s === null;
      const { error } = await (await ask("mute", { method: "POST", body: JSON.stringify({ is_muted: isMuted }) })).json();
      if (error) say("muted", `Not done: ${error}.`);
      await pause(1500); // the process at the pins says once a second how it does
      await renewed();
    } catch (error) {
      say("muted", `Not done: ${error.message}.`);
    } finally {
      $("mute").disabled = false;
    }
  });
}

function tellMissed({ masked, bare }) {
  const tenths = (share) => Math.ceil(10 * share) - 1;
  const known = masked && bare ? ` In pictures that were not used to train it, the detector finds more than ${tenths(masked)} of 10 faces of 16 px and more with a mask, and ${tenths(bare)} of 10 without; it finds` : " The detector finds";
  say("missed", `Faces that are not detected are not counted.${known} fewer faces that are far away, turned aside or in the dark.`);
}

// While the device does not answer, nothing of it is known.
function forget() {
  fill("health", "lost", () => [make("li", { className: "row unknown" }, icon("unknown"), make("span", {}, "Unknown: no connection"))]);
  fill("problems", "lost", () => [make("li", { className: "row fault" }, icon("fault"), make("p", {}, make("strong", {}, "No connection"), "The state of the device is unknown."))]);
}

export async function renew(ask, about) {
  const { camera } = state;
  const answer = await ask(about("report"));
  const account = await answer.json();
  if (camera !== state.camera) return; // another one was chosen meanwhile
  state.account = account;
  state.lost = null;
  $("leave").hidden = answer.headers.get("Session") !== "open";
}

export async function report(ask, about, tell, tellLost) {
  for (;;) {
    try {
      await renew(ask, about);
      tell();
    } catch (error) {
      const kind = error.status ? "service" : "network";
      if (state.lost?.kind !== kind) state.lost = { kind, at: state.lost?.at ?? new Date().toISOString() };
      forget();
      tellLost();
    }
    tellVerdict();
    await pause(document.hidden ? 10_000 : state.lost ? 1000 : 2000);
  }
}

setInterval(tellVerdict, 500);
