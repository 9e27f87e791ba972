// One station, opened by the address `#district/station`, live while it is open.

import { get, soon, state } from "/data.js";
import { age, el, fill, id } from "/dom.js";
import { alert, people } from "/lists.js";
import { say, value, word } from "/words.js";

let shown = null;
let path = "";
let events = null;

const refreshSoon = soon(() => load(path), 700);

async function load(wanted) {
  if (!wanted) return;
  try {
    const found = await get(`/api/v1/stations/${wanted.split("/").map(encodeURIComponent).join("/")}`);
    if (wanted !== path) return;
    shown = found;
    draw();
  } catch (error) {
    if (wanted === path) fill(id("station-body"), [el("p", { role: "alert" }, word("failed", { t: error.message }))]);
  }
}

export function draw() {
  if (!shown) return;
  id("station-title").textContent = say(shown.name) || shown.id;
  const facts = [shown.opens && `${word("opens")} ${shown.opens}`, people(shown) || shown.capacity && `${word("capacity")} ${shown.capacity}`];
  const here = (state.alerts ?? []).filter((one) => one.district === shown.district && one.station === shown.id);
  fill(id("station-body"), [
    el("p", null, el("span", { class: `word ${shown.state}` }, word(shown.state)), ` · ${word("last")} `, age(shown.last_reading)),
    el("p", { class: "faint" }, [`${shown.district}/${shown.id}`, ...facts].filter(Boolean).join(" · ")),
    here.length ? el("ul", { class: "cards" }, here.map((one) => alert(one, state.stations))) : "",
    el("ul", { class: "cards" }, worstFirst(shown.devices, here).map(device)),
  ]);
}

/** Devices somebody must look at first; the others as they are registered. */
function worstFirst(devices, alerts) {
  const alerted = new Set(alerts.map((one) => one.device));
  return [...devices].sort((a, b) => alerted.has(b.id) - alerted.has(a.id));
}

function device(one) {
  const presence = one.presence === "unknown" ? "notYet" : one.presence;
  const colour = { online: "ok", sleeping: "ok", unknown: "" }[one.presence] ?? "silent";
  const made = [one.model, one.firmware, one.serial].filter(Boolean).join(" · ");
  const extras = one.extras.map((extra) => `${extra.name} = ${extra.found}`).join(", ");
  return el("li", { class: `card ${colour}` },
    el("h3", null, `${say(one.name)} · ${one.id}`),
    el("p", null, el("span", { class: `word ${one.presence}` }, word(presence)), " · ", age(one.last_seen)),
    made ? el("p", { class: "faint" }, made) : null,
    one.metrics.length ? el("table", null, el("tbody", null, one.metrics.map(metric))) : null,
    extras ? el("p", { class: "faint" }, `${word("extras")} ${extras}`) : null);
}

function metric(one) {
  return el("tr", null,
    el("th", { scope: "row" }, say(one.name) || one.metric),
    el("td", { class: "value" }, value(one)),
    el("td", { class: "when" }, age(one.at)));
}

function open(wanted) {
  path = wanted;
  shown = null;
  events?.close();
  if (!wanted) {
    if (id("station").open) id("station").close();
    return;
  }
  id("station-title").textContent = wanted;
  fill(id("station-body"), [el("p", { class: "hint" }, word("waiting"))]);
  if (!id("station").open) id("station").showModal();
  load(wanted);
  events = new EventSource(`/api/v1/events?kinds=reading&station=${encodeURIComponent(wanted)}`);
  events.addEventListener("reading", refreshSoon);
  events.addEventListener("missed", refreshSoon);
}

function followAddress() {
  const wanted = decodeURIComponent(location.hash.slice(1));
  const station = /^[a-z0-9_-]+\/[a-z0-9_-]+$/.test(wanted) ? wanted : "";
  if (station !== path) open(station);
}

export function start() {
  const leave = () => { if (path) history.pushState(null, "", location.pathname); open(""); };
  id("close").addEventListener("click", leave);
  id("station").addEventListener("cancel", leave);
  id("station").addEventListener("click", (event) => { if (event.target === id("station")) leave(); });
  window.addEventListener("hashchange", followAddress);
  window.addEventListener("popstate", followAddress);
  followAddress();
}

/** Readings come by events; silence and alerts do not. */
export const refresh = () => load(path);
