/** How a cloud is paid for a machine: `spot` for one that it may take back at any time. */
export type Market = 'on-demand' | 'spot';

/** What may be asked for, the first first. */
export const MARKETS = {
  'on-demand': ['on-demand'],
  spot: ['spot'],
  'spot-then-on-demand': ['spot', 'on-demand'],
} as const satisfies Readonly<Record<string, readonly Market[]>>;
