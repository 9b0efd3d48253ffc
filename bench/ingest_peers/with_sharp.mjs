// sharp: one pipeline for each size, as sharp's documentation shows. See turns.py for how peers are asked.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import sharp from "sharp";

const { photo, format, sides, quality } = JSON.parse(process.argv[2]);
sharp.concurrency(1);
sharp.cache(false);

const options = {
  jpeg: { quality, progressive: false, optimiseCoding: true, chromaSubsampling: "4:2:0" },
  webp: { quality, effort: 4 },
  avif: { quality, effort: 0, chromaSubsampling: "4:2:0", bitdepth: 8 },
}[format];

async function ingest() {
  const bytes = [];
  for (const side of sides) {
    const body = await sharp(photo)
      .autoOrient()
      .resize(side, side, { fit: "inside", withoutEnlargement: true })
      .toFormat(format, options)
      .toBuffer();
    bytes.push(body.length);
  }
  return bytes;
}

console.log(JSON.stringify({ versions: `sharp ${sharp.versions.sharp}, libvips ${sharp.versions.vips}` }));
for await (const _ of createInterface({ input: process.stdin })) {
  const before = process.cpuUsage();
  const start = performance.now();
  const bytes = await ingest();
  const wall = performance.now() - start;
  const { user, system } = process.cpuUsage(before);
  const peak = Number(readFileSync("/proc/self/status", "utf8").match(/VmHWM:\s+(\d+)/)[1]) / 1024;
  console.log(JSON.stringify({ cpu: (user + system) / 1000, wall, peak, bytes }));
}
