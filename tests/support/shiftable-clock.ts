import type { Clock, Timer } from '../../protocol/runtime.ts';

interface Pending {
  due: number;
  readonly run: () => void;
  handle: NodeJS.Timeout;
}

/** The real clock, which a test can put forward: long waits then end at once. */
export class ShiftableClock implements Clock {
  #ahead = 0;
  readonly #pending = new Set<Pending>();

  now(): number {
    return Date.now() + this.#ahead;
  }

  setTimer(ms: number, run: () => void): Timer {
    const due = this.now() + Math.max(0, ms);
    const timer: Pending = { due, run, handle: this.#arm(due, () => this.#fire(timer)) };
    this.#pending.add(timer);
    return {
      cancel: () => {
        clearTimeout(timer.handle);
        this.#pending.delete(timer);
      },
    };
  }

  /** Puts the clock forward; timers that are due now run soon. */
  putForward(ms: number): void {
    this.#ahead += ms;
    for (const timer of this.#pending) {
      clearTimeout(timer.handle);
      timer.handle = this.#arm(timer.due, () => this.#fire(timer));
    }
  }

  /** Lets time fly, a second every few milliseconds, until the promise settles; gives what it gives. */
  async hurry<T>(promise: Promise<T>): Promise<T> {
    let isOver = false;
    const over = (): void => {
      isOver = true;
    };
    promise.then(over, over);
    while (!isOver) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (!isOver) this.putForward(1_000);
    }
    return promise;
  }

  #arm(due: number, run: () => void): NodeJS.Timeout {
    const handle = setTimeout(run, Math.max(0, due - this.now()));
    handle.unref();
    return handle;
  }

  #fire(timer: Pending): void {
    if (this.#pending.delete(timer)) timer.run();
  }
}
