import type { PartnerPolicy } from '../../../policy/partner-policy.ts';
import { administrator, api } from '../../admin/support.ts';
import { type Answer, at, Client, listAt, ok, textAt } from '../client.ts';
import { invite, join } from '../conversation.ts';
import { setPolicy } from '../policies.ts';
import { TestNetwork } from '../test-network.ts';
import { openPolicy } from './policies.ts';

/** What was said or done: allowed or not, and for what reasons, where one hears of them. */
export interface Verdict {
  readonly isAllowed: boolean;
  readonly codes?: readonly string[];
}

/** A deed, as it is explained and as it went. */
export interface Comparison {
  readonly deed: string;
  readonly explained: Verdict;
  readonly observed: Verdict;
}

export interface Asked {
  readonly from: Client;
  readonly to: Client;
  readonly action: string;
  readonly room?: string | undefined;
  readonly event_type?: string | undefined;
  readonly size?: number | undefined;
  readonly mime?: string | undefined;
  readonly encrypted?: boolean | undefined;
}

export interface File {
  readonly size: number;
  readonly mime: string;
  /** By whose island it is kept. */
  readonly uri: ReadonlyMap<string, string>;
}

/** A room with all four people, and events that receipts can name: one of each person. */
export interface SharedRoom {
  readonly roomId: string;
  readonly isEncrypted: boolean;
}

const files: readonly (readonly [size: number, mime: string])[] = [
  [100, 'image/png'],
  [1_000, 'application/pdf'],
  [10_000, 'text/plain'],
];

/** The island whose border is asked, one partner whose own allows everything, two people and three rooms of both. */
export class ExplainedStage {
  readonly network: TestNetwork;
  readonly ours: readonly [Client, Client];
  readonly theirs: readonly [Client, Client];
  readonly rooms: readonly [SharedRoom, ...SharedRoom[]];
  readonly files: readonly [File, ...File[]];
  readonly #admin: Client;

  private constructor(parts: {
    network: TestNetwork;
    ours: readonly [Client, Client];
    theirs: readonly [Client, Client];
    rooms: readonly [SharedRoom, ...SharedRoom[]];
    files: readonly [File, ...File[]];
    admin: Client;
  }) {
    this.network = parts.network;
    this.ours = parts.ours;
    this.theirs = parts.theirs;
    this.rooms = parts.rooms;
    this.files = parts.files;
    this.#admin = parts.admin;
  }

  static async open(): Promise<ExplainedStage> {
    const network = await TestNetwork.start(['acme.test', 'bolt.test'], { adminApi: true });
    try {
      return await ExplainedStage.#furnish(network);
    } catch (error) {
      await network.stop();
      throw error;
    }
  }

  static async #furnish(network: TestNetwork): Promise<ExplainedStage> {
    await network.pair('acme.test', 'bolt.test');
    const [acme, bolt] = [network.island('acme.test'), network.island('bolt.test')];
    const admin = await administrator(acme, 'olga', ['admin', 'partner-manager']);
    const [li, ann] = [await Client.create(acme, 'li'), await Client.create(acme, 'ann')];
    const [bo, bea] = [await Client.create(bolt, 'bo'), await Client.create(bolt, 'bea')];
    await ok(admin.put(`${api}/users/li/departments/purchasing`));
    setPolicy(acme, 'bolt.test', openPolicy);
    setPolicy(bolt, 'acme.test', openPolicy);
    const stage = new ExplainedStage({
      network,
      ours: [li, ann],
      theirs: [bo, bea],
      rooms: [
        await sharedRoom(network, [li, ann, bo, bea], false),
        await sharedRoom(network, [bo, bea, li, ann], false),
        await sharedRoom(network, [li, ann, bo, bea], true),
      ],
      files: await filesOf([li, bo]),
      admin,
    });
    await network.settled();
    return stage;
  }

  stop(): Promise<void> {
    return this.network.stop();
  }

  setPolicy(policy: PartnerPolicy): void {
    setPolicy(this.network.island('acme.test'), 'bolt.test', policy);
  }

  async explain({ from, to, ...asked }: Asked): Promise<Verdict> {
    const { encrypted, ...rest } = asked;
    const query = { from: from.userId, to: to.userId, ...rest };
    const answer = await ok(
      this.#admin.get(`${api}/policy/explain`, {
        ...query,
        encrypted: encrypted === undefined ? undefined : String(encrypted),
      }),
    );
    const codes = listAt(answer, 'violations').map((violation) => textAt(violation, 'code'));
    return { isAllowed: answer['decision'] === 'allow', codes: [...new Set(codes)].sort() };
  }
}

/** How a request went: by its status, and the reasons that it gives. */
export function verdictOf({ status, body }: Pick<Answer, 'status' | 'body'>): Verdict {
  const codes = listAt(body, 'org.archipelago.violations').map((violation) => textAt(violation, 'code'));
  return codes.length === 0
    ? { isAllowed: status === 200, ...(status === 200 ? { codes: [] } : {}) }
    : { isAllowed: false, codes: [...new Set(codes)].sort() };
}

async function sharedRoom(
  network: TestNetwork,
  people: readonly Client[],
  isEncrypted: boolean,
): Promise<SharedRoom> {
  const [maker, ...others] = people;
  if (maker === undefined) throw new Error('A room needs somebody');
  const algorithm = { algorithm: 'm.megolm.v1.aes-sha2' };
  const roomId = await maker.createRoom({
    preset: 'private_chat',
    ...(isEncrypted ? { initial_state: [{ type: 'm.room.encryption', content: algorithm }] } : {}),
  });
  for (const other of others) {
    await invite(maker, roomId, other);
    await network.settled();
    await join(other, roomId, [maker.userId.split(':')[1] ?? '']);
  }
  return { roomId, isEncrypted };
}

async function filesOf(people: readonly Client[]): Promise<[File, ...File[]]> {
  const made: File[] = [];
  for (const [size, mime] of files) {
    const uri = new Map<string, string>();
    for (const client of people) {
      const raw = Buffer.alloc(size, 'x');
      const headers = { 'content-type': mime };
      const answer = await ok(client.request('POST', '/_matrix/media/v3/upload', { raw, headers }));
      uri.set(client.userId.split(':')[1] ?? '', textAt(answer, 'content_uri'));
    }
    made.push({ size, mime, uri });
  }
  const [first, ...rest] = made;
  if (first === undefined) throw new Error('There are no files');
  return [first, ...rest];
}

/** People of whom a client sees a sign of life in its rooms: who types, and who has read an event. */
export async function signsOf(client: Client, roomIds: readonly string[]): Promise<Set<string>> {
  const filter = JSON.stringify({
    room: { rooms: [...roomIds], timeline: { limit: 1 }, state: { limit: 0, not_types: ['*'] } },
  });
  const sync = await client.sync(undefined, { filter });
  const seen = new Set<string>();
  for (const roomId of roomIds)
    for (const event of listAt(sync, 'rooms', 'join', roomId, 'ephemeral', 'events')) {
      const content = event['content'];
      if (event['type'] === 'm.typing') {
        const users = at(content, 'user_ids');
        for (const user of Array.isArray(users) ? users : []) seen.add(`typing ${roomId} ${String(user)}`);
      }
      if (event['type'] !== 'm.receipt' || typeof content !== 'object' || content === null) continue;
      for (const [eventId, receipts] of Object.entries(content))
        for (const user of Object.keys(at(receipts, 'm.read') ?? {})) seen.add(`receipt ${eventId} ${user}`);
    }
  return seen;
}
