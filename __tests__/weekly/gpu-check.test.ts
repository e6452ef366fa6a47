import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { baseImage } from '../helpers/base-image.ts';
import { run } from '../helpers/commands.ts';
import { startDocker } from '../helpers/docker.ts';

const ROOT = join(import.meta.dirname, '..', '..');

const figures = z.object({
  device: z.literal('cpu'),
  network_images_per_second: z.number().positive(),
  pictures_images_per_second: z.number().positive(),
  training_images_per_second: z.number().positive(),
  waits_for_pictures: z.number().min(0).max(1),
  peak_gpu_bytes: z.null(),
  peak_host_bytes: z.number().positive(),
});

test('scripts/gpu-check trains, stops, goes on, tests and measures, and says when there is no GPU', async () => {
  const docker = await startDocker();
  try {
    const mounts = ['scripts', 'templates'].flatMap((name) => ['--volume', `${join(ROOT, name)}:/check/${name}:ro`]);
    const environment = ['HOME=/tmp', 'MPLCONFIGDIR=/tmp/matplotlib', 'IMAGE_SIZE=32'].flatMap((entry) => [
      '--env',
      entry,
    ]);
    const printed = await run('docker', [
      ...['run', '--rm', '--network=none', '--user=1000:1000', '--shm-size=512m'],
      ...[...mounts, ...environment],
      ...[await baseImage(), 'python3', '/check/scripts/gpu-check'],
    ]);
    expect(printed).toMatch(/^CPU: no GPU is used here/);
    expect(printed.match(/^ok {4}/gm)).toHaveLength(3);
    figures.parse(JSON.parse(/^\{.*\}$/m.exec(printed)?.[0] ?? ''));
    expect(printed).toMatch(/All passed in \d+ s\.\n$/);
  } finally {
    await docker.close();
  }
});
