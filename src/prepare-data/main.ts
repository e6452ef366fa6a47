import { setFlagsFromString } from 'node:v8';
import { run } from './run.ts';

// What comes from the network, and what a plan of many images leaves behind, waits in the heap until V8 collects it. It
// does that late unless it is told to save memory; with the heavy work in threads, the time for it is not missed.
setFlagsFromString('--optimize-for-size');
setFlagsFromString('--semi-space-growth-factor=1');

await run();
