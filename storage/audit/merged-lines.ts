import type { Clock } from '../../protocol/runtime.ts';
import type { AuditEvent } from './chain.ts';

export interface MergedLinesDeps {
  /** Equal events within this time (milliseconds) are one more line with their number. */
  readonly windowMs: number;
  readonly clock: Clock;
  readonly record: (event: AuditEvent) => void;
}

/** Different events in a window; of more, one line each tells the number of a kind. */
const maxLines = 200;

interface Repeated {
  readonly event: AuditEvent;
  more: number;
}

/**
 * Lines of the audit log that somebody could cause in any number: the first of a kind is written at once, its
 * repetitions as one line with a count (`times` in its detail) when the window ends. A flood cannot fill the disk.
 */
export class MergedLines {
  readonly #deps: MergedLinesDeps;
  readonly #lines = new Map<string, Repeated>();
  readonly #beyond = new Map<string, Repeated>();

  constructor(deps: MergedLinesDeps) {
    this.#deps = deps;
  }

  /** `kind` says as what it is counted when there are too many different ones: the same for all of a kind. */
  add(event: AuditEvent, kind: AuditEvent): void {
    const key = JSON.stringify(event);
    const known = this.#lines.get(key);
    if (known !== undefined) {
      known.more += 1;
      return;
    }
    if (this.#lines.size === 0) this.#deps.clock.setTimer(this.#deps.windowMs, () => this.end());
    if (this.#lines.size < maxLines) {
      this.#lines.set(key, { event, more: 0 });
      this.#deps.record(event);
      return;
    }
    const kindKey = JSON.stringify(kind);
    const counted = this.#beyond.get(kindKey);
    if (counted !== undefined) counted.more += 1;
    else if (this.#beyond.size < maxLines) this.#beyond.set(kindKey, { event: kind, more: 1 });
  }

  /** Ends the window now: the counts are written. */
  end(): void {
    for (const { event, more } of [...this.#lines.values(), ...this.#beyond.values()])
      if (more > 0) this.#deps.record({ ...event, detail: { ...event.detail, times: more } });
    this.#lines.clear();
    this.#beyond.clear();
  }
}
