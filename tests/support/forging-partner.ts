import assert from 'node:assert/strict';
import { generateLinkKey, LinkManager, type LinkPartner } from '../../federation/link/link-manager.ts';
import { type Pdu, stateKeyOf, type UnsignedPdu } from '../../protocol/event.ts';
import { eventIdOf } from '../../protocol/hashing.ts';
import { isObject, type JsonObject, type JsonValue, parseJson } from '../../protocol/json.ts';
import { type RoomVersion, roomVersion } from '../../protocol/room-versions.ts';
import { generateSigningKey, type SigningKey, signEvent } from '../../protocol/signing.ts';
import type { RoomView } from '../../rooms/types.ts';
import { realClock, realRandom, recordingLog } from './runtime.ts';
import type { TestIsland, TestNetwork } from './test-network.ts';

export interface ForgedEvent {
  readonly eventId: string;
  readonly pdu: Pdu;
}

/** What an event says; whatever is left out is as an honest server would put it. */
export interface Forgery {
  readonly type: string;
  readonly sender: string;
  readonly stateKey?: string;
  readonly content: JsonObject;
  readonly prev?: readonly string[];
  readonly auth?: readonly string[];
  readonly depth?: number;
  readonly timestamp?: number;
  readonly roomId?: string;
  readonly redacts?: string;
  /** The name in the signature. */
  readonly signedAs?: string;
  readonly key?: SigningKey;
}

export interface Reply {
  readonly status: number;
  readonly body: JsonObject;
}

type Handler = (asked: { method: string; uri: string; body: JsonObject }) => Reply | Promise<Reply>;

/**
 * A partner that means harm: it has a key that the islands pinned and speaks the link for real, and every
 * event, transaction and answer of it is made by hand. Left alone it behaves: it takes what it is sent, and gives
 * the events that it knows.
 */
export class ForgingPartner {
  readonly serverName: string;
  readonly signingKey: SigningKey;
  /** Events that it has seen or made, by id; given to whoever asks. */
  readonly events = new Map<string, Pdu>();
  /** Events from transactions, in the order of their arrival. */
  readonly received: Pdu[] = [];
  /** `METHOD path`, as it was asked. */
  readonly asked: string[] = [];
  /** Instead of the usual answer, by the operation in the path: `make_join`, `state_ids`. */
  readonly answers = new Map<string, Handler>();
  readonly #link: LinkManager;
  readonly #partners: Map<string, LinkPartner>;
  #transactions = 0;

