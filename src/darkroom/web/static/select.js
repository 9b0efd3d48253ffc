// A selection of images: by clicks, ranges and keys; and what is done to all of it.
import {call} from "./api.js";
import {follow, images, told} from "./jobs.js";
import {holdBack} from "./undo.js";

const byId = (id) => document.getElementById(id);
const tiles = byId("tiles"), form = byId("selection"), mode = byId("selecting"), all = byId("all");
const count = byId("count"), work = byId("work"), said = byId("said"), bar = work?.querySelector("progress");

const list = () => [...tiles.children];
const tick = (tile) => tile.querySelector(".tick");
const link = (tile) => tile.querySelector("a");
const ticked = () => list().filter((tile) => tick(tile).checked);
const isSelecting = () => mode.checked || all.checked || ticked().length > 0;
const isText = (element) => element.matches("input:not([type=checkbox]), textarea, select");

// ------------------------------------------------------------------ what is selected

let anchor = null, base = new Set();

function update() {
  const some = ticked();
  count.textContent = all.checked ? "All selected" : some.length ? `${some.length} selected` : "Nothing selected";
  for (const button of form.querySelectorAll("button[name=act]")) button.disabled = !(some.length || all.checked);
  // Whoever walks by the tab key meets pictures only, until some are selected.
  for (const tile of list()) tick(tile).tabIndex = isSelecting() ? 0 : -1;
}

function setAnchor(tile) {
  anchor = tile;
  base = new Set(ticked());
}

/** Select what is between the anchor and a tile, and nothing more than was there when the anchor was set. */
function extendTo(tile) {
  const every = list(), [from, to] = [every.indexOf(anchor), every.indexOf(tile)].sort((a, b) => a - b);
  every.forEach((one, at) => { tick(one).checked = base.has(one) || (at >= from && at <= to); });
  all.checked = false;
  update();
}

function toggle(tile, isOn = !tick(tile).checked) {
  all.checked = false;
  tick(tile).checked = isOn;
  setAnchor(tile);
  update();
}

function clear() {
  form.reset();
  mode.checked = false;
  anchor = null;
  update();
}

function clicked(event) {
  const tile = event.target.closest(".tile");
  if (!tile) return;
  const isTick = event.target === tick(tile);
  const isRange = event.shiftKey && anchor?.isConnected;
  if (!isTick && (!isSelecting() || event.ctrlKey || event.metaKey)) return; // opens the image
  if (!isTick) event.preventDefault();
  if (isRange) extendTo(tile);
  else toggle(tile, isTick ? event.target.checked : undefined);
}

// ------------------------------------------------------------------ by keys

/** The tile in the row above or below that is nearest to the middle of one. */
function beside(tile, isDown) {
  const box = tile.getBoundingClientRect(), middle = box.left + box.width / 2;
  let row = null, best = null, nearest = Infinity;
  for (const one of isDown ? list() : list().reverse()) {
    const other = one.getBoundingClientRect();
    if (isDown ? other.top <= box.top + 1 : other.top >= box.top - 1) continue;
    row ??= other.top;
    if (Math.abs(other.top - row) > 1) break;
    const far = Math.abs(other.left + other.width / 2 - middle);
    if (far < nearest) [nearest, best] = [far, one];
  }
  return best;
}

