// Signing off a report: who has, and the dialog in which somebody does.

import { remember, remembered } from "./alerts.js";
import { $, make, say, state } from "./common.js";

let asked = null; // the report that the dialog is about

export function tellSigned(report, where) {
  const name = where ? `${where[0].toUpperCase()}${where.slice(1)}: ` : "";
  const lines = report.signed_off.map((each) => {
    const said = `${name}${each.by}, ${each.at.slice(0, 16).replace("T", " ")}${each.note ? ` · ${each.note}` : ""}`;
    return make("li", { className: each.is_same === false ? "error" : "said" }, each.is_same ? `✓ ${said}` : `${said}: ${each.is_same === false ? "the figures have changed since" : "a newer release has signed, and this one cannot compare"}.`);
  });
  $("report-signed").replaceChildren(...lines, ...(lines.length ? [] : [make("li", { className: "none" }, name ? `${name}nobody has signed this report.` : "Nobody has signed this report.")]));
  const isOver = report.until === report.end;
  const isWritten = state.account?.can_acknowledge ?? false;
  $("report-sign").hidden = !isOver || !isWritten;
  say("report-sign", lines.length ? "Sign again" : "Sign off");
  say("report-sign-said", isOver || !isWritten ? "" : `It can be signed when the ${report.kind} is over.`);
}

// `shown` returns the report on the screen and its name in words; `show` shows another, `renew` the present one of the period.
export function connectSigning(patiently, shown, show, renew) {
  $("report-sign").addEventListener("click", () => {
    const { report, name } = shown();
    asked = report;
    say("sign-what", `${name}. ${report.verdict}`);
    $("sign-by").value = remembered();
    $("sign-note").value = "";
    say("sign-said", "");
    $("sign-dialog").showModal();
  });
  $("sign-cancel").addEventListener("click", () => $("sign-dialog").close());
  $("sign-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const by = $("sign-by").value.trim();
    const { kind, begin, period, zone, camera, digest } = asked;
    const day = begin.slice(0, 10);
    const shift = kind === "shift" ? period.slice(period.indexOf(" ") + 1) : "";
    const wanted = { report: { kind, day, shift, zone, camera }, digest, by, note: $("sign-note").value.trim() };
    $("sign-save").disabled = true;
    say("sign-save", "Signing…");
    try {
      const report = await (await patiently("document/sign", { method: "POST", body: JSON.stringify(wanted) })).json();
      remember(by);
      $("sign-dialog").close();
      show(report);
      say("report-sign-said", `Signed off by ${by}.`);
      $("report-signed-title").focus();
    } catch (error) {
      say("sign-said", `Not signed: ${error.message}.`);
      if (error.status === 409) renew(); // below the dialog, which is still about what was looked at
    } finally {
      $("sign-save").disabled = false;
      say("sign-save", "Sign off");
    }
  });
}
