// One file on its way: by a ticket, in parts if it is long; it waits for the connection, and goes on where it stopped.
import {call, here, refusal} from "./api.js";

const FIRST_PAUSE = 1000, LONGEST_PAUSE = 30000;
const PASSING = new Set([408, 429, 503, 507]);
const KEPT = "darkroom-uploads";

const kept = () => { try { return JSON.parse(localStorage.getItem(KEPT)) ?? {}; } catch { return {}; } };
const keep = (all) => { try { localStorage.setItem(KEPT, JSON.stringify(all)); } catch { /* then it cannot be resumed after a reload */ } };
const nameOf = (file) => `${file.name} ${file.size} ${file.lastModified}`;

/** The uploads in parts that stopped before the page was left, by what their files are told apart by. */
export function interrupted() {
  const all = Object.entries(kept()).filter(([, one]) => Date.parse(one.expires_at) > Date.now());
  keep(Object.fromEntries(all));
  return all.map(([name]) => name.split(" ").slice(0, -2).join(" "));
}

const random = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export class Transfer {
  /** `changed` is called whenever there is something new to show. */
  constructor(file, changed) {
    Object.assign(this, {file, changed, state: "waiting", said: "", sent: 0, id: null, labels: {}});
    this.key = random();
    this.stopped = null;
    this.ticket = null;
  }

  get isOver() { return ["ready", "failed", "cancelled"].includes(this.state); }
  get isSending() { return ["sending", "offline"].includes(this.state); }

  show(state, said = "") { this.state = state; this.said = said; this.changed(this); }

  /** Send it, and wait until it is ready. Ends when it is over, or paused. */
  async run() {
    this.stopped = new AbortController();
    const {signal} = this.stopped;
    try {
      this.show("sending");
      await this.patiently(() => this.send(signal), signal);
      this.forget();
      this.show("processing", "is being processed …");
      await this.patiently(() => this.settle(signal), signal);
    } catch (error) {
      if (signal.aborted) return;
      this.show("failed", error.message);
    }
  }

  pause() { this.show("paused", "paused"); this.stopped?.abort(); }

  async cancel() {
    this.show("cancelled", "cancelled");
    this.stopped?.abort();
    this.forget();
    if (this.id) await call("DELETE", `/v1/images/${this.id}`).catch(() => null);
  }

  retry() { Object.assign(this, {key: random(), ticket: null, id: null, sent: 0}); this.show("waiting"); }

  /** Do something again and again while what stands in its way may pass. */
  async patiently(work, signal) {
    for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      try {
        return await work();
      } catch (error) {
        if (signal.aborted) throw error;
        const isLost = error instanceof TypeError;
        if (!isLost && (!PASSING.has(error.status) || error.code === "over-quota")) throw error;
        const [before, said] = [this.state, this.said];
        this.show("offline", isLost ? "waiting for the connection …" : `${error.message} …`);
        await restOrOnline(Math.max(pause, 1000 * (error.retryAfter ?? 0)), signal);
        this.show(before, said);
      }
    }
  }

  async send(signal) {
    this.ticket = await this.opened(signal);
    if (!this.ticket) return; // it was complete
    if (this.ticket.parts) await this.sendParts(signal);
    else await this.put(this.ticket.url, this.ticket.headers, this.file, 0, signal);
  }

  /** The ticket, as it stands now: one that was begun before is asked what is there. */
  async opened(signal) {
    const before = this.ticket?.resume_url ?? kept()[nameOf(this.file)]?.resume_url;
    if (before) {
      try {
        const ticket = await call("GET", before, {signal});
        this.id = ticket.id;
        return ticket;
      } catch (error) {
        if (error.status === 412 && this.id) return null;
        if (![403, 404, 412].includes(error.status)) throw error;
        this.forget();
        this.key = random();
      }
    }
    if (this.ticket && !this.ticket.parts) return this.ticket;
    const said = {filename: this.file.name || "image", bytes: this.file.size, ...this.labels};
    // Browsers do not know what every picture is; then its name, or its first bytes, tell.
    if (/^[\w.+-]+\/[\w.+-]+$/.test(this.file.type)) said.content_type = this.file.type;
    const ticket = await call("POST", "/v1/uploads", {json: said, headers: {"idempotency-key": this.key}, signal});
    this.id = ticket.id;
    if (ticket.resume_url) {
      keep({...kept(), [nameOf(this.file)]: {resume_url: ticket.resume_url, expires_at: ticket.expires_at}});
    }
    return ticket;
  }

  async sendParts(signal) {
    const {part_bytes: size, parts, received} = this.ticket;
    const there = new Set(received);
    const lengthOf = (number) => Math.min(size, this.file.size - (number - 1) * size);
    let done = received.reduce((sum, number) => sum + lengthOf(number), 0);
    for (let number = 1; number <= parts.length; number++) {
      if (there.has(number)) continue;
      const start = (number - 1) * size;
      await this.put(parts[number - 1].url, parts[number - 1].headers, this.file.slice(start, start + size), done, signal);
      done += lengthOf(number);
    }
    await call("POST", this.ticket.complete_url, {signal});
  }

  /** Send bytes, telling how many have gone; `before` of the file were there already. */
  put(url, headers, body, before, signal) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      const stop = () => { request.abort(); reject(new DOMException("stopped", "AbortError")); };
      if (signal.aborted) { stop(); return; }
      signal.addEventListener("abort", stop);
      const end = (settle, value) => { signal.removeEventListener("abort", stop); settle(value); };
      request.open("PUT", here(url));
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      request.upload.onprogress = (event) => { this.sent = before + event.loaded; this.changed(this); };
      request.onerror = () => end(reject, new TypeError("the connection was lost"));
      request.onload = () => {
        if (request.status < 300) { this.sent = before + body.size; this.changed(this); end(resolve); }
        // 412: an earlier try was taken whose answer was lost.
        else if (request.status === 412) end(resolve);
        else end(reject, refusal(request.status, request.responseText, request.getResponseHeader("retry-after")));
      };
      this.sent = before;
      request.send(body);
    });
  }

  async settle(signal) {
    for (let pause = 300; ; pause = Math.min(pause * 1.4, 3000)) {
      const image = await call("GET", `/v1/images/${this.id}`, {signal});
      if (image.state === "ready") { this.show("ready", "ready"); return; }
      if (image.state === "failed") throw new Error(image.error.detail);
      await rest(pause, signal);
    }
  }

  forget() {
    const {[nameOf(this.file)]: _, ...others} = kept();
    keep(others);
  }
}

function rest(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const over = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => { clearTimeout(over); reject(new DOMException("stopped", "AbortError")); }, {once: true});
  });
}

function restOrOnline(milliseconds, signal) {
  const online = new Promise((resolve) => { addEventListener("online", resolve, {once: true}); });
  return Promise.race([rest(milliseconds, signal), online]);
}
