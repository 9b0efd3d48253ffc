// The result while one tries: shown anew shortly after each change, with what it weighs and how long it took.
import {offerCopies} from "./copying.js";
import {pointedAt, putDot} from "./pointing.js";

const PAUSE = 300;
const PICTURES = "image/avif,image/webp,image/*,*/*;q=0.8";
const form = document.getElementById("options"), dot = document.getElementById("dot");
let latest = new AbortController(), waiting = 0, shown = "";

function asked() {
  const given = [...new FormData(form)].filter(([, value]) => value.trim() !== "");
  return new URLSearchParams(given).toString();
}

/** A number of bytes as the pages say it. */
function size(count) {
  if (count < 1000) return `${count} bytes`;
  const [unit, factor] = count < 1e6 ? ["kB", 1e3] : ["MB", 1e6];
  return `${count / factor < 100 ? Number((count / factor).toPrecision(3)) : Math.round(count / factor)} ${unit}`;
}

function say(text, bad = false) {
  const figures = document.getElementById("figures") ?? document.getElementById("problem");
  figures.textContent = text;
  figures.classList.toggle("bad", bad);
}

/** Load the picture of a part of the page, and show it with its figures. The one before stays until it has come. */
async function load(signal) {
  const picture = document.getElementById("picture");
  if (document.getElementById("problem")) return;
  const began = performance.now();
  let answer, body;
  try {
    answer = await fetch(picture.dataset.address, {signal, cache: "reload", credentials: "omit", headers: {accept: PICTURES}});
    body = await answer.blob();
  } catch {
    if (!signal.aborted) say("The service does not answer.", true);
    return;
  }
  const took = Math.round(performance.now() - began);
  if (!answer.ok) {
    let told = null;
    try { told = JSON.parse(await body.text()); } catch { /* the default image */ }
    say(told?.detail ?? `The service answers ${answer.status} in place of a picture.`, true);
    return;
  }
  if (shown) URL.revokeObjectURL(shown);
  shown = URL.createObjectURL(body);
  picture.src = shown;
  try { await picture.decode(); } catch { /* said below */ }
  if (signal.aborted) return;
  if (!picture.naturalWidth) { say("The browser cannot show this.", true); return; }
  picture.width = picture.naturalWidth;
  picture.height = picture.naturalHeight;
  const result = document.getElementById("result"), share = 100 * body.size / Number(result.dataset.original);
  const told = share < 1 ? share.toPrecision(1) : Math.round(share);
  say(`${picture.naturalWidth} × ${picture.naturalHeight}, ${size(body.size)} as ${body.type.replace("image/", "").toUpperCase()} in ${took} ms: ${told} % of the original's bytes`);
  result.dataset.loaded = picture.dataset.address;
}

function mark(problem) {
  for (const field of form.elements) {
    const wrong = problem && field.name && problem.textContent.startsWith(`${field.name} `);
    if (wrong) { field.setAttribute("aria-invalid", "true"); field.setAttribute("aria-describedby", "problem"); }
    else { field.removeAttribute("aria-invalid"); field.removeAttribute("aria-describedby"); }
  }
}

async function show() {
  latest.abort();
  const {signal} = latest = new AbortController(), query = asked();
  history.replaceState(null, "", `${location.pathname}?${query}`);
  let part;
  try {
    const answer = await fetch(`${location.pathname}/result?${query}`, {signal, headers: {accept: "text/html"}});
    if (new URL(answer.url).pathname === "/signin") { location.reload(); return; }
    part = new DOMParser().parseFromString(await answer.text(), "text/html").body;
  } catch {
    if (!signal.aborted) say("The service does not answer.", true);
    return;
  }
  if (!part.querySelector("#result")) { // another page in its place, or a problem of the API's: both say what it is
    say((part.querySelector("#main p") ?? part).textContent.slice(0, 500), true);
    return;
  }
  const picture = part.querySelector("#picture"), before = document.getElementById("picture");
  if (picture) {
    picture.dataset.address = picture.getAttribute("src");
    if (before) picture.src = before.src; else picture.removeAttribute("src");
  }
  const problem = part.querySelector("#problem"), stage = document.querySelector("#result .stage");
  if (problem && stage) { // what was shown last stays in sight while one types on
    problem.after(stage);
    part.querySelector("#result").classList.add("stale");
  }
  for (const id of ["result", "away"]) {
    const fresh = part.querySelector(`#${id}`);
    document.getElementById(id).replaceWith(fresh);
    offerCopies(fresh);
  }
  mark(document.getElementById("problem"));
  await load(signal);
}

function soon() {
  clearTimeout(waiting);
  waiting = setTimeout(show, PAUSE);
}

function showPoint() {
  const target = form.querySelector("input[type=image]");
  const [x, y] = form.elements.gravity.value.split(":").map(Number);
  if (y >= 0) putDot(dot, x, y);
  else if (!form.elements.gravity.value && target?.dataset.x) putDot(dot, Number(target.dataset.x), Number(target.dataset.y));
  else if (dot) dot.hidden = true;
}

document.getElementById("show").hidden = true;
form.addEventListener("input", () => { if (dot) showPoint(); soon(); });
form.addEventListener("submit", (event) => { event.preventDefault(); show(); });
form.querySelector("input[type=image]")?.addEventListener("click", (event) => {
  event.preventDefault();
  form.elements.gravity.value = pointedAt(event).join(":");
  showPoint();
  show();
});
if (dot) showPoint();
show();
