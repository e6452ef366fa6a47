import { setFlagsFromString } from 'node:v8';
import { run } from './run.ts';

// What comes from the network waits in the young part of the heap until V8 collects it, and V8 lets that part grow to a
// multiple of what is needed first. Here it stays small: memory is then flat however much comes.
setFlagsFromString('--semi-space-growth-factor=1');

await run();
