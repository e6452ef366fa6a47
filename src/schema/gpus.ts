/** A machine that a cloud gives, and what it has. */
export interface GpuType {
  /** The cloud’s name for it; a GPU that is added to it comes after a “+”. */
  readonly type: string;
  readonly gpu: string;
  readonly count: number;
  /** Of one GPU, in GB, as its maker says. */
  readonly gb: number;
}

/**
 * The types that a training is given by the name of a GPU: x64 machines with NVIDIA GPUs, of each GPU those with the
 * fewest, and of these the three smallest. GPUs with less memory come first, and of one GPU the smaller machine.
 */
export const GPU_TYPES = {
  /** A test compares each with what AWS says (`describe-instance-types`). */
  ec2: [
    ...types('T4', 1, 16, 'g4dn.xlarge', 'g4dn.2xlarge', 'g4dn.4xlarge'),
    ...types('L4', 1, 24, 'g6.xlarge', 'g6.2xlarge', 'g6.4xlarge'),
    ...types('A10G', 1, 24, 'g5.xlarge', 'g5.2xlarge', 'g5.4xlarge'),
    ...types('RTX PRO 4500', 1, 32, 'g7.2xlarge', 'g7.4xlarge', 'g7.8xlarge'),
    ...types('L40S', 1, 48, 'g6e.xlarge', 'g6e.2xlarge', 'g6e.4xlarge'),
    ...types('H100', 1, 80, 'p5.4xlarge'),
    ...types('RTX PRO Server 6000', 1, 96, 'g7e.2xlarge', 'g7e.4xlarge', 'g7e.8xlarge'),
    ...types('A100', 8, 40, 'p4d.24xlarge'),
    ...types('A100', 8, 80, 'p4de.24xlarge'),
    ...types('H200', 8, 141, 'p5e.48xlarge', 'p5en.48xlarge'),
  ],
  /** By Compute Engine’s pages “GPU machine types” and “Accelerator-optimized machine family”; nobody could ask it. */
  gce: [
    ...types('T4', 1, 16, ...['n1-standard-4', 'n1-standard-8', 'n1-standard-16'].map((n1) => `${n1}+nvidia-tesla-t4`)),
    ...types('L4', 1, 24, 'g2-standard-4', 'g2-standard-8', 'g2-standard-12'),
    ...types('A100', 1, 40, 'a2-highgpu-1g'),
    ...types('A100', 1, 80, 'a2-ultragpu-1g'),
    ...types('H100', 1, 80, 'a3-highgpu-1g'),
  ],
} as const satisfies Readonly<Record<string, readonly GpuType[]>>;

/** A cloud whose machines are chosen by their GPU. */
export type GpuCloud = keyof typeof GPU_TYPES;

function types(gpu: string, count: number, gb: number, ...names: readonly string[]): GpuType[] {
  return names.map((type) => ({ type, gpu, count, gb }));
}

/** Whether machines of this driver are chosen by their GPU. */
export function isGpuCloud(driver: string): driver is GpuCloud {
  return Object.hasOwn(GPU_TYPES, driver);
}

/** What `gpu` may be: in one cloud, or in any. */
export function gpuForm(...clouds: readonly GpuCloud[]): string {
  const all = clouds.flatMap((cloud) => GPU_TYPES[cloud]).sort((one, two) => one.gb - two.gb);
  return `any or ${[...new Set(all.map(({ gpu, gb }) => `${gpu} (${gb} GB)`))].join(' or ')}; with more memory, such as “any, at least 24 GB”`;
}

/** The types that have what is asked for, such as `L4` or `any, at least 16 GB`: with the fewest GPUs, the smallest first. */
export function typesFor(text: string, cloud: GpuCloud): readonly GpuType[] {
  const [, name = '', gb = '0'] = /^([^,]+?)(?:\s*,\s*at least (\d{1,4}) ?GB)?$/i.exec(text.trim()) ?? [];
  const fitting = GPU_TYPES[cloud].filter(
    (type) => ['any', key(type.gpu)].includes(key(name)) && type.gb >= Number(gb),
  );
  const fewest = Math.min(...fitting.map(({ count }) => count));
  return fitting.filter(({ count }) => count === fewest);
}

function key(name: string): string {
  return name.toLowerCase().replaceAll(/nvidia|[\s-]/g, '');
}
