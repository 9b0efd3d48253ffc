// One image: changed where it stands, its focal point set by pointing, deleted with a while to undo it.
import {call} from "./api.js";
import {offerCopies} from "./copying.js";
import {pointedAt, putDot} from "./pointing.js";
import {showPlaceholders} from "./thumbhash.js";
import {holdBack} from "./undo.js";

const LOOK_AGAIN = 1500;
const one = document.querySelector(".one"), address = `/v1/images/${one.dataset.id}`;
const edit = document.getElementById("edit"), saved = document.getElementById("saved");

showPlaceholders(document);
if (["awaiting", "processing"].includes(one.dataset.state)) setTimeout(look, LOOK_AGAIN);

async function look() {
  const image = await call("GET", address).catch(() => null);
  if (image && image.state !== one.dataset.state) location.reload();
  else setTimeout(look, LOOK_AGAIN);
}

async function change(json) {
  saved.textContent = "saving …";
  try {
    const image = await call("PATCH", address, {json});
    edit.elements.version.value = image.version;
    saved.textContent = "saved";
    return image;
  } catch (error) {
    saved.textContent = error.message;
    return null;
  }
}

function showTags(tags) {
  const list = document.getElementById("tags");
  list.replaceChildren(...tags.map((tag) => {
    const item = document.createElement("li"), label = document.createElement("label"), link = document.createElement("a");
    const box = Object.assign(document.createElement("input"), {type: "checkbox", name: "tag", value: tag, checked: true});
    label.className = "chip";
    label.append(box, ` ${tag}`);
    Object.assign(link, {className: "find", href: `/?tag=${encodeURIComponent(tag)}`, textContent: "›"});
    link.setAttribute("aria-label", `All images with the tag ${tag}`);
    item.append(label, link);
    return item;
  }));
}

document.getElementById("save").hidden = true;
edit.addEventListener("submit", (event) => { event.preventDefault(); more(); });
edit.addEventListener("change", (event) => {
  const {name, value, checked} = event.target;
  if (name === "tag") change(checked ? {add_tags: [value]} : {remove_tags: [value]});
  else if (name === "more") more();
  else change({[name]: value.trim() || null}).then((image) => {
    if (image) document.querySelector("h1").textContent = image.title ?? image.filename;
  });
});

async function more() {
  const input = edit.elements.more, tags = input.value.split(",").map((tag) => tag.trim()).filter(Boolean);
  if (!tags.length) return;
  input.value = "";
  const image = await change({add_tags: tags});
  if (image) showTags(image.tags); else input.value = tags.join(", ");
}

const focus = document.getElementById("focus"), dot = document.getElementById("dot");
if (focus) {
  if (focus.dataset.x) putDot(dot, Number(focus.dataset.x), Number(focus.dataset.y));
  focus.querySelector("input[type=image]").addEventListener("click", async (event) => {
    event.preventDefault();
    const at = pointedAt(event);
    putDot(dot, ...at);
    const image = await change({focus: at});
    if (image && image.state !== one.dataset.state) location.reload();
  });
}

offerCopies(document);

document.getElementById("delete").addEventListener("click", (event) => {
  event.preventDefault();
  one.classList.add("going");
  const token = document.querySelector('meta[name="csrf"]').content;
  holdBack({
    said: "It is deleted",
    send: () => fetch(address, {method: "DELETE", keepalive: true, headers: {"x-csrf-token": token}}),
    done: (answer) => { if (answer?.ok || answer?.status === 404) location.href = "/"; else keepIt("It could not be deleted."); },
    undone: () => keepIt(""),
  });
});
function keepIt(said) {
  one.classList.remove("going");
  saved.textContent = said;
  document.getElementById("delete").focus();
}

const copies = document.getElementById("copies");
if (copies) {
  // Looked for after everything else: in a large library that takes a moment.
  const answer = await fetch(`/images/${one.dataset.id}/similar`).catch(() => null);
  const page = answer?.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
  const found = page?.getElementById("alike");
  if (found && found.dataset.count !== "0") copies.replaceWith(found);
}
