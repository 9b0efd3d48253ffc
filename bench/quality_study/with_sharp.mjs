// Encodes what each line of standard input asks for (raw pixels, format, options, where to), and answers with bytes
// and the milliseconds of processor time that encoding took.
import { readFile, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import sharp from "sharp";

sharp.cache(false);
sharp.concurrency(1);

for await (const line of createInterface({ input: process.stdin })) {
  const { pixels, width, height, channels, format, options, to, times } = JSON.parse(line);
  const raw = await readFile(pixels);
  let best = Infinity;
  let body;
  for (let time = 0; time < times; time += 1) {
    const before = process.cpuUsage();
    body = await sharp(raw, { raw: { width, height, channels } }).toFormat(format, options).toBuffer();
    const spent = process.cpuUsage(before);
    best = Math.min(best, (spent.user + spent.system) / 1000);
  }
  await writeFile(to, body);
  console.log(JSON.stringify({ bytes: body.length, cpu: best }));
}
