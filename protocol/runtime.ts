/**
 * What the outside world gives to code that must not reach for it: time and randomness are parameters
 * everywhere, so that tests can set them. Types only; the real ones are made in `server/`.
 */

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Calls `run` once after `ms` milliseconds. A pending timer does not keep the process alive. */
  setTimer(ms: number, run: () => void): Timer;
}

export interface Random {
  /** `length` bytes from a cryptographically secure source. */
  bytes(length: number): Buffer;
}

/** The places at which the fault suite may kill the process; in production the hook does nothing. */
export type FailPointName = 'event-stored' | 'boundaries-stored' | 'staged' | 'acknowledged' | 'row-deleted';

export type FailPoint = (name: FailPointName) => void;
