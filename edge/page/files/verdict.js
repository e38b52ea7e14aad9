// What is to be said first: pure, from what is known now.

import { many, moment } from "./common.js";

const ON_DEVICE = "“sudo tensormask doctor” on the device says more.";
const LOST = {
  network: ["this page cannot reach the device", "Check that it has power, and the network between; the page tries again by itself."],
  service: ["the service does not answer", "It may be starting. Otherwise “systemctl status tensormask” on the device says why it has stopped."],
};

// Returns { level, pill, headline, detail }; without a headline there is nothing to say.
export function verdict({ account, lost, isStale, lastAt }) {
  const ago = lastAt ? ` since ${moment(lastAt)}` : "";
  if (lost) {
    const [cause, remedy] = LOST[lost.kind];
    const headline = lastAt ? `No picture${ago}: ${cause}` : `No picture: ${cause}`;
    return { level: "fault", pill: "No connection", headline, detail: remedy };
  }
  if (!account) return { level: "unknown", pill: "Connecting" };
  const [first] = account.troubles;
  const camera = account.camera?.state;
  if (isStale && camera === "lost") {
    const trouble = account.troubles.find((each) => each.code === "camera-lost");
    return { level: "fault", pill: "No picture", headline: `No picture${ago}`, detail: both(trouble) };
  }
  if (isStale && account.paused_for_s === null && camera === "running" && lastAt) {
    const detail = `The device answers, but shows no picture. ${ON_DEVICE}`;
    return { level: "fault", pill: "No picture", headline: `No picture${ago}`, detail };
  }
  if (!first) return { level: "well", pill: "Watching" };
  const faults = account.troubles.filter((each) => each.severity === "fault").length;
  const pill = faults ? many(faults, "problem", "problems") : account.paused_for_s === null ? "Watching" : "Paused";
  return { level: first.severity, pill, headline: `${first.text}, since ${moment(first.since)}`, detail: first.fix };
}

const both = (trouble) => (trouble ? `${trouble.text}${trouble.text.endsWith("?") ? "" : "."} ${trouble.fix}` : ON_DEVICE);
