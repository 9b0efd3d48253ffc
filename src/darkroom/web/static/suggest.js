// Tags and albums for the word that is being typed into the search box, with how many images have them.
import {call} from "./api.js";

const PATIENCE = 150, MOST = 8;
const box = document.getElementById("q"), list = document.getElementById("lines");
let timer = 0, asking = null;

/** What is being typed at the end of a line: the text before it, the kind it names, and what a name is to begin with. */
function typed(line) {
  const found = /(?:^|\s)(?:(tag|album):(?:"([^"\\]*)|([^\s"]*))|([^\s":]+))$/i.exec(line);
  if (!found) return null;
  const [, kind, quoted, plain, word] = found, prefix = quoted ?? plain ?? word;
  // A browser shows suggestions that begin as the line does: of plain words, for the first one.
  if (!kind && word.length !== line.trim().length) return null;
  const length = kind ? kind.length + 1 + prefix.length + (quoted === undefined ? 0 : 1) : prefix.length;
  return {before: line.slice(0, line.length - length), kinds: kind ? [kind.toLowerCase()] : ["tag", "album"], prefix};
}

/** A value as a line has it. */
const written = (name) => (/[\s"]/.test(name) ? `"${name.replace(/[\\"]/g, "\\$&")}"` : name);

async function suggest() {
  asking?.abort();
  asking = new AbortController();
  const {signal} = asking, word = typed(box.value);
  if (!word) { list.replaceChildren(); return; }
  const options = await Promise.all(word.kinds.map(async (kind) => {
    const query = new URLSearchParams({prefix: word.prefix, limit: String(MOST)});
    const {items} = await call("GET", `/v1/${kind}s?${query}`, {signal});
    return items.map(({name, images}) => Object.assign(document.createElement("option"), {
      value: `${word.before}${kind}:${written(name)}`, label: `${word.before}${kind}:${name} (${images})`,
    }));
  })).catch(() => null);
  if (options && !signal.aborted) list.replaceChildren(...options.flat());
}

box.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(suggest, PATIENCE);
});
