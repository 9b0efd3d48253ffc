// Several files at once, each with its progress: chosen, dropped with their folders, or pasted.
import {Transfer, interrupted} from "./transfer.js";

const AT_ONCE = 3;
const form = document.getElementById("add"), input = document.getElementById("file"), drop = document.getElementById("drop");
const list = document.getElementById("list"), section = document.getElementById("uploads"), told = document.getElementById("told");
const all = document.getElementById("all"), pauseAll = document.getElementById("pause-all"), hint = document.getElementById("hint");
const announce = document.getElementById("announce"), begin = document.getElementById("begin");
const rows = new Map();
let begun = false, samples = [];

drop.classList.add("with-scripts");
drop.querySelector("label").textContent = "Choose pictures";
input.multiple = true;
input.required = false;
document.getElementById("others").hidden = false;
if (matchMedia("(hover: hover)").matches) hint.textContent += " Or drop files or folders here, or paste.";
const waiting = interrupted();
if (waiting.length) {
  notice(`Interrupted: ${waiting.join(", ")}. Choose the same files again to go on where they stopped.`);
}

function notice(text) {
  drop.querySelector(".notice")?.remove();
  hint.after(Object.assign(document.createElement("p"), {className: "notice", textContent: text}));
}

/** What is a picture by its type, or by its name: browsers do not know the type of every picture. */
const isPicture = ({type, name}) => type.startsWith("image/") || /\.(jpe?g|png|webp|gif|tiff?|avif|hei[cf]|svg)$/i.test(name);

/** The pictures among the files of a folder; in there lie others, too, which nobody has chosen one by one. */
function picturesOf(files) {
  const found = files.filter((file) => !file.name.startsWith(".")), taken = found.filter(isPicture);
  const others = found.length - taken.length;
  if (others) notice(`Left out: ${others === 1 ? "1 file that is" : `${others} files that are`} no picture.`);
  return taken;
}

function add(files) {
  for (const file of files) {
    const row = document.getElementById("one").content.firstElementChild.cloneNode(true);
    const transfer = new Transfer(file, show);
    rows.set(transfer, row);
    row.querySelector("strong").textContent = file.name || "pasted image";
    row.querySelector("progress").setAttribute("aria-label", file.name);
    const preview = row.querySelector("img");
    preview.onload = () => { preview.hidden = false; URL.revokeObjectURL(preview.src); };
    preview.onerror = () => preview.remove();
    preview.src = URL.createObjectURL(file);
    row.addEventListener("click", (event) => act(transfer, event.target.dataset.do));
    list.append(row);
    show(transfer);
  }
  section.hidden = rows.size === 0;
  if (begun) next();
}

function act(transfer, what) {
  if (what === "pause") transfer.pause();
  else if (what === "cancel") transfer.cancel();
  else if (what === "resume") { begun = true; transfer.show("waiting"); }
  else if (what === "retry") { begun = true; transfer.retry(); }
  else return;
  next();
}

function labels() {
  const tags = document.getElementById("tags-of-all").value.split(",").map((tag) => tag.trim()).filter(Boolean);
  const album = document.getElementById("album-of-all").value.trim();
  return {...(tags.length ? {tags} : {}), ...(album ? {album} : {})};
}

function next() {
  const transfers = [...rows.keys()];
  const free = AT_ONCE - transfers.filter((one) => one.isSending).length;
  for (const transfer of transfers.filter((one) => one.state === "waiting").slice(0, Math.max(0, free))) {
    if (!transfer.id) transfer.labels = labels();
    transfer.run().then(next);
  }
}

