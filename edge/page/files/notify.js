// The targets of notifications, and the button that sends a test to each of them.

import { $, duration, icon, make, many, moment, say, state } from "./common.js";

let shown = "";
let askedAt = null; // when the device was asked for a test, by its own clock

export function tellNotifiers({ notifiers, now: today }) {
  $("notify-section").hidden = !notifiers.length;
  const key = JSON.stringify(notifiers.map((each) => [...said(each), each.tested_at]));
  if (key !== shown) {
    shown = key;
    $("notifiers").replaceChildren(...notifiers.map((each) => row(each, today)));
  }
  if (askedAt === null || !notifiers.every((each) => each.tested_at > askedAt)) return;
  askedAt = null;
  const failed = notifiers.filter((each) => each.test);
  say("notify-said", failed.length ? `The test did not arrive at ${failed.map((each) => each.name).join(", ")}.` : "The test has arrived.");
  $("notify-test").disabled = false;
}

function said({ waiting, oldest_age_s: age, dropped, trouble, test, is_quiet: isQuiet }) {
  const since = isQuiet ? "until the quiet hours end" : `the oldest for ${duration(age ?? 0)}`;
  const queued = waiting ? `${many(waiting, "event", "events")} queued, ${since}` : "nothing queued";
  return [trouble || test ? "fault" : "well", dropped ? `${queued}; ${dropped} dropped` : queued, trouble];
}

function row(target, today) {
  const [level, queued, trouble] = said(target);
  const came = target.test && target.test === trouble ? "failed" : target.test || "arrived";
  const tested = target.tested_at ? `; test at ${moment(target.tested_at, today)}: ${came}` : "";
  return make("li", { className: `row ${level}`, "data-name": target.name }, icon(level),
    make("p", {}, make("strong", {}, `${target.name} (${target.kind})`), make("small", {}, `${queued}${tested}`), trouble));
}

export function connectNotify(ask) {
  $("notify-test").addEventListener("click", async () => {
    $("notify-test").disabled = true;
    say("notify-said", "Sending a test…");
    askedAt = state.account.now;
    try {
      const { error } = await (await ask("notify/test", { method: "POST" })).json();
      if (!error) return;
      say("notify-said", `No test was sent: ${error}.`);
    } catch (error) {
      say("notify-said", `No test was sent: ${error.message}.`);
    }
    askedAt = null;
    $("notify-test").disabled = false;
  });
}
