import type { IncomingMessage, Server } from 'node:http';
import type { Logger } from 'pino';
import type { Question } from '../policy/question.ts';
import { encodeBase64Url } from '../protocol/base64.ts';
import type { JsonObject } from '../protocol/json.ts';
import type { Clock, FailPoint, Random } from '../protocol/runtime.ts';
import type { SigningKey } from '../protocol/signing.ts';
import type { RoomEngine } from '../rooms/room-engine.ts';
import type { Database } from '../storage/database.ts';
import type { DriftRecord } from '../storage/stores/room-drift-store.ts';
import type { Note, WriteOp } from '../storage/writer.ts';
import { Approvals } from './approvals/approvals.ts';
import { ApprovalPerformer } from './approvals/performer.ts';
import { BootIds } from './boot-ids.ts';
import { type Asked, PartnerBorder } from './border/border.ts';
import { LocalPeople } from './border/people.ts';
import { CallbackChecker } from './callback/checker.ts';
import type { FileMaterial } from './callback/facts.ts';
import { type FederationRequest, type FederationResponse, jsonResponse } from './exchange.ts';
import { Backlog } from './inbound/backlog.ts';
import { EduReceiver, type TypingListener } from './inbound/edus.ts';
import { Inbound, maxBacklog } from './inbound/inbound.ts';
import { InboxAccess } from './inbound/inbox-access.ts';
import { Processor } from './inbound/processor.ts';
import { PinnedKeyRing } from './keys/key-ring.ts';
import { OwnKeys } from './keys/own-keys.ts';
import { PartnerKeys, rotationNotice } from './keys/partner-keys.ts';
import { helloJson, type LaneStandings, lanes, readHello } from './lanes.ts';
import { type LinkKeyPair, LinkManager, type LinkStatus, LinkUnavailable } from './link/link-manager.ts';
import type { LocalMedia } from './media/media.ts';
import { Outbox } from './outbox/outbox.ts';
import { type LocalReceipt, receiptNotes, receiptOps } from './outbox/receipts.ts';
import { sendTyping } from './outbox/typing.ts';
import { type Waiting, waitingIn } from './outbox/waiting.ts';
import { PartnerActions } from './partners/actions.ts';
import { ExpiryWatch } from './partners/expiry-watch.ts';
import type { PartnerRegistry } from './partners/registry.ts';
import { LinkRemoteRooms } from './remote-rooms.ts';
import { admissionPath, consentBy } from './rooms/consent.ts';
import { driftPath } from './rooms/drift-report.ts';
import { Drifts } from './rooms/drifts.ts';
import { RoomWatch } from './rooms/room-watch.ts';
import { FederationRouter } from './routes/router.ts';

export interface FederationDeps {
  readonly serverName: string;
  /** Signs what we send; of `ownKeys`, where that is given. */
  readonly signingKey: SigningKey;
  /** All keys of this server; the signing key alone if it is absent. */
  readonly ownKeys?: OwnKeys | undefined;
  /** The X25519 key of the link's Noise handshake. */
  readonly linkStaticKey: LinkKeyPair;
  readonly software: { readonly name: string; readonly version: string };
  readonly partners: PartnerRegistry;
  /** Where partners are changed at run time, one change after the other; its own if it is absent. */
  readonly actions?: PartnerActions | undefined;
  /** Invitations that are held; none if it is absent. */
  readonly approvals?: Approvals | undefined;
  /** Our people and their departments; nobody has one if it is absent. */
  readonly people?: LocalPeople | undefined;
  /** Rooms into which others let servers, of earlier runs. */
  readonly driftRecords?: readonly DriftRecord[] | undefined;
  /** Departments whose people's rooms begin as internal. */
  readonly internalDepartments?: (() => readonly string[]) | undefined;
  /** Told of every question that the border is asked. */
  readonly asked?: Asked | undefined;
  /** Told of what a callback lets pass with a warning. */
  readonly warned?: ((question: Question) => void) | undefined;
  /** `http://HOST:PORT` of a CONNECT proxy for links to partners. */
  readonly proxyUrl?: string | undefined;
  readonly db: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly failPoint?: FailPoint | undefined;
}

/** What federation serves from; made after it, since rooms ask partners through it. */
export interface FederationServes {
  readonly engine: RoomEngine;
  readonly media: LocalMedia;
  readonly typing: TypingListener;
}

