// Building the page. Whatever devices send gets in as text only, never as markup.

import { duration, moment, word } from "/words.js";

export const id = (name) => document.getElementById(name);

/** An element with properties (`class`, `data-…` and `aria-…` as attributes, `on…` as listeners). */
export function el(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

/** Puts `children` into `parent`; who had the focus by its `data-key` keeps it. */
export function fill(parent, children) {
  const key = parent.contains(document.activeElement) && document.activeElement.dataset.key;
  parent.replaceChildren(...children);
  if (key) parent.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

export const labelled = (label, text) => el("p", null, el("span", { class: "label" }, word(label)), text);

// The device clocks of crews are wrong now and then: times are told by the daemon's clock.
let ahead = 0;
export const setClock = (daemonNow) => { ahead = daemonNow - Date.now(); };
export const now = () => Date.now() + ahead;

/** A time that stays true: `template` is a word with `{t}`. */
export function age(at, template = "ago") {
  if (at === null || at === undefined) return el("span", null, word("never"));
  const time = el("time", { "data-at": at, "data-word": template, title: moment(at), datetime: new Date(at).toISOString() });
  tell(time);
  return time;
}

function tell(time) {
  const text = word(time.dataset.word, { t: duration(now() - Number(time.dataset.at)) });
  if (time.textContent !== text) time.textContent = text;
}

export const tick = () => document.querySelectorAll("time[data-at]").forEach(tell);