const size = (count) => (count < 1e6 ? `${Math.round(count / 1e3)} kB` : `${(count / 1e6).toFixed(1)} MB`);
const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.round(seconds) % 60).padStart(2, "0")}`;

function show(transfer) {
  const row = rows.get(transfer);
  if (!row) return;
  const {state, file, sent, said} = transfer;
  row.dataset.state = state;
  const bar = row.querySelector("progress");
  bar.value = ["processing", "ready"].includes(state) ? 1 : file.size ? sent / file.size : 0;
  bar.hidden = ["ready", "failed", "cancelled"].includes(state);
  const progress = state === "sending" ? `${size(sent)} of ${size(file.size)}` : said || size(file.size);
  const text = row.querySelector(".said");
  if (text.textContent !== progress) text.textContent = progress;
  const offered = {
    pause: ["waiting", "sending", "offline"].includes(state) && begun, resume: state === "paused", retry: ["failed", "cancelled"].includes(state),
    cancel: ["waiting", "sending", "offline", "paused"].includes(state), open: state === "ready",
  };
  for (const button of row.querySelectorAll("[data-do]")) button.hidden = !offered[button.dataset.do];
  if (state === "ready") row.querySelector('[data-do="open"]').href = `/images/${transfer.id}`;
  sum();
}

function sum() {
  const transfers = [...rows.keys()].filter((one) => one.state !== "cancelled");
  const total = transfers.reduce((bytes, one) => bytes + one.file.size, 0);
  const sent = transfers.reduce((bytes, one) => bytes + (["processing", "ready"].includes(one.state) ? one.file.size : one.sent), 0);
  const ready = transfers.filter((one) => one.state === "ready").length, failed = transfers.filter((one) => one.state === "failed").length;
  const now = performance.now();
  samples = [...samples.filter(([at]) => now - at < 5000), [now, sent]];
  const [[first, before]] = samples;
  const rate = now - first > 500 ? (1000 * Math.max(0, sent - before)) / (now - first) : 0;
  all.value = total ? sent / total : 0;
  const busy = transfers.some((one) => one.isSending);
  told.textContent = [
    `${ready} of ${transfers.length} ready`, failed ? `${failed} failed` : "", `${size(sent)} of ${size(total)}`,
    busy && rate ? `${size(rate)}/s, ${clock((total - sent) / rate)} left` : "",
  ].filter(Boolean).join(" · ");
  pauseAll.hidden = !transfers.some((one) => one.isSending || one.state === "paused");
  pauseAll.textContent = busy ? "Pause all" : "Go on with all";
  begin.disabled = !transfers.some((one) => one.state === "waiting");
  if (transfers.length && transfers.every((one) => one.isOver)) {
    announce.textContent = `${ready} uploads are ready${failed ? `, ${failed} failed` : ""}`;
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  begun = true;
  for (const transfer of rows.keys()) show(transfer);
  next();
});
pauseAll.addEventListener("click", () => {
  const busy = [...rows.keys()].some((one) => one.isSending);
  for (const one of rows.keys()) {
    if (busy && (one.isSending || one.state === "waiting")) one.pause();
    else if (!busy && one.state === "paused") one.show("waiting");
  }
  next();
});
for (const one of [input, document.getElementById("photo")]) {
  one.addEventListener("change", () => { add(one.files); one.value = ""; });
}
document.getElementById("folder").addEventListener("change", ({target}) => { add(picturesOf([...target.files])); target.value = ""; });
addEventListener("paste", (event) => { if (event.clipboardData?.files.length) add(event.clipboardData.files); });
for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => event.preventDefault());
addEventListener("dragover", () => drop.classList.add("over"));
addEventListener("dragleave", (event) => { if (!event.relatedTarget) drop.classList.remove("over"); });
addEventListener("drop", async (event) => {
  drop.classList.remove("over");
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) { add(event.dataTransfer.files); return; }
  const files = async (some) => (await Promise.all(some.map(filesIn))).flat();
  add([...await files(entries.filter((one) => one.isFile)), ...picturesOf(await files(entries.filter((one) => one.isDirectory)))]);
});
addEventListener("beforeunload", (event) => { if ([...rows.keys()].some((one) => one.isSending)) event.preventDefault(); });

async function filesIn(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  if (entry.name.startsWith(".")) return [];
  const reader = entry.createReader(), found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return (await Promise.all(found.map(filesIn))).flat();
    found.push(...some.filter((one) => !one.name.startsWith(".")));
  }
}
