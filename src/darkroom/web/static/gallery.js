// The gallery goes on by itself, and shows what is being processed when it is ready.
import {showPlaceholders} from "./thumbhash.js";

const LOOK_AGAIN = 2000, LONGEST = 30000;
const tiles = document.getElementById("tiles");

async function pageAt(url) {
  const answer = await fetch(url, {headers: {accept: "text/html"}});
  if (!answer.ok) throw new Error(String(answer.status));
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

function goOn() {
  const link = document.getElementById("following");
  if (!link) return;
  const watcher = new IntersectionObserver(async (seen) => {
    if (!seen.some((one) => one.isIntersecting)) return;
    watcher.disconnect();
    try {
      const page = await pageAt(link.href);
      const items = [...page.querySelectorAll("#tiles > li")];
      const known = new Set([...tiles.children].map((tile) => tile.dataset.id));
      tiles.append(...items.filter((tile) => !known.has(tile.dataset.id)));
      const next = page.getElementById("following");
      if (next) link.href = next.href; else link.parentElement.remove();
      document.getElementById("announce").textContent = `${tiles.children.length} images are shown`;
      showPlaceholders(tiles);
      if (next) goOn();
      watch();
    } catch {
      // The link stays, for whoever follows it.
    }
  }, {rootMargin: "1200px"});
  watcher.observe(link);
}

let watching = 0;
function watch(pause = LOOK_AGAIN) {
  clearTimeout(watching);
  const busy = [...document.querySelectorAll('.tile[data-state="processing"]')];
  if (!busy.length) return;
  watching = setTimeout(async () => {
    let changed = false;
    for (const tile of busy) {
      const answer = await fetch(`/images/${tile.dataset.id}/tile`).catch(() => null);
      if (answer?.status === 404) { tile.remove(); changed = true; continue; }
      if (!answer?.ok) continue;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("li");
      if (!fresh || fresh.dataset.state === tile.dataset.state) continue;
      fresh.querySelector(".tick").checked = tile.querySelector(".tick").checked;
      const hadFocus = tile.contains(document.activeElement);
      tile.replaceWith(fresh);
      if (hadFocus) fresh.querySelector("a").focus();
      changed = true;
    }
    if (changed) showPlaceholders(document);
    watch(changed ? LOOK_AGAIN : Math.min(LONGEST, pause * 1.5));
  }, pause);
}

// A colour is chosen from all there are, where a browser can show them.
const color = document.querySelector(".panel input[name=color]");
const picker = Object.assign(document.createElement("input"), {type: "color", value: `#${color.value.replace("#", "") || "888888"}`});
picker.setAttribute("aria-label", "Choose a colour");
picker.addEventListener("input", () => { color.value = picker.value.slice(1); });
color.after(picker);

showPlaceholders(document);
goOn();
watch();
