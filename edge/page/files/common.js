// What all parts of the page share: the document, times in words, and what is known now.

export const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const LANGUAGE = "en-GB"; // as the page's own words

export const state = {
  account: null, // the last report
  scene: null, // the last scene
  sceneAt: null, // when it came here, see `now`
  lost: null, // why the device does not answer: { kind, text, at }
  isStale: true, // the picture is not of now
  lookingAt: null, // since when scenes are asked for; null: they are not
  view: "live",
  camera: "", // which of several is shown; "": the first
  parts: [], // the area as it is shown: { kind: "in", "out" or "zone", name, points, and the policy of a zone }
  sketch: null, // what is being drawn: { kind, points, cursor }
  edited: null, // which part is being edited, by number
  isChanged: false,
  isSaving: false,
};

export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in element) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.map((each) => (typeof each === "string" ? whole(each) : each)));
  return element;
}

// A figure and its unit stay on one line.
const whole = (text) => text.replace(/(\d) (%|px|s|min|h|°C|frames\/s)(?!\w)/g, "$1\u00a0$2");

export function shape(name, attributes = {}, text = "") {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text) element.textContent = text;
  return element;
}

export function icon(name) {
  const picture = shape("svg", { "aria-hidden": "true", class: `icon ${name}` });
  picture.append(shape("use", { href: `#i-${name}` }));
  return picture;
}

// Only where it changes: a screen reader reads each change.
export function say(id, text) {
  const element = $(id);
  const content = whole(text);
  if (element.textContent !== content) element.textContent = content;
}

// The wall clock goes on while a laptop sleeps, the other one is not set: the later one is right.
export const now = () => ({ wall: Date.now(), steady: performance.now() });
export const since = (then) => Math.max(Date.now() - then.wall, performance.now() - then.steady);

export const many = (count, one, more) => `${count} ${count === 1 ? one : more}`;
export const time = (at) => new Date(at).toLocaleTimeString(LANGUAGE, { hour: "2-digit", minute: "2-digit" });
export const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone; // of all times here but those of reports
export const date = (at) => new Date(at).toLocaleDateString(LANGUAGE, { day: "numeric", month: "short" });
export const day = (at) => new Date(at).toLocaleDateString(LANGUAGE, { weekday: "short", day: "numeric", month: "short" });
export const sameDay = (a, b) => new Date(a).toDateString() === new Date(b).toDateString();
export const moment = (at, today = Date.now()) => (sameDay(at, today) ? time(at) : `${day(at)}, ${time(at)}`);
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export function duration(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}
