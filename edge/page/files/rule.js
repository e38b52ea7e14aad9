// The mask rule: whether masks have to be worn, and the button that switches it.

import { $, moment, say, state } from "./common.js";

export function tellRule({ rule, now: today, can_acknowledge: isWritten }) {
  $("rule-section").hidden = rule === null;
  if (rule === null) return;
  const since = rule.since ? ` since ${moment(rule.since, today)}` : "";
  const by = rule.by ? `, by ${rule.by}` : "";
  say("rule-state", rule.is_on ? `On${since}${by}: who wears no mask is reported.` : `Off${since}${by}: people are counted, and nobody is reported.`);
  say("rule-switch", rule.is_on ? "Switch the rule off" : "Switch the rule on");
  $("rule-switch").hidden = !isWritten;
}

export function connectRule(ask, renewed, remembered) {
  $("rule-switch").addEventListener("click", () => {
    const willBe = !state.account.rule.is_on;
    say("rule-title-asked", willBe ? "Switch the mask rule on?" : "Switch the mask rule off?");
    say("rule-text", willBe ? "From now on, who wears no mask is reported." : "From now on, people are counted, and nobody is reported. The change is written down with your name.");
    $("rule-by").value = remembered();
    $("rule-dialog").showModal();
  });
  $("rule-cancel").addEventListener("click", () => $("rule-dialog").close());
  $("rule-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const wanted = { is_on: !state.account.rule.is_on, by: $("rule-by").value.trim() };
    $("rule-dialog").close();
    $("rule-switch").disabled = true;
    try {
      const { error } = await (await ask("rule", { method: "POST", body: JSON.stringify(wanted) })).json();
      say("rule-said", error ? `Not done: ${error}.` : "");
      for (let turn = 0; turn < 10 && !error && state.account.rule.is_on !== wanted.is_on; turn += 1) {
        await new Promise((resolve) => setTimeout(resolve, 500)); // the device looks at what was written down
        await renewed();
      }
    } catch (error) {
      say("rule-said", `Not done: ${error.message}.`);
    } finally {
      $("rule-switch").disabled = false;
    }
  });
}
