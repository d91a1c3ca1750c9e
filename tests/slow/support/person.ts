import { setTimeout as pause } from 'node:timers/promises';
import type { JsonObject, JsonValue } from '../../../protocol/json.ts';
import { type Answer, at, Client, listAt, ok, textAt, v3 } from '../../support/client.ts';
import type { Seeded } from '../../support/seeded.ts';
import { testPassword } from '../../support/test-network.ts';
import type { KillableIsland } from './killable-island.ts';

/** Something that a person did and whose event they were told the id of. */
export interface Deed {
  readonly kind: 'message' | 'state' | 'redaction';
  readonly eventId: string;
  /** The path of the request with its transaction id, and what was sent: for doing it once more. */
  readonly path: string;
  readonly body: JsonObject;
}

/** What a timeline showed, of a `/sync` that goes on over every crash. */
interface Seen {
  readonly eventId: string;
  readonly sender: string;
}

const syncFilter = JSON.stringify({ room: { timeline: { limit: 1_000 } }, presence: { types: [] } });

/**
 * Somebody who uses one room, with a client that does what clients do: whatever is not answered is sent again, under
 * the same transaction id, until it is; and `/sync` goes on where it was.
 */
export class Person {
  readonly island: KillableIsland;
  readonly userId: string;
  readonly roomId: string;
  /** All that was acknowledged, in order. */
  readonly deeds: Deed[] = [];
  readonly seen: Seen[] = [];
  /** Events that were there before the first `/sync`. */
  known: ReadonlySet<string> = new Set();
  /** The event of the last acknowledged receipt. */
  receipt: string | undefined;
  readonly #client: Client;
  readonly #random: Seeded;
  readonly #redacted = new Set<string>();
  #count = 0;
  #since: string | undefined;
  /** How many things were done, to the end. */
  acts = 0;
  /** Answers that no crash explains. */
  readonly complaints: string[] = [];

  constructor(client: Client, island: KillableIsland, roomId: string, random: Seeded) {
    this.#client = client;
    this.island = island;
    this.userId = client.userId;
    this.roomId = roomId;
    this.#random = random;
  }

  static async register(island: KillableIsland, localpart: string): Promise<Client> {
    const session = await Client.anonymous(island).post(v3`/register`, {
      username: localpart,
      password: testPassword,
      auth: { type: 'm.login.dummy' },
    });
    return Client.of(island, session.body);
  }

  /** Does one thing, chosen by chance, until it is acknowledged. */
  async act(): Promise<void> {
    await this.#act();
    this.acts += 1;
  }

  #act(): Promise<void> {
    const choice = this.#random.next();
    const target = this.#random.pick([this.deeds.at(-1), this.deeds.at(-5), this.deeds.at(-20)]);
    this.#count += 1;
    const marker = `${this.userId} ${this.#count}`;
    if (choice < 0.12) return this.#read();
    if (choice < 0.22) {
      const key = this.#random.pick(['one', 'two', this.userId]);
      return this.#do('state', v3`/rooms/${this.roomId}/state/org.example.note/${key}`, { marker });
    }
    if (choice < 0.3 && target?.kind === 'message' && !this.#redacted.has(target.eventId)) {
      this.#redacted.add(target.eventId);
      const path = v3`/rooms/${this.roomId}/redact/${target.eventId}/${`t${this.#count}`}`;
      return this.#do('redaction', path, { reason: marker });
    }
    const path = v3`/rooms/${this.roomId}/send/m.room.message/${`t${this.#count}`}`;
    return this.#do('message', path, { msgtype: 'm.text', body: marker });
  }

  async #do(kind: Deed['kind'], path: string, body: JsonObject): Promise<void> {
    const answer = await this.#persist(() => this.#client.put(path, body));
    if (answer === undefined) return;
    this.deeds.push({ kind, eventId: textAt(answer.body, 'event_id'), path, body });
  }

  /** Sends what was acknowledged once more, as a client does that lost the answer; the event must be the same. */
  async repeat(deed: Deed): Promise<void> {
    if (deed.kind === 'state') return; // Has no transaction id.
    const answer = await this.#persist(() => this.#client.put(deed.path, deed.body));
    const eventId = answer?.body['event_id'];
    if (eventId !== deed.eventId)
      this.complaints.push(`${deed.path} was ${deed.eventId}, and when it was sent again ${String(eventId)}`);
  }

