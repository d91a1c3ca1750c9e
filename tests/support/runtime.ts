import { randomBytes } from 'node:crypto';
import pino, { type Logger } from 'pino';
import type { Clock, Random } from '../../protocol/runtime.ts';

/** The real clock; timers do not keep the tests alive. */
export const realClock: Clock = {
  now: () => Date.now(),
  setTimer(ms, run) {
    const timer = setTimeout(run, ms);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

export const realRandom: Random = { bytes: (length) => randomBytes(length) };

export interface LogLine {
  readonly msg: string;
  readonly level: number;
  readonly [key: string]: unknown;
}

/** A log whose lines a test can read. */
export function recordingLog(lines: LogLine[], level = 'info'): Logger {
  return pino({ level }, { write: (line: string) => lines.push(JSON.parse(line) as LogLine) });
}
