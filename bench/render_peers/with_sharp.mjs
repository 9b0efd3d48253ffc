// sharp behind nothing but node's http server: GET /FORMAT/QUALITY/FILE fits FILE inside 512×512, in the same format.
import { createServer } from "node:http";
import { join } from "node:path";
import sharp from "sharp";

const [folder, port] = process.argv.slice(2);
sharp.cache(false);

const options = {
  jpeg: (quality) => ({ quality }),
  png: () => ({}),
  webp: (quality) => ({ quality }),
  avif: (quality) => ({ quality, effort: 0, chromaSubsampling: "4:2:0" }),
};

createServer(async (request, response) => {
  const [, format, quality, file] = request.url.split("/");
  if (!file) {
    response.end(`sharp ${sharp.versions.sharp}, libvips ${sharp.versions.vips}, node ${process.versions.node}`);
    return;
  }
  const body = await sharp(join(folder, file))
    .autoOrient()
    .resize(512, 512, { fit: "inside", withoutEnlargement: true })
    .toFormat(format, options[format](Number(quality)))
    .toBuffer();
  response.writeHead(200, { "content-type": `image/${format}`, "content-length": body.length });
  response.end(body);
}).listen(Number(port), "127.0.0.1");
