// Pointing into a picture: where, from 0 to 1 of its width and its height, and a dot that shows it.

/** Return where a click on a picture was; by key it is the middle. */
export function pointedAt(event) {
  if (event.detail === 0) return [.5, .5];
  const box = event.target.getBoundingClientRect();
  const share = (at, from, whole) => Math.round(10000 * Math.min(1, Math.max(0, (at - from) / whole))) / 10000;
  return [share(event.clientX, box.left, box.width), share(event.clientY, box.top, box.height)];
}

export function putDot(dot, x, y) {
  dot.style.left = `${100 * x}%`;
  dot.style.top = `${100 * y}%`;
  dot.hidden = false;
}
