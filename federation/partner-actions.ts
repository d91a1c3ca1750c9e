import type { Logger } from 'pino';
import type { Clock } from '../protocol/runtime.ts';
import type { AuditEvent } from '../storage/audit/chain.ts';
import type { Database } from '../storage/database.ts';
import { isEmptyOverlay, overlayText, type PartnerOverlay, readOverlay } from './partner-overlay.ts';
import type { PartnerRegistry } from './partners.ts';

/** What an admin does with a partner was refused; the message says why. */
export class PartnerActionRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'PartnerActionRefused';
  }
}

/** The overlays that are kept, for the registry at start. */
export async function loadOverlays(db: Database): Promise<Map<string, PartnerOverlay>> {
  const texts = await db.partnerOverlays.all();
  return new Map([...texts].map(([serverName, text]) => [serverName, readOverlay(text)]));
}

/**
 * What is done to partners at run time. Each action is on disk, with its line in the audit log, before it is in
 * effect, and in effect before it is answered.
 */
export class PartnerActions {
  readonly #partners: PartnerRegistry;
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #log: Logger;
  #last: Promise<unknown> = Promise.resolve();

  constructor(deps: { partners: PartnerRegistry; db: Database; clock: Clock; log: Logger }) {
    this.#partners = deps.partners;
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  /** Cuts a partner off; false, and nothing changes, if it was suspended already. */
  suspend(
    serverName: string,
    options: { readonly by: string; readonly reason?: string | undefined; readonly keepRooms?: boolean },
  ): Promise<boolean> {
    const { by, reason, keepRooms = false } = options;
    return this.#change(serverName, (overlay) => {
      if (overlay.suspended !== undefined) return undefined;
      const suspended = { since: this.#clock.now(), by, reason, keepRooms };
      const detail = { keep_rooms: keepRooms, ...(reason === undefined ? {} : { reason }) };
      return [
        { ...overlay, suspended },
        { action: 'partner.suspend', outcome: 'done', actor: by, subject: serverName, detail },
      ];
    });
  }

  /** Lifts a suspension; false if there was none. What the files suspend stays so. */
  resume(serverName: string, options: { readonly by: string }): Promise<boolean> {
    return this.#change(serverName, ({ suspended, ...overlay }) =>
      suspended === undefined
        ? undefined
        : [overlay, { action: 'partner.resume', outcome: 'done', actor: options.by, subject: serverName }],
    );
  }

  /** One action after the other: each begins with what the one before it left. */
  #change(
    serverName: string,
    change: (overlay: PartnerOverlay) => readonly [PartnerOverlay, AuditEvent] | undefined,
  ): Promise<boolean> {
    const done = this.#last.then(async () => {
      if (this.#partners.entry(serverName) === undefined)
        throw new PartnerActionRefused(`${serverName} is not a partner of this server`);
      const changed = change(this.#partners.overlay(serverName));
      if (changed === undefined) return false;
      const [overlay, event] = changed;
      const { partnerOverlays } = this.#db;
      const kept = isEmptyOverlay(overlay)
        ? partnerOverlays.remove(serverName)
        : partnerOverlays.put(serverName, overlayText(overlay));
      await this.#db.audit.append([event], kept);
      this.#partners.setOverlay(serverName, overlay);
      this.#log.warn({ partner: serverName, action: event.action, by: event.actor }, 'a partner was changed');
      return true;
    });
    this.#last = done.catch(() => undefined);
    return done;
  }
}
