import { mergePolicy } from '../../../config/policy.ts';
import type { RawPolicy } from '../../../config/policy-schema.ts';
import { answer, CallbackServer } from '../../support/callback-server.ts';
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

/** What the check of ours says that a row's policy names; `nothing`: an answer that cannot be used. */
export interface Check {
  readonly actions: readonly ('message' | 'invite' | 'join' | 'media')[];
  readonly says: 'allow' | 'deny' | 'warn' | 'nothing';
  readonly onTimeout?: 'allow' | 'deny' | 'warn';
}

/** How the policy, and the entry around it, is narrowed. */
export interface Narrowing {
  readonly policy: RawPolicy;
  /** What the partner's own policy says: both apply. */
  readonly theirs?: RawPolicy | undefined;
  /** The partner in our files: suspended, ended, or gone. */
  readonly standing?: 'suspended' | 'ended' | 'removed' | undefined;
  readonly check?: Check | undefined;
}

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
  /** Of each side somebody who is in no room with the other. */
  readonly ann: Client;
  readonly bea: Client;
  readonly desk: string;
  readonly yard: string;
  readonly #checker: CallbackServer;
  readonly #entries: ReturnType<TestNetwork['island']>['partners'];

  private constructor(parts: {
    network: TestNetwork;
    li: Client;
    bo: Client;
    ca: Client;
    ann: Client;
    bea: Client;
    desk: string;
    yard: string;
    checker: CallbackServer;
  }) {
    this.network = parts.network;
    this.li = parts.li;
    this.bo = parts.bo;
    this.ca = parts.ca;
    this.ann = parts.ann;
    this.bea = parts.bea;
    this.#checker = parts.checker;
    this.#entries = parts.network.island(subject).partners;
    this.desk = parts.desk;
    this.yard = parts.yard;
  }

  static async open(transport: Transport): Promise<Stage> {
    const network = await transport.start([subject, partner, third]);
    const li = await Client.create(network.island(subject), 'li');
    const bo = await Client.create(network.island(partner), 'bo');
    const ca = await Client.create(network.island(third), 'ca');
    const ann = await Client.create(network.island(subject), 'ann');
    const bea = await Client.create(network.island(partner), 'bea');
    const checker = await CallbackServer.start();
    await giveDepartment(network, 'li', 'purchasing');
    const desk = await sharedRoom(li, bo, subject);
    const yard = await sharedRoom(bo, li, partner);
    const stage = new Stage({ network, li, bo, ca, ann, bea, desk, yard, checker });
    await stage.reset();
    await network.settled();
    return stage;
  }

  /** Sets the policy of the island under test for its partner; both begin with everything allowed. */
  async reset({ policy, theirs = {}, standing, check }: Narrowing = { policy: {} }): Promise<void> {
    this.#set(subject, check === undefined ? policy : { ...policy, callback: this.#callback(check) });
    this.#set(partner, theirs);
    this.#set(third, {});
    if (standing === undefined) {
      await this.network.linked(subject, partner);
      return;
    }
    const island = this.network.island(subject);
    island.setPartners(
      island.partners.flatMap((entry) => {
        if (entry.serverName !== partner) return [entry];
        if (standing === 'suspended') return [{ ...entry, state: 'suspended' as const }];
        return standing === 'ended' ? [{ ...entry, validUntil: 1 }] : [];
      }),
    );
    await this.network.until(
      () => this.network.island(partner).homeserver.federation.link.status(subject).state !== 'connected',
      'the link stays up',
    );
  }

  #callback({ actions, says, onTimeout = 'deny' }: Check): NonNullable<RawPolicy['callback']> {
    this.#checker.react = (_posted, response) => {
      if (says === 'nothing') response.writeHead(500).end();
      else answer(response, { decision: says });
    };
    return { url: this.#checker.url, actions: [...actions], on_timeout: onTimeout };
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

  async stop(): Promise<void> {
    await this.network.stop();
    await this.#checker.stop();
  }

  #set(serverName: string, policy: RawPolicy): void {
    const island = this.network.island(serverName);
    const entries = serverName === subject ? this.#entries : island.partners;
    island.setPartners(
      entries.map((entry) => ({
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