  async #read(): Promise<void> {
    const event = this.seen.at(-1);
    if (event === undefined) return;
    const path = v3`/rooms/${this.roomId}/receipt/m.read/${event.eventId}`;
    const answer = await this.#persist(() => this.#client.post(path));
    if (answer !== undefined) this.receipt = event.eventId;
  }

  /** Asks until there is an answer. Undefined for a refusal, which is a complaint. */
  async #persist(ask: () => Promise<Answer>): Promise<Answer | undefined> {
    for (;;) {
      const answer = await answered(this.island, ask);
      if (answer.status === 200) return answer;
      this.complaints.push(`${this.userId} was answered ${answer.status} ${JSON.stringify(answer.body)}`);
      if (answer.status < 500) return undefined;
      await pause(50);
    }
  }

  /** The first `/sync`, while nobody writes. */
  async begin(): Promise<void> {
    await this.sync(0);
    this.known = new Set((await this.timeline()).map((event) => String(event['event_id'])));
  }

  /** One `/sync` from where the last one ended; what it shows counts once it is complete. */
  async sync(timeoutMs: number): Promise<void> {
    const answer = await this.#persist(() =>
      this.#client.get(v3`/sync`, { filter: syncFilter, since: this.#since, timeout: timeoutMs }),
    );
    if (answer === undefined) return;
    const isFirst = this.#since === undefined;
    const since = this.#since;
    this.#since = textAt(answer.body, 'next_batch');
    if (isFirst) return; // What was before is not counted.
    const timeline = ['rooms', 'join', this.roomId, 'timeline'];
    const events = listAt(answer.body, ...timeline, 'events');
    // As clients do: what did not fit in is fetched from where the answer began.
    if (at(answer.body, ...timeline, 'limited') === true)
      events.unshift(...(await this.#gap(textAt(answer.body, ...timeline, 'prev_batch'), since)));
    for (const event of events)
      this.seen.push({ eventId: String(event['event_id']), sender: String(event['sender']) });
  }

  /** The events between two places of the timeline, oldest first. */
  async #gap(before: string, after: string | undefined): Promise<JsonObject[]> {
    const events: JsonObject[] = [];
    let from: string | undefined = before;
    while (from !== undefined) {
      const query = { dir: 'b', limit: 1_000, from, to: after };
      const page = await this.#persist(() => this.#client.get(v3`/rooms/${this.roomId}/messages`, query));
      events.push(...listAt(page?.body, 'chunk'));
      const end = page?.body['end'];
      from = typeof end === 'string' ? end : undefined;
    }
    return events.reverse();
  }

  /** The whole timeline, oldest first, history from before the join included. */
  async timeline(): Promise<JsonObject[]> {
    const events: JsonObject[] = [];
    let from: string | undefined;
    do {
      const query = { dir: 'b', limit: 1_000, from };
      const page: JsonObject = await ok(this.#client.get(v3`/rooms/${this.roomId}/messages`, query));
      events.push(...listAt(page, 'chunk'));
      from = typeof page['end'] === 'string' ? page['end'] : undefined;
    } while (from !== undefined);
    return events.reverse();
  }

  /** The current state, by type and state key. */
  async state(): Promise<Map<string, JsonObject>> {
    const { json } = await this.#client.get(v3`/rooms/${this.roomId}/state`);
    return new Map(listAt(json).map((event) => [JSON.stringify([event['type'], event['state_key']]), event]));
  }

  /** The last public receipt of everybody, by user id: which event it names. */
  async receipts(): Promise<Map<string, string>> {
    const body = await this.#client.sync(undefined, { filter: syncFilter });
    const found = new Map<string, string>();
    for (const event of listAt(body, 'rooms', 'join', this.roomId, 'ephemeral', 'events')) {
      if (event['type'] !== 'm.receipt') continue;
      for (const [eventId, types] of Object.entries(objectOf(event['content'])))
        for (const userId of Object.keys(objectOf(objectOf(types)['m.read']))) found.set(userId, eventId);
    }
    return found;
  }
}

function objectOf(value: JsonValue | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

/** Asks an island until it answers, over as many of its lives as that takes. */
export async function answered(island: KillableIsland, ask: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    await island.listening();
    try {
      return await ask();
    } catch (error) {
      if (!isBroken(error)) throw error;
      // The process dies, or is about to be known as dead.
      await pause(5);
    }
  }
}

/** A connection that ended, or an island that does not listen: what a killed process looks like from outside. */
function isBroken(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? error.code : undefined;
  return (
    code === 'ECONNRESET' ||
    code === 'ECONNREFUSED' ||
    code === 'EPIPE' ||
    error.message.endsWith('does not listen')
  );
}
