import { mergePolicy } from '../../../config/policy.ts';
import type { RawPolicy } from '../../../config/policy-schema.ts';
import { Client } from '../../support/client.ts';
import { invite, join } from '../../support/conversation.ts';
import type { TestNetwork } from '../../support/test-network.ts';

/** A way in which two islands can be connected; every one of them has to give the same table. */
export interface Transport {
  readonly name: string;
  /** Starts islands of these names, each a partner of all the others over this transport. */
  start(serverNames: readonly string[]): Promise<TestNetwork>;
}

/** What the policies under test are narrowed from: all that can be allowed. */
const open: RawPolicy = {
  rooms: { third_parties: 'allow' },
  directory: { expose: [{ everyone: true }], fields: ['display_name', 'avatar', 'title', 'department'] },
  share: { presence: true, typing: true, receipts: true, device_names: true },
};

/** Who acts, and who is at the other end. */
export interface Sides {
  readonly actor: Client;
  readonly actorServer: string;
  readonly peer: Client;
  readonly peerServer: string;
}

const subject = 'acme.test';
const partner = 'bolt.test';
const third = 'cargo.test';

/**
 * Three islands: one whose policy for a partner is under test, that partner, and a third one. `li` and `bo` are who
 * act; `desk` is a room of `li` with both, `yard` one of `bo` with both.
 */
export class Stage {
  readonly network: TestNetwork;
  readonly li: Client;
  readonly bo: Client;
  readonly ca: Client;
  readonly desk: string;
  readonly yard: string;

  private constructor(parts: {
    network: TestNetwork;
    li: Client;
    bo: Client;
    ca: Client;
    desk: string;
    yard: string;
  }) {
    this.network = parts.network;
    this.li = parts.li;
    this.bo = parts.bo;
    this.ca = parts.ca;
    this.desk = parts.desk;
    this.yard = parts.yard;
  }

  static async open(transport: Transport): Promise<Stage> {
    const network = await transport.start([subject, partner, third]);
    const li = await Client.create(network.island(subject), 'li');
    const bo = await Client.create(network.island(partner), 'bo');
    const ca = await Client.create(network.island(third), 'ca');
    await giveDepartment(network, 'li', 'purchasing');
    const desk = await sharedRoom(li, bo, subject);
    const yard = await sharedRoom(bo, li, partner);
    const stage = new Stage({ network, li, bo, ca, desk, yard });
    stage.reset();
    await network.settled();
    return stage;
  }

  /** Sets the policy of the island under test for its partner; both begin with everything allowed. */
  reset(policy: RawPolicy = {}, theirs: RawPolicy = {}): void {
    this.#set(subject, policy);
    this.#set(partner, theirs);
    this.#set(third, {});
  }

  /** Our user acts towards theirs. */
  get outbound(): Sides {
    return { actor: this.li, actorServer: subject, peer: this.bo, peerServer: partner };
  }

  /** Their user acts towards ours. */
  get inbound(): Sides {
    return { actor: this.bo, actorServer: partner, peer: this.li, peerServer: subject };
  }

  /** A new room of one of the two with both in it. */
  async room(maker: Client, options: Parameters<Client['createRoom']>[0] = {}): Promise<string> {
    const [other, server] = maker === this.li ? [this.bo, subject] : [this.li, partner];
    const room = await sharedRoom(maker, other, server, options);
    await this.network.settled();
    return room;
  }

  stop(): Promise<void> {
    return this.network.stop();
  }

  #set(serverName: string, policy: RawPolicy): void {
    const island = this.network.island(serverName);
    island.setPartners(
      island.partners.map((entry) => ({
        ...entry,
        policy: mergePolicy(
          [open, entry.serverName === third ? {} : policy].map((raw) => ({
            raw,
            ruleAt: (path) => `policy.yaml: ${path.join('.')}`,
            pathIn: (text) => text,
          })),
        ),
      })),
    );
  }
}

async function sharedRoom(
  maker: Client,
  other: Client,
  server: string,
  options: Parameters<Client['createRoom']>[0] = {},
): Promise<string> {
  const room = await maker.createRoom({ preset: 'private_chat', ...options });
  await invite(maker, room, other);
  await join(other, room, [server]);
  return room;
}

/** Departments are read when an island starts. */
async function giveDepartment(network: TestNetwork, localpart: string, department: string): Promise<void> {
  const { db } = network.island(subject).homeserver;
  await db.writer.submit({ label: 'test', ops: db.departments.add(localpart, department) });
  await network.restart(subject);
  await network.linked(subject, partner);
  await network.linked(subject, third);
}
