import { run } from './run.ts';

await run();
// A program that was left to itself, or GitHub that does not answer, would keep this process alive.
process.exit();
