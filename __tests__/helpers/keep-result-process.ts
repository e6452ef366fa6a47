import { createHttpClient } from '../../src/http/client.ts';
import { readInputs } from '../../src/train-model/inputs.ts';
import { keepResult } from '../../src/train-model/keep-result.ts';

/** Stores what is in the output folder, as the action does at its end: a process of its own, so that it can be killed. */
const kept = await keepResult(readInputs(process.env), {
  http: createHttpClient(),
  env: process.env,
  signal: new AbortController().signal,
  onWarning: (message) => void process.stdout.write(`${message}\n`),
});
process.stdout.write(`${JSON.stringify(kept)}\n`);
