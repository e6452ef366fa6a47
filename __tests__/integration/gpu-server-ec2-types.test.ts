import { readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { GPU_TYPES } from '../../src/schema/gpus.ts';
import { requireCommand, run } from '../helpers/commands.ts';

const GPU = z.object({
  Name: z.string(),
  Manufacturer: z.string().optional(),
  Count: z.number(),
  MemoryInfo: z.object({ SizeInMiB: z.number() }),
});
const TYPES = z.record(
  z.string(),
  z.object({
    BareMetal: z.boolean(),
    VCpuInfo: z.object({ DefaultVCpus: z.number() }),
    MemoryInfo: z.object({ SizeInMiB: z.number() }),
    ProcessorInfo: z.object({ SupportedArchitectures: z.array(z.string()) }),
    GpuInfo: z.object({ Gpus: z.array(GPU) }).optional(),
  }),
);

/** What AWS answers to `describe-instance-types`, of which moto keeps a copy. */
async function awsTypes() {
  requireCommand('moto_server', 'in a Python environment on the PATH “pip install moto[server]”', ['--help']);
  const program = (await run('sh', ['-c', 'command -v moto_server'])).trim();
  const find = 'import moto; print(moto.__path__[0])';
  const folder = (await run(join(realpathSync(program), '../python3'), ['-c', find])).trim();
  const file = join(folder, 'ec2/resources/instance_types.json.gz');
  return Object.entries(TYPES.parse(JSON.parse(gunzipSync(readFileSync(file)).toString()))).flatMap(([type, found]) => {
    const gpu = found.GpuInfo?.Gpus[0];
    return gpu === undefined
      ? []
      : [{ ...found, type, gpu: gpu.Name, maker: gpu.Manufacturer, count: gpu.Count, mib: gpu.MemoryInfo.SizeInMiB }];
  });
}

test('the instance types of each GPU are those of AWS with the fewest of it, the three smallest', async () => {
  const known = (await awsTypes()).filter(
    ({ maker, count, BareMetal, ProcessorInfo: { SupportedArchitectures } }) =>
      maker === 'NVIDIA' && count > 0 && !BareMetal && SupportedArchitectures.includes('x86_64'),
  );
  for (const { type, gpu, count, gb } of GPU_TYPES.ec2) {
    const found = known.find((one) => one.type === type);
    expect({ type, gpu, count }).toEqual({ type: found?.type, gpu: found?.gpu, count: found?.count });
    const mib = found?.mib ?? 0;
    // A maker’s GB lie between 10⁹ and 2³⁰ bytes.
    expect(mib * 2 ** 20).toBeGreaterThan(gb * 1e9 * 0.999);
    expect(mib).toBeLessThanOrEqual(gb * 1024);
    const fewest = Math.min(...known.filter((one) => one.gpu === gpu).map((one) => one.count));
    const smallest = known
      .filter((one) => one.gpu === gpu && one.mib === mib && one.count === fewest)
      .sort(
        (a, b) =>
          a.VCpuInfo.DefaultVCpus - b.VCpuInfo.DefaultVCpus ||
          a.MemoryInfo.SizeInMiB - b.MemoryInfo.SizeInMiB ||
          a.type.localeCompare(b.type),
      )
      .slice(0, 3);
    const listed = GPU_TYPES.ec2.filter((one) => one.gpu === gpu && one.gb === gb);
    expect(listed.map((one) => one.type)).toEqual(smallest.map((one) => one.type));
  }
});

test('those with fewer GPUs come first, and of these those with less memory', () => {
  const order = GPU_TYPES.ec2.map(({ count, gb }) => count * 1000 + gb);
  expect(order).toEqual([...order].sort((a, b) => a - b));
});
