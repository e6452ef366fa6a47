import { setFlagsFromString } from 'node:v8';
import { run } from './run.ts';

// What comes from the network, and what a plan of many images leaves behind, waits in the heap until V8 collects it, and V8
// lets a heap grow to a multiple of what is needed first. Here it collects sooner: memory then stays flat however much
// comes, for some of the processor's time.
setFlagsFromString('--semi-space-growth-factor=1');
setFlagsFromString('--optimize-for-size');

await run();
