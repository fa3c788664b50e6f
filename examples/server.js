// A server that deblurs: npm run build && node examples/server.js [port]
// curl --data-binary @blurred.png localhost:8080 -o restored.png
import { createServer } from 'node:http';
import { decodeImage, defaultModel, encodeImage, loadModel, operators, restore } from 'dsg';

const model = await loadModel(defaultModel);
const operator = operators.gaussianBlur({ size: 9, std: 1.5 });
const mostBytes = 20e6;

/** Restores one image; leaves off between two steps when the signal says so. */
async function deblur(bytes, signal) {
  const { image } = await decodeImage(bytes, 'upload');
  const events = restore([{ name: 'upload', measurement: image, operator }], {
    model,
    method: { name: 'dsg', rate: 0.1, interval: 1 },
    sampler: { name: 'ddim', eta: 1 },
    steps: 20,
    seed: 0,
    signal,
  });
  for await (const event of events) {
    if (event.type === 'result') return encodeImage(event.image, 'png');
    if (event.type === 'failure') throw event.error;
  }
}

async function bodyOf(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > mostBytes) throw new RangeError(`more than ${mostBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

// One image at a time: each uses every core. A busy server would answer 503 beyond some queue.
let last = Promise.resolve();

const server = createServer(async (request, response) => {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  try {
    const bytes = await bodyOf(request);
    const turn = last.then(() => gone.signal.throwIfAborted() ?? deblur(bytes, gone.signal));
    last = turn.catch(() => undefined);
    const restored = await turn;
    response.writeHead(200, { 'content-type': 'image/png' }).end(restored);
  } catch (error) {
    if (gone.signal.aborted) return;
    // A UserError says what is wrong with the upload; anything else is not the client's business.
    const known = error.name === 'UserError' || error instanceof RangeError;
    if (!known) console.error(error);
    response.writeHead(known ? 400 : 500).end(known ? `${error.message}\n` : 'failed\n');
  }
});
server.listen(Number(process.argv[2] ?? 8080), () => {
  console.log(`listening on http://localhost:${server.address().port}`);
});
