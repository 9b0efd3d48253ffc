// A placeholder from its thumbhash (https://evanw.github.io/thumbhash/), decoded from the format's description.

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** Return the pixels of a hash: {width, height, rgba}. */
export function pixelsOf(hash) {
  const head = hash[0] | (hash[1] << 8) | (hash[2] << 16), more = hash[3] | (hash[4] << 8);
  const seeThrough = head >> 23, landscape = more >> 15;
  const across = Math.max(3, landscape ? (seeThrough ? 5 : 7) : more & 7);
  const down = Math.max(3, landscape ? more & 7 : (seeThrough ? 5 : 7));
  let at = seeThrough ? 6 : 5, half = 0;
  const channel = (mean, scale, wide, high) => {
    const waves = [];
    for (let y = 0; y < high; y++) {
      for (let x = y ? 0 : 1; x * high < wide * (high - y); x++) {
        waves.push((((hash[at + (half >> 1)] >> ((half++ & 1) << 2)) & 15) / 7.5 - 1) * scale);
      }
    }
    return {mean, wide, high, waves};
  };
  const light = channel((head & 63) / 63, ((head >> 18) & 31) / 31, across, down);
  const yellow = channel(((head >> 6) & 63) / 31.5 - 1, (((more >> 3) & 63) / 63) * 1.25, 3, 3);
  const ruddy = channel(((head >> 12) & 63) / 31.5 - 1, (((more >> 9) & 63) / 63) * 1.25, 3, 3);
  const clear = seeThrough ? channel((hash[5] & 15) / 15, (hash[5] >> 4) / 15, 5, 5) : null;
  const ratio = (landscape ? (seeThrough ? 5 : 7) : more & 7) / (landscape ? more & 7 : (seeThrough ? 5 : 7));
  const width = Math.round(ratio > 1 ? 32 : 32 * ratio), height = Math.round(ratio > 1 ? 32 / ratio : 32);
  const rgba = new Uint8ClampedArray(width * height * 4);
  const value = (part, x, y) => {
    let sum = part.mean, next = 0;
    for (let v = 0; v < part.high; v++) {
      for (let u = v ? 0 : 1; u * part.high < part.wide * (part.high - v); u++) {
        const wave = Math.cos((Math.PI / width) * (x + .5) * u) * Math.cos((Math.PI / height) * (y + .5) * v);
        sum += part.waves[next++] * wave * 2;
      }
    }
    return sum;
  };
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to += 4) {
      const l = value(light, x, y), p = value(yellow, x, y), q = value(ruddy, x, y);
      const blue = l - (2 / 3) * p, red = (3 * l - blue + q) / 2;
      rgba.set([255 * red, 255 * (red - q), 255 * blue, 255 * (clear ? value(clear, x, y) : 1)], to);
    }
  }
  return {width, height, rgba};
}

/** Show the placeholder of every picture under `root` that has not come yet, until it has. */
export function showPlaceholders(root) {
  for (const picture of root.querySelectorAll("img[data-placeholder]")) {
    const hash = picture.dataset.placeholder;
    delete picture.dataset.placeholder;
    if (picture.complete && picture.naturalWidth) continue;
    try {
      const {width, height, rgba} = pixelsOf(bytesOf(hash));
      const canvas = Object.assign(document.createElement("canvas"), {width, height});
      canvas.getContext("2d").putImageData(new ImageData(rgba, width, height), 0, 0);
      picture.style.backgroundImage = `url(${canvas.toDataURL()})`;
      picture.addEventListener("load", () => { picture.style.backgroundImage = ""; }, {once: true});
    } catch {
      // A picture without its placeholder is a picture all the same.
    }
  }
}
