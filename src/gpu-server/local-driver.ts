import type { Driver } from './driver.ts';

/** A machine that is always on, with a runner: there is nothing to start, to stop or to pay by the hour. */
export function openLocal(): Driver {
  return {
    description: 'a machine that is always on',
    makesRunner: false,
    isForOne: false,
    deadMansSwitch: 'nothing has to end it: it is always on',
    byHand: 'switch it off, if that is what you want',
    whereToLook: 'nothing',
    isAlwaysOn: true,
    start: async () => {},
    status: async () => ({
      state: 'running',
      detail: 'always on',
      runningSince: undefined,
      lastLines: async () => '',
    }),
    stop: async () => {},
    list: async () => [],
    close: async () => {},
  };
}
