import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import Database from 'better-sqlite3';
import type { Checkout } from './checkout.ts';
import { HttpConnection } from './http-connection.ts';
import { BenchIsland } from './island.ts';
import { send } from './load.ts';
import type { Report } from './report.ts';
import { median, rounded } from './statistics.ts';

const messages = 4_000;
/** Enough for the link to be what is measured, and not the sending. */
const connections = 32;
const requiredRate = 1_000;

interface Measurement {
  /** Events per second until the partner has all of them on disk. */
  readonly stored: number;
  /** Events per second until the partner's client has seen all of them. */
  readonly seen: number;
  /** Milliseconds of processor time for each event, of the island that sends and of the one that receives. */
  readonly senderCpuMs: number;
  readonly receiverCpuMs: number;
}

/** Two islands, one room: how fast events of one reach the database of the other, and its client. */
export async function benchLink(checkouts: readonly Checkout[], runs: number): Promise<Report> {
  const pairs: Pair[] = [];
  try {
    for (const checkout of checkouts) pairs.push(await Pair.open(checkout));
    for (const pair of pairs) await pair.measure(messages / 2);
    const found = pairs.map((pair) => ({ pair, runs: [] as Measurement[] }));
    for (let run = 0; run < runs; run += 1)
      for (const { pair, runs } of found) runs.push(await pair.measure(messages));
    return report(found.map(({ pair, runs }) => ({ name: pair.name, runs })));
  } finally {
    for (const pair of pairs) await pair.close();
  }
}

/** Two partners, a user of each, and a room with both. */
class Pair {
  readonly name: string;
  readonly #from: BenchIsland;
  readonly #to: BenchIsland;
  readonly #senderToken: string;
  readonly #reader: Reader;
  readonly #roomId: string;

  private constructor(
    from: BenchIsland,
    to: BenchIsland,
    senderToken: string,
    reader: Reader,
    roomId: string,
  ) {
    this.name = from.checkout.name;
    this.#from = from;
    this.#to = to;
    this.#senderToken = senderToken;
    this.#reader = reader;
    this.#roomId = roomId;
  }

  static async open(checkout: Checkout): Promise<Pair> {
    const from = await BenchIsland.create(checkout, 'from.test');
    const to = await BenchIsland.create(checkout, 'to.test');
    try {
      await Promise.all([from.start(), to.start()]);
      await introduce(from, to);
      await introduce(to, from);
      const sender = await from.register('sender');
      const receiver = await to.register('receiver');
      const client = await HttpConnection.open(from.port);
      const created = await client.json('POST', '/_matrix/client/v3/createRoom', sender.token, {
        invite: [receiver.userId],
      });
      client.close();
      const roomId = String(created['room_id']);
      const reader = new Reader(to, receiver.token, roomId);
      await reader.join();
      return new Pair(from, to, sender.token, reader, roomId);
    } catch (error) {
      await Promise.all([from.remove(), to.remove()]);
      throw error;
    }
  }

