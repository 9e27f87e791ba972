// The status page: for the crew member at three in the morning, and for whoever runs the daemon.

import { start, state } from "/data.js";
import { el, fill, id, tick } from "/dom.js";
import * as lists from "/lists.js";
import * as station from "/station.js";
import { duration, lang, toggleLanguage, word } from "/words.js";

/** Without an answer for this long, what is shown is called old. */
const OLD = 30_000;

const drawn = {};

function own(known) {
  if (!known.own) return;
  const troubles = [...Object.entries(known.own.troubles ?? {}), ...Object.entries(known.errors)];
  id("own").className = troubles.length ? "own bad" : "own";
  const list = troubles.map(([part, says]) => el("li", null, el("strong", null, part), `: ${says}`));
  fill(id("own"), [word(list.length ? "notReady" : "ready"), ...(list.length ? [el("ul", null, list)] : [])]);
}

const PARTS = {
  own: [own],
  alerts: [lists.alerts],
  stations: [lists.stations, (known) => known.alerts && lists.alerts(known)],
  rejections: [lists.rejections],
  unknown: [lists.unknown],
};

function redraw(name, text, draw) {
  if (text === drawn[name]) return;
  drawn[name] = text;
  draw();
}

/** Draws a part again if what it shows is not what is there already. */
function changed(name) {
  if (state[name] !== null) redraw(name, JSON.stringify(state[name]), () => PARTS[name].forEach((draw) => draw(state)));
  redraw("errors", JSON.stringify(state.errors), () => own(state));
  if (name === "stations") station.refresh();
  contact();
}

function contact() {
  const silence = Date.now() - state.contact;
  const old = state.contact > 0 && silence > OLD;
  const key = state.contact === 0 ? "waiting" : old ? "lostContact" : "fresh";
  id("contact").className = old || (state.contact === 0 && Object.keys(state.errors).length) ? "pill old" : "pill";
  id("contact").textContent = word(key, { t: duration(silence) });
  document.body.classList.toggle("old", old);
}

function words() {
  document.documentElement.lang = lang() === "zh" ? "zh-CN" : "en";
  document.querySelectorAll("[data-word]:not(time)").forEach((one) => { one.textContent = word(one.dataset.word); });
  id("language").textContent = word("language");
  id("language").setAttribute("aria-label", word("languageLabel"));
  id("search").placeholder = word("search");
  id("search").setAttribute("aria-label", word("search"));
  id("close").textContent = word("close");
  Object.keys(PARTS).filter((name) => name in drawn).forEach((name) => PARTS[name].forEach((draw) => draw(state)));
  station.draw();
  contact();
}

id("language").addEventListener("click", () => { toggleLanguage(); words(); });
lists.whenFiltered(() => state.stations && lists.stations(state));
words();
start(changed);
station.start();
setInterval(() => { tick(); contact(); }, 1000);
