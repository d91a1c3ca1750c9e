import type { Logger } from 'pino';
import type { Clock, Timer } from '../../protocol/runtime.ts';
import type { Database } from '../../storage/database.ts';
import type { WriteOp } from '../../storage/writer.ts';
import type { Partner, PartnerRegistry } from './registry.ts';

const dayMs = 24 * 3600_000;
/** So many days before the end of a partnership its admin is warned. */
const warningDays = [30, 7, 1] as const;
/** Longer than this no timer is set: they count to 24 days only. */
const maxWaitMs = 12 * 3600_000;
const retryMs = 60_000;

/**
 * Closes the links of partnerships at their end, and warns before that, in the log and in the audit log, each once
 * however often the island is restarted. That nothing crosses from that moment on is the rules' work, not this one's.
 */
export class ExpiryWatch {
  readonly #partners: PartnerRegistry;
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #ended: () => void;
  readonly #stopListening: () => void;
  #timer: Timer | undefined;
  #looking: Promise<void> = Promise.resolve();
  #isStopped = false;

  /** `ended` is called when a partnership is over: its link closes then. */
  constructor(deps: {
    partners: PartnerRegistry;
    db: Database;
    clock: Clock;
    log: Logger;
    ended: () => void;
  }) {
    this.#partners = deps.partners;
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#ended = deps.ended;
    this.#stopListening = this.#partners.onChange(() => this.#look());
    this.#look();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#stopListening();
    this.#timer?.cancel();
    await this.#looking;
  }

  /** Looks at all partners now, and again when the next of them is due. */
  #look(): void {
    if (this.#isStopped) return;
    this.#timer?.cancel();
    const now = this.#clock.now();
    this.#timer = this.#clock.setTimer(this.#untilNext(now), () => this.#look());
    this.#looking = this.#looking
      .then(() => this.#tell(now))
      .catch((error: unknown) => {
        this.#log.error({ err: error }, 'the ends of partnerships could not be noted; tried again soon');
        if (this.#isStopped) return;
        this.#timer?.cancel();
        this.#timer = this.#clock.setTimer(retryMs, () => this.#look());
      });
  }

  #untilNext(now: number): number {
    let next = now + maxWaitMs;
    for (const { validUntil } of this.#partners.all())
      for (const days of [...warningDays, 0]) {
        const due = validUntil === undefined ? now : validUntil - days * dayMs;
        if (due > now) next = Math.min(next, due);
      }
    return next - now;
  }

  async #tell(now: number): Promise<void> {
    for (const partner of this.#partners.all()) {
      const level = levelOf(partner, now);
      if (level === undefined || partner.validUntil === undefined) continue;
      if (level === 0) this.#ended();
      const key = `expiry_told:${partner.serverName}`;
      const told = `${partner.validUntil}:${level}`;
      const before = await this.#db.metadata.get(key);
      if (before === told) continue;
      const changes = this.#db.metadata.put(key, told);
      await this.#note(partner, partner.validUntil, level, changes);
    }
  }

  /** The line of the end itself is written with those of other changes of partners. */
  async #note(
    { serverName, rule }: Partner,
    validUntil: number,
    days: number,
    changes: WriteOp[],
  ): Promise<void> {
    const end = new Date(validUntil).toISOString();
    const fields = { partner: serverName, validUntil: end, rule };
    if (days === 0) {
      await this.#db.writer.submit({ label: 'partnership ended', ops: changes });
      this.#log.warn(fields, 'a partnership has ended and is suspended');
      return;
    }
    const detail = { valid_until: end, rule, within_days: days };
    const line = { outcome: 'done', actor: 'configuration', subject: serverName, detail } as const;
    await this.#db.audit.append([{ action: 'partner.expires-soon', ...line }], changes);
    this.#log.warn(
      { ...fields, withinDays: days },
      'a partnership ends soon: renew valid_until, or let it end',
    );
  }
}

/** The last warning that is due, in days before the end; 0: it has ended. */
function levelOf({ validUntil }: Partner, now: number): number | undefined {
  if (validUntil === undefined) return undefined;
  if (now >= validUntil) return 0;
  return warningDays.findLast((days) => now >= validUntil - days * dayMs);
}
