import type { Logger } from 'pino';
import { encodeBase64Url } from '../../protocol/base64.ts';
import { parseJson } from '../../protocol/json.ts';
import type { Clock, FailPoint, Random } from '../../protocol/runtime.ts';
import type { Inbound } from '../inbound/inbound.ts';
import {
  type Hello,
  type Lane,
  type LaneHeader,
  type LanePlace,
  type LaneStandings,
  laneHeaders,
  lanes,
  lanesPath,
  readStandings,
} from '../lanes.ts';
import type { LinkManager, LinkPriority, LinkRequest } from '../link/link-manager.ts';
import { federationUri } from '../remote-request.ts';
import type { CatchUp } from './catch-up.ts';
import { type EpochKind, LaneSender, type TransactionAnswer } from './lane-sender.ts';
import type { LaneStore } from './lane-store.ts';
import type { PartnerState } from './partner-state.ts';
import type { Renderer } from './render.ts';

const transactionDeadlineMs = 60_000;
const maxAnswerBytes = 256 * 1024;
const priorities: Readonly<Record<Lane, LinkPriority>> = { pdu: 'pdu', device: 'device', ephemeral: 'edu' };

export interface DestinationDeps {
  readonly serverName: string;
  readonly state: PartnerState;
  readonly store: LaneStore;
  readonly renderer: Renderer;
  readonly catchUp: CatchUp;
  readonly inbound: Inbound;
  readonly link: LinkManager;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly failPoint: FailPoint;
}

