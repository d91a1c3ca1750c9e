import { EventEmitter } from 'node:events';
import type { IncomingMessage, Server } from 'node:http';
import type { Logger } from 'pino';
import type { JsonObject } from '../../protocol/json.ts';
import type { Clock, Random, Timer } from '../../protocol/runtime.ts';
import type { SigningKey } from '../../protocol/signing.ts';
import { fingerprint } from '../keys/fingerprint.ts';
import { Acceptor } from './acceptor.ts';
import type { WebSocketChannel } from './channel.ts';
import { type DialDeps, DialError, dial } from './dial.ts';
import { type EstablishDeps, type Establishing, establish } from './establish.ts';
import { type HandshakeDefences, HandshakeRefused } from './handshake.ts';
import { defaultLinkLimits, type LinkLimits } from './limits.ts';
import type { Link } from './link.ts';
import type { LinkKeyPair } from './noise/keys.ts';
import { PartnerLinks } from './partner-links.ts';
import { type DialFailure, Redial } from './redial.ts';
import {
  type KeyEvidence,
  type KeyRotations,
  type LinkHandler,
  type LinkHello,
  type LinkPartner,
  type LinkPartners,
  type LinkRequest,
  type LinkResponse,
  type LinkStatus,
  LinkUnavailable,
  noRotations,
} from './types.ts';
import { strictUpgradeChecks, type UpgradeChecks, UpgradeFilter, usableKey } from './upgrade-filter.ts';
import { linkSubprotocol } from './upgrade-request.ts';

export { generateLinkKey, type LinkKeyPair, linkKeyFromSeed } from './noise/keys.ts';
export * from './types.ts';

export interface LinkManagerDeps {
  readonly serverName: string;
  readonly signingKey: SigningKey;
  /** X25519; signed anew in each handshake by the signing key. */
  readonly linkStaticKey: LinkKeyPair;
  readonly partners: LinkPartners;
  readonly handler: LinkHandler;
  readonly hello: LinkHello;
  /** Who decides on keys that are not pinned; without it they are all refused. */
  readonly rotations?: KeyRotations | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly software: { readonly name: string; readonly version: string };
  /** What this island can do beyond version 1 of the protocol. */
  readonly features?: readonly string[];
  readonly limits?: Partial<LinkLimits>;
  /** `http://HOST:PORT` of a CONNECT proxy. */
  readonly proxyUrl?: string;
  /** What a test weakens in order to prove a defence, or sets to play an island of another age. */
  readonly internals?: {
    readonly handshake?: HandshakeDefences;
    readonly upgrade?: UpgradeChecks;
    readonly subprotocols?: readonly string[];
  };
}

interface Known {
  readonly links: PartnerLinks;
  readonly redial: Redial;
  isCut: boolean;
  /** Why the last dial failed, so that the log says each reason once and not at every attempt. */
  lastFailure: string | undefined;
}

const sweepMs = 1_000;
const defaultWaitMs = 10_000;

/**
 * Keeps one link to each active partner: dials, accepts, arbitrates, and carries requests both ways.
 * Nobody but an active partner with a pinned key gets one.
 */
