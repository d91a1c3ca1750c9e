import { randomBytes } from 'node:crypto';
import type { Clock, Random } from '../protocol/runtime.ts';

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimer(ms, run) {
    const timer = setTimeout(run, ms);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

/** The random numbers of the system. */
export const systemRandom: Random = { bytes: (length) => randomBytes(length) };
