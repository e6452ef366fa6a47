/** An instance type of EC2, and what it has. */
export interface GpuType {
  readonly type: string;
  readonly gpu: string;
  readonly count: number;
  /** Of one GPU, in GB, as its maker says. */
  readonly gb: number;
}

/**
 * The types that a training is given by the name of a GPU: x64 machines with NVIDIA GPUs, of each GPU those with the
 * fewest, and of these the three smallest. GPUs with less memory come first, and of one GPU the smaller machine. A test
 * compares each with what AWS says (`describe-instance-types`).
 */
export const GPU_TYPES: readonly GpuType[] = [
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
];

function types(gpu: string, count: number, gb: number, ...names: readonly string[]): GpuType[] {
  return names.map((type) => ({ type, gpu, count, gb }));
}

/** What `gpu` may be. */
export const GPU_FORM = `any or ${[...new Set(GPU_TYPES.map(({ gpu, gb }) => `${gpu} (${gb} GB)`))].join(' or ')}; with more memory, such as “any, at least 24 GB”`;

/** The types that have what is asked for, such as `L4` or `any, at least 16 GB`: with the fewest GPUs, the smallest first. */
export function typesFor(text: string): readonly GpuType[] {
  const [, name = '', gb = '0'] = /^([^,]+?)(?:\s*,\s*at least (\d{1,4}) ?GB)?$/i.exec(text.trim()) ?? [];
  const fitting = GPU_TYPES.filter((type) => ['any', key(type.gpu)].includes(key(name)) && type.gb >= Number(gb));
  const fewest = Math.min(...fitting.map(({ count }) => count));
  return fitting.filter(({ count }) => count === fewest);
}

function key(name: string): string {
  return name.toLowerCase().replaceAll(/nvidia|[\s-]/g, '');
}