function pressed(event) {
  const tile = event.target.closest(".tile"), every = list(), at = every.indexOf(tile);
  if (event.key === " " && event.target === link(tile)) {
    event.preventDefault();
    toggle(tile);
    return;
  }
  const to = {
    ArrowRight: () => every[at + 1], ArrowLeft: () => every[at - 1], ArrowDown: () => beside(tile, true), ArrowUp: () => beside(tile, false),
    Home: () => every[0], End: () => every.at(-1),
  }[event.key]?.();
  if (!to || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  link(to).focus();
  if (!event.shiftKey) return;
  if (!anchor?.isConnected) setAnchor(tile);
  extendTo(to);
}

function pressedAnywhere(event) {
  if (isText(event.target) || byId("sure").open) return;
  if (event.key === "Escape" && isSelecting()) clear();
  if (event.key.toLowerCase() === "a" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey) {
    event.preventDefault();
    for (const tile of list()) tick(tile).checked = true;
    update();
  }
}

// ------------------------------------------------------------------ what is done to it

/** Which images are meant, as the API takes it. */
const meant = () => (all.checked ? {search: form.elements.search.value} : {ids: ticked().map((tile) => tile.dataset.id)});

function wish(act) {
  const tags = form.elements.tags.value.split(",").map((tag) => tag.trim()).filter(Boolean), album = form.elements.album.value.trim();
  if (!act && Boolean(tags.length) !== Boolean(album)) act = tags.length ? "add_tags" : "set_album"; // the enter key
  if (act === "add_tags" || act === "remove_tags") return {action: act, tags};
  if (act === "set_album") return {action: act, album: album || null};
  return {action: act};
}

/** While something is done nothing else is begun; it can be stopped. */
function setInert(isInert) {
  for (const part of form.querySelectorAll(".which, .deeds")) part.inert = isInert;
}

function show(words, {link: address = null, isBusy = false} = {}) {
  work.hidden = false;
  said.textContent = words;
  bar.hidden = !isBusy;
  byId("work-link").hidden = !address;
  if (address) byId("work-link").href = address;
  byId("stop").hidden = !isBusy;
}

async function have(json) {
  let job = await call("POST", "/v1/bulk", {json});
  show(told(job), {link: json.dry_run ? null : `/jobs/${job.id}`, isBusy: true});
  byId("stop").onclick = () => call("DELETE", `/v1/jobs/${job.id}`).catch(() => null);
  job = await follow(job, bar, said);
  show(told(job), {link: json.dry_run || !job.failed ? null : `/jobs/${job.id}`});
  return job;
}

async function asked(event) {
  event.preventDefault();
  const wanted = wish(event.submitter?.value), which = meant();
  if (wanted.tags && !wanted.tags.length) { show("Say which tags, separated by commas."); form.elements.tags.focus(); return; }
  if (!wanted.action) { show("Say what to do: by one of the buttons."); return; }
  work.hidden = true;
  said.textContent = "";
  setInert(true);
  try {
    if (wanted.action === "delete") await remove(which);
    else await have({...wanted, ...which});
  } catch (error) {
    show(error.message);
  }
  setInert(false);
}

async function remove(which) {
  const counted = await have({action: "delete", dry_run: true, ...which});
  if (counted.state !== "done" || !counted.matched) return;
  work.hidden = true;
  if (which.search && !(await isSure(counted.matched))) return;
  const going = which.search ? list() : ticked();
  for (const tile of going) tile.classList.add("going");
  holdBack({
    said: `${images(counted.matched)} will be deleted`,
    send: () => fetch("/v1/bulk", {
      method: "POST", keepalive: true, body: JSON.stringify({action: "delete", ...which}),
      headers: {"content-type": "application/json", "x-csrf-token": document.querySelector('meta[name="csrf"]').content},
    }),
    done: async (answer) => {
      const job = answer?.ok ? await answer.json() : null;
      if (job) await gone(job, going);
      else { stay(going); show("They could not be deleted."); }
    },
    undone: () => { stay(going); link(going[0])?.focus(); },
  });
}

const stay = (going) => { for (const tile of going) tile.classList.remove("going"); };

async function gone(job, going) {
  show(told(job), {link: `/jobs/${job.id}`, isBusy: true});
  const over = await follow(job, bar, said).catch((error) => ({state: "failed", failed: 0, errors: [], error: {detail: error.message}}));
  const left = new Set(over.errors.map((one) => one.id));
  if (over.state !== "done" || over.failed > left.size || going.length < over.done) { location.reload(); return; }
  for (const tile of going) if (!left.has(tile.dataset.id)) tile.remove();
  stay(going);
  show(told(over), {link: over.failed ? `/jobs/${job.id}` : null});
  byId("announce").textContent = told(over);
  clear();
  (tiles.querySelector("a") ?? byId("main")).focus();
}

function isSure(matched) {
  const dialog = byId("sure");
  byId("sure-text").textContent = `Delete ${images(matched)}? They and everything made of them go for good.`;
  byId("sure-yes").textContent = `Delete ${images(matched)}`;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => { dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), {once: true}); });
}

if (tiles) {
  tiles.addEventListener("click", clicked);
  tiles.addEventListener("keydown", pressed);
  document.addEventListener("keydown", pressedAnywhere);
  form.addEventListener("submit", asked);
  form.addEventListener("reset", () => { mode.checked = false; setTimeout(update); });
  form.addEventListener("input", () => { work.hidden = true; });
  for (const box of [mode, all]) box.addEventListener("change", update);
  new MutationObserver(update).observe(tiles, {childList: true});
  update();
}
