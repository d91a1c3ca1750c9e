import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import SqliteDatabase from 'better-sqlite3';
import type { JsonObject } from '../../../protocol/json.ts';
import type { IslandPair } from './island-pair.ts';
import type { KillableIsland } from './killable-island.ts';
import type { Person } from './person.ts';

/** Log lines at this level (pino's `error`) are for an admin to act on: no crash may cause one. */
const errorLevel = 50;
/** So long the islands may take to come to rest. */
const patienceMs = 30_000;

/** Resolves when neither island has anything left to do; with what it is, if that takes too long. */
export async function unrest(pair: IslandPair): Promise<string | undefined> {
  const giveUp = Date.now() + patienceMs;
  for (let quiet = 0; quiet < 2; ) {
    const backlogs = pair.islands.map(backlogOf);
    quiet = backlogs.every((counts) => Object.values(counts).every((n) => n === 0)) ? quiet + 1 : 0;
    if (Date.now() > giveUp) return `it does not come to rest: ${JSON.stringify(backlogs)}`;
    await pause(10);
  }
  return undefined;
}

/** What an island still has to do, read from its database beside the running process. */
function backlogOf(island: KillableIsland): Readonly<Record<string, number>> {
  return inDatabase(island, (database) => {
    const count = (table: string): number =>
      database.prepare<[], { n: number }>(`SELECT COUNT(*) AS n FROM ${table}`).get()?.n ?? 0;
    return {
      outbox: count('outbox'),
      outbox_transactions: count('outbox_transactions'),
      staged: count('staged WHERE dead_reason IS NULL'),
    };
  });
}

function inDatabase<T>(island: KillableIsland, look: (database: SqliteDatabase.Database) => T): T {
  const database = new SqliteDatabase(island.databasePath, { readonly: true, timeout: 5_000 });
  try {
    return look(database);
  } finally {
    database.close();
  }
}

/**
 * Everything that is not as it has to be, once both islands are up and have nothing left to do: in words, each a line.
 * Nothing found is an empty list. `people` are all who wrote in the room.
 */
export async function violations(pair: IslandPair, people: readonly Person[]): Promise<string[]> {
  const found = people.flatMap((person) => person.complaints);
  const sides = await Promise.all(
    pair.islands.map(async (island) => {
      const here = people.filter((person) => person.island === island);
      const [reader] = here;
      if (reader === undefined) throw new Error(`nobody is on ${island.serverName}`);
      return {
        name: island.serverName,
        here,
        events: await reader.timeline(),
        state: await reader.state(),
        receipts: await reader.receipts(),
      };
    }),
  );
  const [acme, bolt] = sides;
  if (acme === undefined || bolt === undefined) throw new Error('there are two sides');
  for (const [side, other] of [
    [acme, bolt],
    [bolt, acme],
  ] as const) {
    const ids = side.events.map(idOf);
    for (const id of repeated(ids)) found.push(`${side.name} shows ${id} more than once in its timeline`);
    const there = new Set(other.events.map(idOf));
    for (const event of side.events)
      if (!there.has(idOf(event)))
        found.push(`${other.name} does not have ${nameOf(event)}, which ${side.name} has`);
    for (const person of side.here) {
      found.push(...checkDeeds(person, side.events, side.name));
      found.push(...checkSeen(person, side.events));
      if (person.receipt !== undefined)
        for (const reading of [side, other])
          if (reading.receipts.get(person.userId) !== person.receipt)
            found.push(
              `${reading.name} has ${reading.receipts.get(person.userId)} as the receipt of ${person.userId}, who acknowledged ${person.receipt}`,
            );
    }
    for (const person of other.here) found.push(...checkOrder(person, side.here));
  }
  found.push(...differences('the event', byId(acme.events), byId(bolt.events)));
  found.push(...differences('the state', acme.state, bolt.state));
  for (const island of pair.islands) found.push(...(await checkIsland(island)));
  return found;
}

