import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import { isObject, type JsonObject, parseJson } from '../../protocol/json.ts';
import type { Clock, Timer } from '../../protocol/runtime.ts';
import type { AuditEvent } from '../../storage/audit/chain.ts';
import { MergedLines } from '../../storage/audit/merged-lines.ts';
import type { Database } from '../../storage/database.ts';
import type { LinkManager } from '../link/link-manager.ts';
import type { PartnerEntry, PartnerRegistry } from './registry.ts';

/** Partners as the last lines tell of them, so that what changed while the island did not run is told too. */
const toldKey = 'audit_partners';
/** Links that come and go are one line with a count. */
const windowMs = 60_000;
/** A timer takes no longer times. */
const longestTimerMs = 24 * 3_600_000;
const shownReason = 200;

interface Told {
  readonly digest: string;
  readonly hasEnded: boolean;
}

/**
 * Lines of the audit log for what happens to partners without an admin's command (their entries change, their time
 * ends) and to links. Nobody waits for them.
 */
export class PartnerLines {
  readonly #partners: PartnerRegistry;
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #links: MergedLines;
  readonly #entries = new Map<string, PartnerEntry>();
  #told = new Map<string, Told>();
  #timer: Timer | undefined;
  #unsubscribe: () => void = () => undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(deps: { partners: PartnerRegistry; db: Database; clock: Clock; log: Logger }) {
    this.#partners = deps.partners;
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#log = deps.log;
    const record = (event: AuditEvent): void => deps.db.audit.record(event);
    this.#links = new MergedLines({ windowMs, clock: deps.clock, record });
  }

  /** Tells what changed since the last run, and from now on what changes. */
  async start(link: LinkManager): Promise<void> {
    const text = await this.#db.metadata.get(toldKey);
    this.#told = text === undefined ? new Map() : toldIn(text);
    this.#unsubscribe = this.#partners.onChange(() => this.#look());
    link.on('up', (server) => this.#link('link.up', server));
    link.on('down', (server, reason) => this.#link('link.down', server, { reason: cut(reason) }));
    link.on('refused', (server, reason) => this.#refused(server, reason));
    this.#look();
  }

  /** Writes what is still to be told. */
  async stop(): Promise<void> {
    this.#unsubscribe();
    this.#timer?.cancel();
    this.#links.end();
    await this.#last;
  }

  #link(action: string, server: string, detail: JsonObject = {}): void {
    const event = { action, outcome: 'done', actor: server, subject: server, detail } as const;
    this.#links.add(event, { ...event, detail: {} });
  }

  /** Whoever knocks without being anybody says what they like: the name that they give is not kept. */
  #refused(server: string | undefined, reason: string): void {
    const isPartner = server !== undefined && this.#partners.get(server) !== undefined;
    const who = isPartner ? { actor: server, subject: server } : { actor: 'anonymous' };
    const kind = { action: 'link.refuse', outcome: 'denied', ...who } as const;
    this.#links.add({ ...kind, detail: { reason: cut(reason) } }, kind);
  }

  /** Compares the partners with what was told of them, writes a line for each difference, and waits for the next end. */
  #look(): void {
    const now = this.#clock.now();
    const lines: AuditEvent[] = [];
    const told = new Map<string, Told>();
    let next = longestTimerMs;
    for (const { serverName, validUntil, rule } of this.#partners.all()) {
      const entry = this.#partners.entry(serverName);
      if (entry === undefined) continue;
      const known = this.#told.get(serverName);
      const before = this.#entries.get(serverName);
      // The same object is the same entry: nothing is serialised for those that did not change.
      const digest = before === entry && known !== undefined ? known.digest : digestOf(entry);
      const hasEnded = validUntil !== undefined && validUntil <= now;
      if (known === undefined) lines.push(line('partner.add', serverName, { rule }));
      else if (known.digest !== digest)
        lines.push(
          line('partner.change', serverName, {
            rule,
            ...(before === undefined ? {} : { parts: changedParts(before, entry) }),
          }),
        );
      if (hasEnded && known?.hasEnded !== true) lines.push(line('partner.expire', serverName, { rule }));
      if (validUntil !== undefined && !hasEnded) next = Math.min(next, validUntil - now);
      told.set(serverName, { digest, hasEnded });
      this.#entries.set(serverName, entry);
    }
    for (const serverName of this.#told.keys()) {
      if (told.has(serverName)) continue;
      lines.push(line('partner.remove', serverName, {}));
      this.#entries.delete(serverName);
    }
    const isNew = lines.length > 0 || !isDeepStrictEqual(told, this.#told);
    this.#told = told;
    if (isNew) this.#write(lines);
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimer(next, () => this.#look());
  }

  #write(lines: readonly AuditEvent[]): void {
    const { audit, metadata } = this.#db;
    const text = JSON.stringify(Object.fromEntries(this.#told));
    this.#last = this.#last
      .then(() => audit.append(lines, metadata.put(toldKey, text)))
      .catch((error: unknown) => {
        // What was not told is told at the next start.
        this.#log.error({ err: error }, 'a change of partners is not in the audit log yet');
      });
  }
}

function line(action: string, serverName: string, detail: JsonObject): AuditEvent {
  return { action, outcome: 'done', actor: 'configuration', subject: serverName, detail };
}

function cut(text: string): string {
  return text.slice(0, shownReason);
}

/** All of an entry but where it stands. */
function partsOf({ source: _source, policy, ...entry }: PartnerEntry): Record<string, unknown> {
  const parts: Record<string, unknown> = { ...entry };
  if (policy === undefined) return parts;
  const { rules: _rules, ...rules } = policy;
  for (const [name, part] of Object.entries(rules)) parts[`policy.${name}`] = part;
  return parts;
}

function changedParts(before: PartnerEntry, after: PartnerEntry): string[] {
  const [one, other] = [partsOf(before), partsOf(after)];
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].filter((name) => !isSame(one[name], other[name])).sort();
}

/** A key that is not there and one without a value are the same to whoever reads the log. */
function isSame(one: unknown, other: unknown): boolean {
  return isDeepStrictEqual(withoutGaps(one), withoutGaps(other));
}

function withoutGaps(part: unknown): unknown {
  return part === undefined ? undefined : JSON.parse(JSON.stringify(part));
}

function digestOf(entry: PartnerEntry): string {
  const parts = Object.entries(partsOf(entry)).sort(([one], [other]) => (one < other ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64');
}

/** Only `#write` writes it. */
function toldIn(text: string): Map<string, Told> {
  const told = new Map<string, Told>();
  const json = parseJson(text);
  for (const [serverName, known] of Object.entries(isObject(json) ? json : {})) {
    if (!isObject(known)) continue;
    const { digest, hasEnded } = known;
    told.set(serverName, { digest: String(digest), hasEnded: hasEnded === true });
  }
  return told;
}
