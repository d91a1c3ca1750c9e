import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { LinkStatus } from '../../federation/link/link-manager.ts';
import type { PartnerRegistry } from '../../federation/partners/registry.ts';
import type { Clock, Timer } from '../../protocol/runtime.ts';
import type { Database } from '../../storage/database.ts';
import type { PartnerOutage } from '../../storage/stores/partner-watch-store.ts';
import type { WriteOp } from '../../storage/write-set.ts';
import type { LocalNotices } from './local-notices.ts';
import { texts } from './texts.ts';

export interface OfflineWatchDeps {
  readonly db: Database;
  readonly partners: PartnerRegistry;
  readonly link: {
    status(serverName: string): LinkStatus;
    on(event: 'up' | 'down', listener: () => void): unknown;
    off(event: 'up' | 'down', listener: () => void): unknown;
  };
  readonly notices: LocalNotices;
  /** As whom the server speaks. */
  readonly sender: string;
  /** How long without a link counts as offline, in milliseconds; undefined: nobody is told. */
  readonly after: () => number | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A link counts as back when it has held so long; and after our own start links get as long to come up. */
const settleMs = 30_000;
const roomsPerCommit = 100;
const retryMs = 10_000;
/** Timers go no further; then everything is looked at again. */
const longestMs = 60 * 60_000;

/**
 * Tells the rooms shared with a partner that it has been without a link for a while, and when that is over: once each
 * for an outage, however often a link comes for a moment, and across our own restarts. Only told, never waited for:
 * what is sent meanwhile goes its usual way. A suspended partner is not offline.
 */
export class OfflineWatch {
  readonly #deps: OfflineWatchDeps;
  readonly #startedAt: number;
  readonly #soon = (): void => this.#checkSoon();
  #outages = new Map<string, PartnerOutage>();
  #unsubscribe: (() => void) | undefined;
  #timer: Timer | undefined;
  #checking: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  constructor(deps: OfflineWatchDeps) {
    this.#deps = deps;
    this.#startedAt = deps.clock.now();
  }

  async start(): Promise<void> {
    const { db, link, partners } = this.#deps;
    this.#outages = await db.partnerWatch.outages();
    link.on('up', this.#soon);
    link.on('down', this.#soon);
    this.#unsubscribe = partners.onChange(this.#soon);
    this.#checkSoon();
  }

  /** To be called before the links are closed: that we stop is no outage of anybody. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#deps.link.off('up', this.#soon);
    this.#deps.link.off('down', this.#soon);
    this.#unsubscribe?.();
    this.#timer?.cancel();
    await this.#checking;
  }

  /** To be called when the configuration has changed. */
  look(): void {
    this.#checkSoon();
  }

  /** Resolves when nothing is being looked at or told. */
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
      let nextMs = longestMs;
      try {
        nextMs = await this.#check();
      } catch (error) {
        this.#deps.log.error({ err: error }, 'rooms could not be told of partners that are offline');
        nextMs = retryMs;
      }
      this.#timer?.cancel();
      this.#timer = this.#deps.clock.setTimer(nextMs, this.#soon);
    }
  }

  /** Looks at every partner; gives when to look again. */
  async #check(): Promise<number> {
    const { db, partners, clock } = this.#deps;
    const now = clock.now();
    const dues: number[] = [];
    const changes: WriteOp[] = [];
    const due = new Map<string, PartnerOutage>();
    const outages = new Map(this.#outages);
    for (const serverName of new Set([...outages.keys(), ...partners.all().map((one) => one.serverName)])) {
      const outage = outages.get(serverName);
      const step = this.#stepFor(serverName, outage, now);
      if (step === undefined) continue;
      if (step.at !== undefined && step.at > now) dues.push(step.at);
      if (step.kind === 'begin') {
        const begun = { serverName, since: now, told: false };
        outages.set(serverName, begun);
        changes.push(...db.partnerWatch.putOutage(begun));
      } else if (step.kind === 'forget') {
        outages.delete(serverName);
        changes.push(...db.partnerWatch.removeOutage(serverName));
      } else if (step.kind === 'tell' && outage !== undefined && step.at <= now) due.set(serverName, outage);
    }
    if (changes.length > 0) await db.writer.submit({ label: 'partners offline', ops: changes });
    this.#outages = outages;
    for (const outage of due.values()) await this.#tell(outage);
    return Math.max(0, Math.min(longestMs, ...dues.map((at) => at - clock.now())));
  }

  #stepFor(
    serverName: string,
    outage: PartnerOutage | undefined,
    now: number,
  ): { kind: 'begin' | 'forget'; at?: number } | { kind: 'tell'; at: number } | undefined {
    const { partners, link } = this.#deps;
    const after = this.#deps.after();
    if (after === undefined || !partners.isActive(serverName))
      return outage === undefined ? undefined : { kind: 'forget' };
    const { state, since } = link.status(serverName);
    const settle = Math.min(settleMs, after);
    if (state === 'connected') {
      if (outage === undefined) return undefined;
      return outage.told ? { kind: 'tell', at: since + settle } : { kind: 'forget' };
    }
    if (outage === undefined) return { kind: 'begin', at: now + after };
    if (outage.told) return undefined;
    return { kind: 'tell', at: Math.max(outage.since + after, this.#startedAt + settle) };
  }

  /** Writes the notice of the beginning or of the end; what was written before a crash is not written again. */
  async #tell(outage: PartnerOutage): Promise<void> {
    const { db, partners, log } = this.#deps;
    const { serverName, since, told } = outage;
    const partner = { serverName, displayName: partners.entry(serverName)?.displayName };
    const offline = `offline ${serverName} ${since}`;
    const rooms = told ? await db.localNotices.roomsOf(offline) : await db.memberships.sharedWith(serverName);
    const notice = told
      ? { type: 'org.archipelago.partner_online', body: texts.partnerOnline(partner) }
      : { type: 'org.archipelago.partner_offline', body: texts.partnerOffline(partner) };
    await this.#write(told ? `online ${serverName} ${since}` : offline, rooms, {
      msgtype: 'm.notice',
      body: notice.body,
      'org.archipelago.notice': { type: notice.type, server_name: serverName },
    });
    if (this.#stopped) return;
    if (told) {
      await db.writer.submit({ label: 'partner online', ops: db.partnerWatch.removeOutage(serverName) });
      this.#outages.delete(serverName);
    } else {
      const now = { ...outage, told: true };
      await db.writer.submit({ label: 'partner offline', ops: db.partnerWatch.putOutage(now) });
      this.#outages.set(serverName, now);
    }
    // What the links did meanwhile counts from here.
    this.#again = true;
    log.info(
      { partner: serverName, rooms: rooms.length },
      told ? 'a partner is back' : 'a partner is offline',
    );
  }

  /** A few rooms in each commit, so that whoever sends at the moment waits for no more than these. */
  async #write(
    cause: string,
    rooms: readonly { roomNid: number; roomId: string }[],
    content: { [key: string]: string | { [key: string]: string } },
  ): Promise<void> {
    const { notices, sender, clock } = this.#deps;
    for (let start = 0; start < rooms.length && !this.#stopped; start += roomsPerCommit) {
      const some = rooms.slice(start, start + roomsPerCommit).map((room) => ({ ...room, content }));
      await notices.add(cause, some, { sender, now: clock.now() });
      await nextTurn();
    }
  }
}