export interface PartnerStatus {
  readonly serverName: string;
  readonly state: 'active' | 'suspended';
  readonly link: LinkStatus;
  readonly outbox: Waiting;
}

/**
 * Everything between this island and its partners. Made first, so that the room engine can be given
 * `remote`, `keys` and `border`; started with what it serves from.
 */
export class Federation {
  readonly keys: PinnedKeyRing;
  readonly partnerKeys: PartnerKeys;
  readonly border: PartnerBorder;
  readonly remote: LinkRemoteRooms;
  readonly link: LinkManager;
  /** Invitations that wait for somebody's word. */
  readonly approvals: Approvals;
  readonly #deps: FederationDeps;
  readonly #own: OwnKeys;
  readonly #outbox: Outbox;
  readonly #checker: CallbackChecker;
  readonly drifts: Drifts;
  readonly #watch: RoomWatch;
  readonly #boots: BootIds;
  readonly #bootId: string;
  #serving:
    | {
        engine: RoomEngine;
        media: LocalMedia;
        inbound: Inbound;
        processor: Processor;
        performer: ApprovalPerformer;
        router: FederationRouter;
      }
    | undefined;
  readonly #unsubscribe: (() => void)[] = [];
  #expiry: ExpiryWatch | undefined;

  constructor(deps: FederationDeps) {
    const { serverName, signingKey, partners, db, clock, random } = deps;
    // The link names itself in the log.
    const log = deps.log.child({ sub: 'federation' });
    this.#deps = { ...deps, log };
    this.#own = deps.ownKeys ?? new OwnKeys(signingKey);
    this.keys = new PinnedKeyRing({ serverName, own: this.#own, partners });
    const actions = deps.actions ?? new PartnerActions({ partners, db, clock, log });
    this.partnerKeys = new PartnerKeys({ own: this.#own, partners, actions, db, clock, log });
    this.approvals = deps.approvals ?? new Approvals({ db, clock, log }, []);
    this.#checker = new CallbackChecker({ clock, log: log.child({ part: 'callback' }) });
    this.drifts = new Drifts({
      partners,
      db,
      records: deps.driftRecords ?? [],
      tell: (server, body) => this.remote.askIsland(server, driftPath, body),
      clock,
      log,
    });
    this.#watch = new RoomWatch({ serverName, db, drifts: this.drifts, clock, log });
    this.border = new PartnerBorder({
      partners,
      people: deps.people ?? new LocalPeople(serverName, new Map()),
      clock,
      file: (uri) => this.#file(uri),
      checker: this.#checker,
      approvals: this.approvals,
      freezes: this.drifts,
      serversIn: (roomId) => this.#serving?.engine.peek(roomId)?.joinedServers(),
      internalDepartments: deps.internalDepartments,
      consents: consentBy({
        ask: (server, body) => this.remote.askIsland(server, admissionPath, body),
        clock,
        log,
      }),
      metStranger: (room, origin, event) => this.drifts.metStranger(room, origin, event),
      asked: deps.asked,
      warned: deps.warned,
    });
    this.#boots = new BootIds(log);
    this.#bootId = encodeBase64Url(random.bytes(9));
    this.link = new LinkManager({
      serverName,
      signingKey,
      linkStaticKey: deps.linkStaticKey,
      partners: { get: (name) => partners.get(name), active: () => partners.active() },
      handler: (request) => this.answer(request),
      hello: {
        local: (partner) => this.#hello(partner),
        remote: (partner, hello) => this.#heard(partner, hello),
      },
      rotations: this.partnerKeys,
      clock,
      random,
      log: deps.log,
      software: deps.software,
      ...(deps.proxyUrl === undefined ? {} : { proxyUrl: deps.proxyUrl }),
    });
    this.remote = new LinkRemoteRooms(this.link, this.border);
    this.#outbox = new Outbox({
      serverName,
      db,
      link: this.link,
      partners,
      clock,
      random,
      log,
      failPoint: deps.failPoint ?? (() => undefined),
    });
  }

  /** Takes over the upgrades of the link's path on a server; `addressOf` gives the address that limits count. */
  attach(server: Server, addressOf?: (request: IncomingMessage) => string): void {
    this.link.attach(server, addressOf);
  }

  /** Resumes what was staged, then dials and accepts. */
  async start(serves: FederationServes): Promise<void> {
    const { serverName, signingKey, db, clock, log, partners } = this.#deps;
    const failPoint = this.#deps.failPoint ?? (() => undefined);
    const inbox = new InboxAccess(db);
    const backlog = new Backlog(maxBacklog);
    const { engine, media, typing } = serves;
    const edus = new EduReceiver({ engine, db, border: this.border, typing, log });
    const processor = new Processor({ inbox, engine, edus, backlog, clock, log });
    const inbound = new Inbound({
      inbox,
      processor,
      edus,
      backlog,
      clock,
      log,
      failPoint,
      eventsWait: (origin, count) => this.border.eventsWait(origin, count),
    });
    const parts = {
      serverName,
      signingKey,
      ownKeys: this.#own,
      software: this.#deps.software,
      engine,
      db,
      border: this.border,
      approvals: this.approvals,
      media,
      inbound,
      drifts: this.drifts,
      standings: (partner: string) => this.#standings(partner),
      clock,
    };
    const performer = new ApprovalPerformer({ approvals: this.approvals, engine, remote: this.remote, log });
    this.#serving = {
      engine,
      media,
      inbound,
      processor,
      performer,
      router: new FederationRouter(parts, log),
    };
    this.drifts.start({ engine, border: this.border });
    await this.#watch.start(engine);
    await inbound.start();
    this.#outbox.start(engine, inbound);
    this.link.on('up', (partner) => this.#up(partner));
    this.link.on('down', (partner) => this.#outbox.down(partner));
    this.link.on('notice', (partner, notice) => this.#noticed(partner, notice));
    this.#unsubscribe.push(
      partners.onChange(({ added, changed, removed }) => {
        // Before the link: what comes over it finds the room's ACL as it is to be.
        this.#watch.partnersChanged([...added, ...changed, ...removed].map((partner) => partner.serverName));
        this.link.partnersChanged();
      }),
      db.streams.subscribe((batch) => {
        for (const { stream, payload } of batch) {
          const eventId = stream === 'events' ? eventIdIn(payload) : undefined;
          if (eventId !== undefined) processor.arrived(eventId);
        }
      }),
    );
    this.link.start();
    this.#expiry = new ExpiryWatch({ partners, db, clock, log, ended: () => this.link.partnersChanged() });
  }

  /** Closes the links with GOAWAY and finishes what is under way; the rest is on disk. */
  async stop(): Promise<void> {
    for (const end of this.#unsubscribe.splice(0)) end();
    this.#checker.stop();
    await this.#expiry?.stop();
    const performed = this.#serving?.performer.stop();
    await this.link.stop();
    await performed;
    await this.#outbox.stop();
    await this.#serving?.inbound.stop();
    await this.#watch.stop();
  }

  /**
   * Our signing key changed: partners are told over their links, which are then made again with the new key. Who has
   * no link hears of it with the next handshake.
   */
  ownKeyChanged(): void {
    const statements = [...this.partnerKeys.own()];
    for (const { serverName } of this.#deps.partners.active())
      this.link.notice(serverName, { kind: rotationNotice, statements });
    this.link.renew();
  }

  /** A file of ours as it is stored, whatever a message says of it. */
  async #file(uri: string): Promise<FileMaterial | undefined> {
    const { db, serverName } = this.#deps;
    const [, origin = '', mediaId = ''] = /^mxc:\/\/([^/]+)\/([^/]+)$/.exec(uri) ?? [];
    const record = origin === serverName ? await db.media.get(origin, mediaId) : undefined;
    if (record === undefined) return undefined;
    const { size, sha256, contentType } = record;
    return { uri, size, sha256, mime: contentType, open: () => this.#bytesOf(mediaId) };
  }

  async *#bytesOf(mediaId: string): AsyncGenerator<Buffer> {
    const file = await this.#serving?.media.open(mediaId);
    if (file === undefined) throw new Error('The file is no longer in the media store');
    yield* file.stream;
  }

  /** To be called after a time passed that ends a partnership; changes of the registry are noticed anyway. */
  partnersChanged(): void {
    this.link.partnersChanged();
  }

  /** Tells the partners in a room that one of ours types, or no longer does. Never fails, never waits. */
  sendTyping(notice: {
    roomId: string;
    userId: string;
    typing: boolean;
    /** Servers with a member in the room. */
    servers: Iterable<string>;
  }): void {
    const { roomId, ...rest } = notice;
    // Whoever types there has had it loaded.
    const room = this.#serving?.engine.peek(roomId);
    if (room === undefined) return;
    sendTyping({ ...this.#deps, link: this.link, border: this.border }, { ...rest, room });
  }

  /** Outbox rows that carry a receipt of one of ours to the partners in the room; for the receipt's write set. */
  receiptOps(receipt: LocalReceipt): WriteOp[] {
    return receiptOps(receipt, this.#receiptDestinations(receipt));
  }

  /** The notes that belong to `receiptOps`, for the same write set: they wake the senders. */
  receiptNotes(receipt: LocalReceipt): Note[] {
    return receiptNotes(this.#receiptDestinations(receipt));
  }

  #receiptDestinations({ roomId, userId, servers }: LocalReceipt): string[] {
    const room = this.#serving?.engine.peek(roomId);
    if (room === undefined) return [];
    const { serverName } = this.#deps;
    return [...new Set(servers)].filter(
      (server) => server !== serverName && this.border.mayTell(server, 'receipt', userId, room),
    );
  }

  /** Answers a request of the Server-Server API; `origin` is what its transport has proved. Never rejects. */
  async answer(request: FederationRequest): Promise<FederationResponse> {
    if (this.#serving === undefined) return jsonResponse(503, { errcode: 'M_UNKNOWN', error: 'Starting' });
    return this.#serving.router.answer(request);
  }

  /** Every partner, with its link and what is still to be delivered. */
  async status(): Promise<PartnerStatus[]> {
    const { partners, db } = this.#deps;
    const waiting = await waitingIn(db.outbox);
    return partners.all().map(({ serverName }) => ({
      serverName,
      state: partners.isActive(serverName) ? 'active' : 'suspended',
      link: this.link.status(serverName),
      outbox: waiting(serverName),
    }));
  }

  /** Resolves when everything received is processed and what was approved is sent; rows that wait for another attempt do not count. */
  async processed(): Promise<void> {
    await this.#serving?.processor.idle();
    await this.#serving?.performer.idle();
    await this.#watch.idle();
  }

  async #received(partner: string): Promise<LaneStandings> {
    return (await this.#serving?.inbound.received(partner)) ?? {};
  }

  async #standings(partner: string): Promise<LaneStandings> {
    const [received, next] = await Promise.all([this.#received(partner), this.#outbox.next(partner)]);
    return Object.fromEntries(lanes.map((lane) => [lane, { ...received[lane], ...next[lane] }]));
  }

  async #hello(partner: string): Promise<JsonObject> {
    return helloJson({ boot: this.#bootId, lanes: await this.#standings(partner) });
  }

  async #heard(partner: string, json: JsonObject): Promise<void> {
    const hello = readHello(json);
    this.#boots.heard(partner, hello.boot);
    await this.#outbox.heard(partner, hello);
  }

  #noticed(partner: string, notice: JsonObject): void {
    // What it is about we may not know: islands are of different ages.
    if (notice['kind'] !== rotationNotice) return;
    this.partnerKeys.heard(partner, notice['statements']).catch((error: unknown) => {
      this.#deps.log.error({ err: error, partner }, 'the new key of a partner could not be taken over');
    });
  }

  #up(partner: string): void {
    this.partnerKeys.linked(partner);
    this.#serving?.processor.retryNow(partner);
    this.#serving?.performer.up(partner);
    this.drifts.partnerUp(partner).catch((error: unknown) => {
      this.#deps.log.error({ err: error, partner }, 'a partner could not be told of a drift');
    });
    this.#outbox.up(partner).catch((error: unknown) => {
      // Nothing was decided: the next link begins again with a hello of its own.
      if (error instanceof LinkUnavailable) {
        this.#deps.log.info({ partner, reason: error.message }, 'the link went down before sending began');
        return;
      }
      this.#deps.log.error({ err: error, partner }, 'sending to a partner could not begin');
    });
  }
}

/** The event that a note of the stream is about; a note of a changed state is about none. */
function eventIdIn(payload: unknown): string | undefined {
  if (typeof payload !== 'object' || payload === null || !('eventId' in payload)) return undefined;
  return typeof payload.eventId === 'string' ? payload.eventId : undefined;
}
