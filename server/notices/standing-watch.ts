import type { Logger } from 'pino';
import type { PartnerRegistry } from '../../federation/partners/registry.ts';
import type { Clock, Timer } from '../../protocol/runtime.ts';
import type { Database } from '../../storage/database.ts';
import type { WriteOp } from '../../storage/write-set.ts';
import type { ServerNotice, ServerNotices } from './server-notices.ts';
import { type NamedPartner, texts } from './texts.ts';

export interface StandingWatchDeps {
  readonly db: Database;
  readonly partners: PartnerRegistry;
  readonly notices: ServerNotices;
  readonly clock: Clock;
  readonly log: Logger;
}

type Standing = 'active' | 'suspended' | 'expired' | 'removed';

const retryMs = 10_000;
/** Timers go no further; then everything is looked at again. */
const longestMs = 60 * 60_000;

/**
 * Tells the people who share rooms with a partner when it is cut off, for whatever reason, and when it is back. It
 * compares how partners stand with what people were last told, so that nothing waits for it and a crash loses nothing.
 */
export class StandingWatch {
  readonly #deps: StandingWatchDeps;
  readonly #soon = (): void => this.#checkSoon();
  #unsubscribe: (() => void) | undefined;
  #timer: Timer | undefined;
  #checking: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  constructor(deps: StandingWatchDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#unsubscribe = this.#deps.partners.onChange(this.#soon);
    this.#checkSoon();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unsubscribe?.();
    this.#timer?.cancel();
    await this.#checking;
  }

  /** Resolves when everybody is told of everything that has happened, as far as it is on disk. */
  async idle(): Promise<void> {
    while (this.#checking !== undefined) await this.#checking;
  }

  #checkSoon(): void {
    if (this.#stopped) return;
    this.#again = true;
    this.#checking ??= this.#run().finally(() => {
      this.#checking = undefined;
    });
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#stopped) {
      this.#again = false;
      let nextMs: number;
      try {
        await this.#check();
        nextMs = this.#untilNextEnd();
      } catch (error) {
        this.#deps.log.error({ err: error }, 'people could not be told of changed partners');
        nextMs = retryMs;
      }
      this.#timer?.cancel();
      this.#timer = this.#deps.clock.setTimer(nextMs, this.#soon);
    }
  }

  async #check(): Promise<void> {
    const { db, partners } = this.#deps;
    const told = await db.partnerWatch.standings();
    const isNew: WriteOp[] = [];
    for (const serverName of new Set([...told.keys(), ...partners.all().map((one) => one.serverName)])) {
      const before = told.get(serverName);
      const now = this.#standingOf(serverName);
      if (before === now) continue;
      const change = db.partnerWatch.putStanding(serverName, now);
      const isToBeTold = before !== undefined && (before === 'active') !== (now === 'active');
      if (isToBeTold) await this.#tell(serverName, now, change);
      else isNew.push(...change);
    }
    if (isNew.length > 0) await db.writer.submit({ label: 'partners', ops: isNew });
  }

  #standingOf(serverName: string): Standing {
    const { partners, clock } = this.#deps;
    if (partners.isActive(serverName)) return 'active';
    const partner = partners.get(serverName);
    if (partner === undefined) return 'removed';
    const isOver = partner.validUntil !== undefined && partner.validUntil <= clock.now();
    return isOver && partner.state === 'active' ? 'expired' : 'suspended';
  }

  async #tell(serverName: string, standing: Standing, change: readonly WriteOp[]): Promise<void> {
    const { db, partners, notices, clock } = this.#deps;
    const partner = { serverName, displayName: partners.entry(serverName)?.displayName };
    const people = await db.memberships.peopleWith(serverName);
    if (people.size === 0) {
      await db.writer.submit({ label: 'partners', ops: change });
      return;
    }
    const { ops, notes } = notices.pending(
      `partner ${standing} ${serverName} ${clock.now()}`,
      [...people].map(([userId, rooms]) => [userId, noticeOf(standing, partner, rooms)] as const),
    );
    const line = {
      action: 'notice.send',
      outcome: 'done',
      actor: 'island',
      subject: serverName,
      detail: { notice: nameOf(standing), people: people.size },
    } as const;
    await db.audit.append([line], [...change, ...ops], notes);
  }

  #untilNextEnd(): number {
    const { partners, clock } = this.#deps;
    const now = clock.now();
    const ends = partners.all().flatMap(({ validUntil }) => validUntil ?? []);
    return Math.min(longestMs, ...ends.filter((end) => end > now).map((end) => end - now));
  }
}

function noticeOf(standing: Standing, partner: NamedPartner, rooms: number): ServerNotice {
  const body = {
    active: texts.partnerResumed,
    suspended: texts.partnerSuspended,
    expired: texts.partnerExpired,
    removed: texts.partnerRemoved,
  }[standing](partner, rooms);
  return {
    type: `org.archipelago.${nameOf(standing)}`,
    body,
    about: { server_name: partner.serverName, rooms },
  };
}

/** What people are told when a partner comes to stand so. */
function nameOf(standing: Standing): string {
  return standing === 'active' ? 'partner_resumed' : `partner_${standing}`;
}
