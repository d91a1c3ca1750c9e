import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Pdu, RoomEvent, UnsignedPdu } from '../../protocol/event.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { type RoomVersion, roomVersion } from '../../protocol/room-versions.ts';
import type { Clock, Random } from '../../protocol/runtime.ts';
import { generateSigningKey, type SigningKey, signEvent } from '../../protocol/signing.ts';
import { RoomError } from '../../rooms/errors.ts';
import { type Border, type KeyRing, RemoteError, type RemoteRooms } from '../../rooms/ports.ts';
import { RoomEngine } from '../../rooms/room-engine.ts';
import type { CreateRoomRequest, ReceiveOutcome, RoomView } from '../../rooms/types.ts';
import { type Database, openDatabase } from '../../storage/database.ts';

export const random: Random = { bytes: (length) => randomBytes(length) };

/** A clock that stands still until a test moves it; each reading is one millisecond later. */
class TestClock implements Clock {
  #now = 1_790_000_000_000;

  now(): number {
    this.#now += 1;
    return this.#now;
  }

  advance(ms: number): void {
    this.#now += ms;
  }

  setTimer(ms: number, run: () => void): { cancel(): void } {
    const timer = setTimeout(run, ms);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  }
}

/** Islands in one process, wired to one another's engines; what the outboxes hold moves when told to. */
export class Archipelago {
  readonly islands = new Map<string, Island>();
  readonly clock = new TestClock();
  /** Pairs "a b": a cannot reach b. */
  readonly #cut = new Set<string>();

  async add(serverName: string, partners?: readonly string[]): Promise<Island> {
    const island = await Island.start(this, serverName, partners);
    this.islands.set(serverName, island);
    return island;
  }

  island(serverName: string): Island {
    const island = this.islands.get(serverName);
    assert.ok(island, `no island ${serverName}`);
    return island;
  }

  cut(a: string, b: string): void {
    this.#cut.add(`${a} ${b}`).add(`${b} ${a}`);
  }

  heal(a: string, b: string): void {
    this.#cut.delete(`${a} ${b}`);
    this.#cut.delete(`${b} ${a}`);
  }

  isCut(a: string, b: string): boolean {
    return this.#cut.has(`${a} ${b}`);
  }

  /** Delivers everything that waits in outboxes, until nothing waits that can be delivered. */
  async settle(): Promise<void> {
    for (let moved = true; moved; ) {
      moved = false;
      for (const island of this.islands.values()) if (await island.flush()) moved = true;
    }
  }

  async close(): Promise<void> {
    for (const island of this.islands.values()) await island.close();
  }
}

export class Island {
  readonly serverName: string;
  readonly net: Archipelago;
  readonly key: SigningKey;
  readonly keys: KeyRing;
  readonly border: Border;
  /** Called instead of the real thing, by operation: tests put bad partners here. */
  readonly overrides: Partial<RemoteRooms> = {};
  /** Operations that this island asked of others, in order. */
  readonly asked: string[] = [];
  readonly #folder: string;
  readonly #partners: readonly string[] | undefined;
  db: Database;
  engine: RoomEngine;

  private constructor(
    net: Archipelago,
    serverName: string,
    folder: string,
    partners: readonly string[] | undefined,
    db: Database,
  ) {
    this.net = net;
    this.serverName = serverName;
    this.#folder = folder;
    this.#partners = partners;
    this.db = db;
    this.key = generateSigningKey('ed25519:a', random);
    this.keys = {
      key: (server, keyId) => {
        const { key } = this.net.islands.get(server) ?? (server === serverName ? this : {});
        return key !== undefined && key.keyId === keyId && this.#knows(server)
          ? { publicKey: key.publicKey }
          : undefined;
      },
    };
    this.border = {
      consult: () => undefined,
      maySend: () => ({ allowed: true }),
      mayCreate: () => ({ allowed: true }),
      mayJoin: () => ({ allowed: true }),
      judgeReceived: () => ({ allowed: true }),
      labelOf: () => undefined,
      defaultsOf: () => ({ state: [], inviteLevel: 0 }),
      mayAdmit: async () => ({ allowed: true }),
      admitted: () => undefined,
      foresees: () => true,
      mayBeWith: () => ({ allowed: true }),
      metStranger: () => undefined,
      powerLimit: () => Number.POSITIVE_INFINITY,
      mayTalkTo: (server) => this.#knows(server),
      keepsFor: (server) => this.#knows(server),
      mayInvite: (from, to) => {
        const other = from.endsWith(`:${serverName}`) ? to : from;
        const server = other.slice(other.indexOf(':') + 1);
        return this.#knows(server)
          ? { allowed: true }
          : {
              allowed: false,
              violations: [{ code: 'not_a_partner', message: `${server} is not a partner`, rule: 'test' }],
            };
      },
    };
    this.engine = this.#makeEngine();
  }

