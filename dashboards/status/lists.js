// The lists of the page: open alerts, stations, devices nobody registered, what was refused.

import { age, el, fill, id, labelled } from "/dom.js";
import { lang, moment, say, thing, word } from "/words.js";

const WORST_FIRST = ["critical", "silent", "major", "minor", "ok"];
const SHOWN = 200;
const filter = { text: "", state: "" };

const nameOf = (stations, district, station) =>
  say(stations?.find((one) => one.district === district && one.id === station)?.name) || station;

export function alerts(state) {
  const rank = (alert) => ["critical", "major", "minor", "info"].indexOf(alert.severity);
  const list = [...state.alerts].sort((a, b) => rank(a) - rank(b) || b.since - a.since);
  id("alerts-count").textContent = list.length ? `(${list.length})` : "";
  const none = el("li", { class: "card ok" }, word("noAlerts"));
  fill(id("alerts-list"), list.length ? list.map((one) => alert(one, state.stations)) : [none]);
}

/** One open alert: how bad, where, since when, what to do and what to bring. */
export function alert(one, stations) {
  const place = `#${one.district}/${one.station}`;
  return el("li", { class: `card ${one.severity}` },
    el("p", null,
      el("span", { class: `word ${one.severity}` }, word(one.severity)), " · ",
      el("a", { href: place, "data-key": `alert ${one.id}` }, nameOf(stations, one.district, one.station)),
      ` · ${one.device} · `, age(one.since, "since"),
      one.repeats ? ` · ${word("toldAgain", { n: one.repeats })}` : ""),
    el("p", { class: "says" }, say(one.says)),
    say(one.do) && el("p", { class: "do" }, el("span", { class: "label" }, word("do")), say(one.do)),
    one.bring?.length ? labelled("bring", one.bring.map(thing).join(lang() === "zh" ? "、" : ", ")) : null,
    one.acknowledged ? el("p", { class: "faint" }, word("caredFor", { by: one.acknowledged.by, t: moment(one.acknowledged.until) }),
      one.acknowledged.comment ? ` · ${one.acknowledged.comment}` : "") : null,
    one.acknowledged ? null
      : el("button", { type: "button", "data-key": `care ${one.id}`, onclick: () => tell(one, "acknowledge", "careBy") }, word("care")),
    el("button", { type: "button", "data-key": `confirm ${one.id}`, onclick: () => tell(one, "confirm", "confirmBy") }, word("confirm")));
}

/** A person says that they look after it, or that it is dealt with; its event then changes the list. */
async function tell(one, what, question) {
  const by = prompt(`${say(one.says)}\n${word(question)}`, localStorage.getItem("by") ?? "")?.trim();
  if (!by) return;
  localStorage.setItem("by", by);
  const answer = await fetch(`/api/v1/alerts/${encodeURIComponent(one.id)}/${what}`, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ by }),
  }).catch(() => null);
  if (answer?.ok) return;
  const error = (await answer?.json().catch(() => null))?.error;
  window.alert(word("failed", { t: error?.says ?? answer?.status ?? "–" }));
}

export function stations(state) {
  const text = filter.text.toLowerCase();
  const words = (one) => `${one.district} ${one.id} ${one.name.en} ${one.name.zh}`.toLowerCase();
  const found = state.stations.filter((one) => !text || words(one).includes(text));
  const list = found.filter((one) => !filter.state || one.state === filter.state);
  const rank = (one) => WORST_FIRST.indexOf(one.state);
  list.sort((a, b) => rank(a) - rank(b) || say(a.name).localeCompare(say(b.name), lang(), { numeric: true }));
  chips(found);
  id("stations-count").textContent = `(${list.length})`;
  const rows = list.slice(0, SHOWN).map(station);
  if (list.length > SHOWN) rows.push(el("li", { class: "hint" }, word("more", { n: list.length - SHOWN })));
  fill(id("stations-list"), rows.length ? rows : [el("li", { class: "hint" }, word("noStations"))]);
}

/** People inside, over places where they are known; nothing where nobody counts. */
export function people(one) {
  return one.occupancy === null ? "" : `${word("inside")} ${one.occupancy}${one.capacity ? ` / ${one.capacity}` : ""}`;
}

function station(one) {
  const open = () => { location.hash = `${one.district}/${one.id}`; };
  const line = [
    people(one),
    one.alerts_open ? word("open", { n: one.alerts_open }) : "",
    one.devices_silent ? word("quiet", { n: one.devices_silent, m: one.devices_total }) : "",
  ].filter(Boolean).join(" · ");
  const key = `${one.district}/${one.id}`;
  return el("li", null, el("button", { type: "button", class: `row ${one.state}`, onclick: open, "data-key": key },
    el("strong", null, say(one.name) || one.id),
    el("span", { class: `side word ${one.state}` }, word(one.state)),
    el("span", { class: "faint" }, line || key),
    el("span", { class: "side faint" }, age(one.last_reading))));
}

function chips(found) {
  const chip = (state, count) => el("button", {
    type: "button", "data-key": `state ${state}`, "aria-pressed": filter.state === state,
    onclick: () => { filter.state = state; onFilter(); },
  }, `${word(state || "all")} ${count}`);
  const present = WORST_FIRST.map((state) => [state, found.filter((one) => one.state === state).length]);
  const shown = present.filter(([state, count]) => count || filter.state === state);
  fill(id("states"), [["", found.length], ...shown].map(([state, count]) => chip(state, count)));
}

let onFilter = () => {};
export function whenFiltered(redraw) {
  onFilter = redraw;
  id("search").addEventListener("input", (event) => { filter.text = event.target.value.trim(); redraw(); });
}

export function unknown(state) {
  id("unknown").hidden = !state.unknown.length;
  id("unknown-count").textContent = `(${state.unknown.length})`;
  fill(id("unknown-list"), state.unknown.slice(0, 50).map((one) => el("li", { class: "card minor" },
    el("p", null, el("strong", null, one.device), ` · ${word("messages", { n: one.messages })} · `, age(one.last_seen)),
    labelled("payload", el("code", null, one.head)),
    el("pre", { tabindex: 0 }, one.adopt),
    copy(one.adopt, `copy ${one.device}`))));
}

function copy(text, key) {
  if (!navigator.clipboard) return null;
  const copied = async (event) => {
    const button = event.target;
    await navigator.clipboard.writeText(text);
    button.textContent = word("copied");
  };
  return el("button", { type: "button", onclick: copied, "data-key": key }, word("copy"));
}

export function rejections(state) {
  id("rejections-count").textContent = state.rejections.length ? `(${state.rejections.length})` : "";
  const none = el("li", { class: "hint" }, word("noRejections"));
  const list = state.rejections.map((one) => el("li", { class: "card" },
    el("p", null, el("code", null, one.code), " · ", el("strong", null, one.device || one.topic), " · ", age(one.at)),
    labelled("at", el("code", null, one.path || word("whole"))),
    one.found ? labelled("found", el("code", null, one.found)) : null,
    one.expected ? labelled("expected", one.expected) : null,
    one.cure ? labelled("do", say(one.cure)) : null,
    one.head ? labelled("payload", el("code", null, one.head)) : null));
  fill(id("rejections-list"), list.length ? list : [none]);
}