/** All that goes to one partner: its lanes, and what is due when one of the two sides was restored. */
export class Destination {
  readonly serverName: string;
  readonly #deps: DestinationDeps;
  readonly #senders = new Map<Lane, LaneSender>();
  #heard: LaneStandings = {};
  #catchingUp: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  constructor(deps: DestinationDeps) {
    this.#deps = deps;
    this.serverName = deps.serverName;
    for (const lane of lanes)
      this.#senders.set(
        lane,
        new LaneSender({
          destination: deps.serverName,
          lane,
          store: deps.store,
          state: deps.state,
          wire: {
            send: (txnId, header, body) => this.#send(txnId, header, body),
            received: async (asked) => (await this.#standingsThere())[asked]?.received,
          },
          render: (rendered, items) => deps.renderer.render(rendered, items),
          newEpoch: (kind) => this.#newEpoch(kind),
          restored: (who, received) => this.#restored(lane, who, received),
          clock: deps.clock,
          log: deps.log,
          failPoint: deps.failPoint,
        }),
      );
  }

  /** What will be sent next, for our hello. */
  async next(): Promise<LaneStandings> {
    const standings: Partial<Record<Lane, { next: LanePlace }>> = {};
    for (const [lane, sender] of this.#senders) standings[lane] = { next: await sender.next() };
    return standings;
  }

  /** The partner's hello. An epoch that it began because it was restored is a reason to catch it up, once. */
  async heard(hello: Hello): Promise<void> {
    this.#heard = hello.lanes;
    const next = hello.lanes.pdu?.next;
    if (next?.epoch.startsWith('r') !== true || this.#deps.state.caughtUp === next.epoch) return;
    this.#alarm(next, undefined);
    await this.#beginCatchUp(hello.lanes.pdu?.received, next.epoch);
  }

  /** The link serves requests now. */
  async up(): Promise<void> {
    for (const [lane, sender] of this.#senders) await sender.up(this.#heard[lane]?.received);
    this.resume();
    if (isBehind(this.#heard, await this.#receivedHere())) await this.#confirmBehind();
  }

  /**
   * The partner's hello announced numbers that we have already: either its database is older than what it
   * told us, or it sent them over another link after it wrote the hello. Its word of now decides.
   */
  async #confirmBehind(): Promise<void> {
    const received = await this.#receivedHere();
    const standings = await this.#standingsThere();
    if (!isBehind(standings, received)) {
      await this.heard({ boot: '', lanes: standings });
      return;
    }
    this.#alarm(standings.pdu?.next, received.pdu?.received);
    await this.#beginCatchUp(standings.pdu?.received, undefined);
  }

  #alarm(next: LanePlace | undefined, received: LanePlace | undefined): void {
    this.#deps.log.error(
      { alarm: 'restored', who: 'partner', partner: this.serverName, next, received },
      'a backup was restored at the partner: it is sent what it may have lost',
    );
  }

  #receivedHere(): Promise<LaneStandings> {
    return this.#deps.inbound.received(this.serverName);
  }

  down(): void {
    for (const sender of this.#senders.values()) sender.down();
  }

  wake(lane?: Lane): void {
    for (const [name, sender] of this.#senders) if (lane === undefined || lane === name) sender.wake();
  }

  /** Goes on with a catch-up that is due. */
  resume(): void {
    if (this.#stopped || this.#deps.state.catchUp === undefined) return;
    this.#again = true;
    this.#catchingUp ??= this.#runCatchUp().finally(() => {
      this.#catchingUp = undefined;
    });
  }

  async #runCatchUp(): Promise<void> {
    while (this.#again && !this.#stopped) {
      this.#again = false;
      try {
        await this.#deps.catchUp.run(this.serverName, this.#deps.state);
        this.wake('pdu');
      } catch (error) {
        this.#deps.log.error(
          { err: error, partner: this.serverName },
          'a catch-up failed and begins again with the next link',
        );
      }
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#senders.values()].map((sender) => sender.stop()));
    await this.#catchingUp;
  }

  async #send(txnId: string, header: LaneHeader, body: Buffer): Promise<TransactionAnswer> {
    const request: LinkRequest = {
      method: 'PUT',
      uri: federationUri('v1', ['send', txnId]),
      contentType: 'application/json',
      body,
      priority: priorities[header.lane],
      deadlineMs: transactionDeadlineMs,
      headers: laneHeaders(header),
    };
    const response = await this.#deps.link.request(this.serverName, request, { waitMs: 0 });
    const text = await response.body(maxAnswerBytes);
    return { status: response.status, body: parsed(text) };
  }

  async #standingsThere(): Promise<LaneStandings> {
    const request: LinkRequest = {
      method: 'GET',
      uri: lanesPath,
      priority: 'control',
      deadlineMs: transactionDeadlineMs,
    };
    const response = await this.#deps.link.request(this.serverName, request, { waitMs: 0 });
    const text = await response.body(maxAnswerBytes);
    if (response.status !== 200)
      throw new Error(`The partner does not say how its lanes stand: ${response.status}`);
    return readStandings(parsed(text));
  }

  #newEpoch(kind: EpochKind): string {
    return `${kind}${encodeBase64Url(this.#deps.random.bytes(12))}`;
  }

  async #restored(lane: Lane, who: 'us' | 'partner', received: LanePlace | undefined): Promise<void> {
    // What is gone of the other lanes is gone: their rows are not kept. Events are in the rooms.
    if (lane === 'pdu' && who === 'partner') await this.#beginCatchUp(received, undefined);
  }

  async #beginCatchUp(received: LanePlace | undefined, epoch: string | undefined): Promise<void> {
    const { state, store } = this.#deps;
    const since = received === undefined ? 0 : state.positionOf(received.epoch, received.sequence);
    await store.write('a catch-up is due', state.beginCatchUp(since, epoch));
    this.resume();
  }
}

/** Is the partner about to give numbers of its events that we have received already? */
function isBehind(there: LaneStandings, here: LaneStandings): boolean {
  const next = there.pdu?.next;
  const received = here.pdu?.received;
  return next !== undefined && next.epoch === received?.epoch && next.sequence <= received.sequence;
}

function parsed(text: Buffer): ReturnType<typeof parseJson> | undefined {
  try {
    return parseJson(text);
  } catch {
    return undefined; // The status decides; a body that is not JSON says nothing more.
  }
}