/** What was acknowledged is there, and nothing else of this person is: one request never made two events. */
function checkDeeds(person: Person, events: readonly JsonObject[], where: string): string[] {
  const found: string[] = [];
  const ids = new Set(events.map(idOf));
  for (const { kind, eventId } of person.deeds)
    if (!ids.has(eventId))
      found.push(`${where} acknowledged the ${kind} ${eventId} of ${person.userId} and lost it`);
  for (const [kind, type] of [
    ['message', 'm.room.message'],
    ['redaction', 'm.room.redaction'],
  ] as const) {
    const made = events.filter((event) => event['type'] === type && event['sender'] === person.userId);
    const asked = person.deeds.filter((deed) => deed.kind === kind);
    if (made.length > asked.length)
      found.push(`${asked.length} requests of ${person.userId} made ${made.length} events of ${type}`);
  }
  return found;
}

/** A `/sync` that went on over every crash showed each event once. */
function checkSeen(person: Person, events: readonly JsonObject[]): string[] {
  const found: string[] = [];
  const seen = person.seen.map(({ eventId }) => eventId);
  for (const id of repeated(seen)) found.push(`/sync showed ${id} more than once to ${person.userId}`);
  const shown = new Set([...person.known, ...seen]);
  const here = new Set(events.map(idOf));
  for (const id of shown)
    if (!here.has(id)) found.push(`/sync showed ${id} to ${person.userId}, and it is gone`);
  for (const event of events)
    if (!shown.has(idOf(event))) found.push(`/sync never showed ${nameOf(event)} to ${person.userId}`);
  return found;
}

/** What one person did arrives in the order in which it was acknowledged to them. */
function checkOrder(sender: Person, readers: readonly Person[]): string[] {
  const found: string[] = [];
  const place = new Map(sender.deeds.map(({ eventId }, index) => [eventId, index]));
  for (const reader of readers) {
    let last = -1;
    for (const { eventId } of reader.seen) {
      const index = place.get(eventId);
      if (index === undefined) continue;
      if (index < last) found.push(`${reader.userId} saw ${eventId} of ${sender.userId} out of order`);
      last = index;
    }
  }
  return found;
}

async function checkIsland(island: KillableIsland): Promise<string[]> {
  const found: string[] = [];
  inDatabase(island, (database) => {
    for (const { integrity_check: result } of database
      .prepare<[], { integrity_check: string }>('PRAGMA integrity_check')
      .all())
      if (result !== 'ok') found.push(`the database of ${island.serverName} is damaged: ${result}`);
    for (const { dead_reason: reason } of database
      .prepare<[], { dead_reason: string }>('SELECT dead_reason FROM staged WHERE dead_reason IS NOT NULL')
      .all())
      found.push(`${island.serverName} has a dead letter: ${reason}`);
  });
  for (const line of await island.log())
    if (Number(line['level']) >= errorLevel)
      found.push(`${island.serverName} logged an error: ${JSON.stringify(line)}`);
  return found;
}

/** Entries that two sides have in different forms; what only one has is found elsewhere. */
function differences(
  what: string,
  one: ReadonlyMap<string, JsonObject>,
  other: ReadonlyMap<string, JsonObject>,
): string[] {
  const found: string[] = [];
  for (const [key, event] of one) {
    const there = other.get(key);
    if (there !== undefined && !isDeepStrictEqual(bare(event), bare(there)))
      found.push(`${what} ${key} differs: ${JSON.stringify(bare(event))} and ${JSON.stringify(bare(there))}`);
  }
  if (what === 'the state')
    for (const key of new Set([...one.keys(), ...other.keys()]))
      if (!one.has(key) || !other.has(key)) found.push(`${what} ${key} is on one side only`);
  return found;
}

/** Without what each server and reader adds of its own. */
function bare(event: JsonObject): JsonObject {
  const { unsigned: _, ...rest } = event;
  return rest;
}

function byId(events: readonly JsonObject[]): Map<string, JsonObject> {
  return new Map(events.map((event) => [idOf(event), event]));
}

function idOf(event: JsonObject): string {
  return String(event['event_id']);
}

function nameOf(event: JsonObject): string {
  return `${idOf(event)} (${String(event['type'])} of ${String(event['sender'])})`;
}

function repeated(ids: readonly string[]): Set<string> {
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const id of ids) {
    if (seen.has(id)) twice.add(id);
    seen.add(id);
  }
  return twice;
}