export class LinkManager extends EventEmitter<{
  up: [serverName: string];
  /** Why the last link ended. */
  down: [serverName: string, reason: string];
  /** A link did not come into being, in either direction; who knocks may be nobody that is known. */
  refused: [serverName: string | undefined, reason: string];
  notice: [serverName: string, notice: JsonObject];
}> {
  readonly #deps: LinkManagerDeps;
  readonly #limits: LinkLimits;
  readonly #log: Logger;
  readonly #acceptor: Acceptor;
  readonly #establish: EstablishDeps;
  readonly #dial: DialDeps;
  readonly #known = new Map<string, Known>();
  readonly #channels = new Set<WebSocketChannel>();
  readonly #young = new Map<WebSocketChannel, string>();
  #isRunning = false;
  #sweep: Timer | undefined;

  constructor(deps: LinkManagerDeps) {
    super();
    const { serverName, signingKey, clock, random, partners, software, internals } = deps;
    const limits: LinkLimits = { ...defaultLinkLimits, ...deps.limits };
    const rotations = deps.rotations ?? noRotations;
    this.#deps = deps;
    this.#limits = limits;
    this.#log = deps.log.child({ sub: 'link' });
    const own = {
      serverName,
      signingKey,
      linkPublicKey: deps.linkStaticKey.publicKey,
      features: deps.features ?? [],
      limits,
      software: `${software.name}/${software.version}`,
      statements: () => rotations.own(),
    };
    this.#establish = {
      own,
      staticKey: deps.linkStaticKey,
      handler: deps.handler,
      hello: deps.hello,
      clock,
      random,
      limits,
      log: this.#log,
      defences: internals?.handshake ?? {},
      rotations,
    };
    const subprotocols = internals?.subprotocols ?? [linkSubprotocol];
    const { proxyUrl } = deps;
    this.#dial = { serverName, signingKey, clock, random, limits, proxyUrl, subprotocols, rotations };
    this.#acceptor = new Acceptor({
      filter: new UpgradeFilter(
        { serverName, signingKey, partners, clock, limits, rotations },
        internals?.upgrade ?? strictUpgradeChecks,
      ),
      clock,
      limits,
      log: this.#log,
      isAccepting: () => this.#isRunning,
      takeKey: (partner, evidence) => this.#takeKey(partner, evidence),
      onUnannounced: (partner, evidence) => this.#unannounced(partner, evidence),
      onRefused: (origin, reason) => this.#told(() => this.emit('refused', origin, reason)),
      onChannel: (channel, partner, offers, release) => this.#accept(channel, partner, offers, release),
    });
  }

  /**
   * Serves the link's path on this server: upgrades, and 426 to anything else. To be called after the server
   * got its request listener. `addressOf` gives the address that limits count, for servers behind a proxy.
   */
  attach(
    server: Server,
    addressOf: (request: IncomingMessage) => string = (request) => request.socket.remoteAddress ?? '',
  ): void {
    this.#acceptor.attach(server, addressOf);
  }

  /** Begins to accept and to dial. */
  start(): void {
    this.#isRunning = true;
    this.partnersChanged();
    this.#sweepSoon();
  }

  /** GOAWAY to all, waits for what is open (`drainMs` at most), closes. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#sweep?.cancel();
    for (const channel of [...this.#young.keys()]) channel.terminate();
    for (const { links, redial } of this.#known.values()) {
      redial.stop();
      links.giveUp();
      for (const link of links.all()) link.leave('shutting down');
    }
    await Promise.all([...this.#channels].map((channel) => channel.closed));
  }

  /** To be called after the partners changed: closes what may not be, and dials or retries at once. */
  partnersChanged(): void {
    if (!this.#isRunning) return;
    this.#closeUnwanted();
    for (const partner of this.#deps.partners.active()) this.#knownOf(partner.serverName).redial.now();
  }

  /**
   * Sends a request over the partner's link, waiting up to `waitMs` (10 s) for one. Rejects with
   * `LinkUnavailable`, or with `LinkStreamReset` when its deadline passed or the partner gave it up.
   */
  async request(
    serverName: string,
    request: LinkRequest,
    options: { waitMs?: number } = {},
  ): Promise<LinkResponse> {
    const { clock } = this.#deps;
    const start = clock.now();
    const waitUntil = start + Math.min(options.waitMs ?? defaultWaitMs, request.deadlineMs);
    for (;;) {
      if (!this.#isRunning) throw new LinkUnavailable('This island is not running');
      if (this.#partner(serverName) === undefined)
        throw new LinkUnavailable(`${serverName} is not an active partner`);
      const { links, redial } = this.#knownOf(serverName);
      let link = links.usable();
      if (link === undefined) {
        redial.soon();
        link = await links.wait(waitUntil - clock.now());
      }
      try {
        return await link.request(request, start + request.deadlineMs - clock.now());
      } catch (error) {
        // It never left, because the link is being left: the next one takes it.
        const mayRetry = error instanceof LinkUnavailable && !error.maybeDelivered && !link.isUsable;
        if (!mayRetry || clock.now() >= waitUntil) throw error;
      }
    }
  }

  /** Tells a partner of changed keys, limits or policy; nothing happens without a link. */
  notice(serverName: string, notice: JsonObject): void {
    this.#known.get(serverName)?.links.usable()?.notice(notice);
  }

  /** Whether a partner's process answers over its link within `timeoutMs`. */
  async ping(serverName: string, timeoutMs: number): Promise<boolean> {
    return (await this.#known.get(serverName)?.links.usable()?.ping(timeoutMs)) ?? false;
  }

  /** Why the last dial came to nothing; undefined if it did not. */
  lastFailure(serverName: string): string | undefined {
    return this.#known.get(serverName)?.lastFailure;
  }

  /** Our own key changed: every link is left in good order and made again with the new one. */
  renew(): void {
    for (const { links } of this.#known.values()) for (const link of links.all()) link.leave('new key');
  }

  status(serverName: string): LinkStatus {
    const known = this.#known.get(serverName);
    if (known === undefined) return { state: 'down', since: this.#deps.clock.now(), dialledBy: null };
    return known.links.status(known.redial.isDialling);
  }

  /**
   * Ends the links to a partner abruptly, as a torn cable would; it is dialled again. With `hold` none comes
   * into being until `mend`.
   */
  cut(serverName: string, options: { hold?: boolean } = {}): void {
    const known = this.#knownOf(serverName);
    known.isCut = options.hold ?? false;
    for (const [channel, name] of [...this.#young]) if (name === serverName) channel.terminate();
    for (const link of known.links.all()) link.terminate('cut');
  }

  /** Undoes `cut` with `hold`, and dials at once. */
  mend(serverName: string): void {
    const known = this.#knownOf(serverName);
    known.isCut = false;
    known.redial.now();
  }

  #partner(serverName: string): LinkPartner | undefined {
    return this.#deps.partners.active().find((partner) => partner.serverName === serverName);
  }

  #knownOf(serverName: string): Known {
    const existing = this.#known.get(serverName);
    if (existing !== undefined) return existing;
    const { clock, random, serverName: ownName } = this.#deps;
    const limits = this.#limits;
    const known: Known = {
      links: new PartnerLinks({ serverName, ownName, clock, limits }),
      redial: new Redial({
        clock,
        random,
        limits,
        isWanted: () => this.#isDialWanted(serverName),
        attempt: (number, signal) => this.#attempt(serverName, number, signal),
      }),
      isCut: false,
      lastFailure: undefined,
    };
    this.#known.set(serverName, known);
    return known;
  }

  #isDialWanted(serverName: string): boolean {
    const partner = this.#partner(serverName);
    if (!this.#isRunning || partner === undefined || partner.dial === 'inbound' || partner.urls.length === 0)
      return false;
    const known = this.#knownOf(serverName);
    return !known.isCut && known.links.usable() === undefined;
  }

  /** One dial, from the URL to the open link. */
  async #attempt(serverName: string, number: number, signal: AbortSignal): Promise<DialFailure | undefined> {
    const partner = this.#partner(serverName);
    const url = partner?.urls[(number - 1) % partner.urls.length];
    if (partner === undefined || url === undefined) return { kind: 'soon' };
    const log = this.#log.child({ partner: serverName });
    try {
      const { channel, subprotocol } = await dial(this.#dial, partner, url, signal);
      const offers = this.#dial.subprotocols;
      await this.#setUp({ channel, partner, dialledBy: 'us', subprotocol, offers }, () => {});
      return undefined;
    } catch (error) {
      if (signal.aborted) return { kind: 'soon' };
      if (error instanceof HandshakeRefused && isWrongPeer(error)) {
        this.#told(() => this.emit('refused', serverName, error.reason));
        if (error.unannounced !== undefined) this.#unannounced(serverName, error.unannounced);
        else
          log.error(
            { audit: true, reason: error.reason },
            'ALARM: whoever answers under this partner\u2019s address does not hold its pinned key; next try in 10 minutes',
          );
        return { kind: 'alarm' };
      }
      const reason = error instanceof Error ? error.message : String(error);
      const known = this.#knownOf(serverName);
      const level = known.lastFailure === reason ? 'debug' : 'info';
      known.lastFailure = reason;
      log[level]({ reason }, 'a partner could not be reached');
      return { kind: 'soon', retryAfterMs: error instanceof DialError ? error.retryAfterMs : undefined };
    }
  }

  #accept(
    channel: WebSocketChannel,
    partner: LinkPartner,
    offers: readonly string[],
    release: () => void,
  ): void {
    const { serverName } = partner;
    if (this.#knownOf(serverName).isCut) {
      channel.terminate();
      return;
    }
    const wire = { channel, partner, dialledBy: 'them', subprotocol: linkSubprotocol, offers } as const;
    this.#setUp(wire, release).catch((error: unknown) => {
      const reason = error instanceof HandshakeRefused ? error.reason : String(error);
      this.#told(() => this.emit('refused', serverName, reason));
      if (error instanceof HandshakeRefused && error.unannounced !== undefined)
        this.#unannounced(serverName, error.unannounced);
      this.#log.warn(
        { audit: true, partner: serverName, reason },
        'a link that a partner dialled was not set up',
      );
    });
  }

  async #setUp(
    wire: Pick<Establishing, 'channel' | 'partner' | 'dialledBy' | 'subprotocol' | 'offers'>,
    onAuthenticated: () => void,
  ): Promise<void> {
    const { channel, partner } = wire;
    const { serverName } = partner;
    this.#channels.add(channel);
    this.#young.set(channel, serverName);
    void channel.closed.then(() => {
      this.#channels.delete(channel);
      this.#young.delete(channel);
    });
    const link = await establish(this.#establish, {
      ...wire,
      onAuthenticated,
      onEnd: (ended, why) => this.#onEnd(serverName, ended, why),
      onLeaving: () => this.#refresh(serverName),
      onNotice: (_link, notice) => this.emit('notice', serverName, notice),
    });
    this.#young.delete(channel);
    if (!this.#isRunning) {
      link.leave('shutting down');
      return;
    }
    if (!this.#isStillWelcome(link)) {
      link.sever('no longer a partner');
      throw new Error('The partner changed while its link was set up');
    }
    const known = this.#knownOf(serverName);
    const { links, redial } = known;
    const { dialledBy, peer } = link;
    this.#log.info({ partner: serverName, dialledBy, software: peer.software }, 'link is up');
    known.lastFailure = undefined;
    redial.succeeded();
    links.add(link);
    this.#refresh(serverName);
  }

  #onEnd(serverName: string, link: Link, why: string): void {
    this.#log.info({ partner: serverName, dialledBy: link.dialledBy, reason: why }, 'link is down');
    this.#knownOf(serverName).links.remove(link);
    this.#refresh(serverName, why);
  }

  /** Tells of a change, and dials where a link is missing. */
  #refresh(serverName: string, why = 'it is being left'): void {
    const { links, redial } = this.#knownOf(serverName);
    const change = links.change();
    if (change === 'down') redial.soon();
    if (change === undefined) return;
    this.#told(() => (change === 'up' ? this.emit(change, serverName) : this.emit(change, serverName, why)));
  }

  #told(emit: () => void): void {
    try {
      emit();
    } catch (err) {
      this.#log.error({ err }, 'a listener of links failed');
    }
  }

  /** Never rejects. */
  async #takeKey(partner: LinkPartner, evidence: KeyEvidence): Promise<LinkPartner | undefined> {
    const { serverName } = partner;
    try {
      const isTaken = await (this.#deps.rotations ?? noRotations).accept(serverName, evidence);
      return isTaken ? this.#partner(serverName) : undefined;
    } catch (err) {
      this.#log.error({ err, partner: serverName }, 'the new key of a partner could not be taken over');
      return undefined;
    }
  }

  /** A partner with a key that nothing proves: there is no link, and it is said loudly. */
  #unannounced(serverName: string, evidence: KeyEvidence): void {
    const now = this.#deps.clock.now();
    const partner = this.#partner(serverName);
    const pinned = [...(partner?.verifyKeys.keys() ?? [])].flatMap((keyId) => {
      const key = partner === undefined ? undefined : usableKey(partner, keyId, now);
      return key === undefined ? [] : `${keyId}: ${fingerprint(key)}`;
    });
    const shown = `${evidence.keyId}: ${fingerprint(evidence.key)}`;
    this.#log.error(
      { audit: true, reason: 'unpinned-key', partner: serverName, shown, pinned },
      'ALARM: a partner shows a signing key that it did not announce, and gets no link; compare both fingerprints with its admin, by phone',
    );
    (this.#deps.rotations ?? noRotations).unannounced(serverName, evidence);
  }

  #isStillWelcome(link: Link): boolean {
    const partner = this.#partner(link.peer.serverName);
    if (partner === undefined || this.#known.get(link.peer.serverName)?.isCut) return false;
    return usableKey(partner, link.peer.keyId, this.#deps.clock.now()) === link.peer.verifyKey;
  }

  #isOfOldKey({ peer }: Link): boolean {
    const partner = this.#partner(peer.serverName);
    if (partner === undefined || partner.revokedKeys?.has(peer.keyId) === true) return false;
    const isCut = this.#known.get(peer.serverName)?.isCut === true;
    return !isCut && partner.verifyKeys.get(peer.keyId)?.key === peer.verifyKey;
  }

  #closeUnwanted(): void {
    for (const [serverName, { links, redial }] of this.#known) {
      for (const link of links.all()) {
        if (this.#isStillWelcome(link)) continue;
        // A key that has ended was good until now: what is under way may finish.
        if (this.#isOfOldKey(link)) link.leave('new key');
        else link.sever('no longer a partner');
      }
      if (this.#partner(serverName) !== undefined) continue;
      redial.stop();
      links.giveUp();
    }
    for (const [channel, serverName] of [...this.#young])
      if (this.#partner(serverName) === undefined) channel.sever();
  }

  /** Entries end by themselves too, at their time. */
  #sweepSoon(): void {
    this.#sweep = this.#deps.clock.setTimer(sweepMs, () => {
      this.#closeUnwanted();
      this.#sweepSoon();
    });
  }
}

/** The handshake went well up to who it was made with. */
function isWrongPeer(error: HandshakeRefused): boolean {
  return ['self', 'wrong-name', 'unpinned-key', 'bad-link-key-signature'].includes(error.reason);
}