  static async start(net: Archipelago, serverName: string, partners?: readonly string[]): Promise<Island> {
    const folder = await mkdtemp(join(tmpdir(), 'rooms-'));
    return new Island(net, serverName, folder, partners, await open(net, folder));
  }

  #knows(server: string): boolean {
    return server === this.serverName || this.#partners === undefined || this.#partners.includes(server);
  }

  #makeEngine(): RoomEngine {
    return new RoomEngine({
      serverName: this.serverName,
      signingKey: this.key,
      db: this.db,
      remote: this.#remote(),
      keys: this.keys,
      border: this.border,
      clock: this.net.clock,
      random,
      log: pino({ level: 'silent' }),
      defaultRoomVersion: () => '12',
    });
  }

  /** Closes and opens again, as after a crash: nothing in memory is left. */
  async restart(): Promise<void> {
    await this.db.close();
    this.db = await open(this.net, this.#folder);
    this.engine = this.#makeEngine();
  }

  async close(): Promise<void> {
    await this.db.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async user(localpart: string): Promise<string> {
    await this.db.writer.submit({
      label: 'test user',
      ops: [
        {
          kind: 'insert',
          table: 'users',
          rows: [
            {
              localpart,
              password_hash: null,
              deactivated: 0,
              created_ts: 1,
              display_name: localpart.toUpperCase(),
              avatar_url: null,
            },
          ],
        },
      ],
    });
    return `@${localpart}:${this.serverName}`;
  }

  async room(userId: string, request: CreateRoomRequest = {}): Promise<string> {
    return (await this.engine.createRoom(userId, request)).roomId;
  }

  async say(userId: string, roomId: string, body: string): Promise<string> {
    const request = { userId, roomId, type: 'm.room.message', content: { msgtype: 'm.text', body } };
    return (await this.engine.send(request)).eventId;
  }

  async setState(
    userId: string,
    roomId: string,
    type: string,
    content: JsonObject,
    stateKey = '',
  ): Promise<string> {
    return (await this.engine.send({ userId, roomId, type, stateKey, content })).eventId;
  }

  async view(roomId: string): Promise<RoomView> {
    const view = await this.engine.view(roomId);
    assert.ok(view, `${this.serverName} does not hold ${roomId}`);
    return view;
  }

  /** Current state as event ids, sorted: equal on two islands means that they agree. */
  async stateOf(roomId: string): Promise<string[]> {
    return [...(await this.view(roomId)).state].map(([key, event]) => `${key} ${event.eventId}`).sort();
  }

  /** Bodies or types of the timeline in its order. */
  async timeline(roomId: string): Promise<string[]> {
    const rows = await this.db.reader.query<{ json: string }>(
      `SELECT json FROM events JOIN rooms ON rooms.room_nid = events.room_nid
       WHERE room_id = ? AND stream_pos IS NOT NULL ORDER BY stream_pos`,
      [roomId],
    );
    return rows.map(({ json }) => {
      const pdu = JSON.parse(json) as Pdu;
      const body = pdu.content['body'];
      return typeof body === 'string' ? body : pdu.type;
    });
  }

  /** Sends what the outbox holds for servers that can be reached. True if something moved. */
  async flush(): Promise<boolean> {
    const rows = await this.db.reader.query<{ destination: string; position: number; event_id: string }>(
      'SELECT destination, position, event_id FROM outbox ORDER BY position',
      [],
    );
    let moved = false;
    for (const { destination, position, event_id: eventId } of rows) {
      const other = this.net.islands.get(destination);
      if (other === undefined || this.net.isCut(this.serverName, destination)) continue;
      const event = await this.engine.event(eventId);
      assert.ok(event);
      await other.engine.receive(this.serverName, wire(event.pdu));
      await this.db.writer.submit({
        label: 'test delivered',
        ops: [{ kind: 'delete', table: 'outbox', where: { destination, lane: 'pdu', position } }],
      });
      moved = true;
    }
    return moved;
  }

  /** Takes everything out of the outbox without delivering it. */
  async dropOutbox(): Promise<Pdu[]> {
    const rows = await this.db.reader.query<{ destination: string; position: number; event_id: string }>(
      'SELECT destination, position, event_id FROM outbox ORDER BY position',
      [],
    );
    const pdus: Pdu[] = [];
    for (const { destination, position, event_id: eventId } of rows) {
      const event = await this.engine.event(eventId);
      if (event !== undefined) pdus.push(wire(event.pdu));
      await this.db.writer.submit({
        label: 'test dropped',
        ops: [{ kind: 'delete', table: 'outbox', where: { destination, lane: 'pdu', position } }],
      });
    }
    return pdus;
  }

  receive(origin: string, pdu: Pdu): Promise<ReceiveOutcome> {
    return this.engine.receive(origin, wire(pdu));
  }

  /** An event as this island could make it outside its engine: the forger's tool. */
  async forge(
    roomId: string,
    event: { type: string; sender: string; stateKey?: string; content: JsonObject },
    place: {
      prev?: readonly string[];
      auth?: readonly string[];
      key?: SigningKey;
      serverName?: string;
      redacts?: string;
    } = {},
  ): Promise<RoomEvent> {
    const view = await this.view(roomId);
    const auth = place.auth ?? this.authFor(view, event.sender, event.stateKey);
    const draft: UnsignedPdu = {
      room_id: roomId,
      type: event.type,
      sender: event.sender,
      content: event.content,
      prev_events: [...(place.prev ?? view.extremities)],
      auth_events: [...auth],
      depth: 1000,
      origin_server_ts: this.net.clock.now(),
    };
    if (event.stateKey !== undefined) draft.state_key = event.stateKey;
    if (place.redacts !== undefined) draft.redacts = place.redacts;
    const { pdu, eventId } = signEvent(
      draft,
      view.version,
      place.serverName ?? this.serverName,
      place.key ?? this.key,
    );
    return { eventId, roomId, pdu, rejected: false };
  }

  authFor(view: RoomView, sender: string, target?: string): string[] {
    const ids = [view.get('m.room.power_levels', ''), view.get('m.room.member', sender)];
    if (!view.version.roomIdIsHash) ids.push(view.get('m.room.create', ''));
    if (target !== undefined && target !== sender) ids.push(view.get('m.room.member', target));
    return ids.flatMap((event) => (event === undefined ? [] : [event.eventId]));
  }

  #remote(): RemoteRooms {
    const name = this.serverName;
    const ask = async <T>(
      server: string,
      operation: string,
      run: (other: RoomEngine) => Promise<T>,
    ): Promise<T> => {
      this.asked.push(`${operation} ${server}`);
      const other = this.net.islands.get(server);
      if (other === undefined || this.net.isCut(name, server))
        throw new RemoteError('unreachable', `${server} cannot be reached`);
      try {
        return wire(await run(other.engine));
      } catch (error) {
        if (error instanceof RoomError)
          throw new RemoteError('refused', error.message, { status: error.status, errcode: error.errcode });
        throw error;
      }
    };
    const remote: RemoteRooms = {
      isReachable: (server) => this.net.islands.has(server) && !this.net.isCut(name, server),
      makeJoin: (server, ...rest) => ask(server, 'make_join', (e) => e.makeJoin(name, ...rest)),
      sendJoin: (server, roomId, id, pdu) =>
        ask(server, 'send_join', async (e) => e.sendJoin(name, roomId, id, wire(pdu))),
      makeLeave: (server, ...rest) => ask(server, 'make_leave', (e) => e.makeLeave(name, ...rest)),
      sendLeave: async (server, roomId, id, pdu) => {
        await ask(server, 'send_leave', async (e) => {
          await e.sendLeave(name, roomId, id, wire(pdu));
          return null;
        });
      },
      invite: (server, roomId, id, body) =>
        ask(server, 'invite', (e) => e.receiveInvite(name, roomId, id, wire(body))),
      event: (server, id) => ask(server, 'event', (e) => e.getEvent(name, id)),
      state: (server, ...rest) => ask(server, 'state', (e) => e.getState(name, ...rest)),
      stateIds: (server, ...rest) => ask(server, 'state_ids', (e) => e.getStateIds(name, ...rest)),
      eventAuth: (server, ...rest) => ask(server, 'event_auth', (e) => e.getEventAuth(name, ...rest)),
      backfill: (server, ...rest) => ask(server, 'backfill', (e) => e.backfill(name, ...rest)),
      missingEvents: (server, ...rest) =>
        ask(server, 'get_missing_events', (e) => e.getMissingEvents(name, ...rest)),
      resolveAlias: () => Promise.reject(new RemoteError('refused', 'not in these tests', { status: 404 })),
      profile: () => Promise.resolve({}),
    };
    return new Proxy(remote, {
      get: (target, operation) =>
        this.overrides[operation as keyof RemoteRooms] ?? target[operation as keyof RemoteRooms],
    });
  }
}

function open(net: Archipelago, folder: string): Promise<Database> {
  return openDatabase(
    { type: 'sqlite', path: join(folder, 'homeserver.db') },
    { log: pino({ level: 'silent' }), clock: net.clock, random },
  );
}

/** As it looks after a journey: no shared objects. */
export function wire<T>(value: T): T {
  return value === undefined ? value : (JSON.parse(JSON.stringify(value)) as T);
}

export function version(id: string): RoomVersion {
  const found = roomVersion(id);
  assert.ok(found);
  return found;
}

/** Asserts that a promise rejects with this status and errcode. */
export async function refused(
  promise: Promise<unknown>,
  status: number,
  errcode: string,
): Promise<RoomError> {
  let caught: unknown;
  try {
    await promise;
  } catch (error) {
    caught = error;
  }
  assert.ok(caught instanceof RoomError, `expected a RoomError, got ${String(caught)}`);
  assert.deepEqual([caught.status, caught.errcode], [status, errcode], caught.message);
  return caught;
}
