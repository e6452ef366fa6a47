import fsPromises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const { mkdtemp } = fsPromises;

/** A promise that no signal and no handle of the system ends, as that of a stream which forgets to call back. */
const never = new Promise<never>(() => {});

/** Publishes as the action does, but that making the zip never comes to an end; a process of its own, as its end is tested. */
Object.assign(fsPromises, {
  mkdtemp: (prefix: string) => (prefix.includes('download-') ? never : mkdtemp(prefix)),
});
syncBuiltinESMExports();
const { run } = await import('../../src/publish-model/run.ts');
const { PATIENCE } = await import('../../src/publish-model/with-locked-folder.ts');
await run({ ...PATIENCE, sideLimitMs: 250 });
