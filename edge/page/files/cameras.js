// Which of several cameras is shown: a button for each, and what is asked of the device.

import { mayDiscard } from "./area.js";
import { $, make, say, state } from "./common.js";
import { judgeAge } from "./picture.js";

// The same question about the camera that is shown.
export const of = (path) =>
  state.camera ? `${path}${path.includes("?") ? "&" : "?"}camera=${encodeURIComponent(state.camera)}` : path;

let shown = "";

export function tellCameras(renew) {
  const { cameras, camera_name: name } = state.account;
  if (state.camera && !cameras.includes(state.camera)) state.camera = "";
  const now = JSON.stringify([cameras, name]);
  if (now === shown) return;
  shown = now;
  $("picture").alt = `Camera picture${name ? `: ${name}` : ""}`;
  say("live-title", `Live view${name ? `: ${name}` : ""}`);
  const hadFocus = $("cameras").contains(document.activeElement);
  $("cameras").hidden = cameras.length < 2;
  $("cameras").replaceChildren(...cameras.map((each) => button(each, each === name, renew)));
  if (hadFocus) $("cameras").querySelector("[aria-pressed=true]")?.focus();
}

function button(camera, isShown, renew) {
  const element = make("button", { type: "button" }, camera);
  element.setAttribute("aria-pressed", String(isShown));
  element.addEventListener("click", async () => {
    if (camera === state.account.camera_name || !(await mayDiscard())) return;
    state.camera = camera;
    state.scene = state.sceneAt = null;
    $("picture").hidden = true;
    judgeAge();
    await renew().catch(() => {}); // it is asked for again every few seconds
  });
  return element;
}