  async measure(count: number): Promise<Measurement> {
    const before = { stored: this.#reader.storedCount(), cpu: [this.#from, this.#to].map(cpuOf) };
    const started = performance.now();
    const sender = {
      name: this.#from.serverName,
      port: this.#from.port,
      process: this.#from.process,
      token: this.#senderToken,
      rooms: [this.#roomId],
      remove: () => this.#from.remove(),
    };
    const sent = send(sender, { connections, rooms: 1, messages: count });
    const stored = this.#reader.untilStored(before.stored + count).then(() => performance.now() - started);
    const seen = this.#reader.untilSeen(count).then(() => performance.now() - started);
    const [, storedMs, seenMs] = await Promise.all([sent, stored, seen]);
    const [senderCpuMs = Number.NaN, receiverCpuMs = Number.NaN] = [this.#from, this.#to].map(
      (island, index) => (cpuOf(island) - (before.cpu[index] ?? 0)) / count,
    );
    return {
      stored: (count * 1_000) / storedMs,
      seen: (count * 1_000) / seenMs,
      senderCpuMs,
      receiverCpuMs,
    };
  }

  async close(): Promise<void> {
    this.#reader.close();
    await this.#from.remove();
    await this.#to.remove();
  }
}

/** `host` takes `guest` as a partner, as two administrators do it. */
async function introduce(guest: BenchIsland, host: BenchIsland): Promise<void> {
  const card = join(host.directory, `${guest.serverName}.card`);
  await writeFile(card, await guest.command('partner', 'card'));
  await host.command('partner', 'add', card, '--yes');
}

function cpuOf(island: BenchIsland): number {
  return island.process.cpuMs;
}

/** The receiving side: what is in its database, and what its client is told. */
class Reader {
  readonly #island: BenchIsland;
  readonly #token: string;
  readonly #roomId: string;
  #database: Database.Database | undefined;
  #since = '';

  constructor(island: BenchIsland, token: string, roomId: string) {
    this.#island = island;
    this.#token = token;
    this.#roomId = roomId;
  }

  async join(): Promise<void> {
    const client = await HttpConnection.open(this.#island.port);
    await client.json(
      'POST',
      `/_matrix/client/v3/rooms/${encodeURIComponent(this.#roomId)}/join`,
      this.#token,
      {},
    );
    const { next_batch } = await client.json('GET', '/_matrix/client/v3/sync', this.#token);
    this.#since = String(next_batch);
    client.close();
  }

  /** Events of the room's timeline that are committed. */
  storedCount(): number {
    this.#database ??= new Database(this.#island.databasePath, { readonly: true });
    const row = this.#database
      .prepare<[string], { count: number }>(
        'SELECT COUNT(*) AS count FROM events e JOIN rooms r ON r.room_nid = e.room_nid WHERE r.room_id = ? AND e.stream_pos IS NOT NULL',
      )
      .get(this.#roomId);
    return row?.count ?? 0;
  }

  async untilStored(count: number): Promise<void> {
    while (this.storedCount() < count) await pause(10);
  }

  /** Reads as a client does, one `/sync` after the other, until so many messages have come. */
  async untilSeen(count: number): Promise<void> {
    const client = await HttpConnection.open(this.#island.port);
    const filter = encodeURIComponent(JSON.stringify({ room: { timeline: { limit: 100 } } }));
    let seen = 0;
    while (seen < count) {
      const path = `/_matrix/client/v3/sync?timeout=30000&filter=${filter}&since=${encodeURIComponent(this.#since)}`;
      const { status, body } = await client.request('GET', path, this.#token);
      if (status !== 200) throw new Error(`/sync answered ${status}: ${body}`);
      const answer = JSON.parse(body) as SyncAnswer;
      const timeline = answer.rooms?.join?.[this.#roomId]?.timeline;
      seen += messagesIn(timeline?.events);
      if (timeline?.limited) seen += await this.#fillGap(client, timeline.prev_batch, this.#since);
      this.#since = answer.next_batch;
    }
    client.close();
  }

  /** What came faster than one answer of `/sync` could hold. */
  async #fillGap(client: HttpConnection, from: string, to: string): Promise<number> {
    const room = encodeURIComponent(this.#roomId);
    let seen = 0;
    for (let end: string | undefined = from; end !== undefined; ) {
      const path = `/_matrix/client/v3/rooms/${room}/messages?dir=b&limit=500&from=${encodeURIComponent(end)}&to=${encodeURIComponent(to)}`;
      const page = (await client.json('GET', path, this.#token)) as unknown as MessagesAnswer;
      seen += messagesIn(page.chunk);
      end = page.chunk.length === 0 ? undefined : page.end;
    }
    return seen;
  }

  close(): void {
    this.#database?.close();
  }
}

interface Event {
  readonly type: string;
}

interface SyncAnswer {
  readonly next_batch: string;
  readonly rooms?: {
    readonly join?: Readonly<
      Record<string, { timeline?: { events: readonly Event[]; limited: boolean; prev_batch: string } }>
    >;
  };
}

interface MessagesAnswer {
  readonly chunk: readonly Event[];
  readonly end?: string;
}

function messagesIn(events: readonly Event[] = []): number {
  return events.filter(({ type }) => type === 'm.room.message').length;
}

function report(found: readonly { name: string; runs: readonly Measurement[] }[]): Report {
  const of = (runs: readonly Measurement[], what: keyof Measurement): number =>
    median(runs.map((run) => run[what]));
  const ours = found[0]?.runs ?? [];
  return {
    name: 'link',
    about: `${messages.toLocaleString('en')} messages sent on one island, in a room with one user of another`,
    columns: ['server', 'stored/s', 'seen/s', 'CPU ms of the sender', 'CPU ms of the receiver'],
    rows: found.map(({ name, runs }) => [
      name,
      of(runs, 'stored'),
      of(runs, 'seen'),
      of(runs, 'senderCpuMs'),
      of(runs, 'receiverCpuMs'),
    ]),
    requirements: (['stored', 'seen'] as const).map((what) => ({
      what: `${Math.floor(of(ours, what)).toLocaleString('en')} events/s ${what}, at least ${requiredRate.toLocaleString('en')}`,
      holds: of(ours, what) >= requiredRate,
    })),
    measurements: found.map(({ name, runs }) => ({
      name,
      runs: runs.map((run) => ({
        stored: rounded(run.stored),
        seen: rounded(run.seen),
        senderCpuMs: rounded(run.senderCpuMs, 4),
        receiverCpuMs: rounded(run.receiverCpuMs, 4),
      })),
    })),
  };
}
