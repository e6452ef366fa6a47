import { type Answer, answerOf, tableCsv } from './answer.ts';
import { decodeInBrowser } from './browser-decoder.ts';
import { decodePicture } from './decode.ts';
import { type Dropped, droppedFiles } from './dropped-files.ts';
import { type Model, modelSchema } from './model.ts';
import { type Network, openNetwork } from './network.ts';
import { normalise, square, Unusable } from './prepare-image.ts';
import { countsTable, element, row } from './show.ts';
import { isScaleKnown, sizeFor } from './size.ts';

const PICTURE = /\.(?:bmp|gif|jpe?g|png|tiff?|webp)$/i;

const answers: Answer[] = [];
const waiting: Dropped[] = [];
let network: Network | undefined;
let busy = false;

start().catch((error: unknown) => say(`This page can’t work: ${textOf(error)}`));

async function start(): Promise<void> {
  const found = modelSchema.safeParse(JSON.parse(element('model').textContent ?? 'null'));
  if (!found.success) {
    say('This is the empty page. Training writes one for its model beside model.onnx.');
    return;
  }
  const model = found.data;
  document.title = model.name;
  element('title').textContent = model.name;
  element('classes').textContent = `Tells apart: ${model.classes.join(', ')}.`;
  element('scale').hidden = model.sizeInput !== 'um';
  const megabytes = `${(model.onnx.bytes / 1e6).toFixed(model.onnx.bytes < 1e7 ? 2 : 0)} MB`;
  listen(model);
  if (location.protocol.startsWith('http')) {
    say(`Loading model.onnx, ${megabytes} …`);
    const answer = await fetch('model.onnx').catch(() => undefined);
    if (answer?.ok) await take(new Uint8Array(await answer.arrayBuffer()), model);
  }
  if (!network) say(`First drop model.onnx (${megabytes}) here: it lies in the folder of this page.`);
}

function listen(model: Model): void {
  const receive = (files: readonly Dropped[]) => {
    accept(files, model).catch((error: unknown) => say(`That went wrong: ${textOf(error)}`));
  };
  const chooser = element('chooser', HTMLInputElement);
  chooser.addEventListener('change', () => {
    receive(Array.from(chooser.files ?? [], (file) => ({ name: file.name, file })));
    chooser.value = '';
  });
  document.addEventListener('dragover', (event) => event.preventDefault());
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    if (event.dataTransfer) droppedFiles(event.dataTransfer).then(receive, (error: unknown) => say(textOf(error)));
  });
  element('um-per-pixel').addEventListener('change', () => receive([]));
  element('save', HTMLButtonElement).addEventListener('click', save);
}

/** Takes the model and pictures in whatever order they come. */
async function accept(files: readonly Dropped[], model: Model): Promise<void> {
  const onnx = files.find(({ name }) => name.toLowerCase().endsWith('.onnx'));
  waiting.push(...files.filter(({ name }) => PICTURE.test(name)));
  if (onnx && !network) {
    say('Reading the model …');
    await take(new Uint8Array(await onnx.file.arrayBuffer()), model);
  }
  if (!network) {
    if (!onnx && waiting.length > 0)
      say(`${waiting.length} pictures are waiting: drop model.onnx, too, from the folder of this page.`);
    return;
  }
  if (waiting.length > 0 && !isScaleKnown(model, umPerPixel())) {
    say(`${waiting.length} pictures are waiting: write below how many µm a pixel of them is wide.`);
    return;
  }
  await work(network, model);
}

/** As a person wrote it; NaN where that is not a number. */
function umPerPixel(): number {
  return element('um-per-pixel', HTMLInputElement).valueAsNumber;
}

async function take(onnx: Uint8Array<ArrayBuffer>, model: Model): Promise<void> {
  // Browsers compute sums only where the page comes from the disk or over https.
  const digest = globalThis.isSecureContext ? new Uint8Array(await crypto.subtle.digest('SHA-256', onnx)) : undefined;
  const sha256 = digest && Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  if (onnx.length !== model.onnx.bytes || (sha256 ?? model.onnx.sha256) !== model.onnx.sha256) {
    say('This model.onnx is of another model than this page. Take the one from the same folder.');
    return;
  }
  network = await openNetwork(onnx, await runtime());
  say('Ready: drop pictures, or folders of them.');
}

/** ONNX Runtime, which the page holds packed. */
async function runtime(): Promise<ArrayBuffer> {
  const packed = Uint8Array.from(atob(element('runtime').textContent ?? ''), (character) => character.charCodeAt(0));
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'))).arrayBuffer();
}

async function work(open: Network, model: Model): Promise<void> {
  if (busy || waiting.length === 0) return; // What comes in addition is worked on by the loop below.
  busy = true;
  element('um-per-pixel', HTMLInputElement).disabled = true; // What is waiting was dropped under this scale.
  const began = performance.now();
  const before = answers.length;
  try {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const answer = await classify(open, model, next);
      answers.push(answer);
      element('rows').append(row(answer, next.file));
      say(`${answers.length} of ${answers.length + waiting.length} pictures`);
      // Lets the browser show it.
      await new Promise((resolve) => setTimeout(resolve));
    }
  } finally {
    busy = false;
    element('um-per-pixel', HTMLInputElement).disabled = false;
  }
  const done = answers.length - before;
  const each = (performance.now() - began) / Math.max(1, done);
  element('counts').replaceChildren(countsTable(answers, model));
  element('result').hidden = false;
  say(`Done: ${done} pictures, ${(each / 1000).toFixed(2)} s each. Drop more, or save the table.`);
}

async function classify(open: Network, model: Model, { name, file }: Dropped): Promise<Answer> {
  try {
    const picture = await decodePicture(new Uint8Array(await file.arrayBuffer()), decodeInBrowser);
    const input = normalise(square(picture, model.imageSize));
    const size = sizeFor(model, picture, umPerPixel());
    return answerOf(name, await open(input, model.imageSize, size), model);
  } catch (error) {
    return { file: name, error: error instanceof Unusable ? error.message : `can’t be read (${textOf(error)})` };
  }
}

function save(): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([tableCsv(answers)], { type: 'text/csv' }));
  link.download = 'predicted.csv';
  link.click();
  URL.revokeObjectURL(link.href);
}

function say(text: string): void {
  element('status').textContent = text;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
