import type { Logger } from 'pino';
import type { Clock } from '../../protocol/runtime.ts';
import type { AuditEvent } from '../../storage/audit/chain.ts';
import type { Database } from '../../storage/database.ts';
import { judgeStatements, type StatementVerdict } from '../keys/judge-statements.ts';
import type { KeyStatement } from '../keys/statement.ts';
import { isEmptyOverlay, overlayText, type PartnerOverlay, readOverlay } from './overlay.ts';
import type { Partner, PartnerRegistry } from './registry.ts';

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

  /**
   * Pins the key that a partner's statements prove, and ends the ones before it, atomically; false if they prove
   * nothing new. `dummyKey` is verified against where nothing is pinned.
   */
  async acceptStatements(
    serverName: string,
    statements: readonly KeyStatement[],
    options: { readonly by: string; readonly dummyKey: string },
  ): Promise<boolean> {
    return this.#change(serverName, (overlay) => {
      const partner = this.#partners.get(serverName);
      const now = this.#clock.now();
      const verdicts = judgeStatements(partner, statements, { now, dummyKey: options.dummyKey });
      const news = verdicts.filter((verdict) => verdict.kind === 'new');
      if (partner === undefined || news.length === 0) return undefined;
      const changed = news.reduce((before, verdict) => withStatement(before, partner, verdict, now), overlay);
      const last = news.at(-1);
      const detail = {
        key_id: last?.statement.keyId ?? '',
        key: last?.statement.key ?? '',
        signed_by: news.map(({ statement }) => statement.voucherId),
        compromised: news.some(({ statement }) => statement.isCompromised),
      };
      return [
        changed,
        { action: 'partner.accept-key', outcome: 'done', actor: options.by, subject: serverName, detail },
      ];
    });
  }

  /** Pins a key by the word of an admin, and ends all others; false if it is the pinned one already. */
  acceptKey(
    serverName: string,
    options: { readonly keyId: string; readonly key: string; readonly by: string },
  ): Promise<boolean> {
    const { keyId, key, by } = options;
    return this.#change(serverName, (overlay) => {
      const keys = this.#partners.get(serverName)?.verifyKeys ?? new Map();
      const pinned = keys.get(keyId);
      if (pinned !== undefined && pinned.key !== key)
        throw new PartnerActionRefused(
          `${serverName} has another key under the id ${keyId} already: an id is never used twice. Ask for a new card.`,
        );
      if (overlay.revokedKeys[keyId] !== undefined)
        throw new PartnerActionRefused(`The key ${keyId} of ${serverName} was revoked, and stays so`);
      if (pinned !== undefined && pinned.validUntil === undefined) return undefined;
      const now = this.#clock.now();
      const { [keyId]: _, ...ended } = endedBy(overlay, keys, keyId, now);
      return [
        {
          ...overlay,
          acceptedKeys: { ...overlay.acceptedKeys, [keyId]: { key, since: now, by } },
          endedKeys: ended,
          rotatedTs: now,
        },
        {
          action: 'partner.accept-key',
          outcome: 'done',
          actor: by,
          subject: serverName,
          detail: { key_id: keyId, key },
        },
      ];
    });
  }

  /** Nothing is believed any more that comes under this key; false if it was revoked before. */
  revokeKey(serverName: string, options: { readonly keyId: string; readonly by: string }): Promise<boolean> {
    const { keyId, by } = options;
    return this.#change(serverName, (overlay) => {
      const keys = this.#partners.get(serverName)?.verifyKeys;
      if (keys?.has(keyId) !== true)
        throw new PartnerActionRefused(
          `${serverName} has no key ${keyId} here. It has: ${[...(keys?.keys() ?? [])].join(', ') || 'none'}`,
        );
      if (overlay.revokedKeys[keyId] !== undefined) return undefined;
      const revokedKeys = { ...overlay.revokedKeys, [keyId]: { since: this.#clock.now(), by } };
      return [
        { ...overlay, revokedKeys },
        {
          action: 'partner.revoke-key',
          outcome: 'done',
          actor: by,
          subject: serverName,
          detail: { key_id: keyId },
        },
      ];
    });
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

/** Every other key of the partner has ended at `ts` at the latest. */
function endedBy(
  overlay: PartnerOverlay,
  keys: Partner['verifyKeys'],
  keyId: string,
  ts: number,
): Record<string, number> {
  const ended: Record<string, number> = { ...overlay.endedKeys };
  for (const [other, { validUntil }] of keys)
    if (other !== keyId) ended[other] = Math.min(validUntil ?? ts, ended[other] ?? ts, ts);
  return ended;
}

function withStatement(
  overlay: PartnerOverlay,
  { verifyKeys }: Partner,
  { statement, by }: Extract<StatementVerdict, { kind: 'new' }>,
  now: number,
): PartnerOverlay {
  const { keyId, key, ts, isCompromised, voucherId } = statement;
  // Keys that the statements before this one brought are not in the registry yet.
  const accepted = Object.entries(overlay.acceptedKeys).map(
    ([id, entry]) => [id, { key: entry.key }] as const,
  );
  const known = new Map([...accepted, ...verifyKeys]);
  const revoked = [...known.keys()].filter(
    (other) => other !== keyId && overlay.revokedKeys[other] === undefined,
  );
  const word = `a statement signed by ${by === 'recovery-key' ? 'the recovery key' : voucherId}`;
  const { [keyId]: _, ...ended } = endedBy(overlay, known, keyId, ts);
  return {
    ...overlay,
    acceptedKeys: { ...overlay.acceptedKeys, [keyId]: { key, since: now, by: word } },
    endedKeys: ended,
    revokedKeys: isCompromised
      ? { ...overlay.revokedKeys, ...Object.fromEntries(revoked.map((id) => [id, { since: now, by: word }])) }
      : overlay.revokedKeys,
    rotatedTs: ts,
  };
}
