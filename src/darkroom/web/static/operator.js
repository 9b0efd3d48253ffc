// What waits and what failed, looked at again while the page is in sight: soon where work goes on, else seldom.

const SOON = 3000, SELDOM = 30000;
let waiting = 0;

async function look() {
  let page = null;
  try {
    const answer = await fetch("/operator/now", {headers: {accept: "text/html"}});
    if (answer.ok) page = new DOMParser().parseFromString(await answer.text(), "text/html");
  } catch { /* it is looked again */ }
  const queue = page?.getElementById("queue"), failed = page?.getElementById("failed");
  if (queue && failed) {
    document.getElementById("queue").replaceWith(queue);
    const before = document.getElementById("failed");
    // Whoever is about to press one of its buttons keeps it.
    if (!before.contains(document.activeElement) && before.innerHTML !== failed.innerHTML) {
      const more = Number(failed.dataset.count) - Number(before.dataset.count);
      if (more > 0) document.getElementById("announce").textContent = `${more} more failed`;
      before.replaceWith(failed);
    }
  }
  later();
}

function later() {
  clearTimeout(waiting);
  if (document.hidden) return;
  waiting = setTimeout(look, document.querySelector(".busy-queue") ? SOON : SELDOM);
}

document.addEventListener("visibilitychange", () => { if (document.hidden) clearTimeout(waiting); else look(); });
later();
