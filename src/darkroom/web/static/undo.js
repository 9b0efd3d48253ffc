// Something that cannot be undone is held back for ten seconds in which it can; leaving the page carries it out at once.

const UNDO_SECONDS = 10;
const toast = document.getElementById("toast"), button = document.getElementById("undo");
let held = null;

/** Hold `send` back, which returns a fetch with `keepalive`; `done` is given its answer, `undone` is called instead. */
export function holdBack({said, send, done, undone}) {
  carryOut();
  document.getElementById("toast-text").textContent = `${said} in ${UNDO_SECONDS} seconds, or when you leave this page.`;
  toast.hidden = false;
  button.focus();
  const timer = setTimeout(async () => done(await carryOut().catch(() => null)), 1000 * UNDO_SECONDS);
  held = {send, undone, timer};
}

function carryOut() {
  const was = letGo();
  return was ? was.send() : null;
}

function letGo() {
  const was = held;
  held = null;
  toast.hidden = true;
  clearTimeout(was?.timer);
  return was;
}

button.addEventListener("click", () => letGo()?.undone());
addEventListener("pagehide", carryOut);
