// One image: what is being processed is shown when it is ready.
import {showPlaceholders} from "./thumbhash.js";

const LOOK_AGAIN = 1500;
const one = document.querySelector(".one");

async function look() {
  const answer = await fetch(location.href).catch(() => null);
  if (answer?.ok) {
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".one");
    if (fresh && fresh.dataset.state !== one.dataset.state) { location.reload(); return; }
  }
  setTimeout(look, LOOK_AGAIN);
}

showPlaceholders(document);
if (["awaiting", "processing"].includes(one.dataset.state)) setTimeout(look, LOOK_AGAIN);
