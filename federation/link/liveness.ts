import type { Clock, Timer } from '../../protocol/runtime.ts';
import type { LinkLimits } from './limits.ts';

/** Pings a link on which we sent nothing for a while, and says when nothing was received for too long. */
export class Liveness {
  readonly #deps: LivenessDeps;
  #lastReceived: number;
  #pingTimer: Timer | undefined;
  #deadTimer: Timer | undefined;
  #isStopped = false;

  constructor(deps: LivenessDeps) {
    this.#deps = deps;
    this.#lastReceived = deps.clock.now();
    this.#watchSending(deps.limits.pingAfterMs);
    this.#watchReceiving(deps.limits.deadAfterMs);
  }

  received(): void {
    this.#lastReceived = this.#deps.clock.now();
  }

  stop(): void {
    this.#isStopped = true;
    this.#pingTimer?.cancel();
    this.#deadTimer?.cancel();
  }

  #watchSending(ms: number): void {
    const { clock, limits, lastSent, ping } = this.#deps;
    this.#pingTimer = clock.setTimer(ms, () => {
      if (this.#isStopped) return;
      const rest = limits.pingAfterMs - (clock.now() - lastSent());
      if (rest <= 0) ping();
      this.#watchSending(rest > 0 ? rest : limits.pingAfterMs);
    });
  }

  #watchReceiving(ms: number): void {
    const { clock, limits, dead } = this.#deps;
    this.#deadTimer = clock.setTimer(ms, () => {
      if (this.#isStopped) return;
      const rest = limits.deadAfterMs - (clock.now() - this.#lastReceived);
      if (rest <= 0) dead();
      else this.#watchReceiving(rest);
    });
  }
}

interface LivenessDeps {
  readonly clock: Clock;
  readonly limits: LinkLimits;
  /** When we last sent something. */
  lastSent(): number;
  ping(): void;
  dead(): void;
}
