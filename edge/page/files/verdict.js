// What is to be said first: pure, from what is known now.

import { many, moment } from "./common.js";

const ON_DEVICE = "For details, run “sudo tensormask doctor” on the device.";
const LOST = {
  network: ["this page cannot reach the device", "Check the power and the network of the device. The page tries again by itself."],
  service: ["the service is not responding", "It may be starting. If it has stopped, “systemctl status tensormask” on the device says why."],
};

// What else cannot be had while the device does not answer, and what to do.
export const remedyFor = (lost) => `${LOST[lost.kind][0]}. ${LOST[lost.kind][1]}`;

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
    const trouble = account.troubles.find((each) => ["camera-lost", "camera-refused"].includes(each.code));
    return { level: "fault", pill: "No picture", headline: `No picture${ago}`, detail: both(trouble) };
  }
  if (isStale && account.paused_for_s === null && camera === "running" && lastAt) {
    const detail = `The device is responding, but sends no picture. ${ON_DEVICE}`;
    return { level: "fault", pill: "No picture", headline: `No picture${ago}`, detail };
  }
  if (!first) return { level: "well", pill: "Watching" };
  const faults = account.troubles.filter((each) => each.severity === "fault").length;
  const pill = faults ? many(faults, "problem", "problems") : account.paused_for_s === null ? "Watching" : "Paused";
  return { level: first.severity, pill, headline: `${first.text} (since ${moment(first.since)})`, detail: first.fix };
}

const both = (trouble) => (trouble ? `${trouble.text}${trouble.text.endsWith("?") ? "" : "."} ${trouble.fix}` : ON_DEVICE);
