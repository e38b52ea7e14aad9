// The page: which view is shown, and who asks the device. Without a framework, and without anybody else's server.

import { connectAlerts, remembered } from "./alerts.js";
import { connect, mayDiscard, hasUnsaved, take, tell as tellArea } from "./area.js";
import { of, tellCameras } from "./cameras.js";
import { $, pause, state } from "./common.js";
import { connectLabels, openLabels } from "./labels.js";
import { connectNotify, tellNotifiers } from "./notify.js";
import { draw, follow, judgeAge, tellRuler } from "./picture.js";
import { connectDoor, renew, report, tellReport, tellVerdict } from "./report.js";
import { connectReports, openReports } from "./reports.js";
import { connectRule } from "./rule.js";
import { tellVisits } from "./visits.js";

const VIEWS = ["live", "alerts", "reports", "setup", "device", "label"];

// Raises an Error with `status` where the device refuses or its service is away, and fetch's own where nobody answers.
async function ask(path, options) {
  const answer = await fetch(path, { ...options, cache: "no-store", signal: AbortSignal.timeout(20_000) });
  if (answer.status === 401) {
    location.replace("login");
    await pause(60_000);
  }
  if (answer.ok) return answer;
  const content = await answer.json().catch(() => ({}));
  throw Object.assign(new Error(content.error ?? `HTTP ${answer.status}`), { status: answer.status });
}

// Another release may serve other files.
let program = null;

function tell() {
  program ??= state.account.program;
  if (program !== state.account.program && !hasUnsaved()) location.reload();
  tellCameras(renewed);
  tellReport();
  tellNotifiers(state.account);
  tellRuler();
  take(state.account.area);
  tellArea();
  if (state.view === "live") tellVisits();
  if (state.view === "reports") openReports();
  judgeAge();
}

function tellLost() {
  if (state.view === "reports") openReports();
}

function open(view) {
  state.view = view;
  document.body.dataset.view = view;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${view === "label" ? "setup" : view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  scrollTo(0, 0);
  if (view === "label") openLabels();
  if (state.account) tell();
  else tellLost();
  draw();
}

const wanted = () => (VIEWS.includes(location.hash.slice(1)) ? location.hash.slice(1) : "live");

addEventListener("hashchange", async () => {
  const view = wanted();
  if (view === state.view) return;
  if (state.view === "setup" && hasUnsaved()) {
    history.replaceState(null, "", "#setup");
    if (!(await mayDiscard())) return;
    history.replaceState(null, "", `#${view}`);
  }
  open(view);
});

$("leave").addEventListener("click", async () => {
  if (!(await mayDiscard())) return;
  await fetch("logout", { method: "POST" });
  location.replace("login");
});

async function renewed() {
  await renew(ask, of);
  tell();
  tellVerdict();
}

connect(ask, renewed);
connectDoor(ask, renewed);
connectAlerts(ask, renewed);
connectRule(ask, renewed, remembered);
// A new picture of a camera that was lost: the report that is due next would say so only in some seconds.
let isAsking = false;
async function noteCameraIsBack() {
  if (state.account?.camera?.state !== "lost" || isAsking) return;
  isAsking = true;
  try {
    await renewed();
  } catch {
    // It is asked for again anyway.
  } finally {
    isAsking = false;
  }
}

connectReports(ask);
connectLabels(ask, remembered);
open(wanted());
connectNotify(ask);
follow(ask, of, noteCameraIsBack);
report(ask, of, tell, tellLost);
