// The API, as a page of this service calls it.

const base = document.documentElement.dataset.base;
const token = document.querySelector('meta[name="csrf"]').content;

/** What the service refuses, in its own words. */
export class Refused extends Error {
  constructor(status, code, detail, retryAfter) {
    super(detail);
    Object.assign(this, {status, code, retryAfter});
  }
}

/** An address of this service from where the page is: the service may have several names. */
export const here = (url) => (url.startsWith(`${base}/`) ? url.slice(base.length) : url);

export function refusal(status, text, retryAfter) {
  let told = {};
  try { told = JSON.parse(text); } catch { /* an answer of something in between */ }
  return new Refused(status, told.code ?? `http-${status}`, told.detail ?? `the server answered ${status}`, Number(retryAfter) || 0);
}

/** Call the API; the answer's JSON, or nothing for 204. */
export async function call(method, url, {json, headers = {}, signal} = {}) {
  const body = json === undefined ? undefined : JSON.stringify(json);
  const type = body === undefined ? {} : {"content-type": "application/json"};
  const answer = await fetch(here(url), {
    method, body, signal, headers: {"x-csrf-token": token, ...type, ...headers},
  });
  const text = await answer.text();
  if (!answer.ok) throw refusal(answer.status, text, answer.headers.get("retry-after"));
  return text ? JSON.parse(text) : null;
}
