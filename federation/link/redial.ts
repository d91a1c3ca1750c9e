import type { Clock, Random, Timer } from '../../protocol/runtime.ts';
import type { LinkLimits } from './limits.ts';

/** `alarm`: the other end is not who it should be. `soon`: an ordinary failure, with what it asked for. */
export type DialFailure =
  | { readonly kind: 'alarm' }
  | { readonly kind: 'soon'; readonly retryAfterMs?: number | undefined };

export interface RedialDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: LinkLimits;
  /** Whether a link is wanted that we would have to dial. */
  isWanted(): boolean;
  /** One attempt: resolves to undefined when there is a link. Never rejects. */
  attempt(number: number, signal: AbortSignal): Promise<DialFailure | undefined>;
}

/**
 * When to dial one partner: full jitter under 1 s, doubling to 60 s; 10 minutes when the wrong one answered;
 * Retry-After is obeyed; `now()` ends every wait (island-link §2, Reconnect).
 */
export class Redial {
  readonly #deps: RedialDeps;
  #attempts = 0;
  #failures = 0;
  #timer: Timer | undefined;
  #running: AbortController | undefined;

  constructor(deps: RedialDeps) {
    this.#deps = deps;
  }

  get isDialling(): boolean {
    return this.#running !== undefined;
  }

  /** Dials at once if a link is wanted, and forgets earlier failures. */
  now(): void {
    this.#failures = 0;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#dial();
  }

  /** Dials after a short random wait, unless that is under way. */
  soon(): void {
    if (this.#timer === undefined && this.#running === undefined && this.#deps.isWanted())
      this.#wait(this.#jitter());
  }

  /** There is a link: the next loss starts from one second again. */
  succeeded(): void {
    this.#failures = 0;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#running?.abort();
  }

  #dial(): void {
    if (this.#running !== undefined || !this.#deps.isWanted()) return;
    const running = new AbortController();
    this.#running = running;
    this.#attempts += 1;
    this.#deps.attempt(this.#attempts, running.signal).then((failure) => {
      this.#running = undefined;
      if (running.signal.aborted || !this.#deps.isWanted()) return;
      if (failure === undefined) this.soon();
      else if (failure.kind === 'alarm') this.#wait(this.#deps.limits.alarmRetryMs);
      else {
        const delay = this.#jitter();
        this.#failures += 1;
        this.#wait(Math.max(delay, failure.retryAfterMs ?? 0));
      }
    });
  }

  #wait(ms: number): void {
    this.#timer?.cancel();
    this.#timer = this.#deps.clock.setTimer(ms, () => {
      this.#timer = undefined;
      this.#dial();
    });
  }

  #jitter(): number {
    const { random, limits } = this.#deps;
    const ceiling = Math.min(limits.firstRetryMs * 2 ** Math.min(this.#failures, 16), limits.maxRetryMs);
    return Math.floor((random.bytes(4).readUInt32BE() / 2 ** 32) * ceiling);
  }
}