  private constructor(serverName: string, islands: readonly TestIsland[]) {
    this.serverName = serverName;
    this.signingKey = generateSigningKey('ed25519:forger', realRandom);
    const partners = new Map(islands.map((island) => [island.serverName, partnerOf(island)]));
    this.#partners = partners;
    this.#link = new LinkManager({
      serverName,
      signingKey: this.signingKey,
      linkStaticKey: generateLinkKey(realRandom),
      partners: { get: (name) => partners.get(name), active: () => [...partners.values()] },
      handler: async ({ method, uri, body }) => {
        const bytes = await body(16 * 1024 * 1024);
        const reply = await this.#answer(method, uri, bytes.length === 0 ? null : parseJson(bytes));
        const { status, body: json } = reply;
        return { status, contentType: 'application/json', body: Buffer.from(JSON.stringify(json)) };
      },
      hello: { local: async () => ({ boot: 'forger', lanes: {} }), remote: async () => undefined },
      clock: realClock,
      random: realRandom,
      log: recordingLog([]),
      software: { name: 'forger', version: '0' },
    });
  }

  /** Makes it a partner of running islands of a network; resolves when it is linked to all of them. */
  static async join(
    network: TestNetwork,
    serverName: string,
    islands: readonly TestIsland[],
  ): Promise<ForgingPartner> {
    const forger = new ForgingPartner(serverName, islands);
    for (const island of islands) island.addPartner(serverName, forger.signingKey);
    forger.#link.start();
    await network.until(
      () => islands.every((island) => forger.isLinked(island)),
      `${serverName} is not linked`,
    );
    return forger;
  }

  isLinked(island: TestIsland): boolean {
    return (
      this.#link.status(island.serverName).state === 'connected' &&
      island.homeserver.federation.link.status(this.serverName).state === 'connected'
    );
  }

  /** An island that started anew listens elsewhere. */
  redirect(island: TestIsland): void {
    this.#partners.set(island.serverName, partnerOf(island));
    this.#link.partnersChanged();
  }

  stop(): Promise<void> {
    return this.#link.stop();
  }

  userId(localpart: string): string {
    return `@${localpart}:${this.serverName}`;
  }

  /** Asks an island; `body` may be any text. */
  async ask(
    island: TestIsland,
    method: 'GET' | 'PUT' | 'POST',
    uri: string,
    body?: JsonObject | string,
  ): Promise<Reply> {
    const text = typeof body === 'object' ? JSON.stringify(body) : body;
    const response = await this.#link.request(island.serverName, {
      method,
      uri,
      ...(text === undefined ? {} : { contentType: 'application/json', body: Buffer.from(text) }),
      priority: 'query',
      deadlineMs: 10_000,
    });
    const json = parseJson(await response.body());
    return { status: response.status, body: isObject(json) ? json : {} };
  }

  /** Sends a transaction. */
  send(island: TestIsland, pdus: readonly JsonValue[], edus: readonly JsonValue[] = []): Promise<Reply> {
    return this.sendText(island, JSON.stringify({ ...this.#envelope(), pdus, edus }));
  }

  /** Sends a transaction whose events are JSON texts, put into it as they are. */
  sendTexts(island: TestIsland, pdus: readonly string[]): Promise<Reply> {
    const envelope = JSON.stringify(this.#envelope()).slice(1);
    return this.sendText(island, `{"pdus":[${pdus.join(',')}],${envelope}`);
  }

  sendText(island: TestIsland, body: string): Promise<Reply> {
    this.#transactions += 1;
    return this.ask(island, 'PUT', `/_matrix/federation/v1/send/forged-${this.#transactions}`, body);
  }

  #envelope(): JsonObject {
    return { origin: this.serverName, origin_server_ts: Date.now() };
  }

  /** Joins a room by the handshake, and knows its state and what authorises it from then on. */
  async enter(island: TestIsland, roomId: string, userId: string): Promise<ForgedEvent> {
    const { version, template } = await this.template(island, 'join', roomId, userId);
    const event = this.sign(template, version);
    const path = `/_matrix/federation/v2/send_join/${encodeURIComponent(roomId)}/${encodeURIComponent(event.eventId)}`;
    const { status, body } = await this.ask(island, 'PUT', path, event.pdu);
    assert.equal(status, 200, JSON.stringify(body));
    for (const list of [body['state'], body['auth_chain']])
      for (const pdu of Array.isArray(list) ? list : []) this.#learn(pdu, version);
    this.#learn(event.pdu, version);
    return event;
  }

  /** `make_join` or `make_leave`. */
  async template(
    island: TestIsland,
    kind: 'join' | 'leave',
    roomId: string,
    userId: string,
  ): Promise<{ version: RoomVersion; template: UnsignedPdu }> {
    const versions = kind === 'join' ? '?ver=10&ver=11&ver=12' : '';
    const path = `/_matrix/federation/v1/make_${kind}/${encodeURIComponent(roomId)}/${encodeURIComponent(userId)}`;
    const { status, body } = await this.ask(island, 'GET', `${path}${versions}`);
    assert.equal(status, 200, JSON.stringify(body));
    const version = roomVersion(String(body['room_version']));
    assert.ok(version && isObject(body['event']));
    // What an honest island proposes is an event but for hash and signature.
    return { version, template: body['event'] as UnsignedPdu };
  }

  sign(draft: UnsignedPdu, version: RoomVersion, forgery: Partial<Forgery> = {}): ForgedEvent {
    const { signedAs = this.serverName, key = this.signingKey } = forgery;
    const event = signEvent(draft, version, signedAs, key);
    this.events.set(event.eventId, event.pdu);
    return event;
  }

  /** An event for a room that an island is in: at its forward extremities and by its state, unless told. */
  async forge(island: TestIsland, roomId: string, forgery: Forgery): Promise<ForgedEvent> {
    const view = await island.homeserver.engine.view(roomId);
    assert.ok(view, `${island.serverName} does not hold ${roomId}`);
    const draft: UnsignedPdu = {
      room_id: forgery.roomId ?? roomId,
      type: forgery.type,
      sender: forgery.sender,
      content: forgery.content,
      prev_events: [...(forgery.prev ?? view.extremities)],
      auth_events: [...(forgery.auth ?? authFor(view, forgery))],
      depth: forgery.depth ?? 1_000,
      origin_server_ts: forgery.timestamp ?? Date.now(),
      ...(forgery.stateKey === undefined ? {} : { state_key: forgery.stateKey }),
      ...(forgery.redacts === undefined ? {} : { redacts: forgery.redacts }),
    };
    return this.sign(draft, view.version, forgery);
  }

  #learn(value: JsonValue, version: RoomVersion): void {
    // Whatever it is given it takes for an event.
    const pdu = value as Pdu;
    this.events.set(eventIdOf(pdu, version), pdu);
  }

  async #answer(method: string, uri: string, json: JsonValue): Promise<Reply> {
    this.asked.push(`${method} ${uri}`);
    const body = isObject(json) ? json : {};
    const [path = '', query = ''] = uri.split('?');
    const [, root, , , operation = '', ...rest] = path.split('/');
    const special = this.answers.get(operation);
    if (special !== undefined) return special({ method, uri, body });
    if (root === '_archipelago') return { status: 200, body: {} };
    if (operation === 'send') return this.#take(body);
    if (operation === 'event') {
      const pdu = this.events.get(decodeURIComponent(rest[0] ?? ''));
      if (pdu !== undefined) return { status: 200, body: { origin: this.serverName, pdus: [pdu] } };
    }
    if (operation === 'get_missing_events') {
      const latest = texts(body['latest_events']).flatMap((id) => this.events.get(id)?.prev_events ?? []);
      return {
        status: 200,
        body: { events: this.#before(latest, texts(body['earliest_events'])).reverse() },
      };
    }
    if (operation === 'backfill')
      return { status: 200, body: { pdus: this.#before(new URLSearchParams(query).getAll('v'), []) } };
    if (operation === 'event_auth') {
      const chain = this.#chain(decodeURIComponent(rest[1] ?? ''));
      if (chain !== undefined) return { status: 200, body: { auth_chain: chain } };
    }
    return { status: 404, body: { errcode: 'M_NOT_FOUND', error: 'I know nothing' } };
  }

  #take(body: JsonObject): Reply {
    const pdus = Array.isArray(body['pdus']) ? body['pdus'] : [];
    // An honest island sends events.
    this.received.push(...(pdus as Pdu[]));
    return { status: 200, body: { pdus: {} } };
  }

  /** Known events from these back, newest first. */
  #before(from: readonly string[], without: readonly string[]): Pdu[] {
    const found = new Map<string, Pdu>();
    for (let ids = [...from]; ids.length > 0; ) {
      const next: string[] = [];
      for (const id of ids) {
        const pdu = this.events.get(id);
        if (pdu === undefined || found.has(id) || without.includes(id)) continue;
        found.set(id, pdu);
        next.push(...pdu.prev_events);
      }
      ids = next;
    }
    return [...found.values()];
  }

  #chain(eventId: string): Pdu[] | undefined {
    const event = this.events.get(eventId);
    if (event === undefined) return undefined;
    const chain = new Map<string, Pdu>();
    for (let ids = [...event.auth_events]; ids.length > 0; ) {
      const id = ids.pop() ?? '';
      const pdu = this.events.get(id);
      if (pdu === undefined || chain.has(id)) continue;
      chain.set(id, pdu);
      ids.push(...pdu.auth_events);
    }
    return [...chain.values()];
  }
}

function partnerOf(island: TestIsland): LinkPartner {
  const { keyId, publicKey } = island.homeserver.keys.signingKey;
  return {
    serverName: island.serverName,
    state: 'active',
    verifyKeys: new Map([[keyId, { key: publicKey }]]),
    urls: [`ws://127.0.0.1:${island.port}/_archipelago/link/v1`],
    dial: 'outbound',
    allowCleartext: false,
    allowPrivateIp: false,
  };
}

function authFor(view: RoomView, { type, sender, stateKey, content }: Forgery): string[] {
  const keys = [
    ...(view.version.roomIdIsHash ? [] : [stateKeyOf('m.room.create', '')]),
    stateKeyOf('m.room.power_levels', ''),
    stateKeyOf('m.room.member', sender),
  ];
  if (type === 'm.room.member' && stateKey !== undefined) {
    if (stateKey !== sender) keys.push(stateKeyOf('m.room.member', stateKey));
    if (content['membership'] === 'join' || content['membership'] === 'invite')
      keys.push(stateKeyOf('m.room.join_rules', ''));
  }
  return keys.flatMap((key) => view.state.get(key)?.eventId ?? []);
}

function texts(value: JsonValue | undefined): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}
