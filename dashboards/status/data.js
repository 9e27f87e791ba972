// What the page knows, and how it stays up to date: it asks now and then, and at once when an
// event says that something happened.

import { setClock } from "/dom.js";

export const state = {
  own: null, stations: null, alerts: null, rejections: null, unknown: null,
  /** When the daemon last answered, by this clock; 0 before the first time. */
  contact: 0,
  /** By source: why its last question had no answer. */
  errors: {},
};

const EVERY = 10_000;
let changed = () => {};
let events = null;
let retry = 1000;

async function ask(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(15_000), cache: "no-cache" });
  const date = Date.parse(answer.headers.get("date") ?? "");
  if (Number.isFinite(date)) setClock(date);
  return { status: answer.status, body: await answer.json() };
}

/** A list of the API; throws what the API said when it has no answer. */
export async function get(path) {
  const { status, body } = await ask(path);
  if (status !== 200) throw new Error(body.error?.says ?? `HTTP ${status}`);
  state.contact = Date.now();
  return body;
}

const SOURCES = {
  own: async () => { state.own = (await ask("/readyz")).body; state.contact = Date.now(); },
  alerts: async () => { state.alerts = await get("/api/v1/alerts?state=open&limit=500"); },
  stations: async () => { state.stations = await get("/api/v1/stations"); },
  rejections: async () => { state.rejections = await get("/api/v1/rejections?limit=50"); },
  unknown: async () => { state.unknown = await get("/api/v1/devices/unknown"); },
};

const busy = new Set();

/** Asks for some of the sources again; one that is being asked for already is not asked twice. */
async function refresh(names) {
  const asked = names.filter((name) => !busy.has(name)).map(async (name) => {
    busy.add(name);
    try {
      await SOURCES[name]();
      delete state.errors[name];
    } catch (error) {
      state.errors[name] = String(error.message ?? error);
    } finally {
      busy.delete(name);
    }
    changed(name);
  });
  await Promise.all(asked);
}

/** Calls `ask` once, soon, however often it is wanted meanwhile. */
export function soon(ask, delay) {
  let waiting = null;
  return () => { waiting ??= setTimeout(() => { waiting = null; ask(); }, delay); };
}

const alertsSoon = soon(() => refresh(["alerts", "stations"]), 300);
const rejectionsSoon = soon(() => refresh(["rejections", "unknown"]), 2000);

function listen() {
  events?.close();
  events = new EventSource("/api/v1/events?kinds=alert,rejection");
  events.onopen = () => { retry = 1000; state.contact = Date.now(); };
  events.addEventListener("alert", alertsSoon);
  events.addEventListener("rejection", rejectionsSoon);
  events.addEventListener("missed", () => { alertsSoon(); rejectionsSoon(); });
  // The browser tries again by itself unless the daemon refused; then we do, more and more seldom.
  events.onerror = () => {
    if (events.readyState !== EventSource.CLOSED) return;
    setTimeout(listen, retry);
    retry = Math.min(retry * 2, 30_000);
  };
}

function everything() {
  return refresh(Object.keys(SOURCES));
}

/** Keeps `state` up to date for as long as the page is looked at. */
export function start(whenChanged) {
  changed = whenChanged;
  let timer = null;
  const wake = () => {
    everything();
    listen();
    timer ??= setInterval(everything, EVERY);
  };
  const rest = () => { events?.close(); clearInterval(timer); timer = null; };
  document.addEventListener("visibilitychange", () => (document.hidden ? rest() : wake()));
  window.addEventListener("online", wake);
  wake();
}
