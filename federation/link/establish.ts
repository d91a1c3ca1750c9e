import type { Logger } from 'pino';
import type { JsonObject } from '../../protocol/json.ts';
import type { Clock, Random } from '../../protocol/runtime.ts';
import type { WebSocketChannel } from './channel.ts';
import { type HandshakeDefences, type Handshaken, HandshakeRefused, shakeHands } from './handshake.ts';
import type { OwnIdentity } from './identity.ts';
import { closeCodes, type LinkLimits } from './limits.ts';
import { Link } from './link.ts';
import type { LinkKeyPair } from './noise/keys.ts';
import type { KeyRotations, LinkHandler, LinkHello, LinkPartner } from './types.ts';

export interface EstablishDeps {
  readonly own: OwnIdentity;
  readonly staticKey: LinkKeyPair;
  readonly handler: LinkHandler;
  readonly hello: LinkHello;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: LinkLimits;
  readonly log: Logger;
  readonly defences: HandshakeDefences;
  readonly rotations: KeyRotations;
}

export interface Establishing {
  readonly channel: WebSocketChannel;
  readonly partner: LinkPartner;
  readonly dialledBy: 'us' | 'them';
  readonly subprotocol: string;
  readonly offers: readonly string[];
  /** The handshake is over: whoever counts sockets in that stage counts one less. */
  onAuthenticated(): void;
  onEnd(link: Link, why: string): void;
  onLeaving(link: Link): void;
  onNotice(link: Link, notice: JsonObject): void;
}

/**
 * From an open WebSocket to a link that serves requests: the handshake, then the hello each way. Rejects with
 * the reason, `HandshakeRefused` among them; the channel is closed then.
 */
export async function establish(deps: EstablishDeps, wire: Establishing): Promise<Link> {
  const handshaken = await handshake(deps, wire);
  wire.onAuthenticated();
  const { partner, channel, dialledBy } = wire;
  const { clock, limits, handler } = deps;
  const log = deps.log.child({ partner: partner.serverName });
  const link: Link = new Link({
    channel,
    handshaken,
    dialledBy,
    clock,
    limits,
    log,
    handler,
    onEnd: (why) => wire.onEnd(link, why),
    onLeaving: () => wire.onLeaving(link),
    onNotice: (notice) => wire.onNotice(link, notice),
  });
  link.start();
  const timer = clock.setTimer(limits.helloMs, () => link.terminate('no hello'));
  try {
    const remote = await link.greet(await deps.hello.local(partner.serverName));
    await deps.hello.remote(partner.serverName, remote);
    link.open();
  } catch (error) {
    link.terminate('the hello failed');
    throw error;
  } finally {
    timer.cancel();
  }
  if (link.hasEnded) throw new Error('The link went down before it was set up');
  return link;
}

async function handshake(deps: EstablishDeps, wire: Establishing): Promise<Handshaken> {
  const { channel } = wire;
  const timer = deps.clock.setTimer(deps.limits.handshakeMs, () => channel.terminate());
  try {
    return await shakeHands(channel, {
      role: wire.dialledBy === 'us' ? 'dialler' : 'acceptor',
      own: deps.own,
      staticKey: deps.staticKey,
      partner: wire.partner,
      subprotocol: wire.subprotocol,
      offers: wire.offers,
      clock: deps.clock,
      random: deps.random,
      rotations: deps.rotations,
      defences: deps.defences,
    });
  } catch (error) {
    if (error instanceof HandshakeRefused) channel.close(closeCodes.refused);
    else channel.terminate();
    throw error;
  } finally {
    timer.cancel();
  }
}
