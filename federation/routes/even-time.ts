import type { Clock } from '../../protocol/runtime.ts';

/** Answers that must not tell by their time what was found leave at multiples of this after the question. */
const stepMs = 50;

/** Resolves at the next multiple of 50 ms after `started` (milliseconds since the epoch). */
export function atEvenTime(clock: Clock, started: number): Promise<void> {
  const taken = Math.max(0, clock.now() - started);
  return new Promise((resolve) => {
    clock.setTimer(stepMs - (taken % stepMs), resolve);
  });
}
