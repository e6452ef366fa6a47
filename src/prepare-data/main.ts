import { setFlagsFromString } from 'node:v8';
import { run } from './run.ts';

// V8 lets a heap grow to a multiple of what is in use before it collects: of a large data set that would be 100 MB, of which
// 30 are needed. Here it collects a little sooner: memory is flat however many images come.
setFlagsFromString('--optimize-for-size');
setFlagsFromString('--semi-space-growth-factor=1');
setFlagsFromString('--heap-growing-percent=10');

await run();
