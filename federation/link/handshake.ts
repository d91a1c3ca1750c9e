import type { Clock, Random } from '../../protocol/runtime.ts';
import type { MessageChannel } from './channel.ts';
import {
  type IdentityChecks,
  type IdentityRefusal,
  identityPayload,
  judgeIdentity,
  type OwnIdentity,
  type PeerIdentity,
} from './identity.ts';
import type { CipherOptions } from './noise/cipher-state.ts';
import { HandshakeXX, type NoiseSession } from './noise/handshake-xx.ts';
import { type DiffieHellman, generateLinkKey, type LinkKeyPair, NoiseError } from './noise/keys.ts';
import type { KeyEvidence, KeyRotations, LinkPartner } from './types.ts';

/** A handshake that was refused here, with the reason for our audit log. The other side hears nothing of it. */
export class HandshakeRefused extends Error {
  readonly reason: IdentityRefusal | NoiseError['code'];
  /** The key that the other side holds, where it is one that nothing proves. */
  readonly unannounced: KeyEvidence | undefined;

  constructor(
    reason: IdentityRefusal | NoiseError['code'],
    details: { readonly cause?: unknown; readonly unannounced?: KeyEvidence | undefined } = {},
  ) {
    const { cause, unannounced } = details;
    super(`The handshake was refused: ${reason}`, cause === undefined ? undefined : { cause });
    this.name = 'HandshakeRefused';
    this.reason = reason;
    this.unannounced = unannounced;
  }
}

/** What a test may weaken in order to prove that it matters. */
export interface HandshakeDefences {
  readonly identity?: IdentityChecks;
  readonly dh?: DiffieHellman;
  readonly cipher?: CipherOptions;
  readonly prologue?: typeof linkPrologue;
  readonly ephemeralKey?: () => LinkKeyPair;
}

export interface HandshakeInput {
  readonly role: 'dialler' | 'acceptor';
  readonly own: OwnIdentity;
  readonly staticKey: LinkKeyPair;
  /** Who has to be at the other end. */
  readonly partner: LinkPartner;
  readonly subprotocol: string;
  /** The dialler: the subprotocols it offered. The acceptor: those that the request had when it arrived. */
  readonly offers: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly rotations?: KeyRotations | undefined;
  readonly defences?: HandshakeDefences;
}

export interface Handshaken {
  readonly session: NoiseSession;
  readonly peer: PeerIdentity;
}

/**
 * The three Noise messages with both identities (island-link §1, step 2). Rejects with `HandshakeRefused`, or
 * with the channel's error. The time limit is the caller's: it closes the channel.
 */
export async function shakeHands(channel: MessageChannel, input: HandshakeInput): Promise<Handshaken> {
  const { role, own, partner, subprotocol, offers, defences = {} } = input;
  const initiator = role === 'dialler';
  const names = initiator ? [own.serverName, partner.serverName] : [partner.serverName, own.serverName];
  const handshake = new HandshakeXX({
    initiator,
    prologue: (defences.prologue ?? linkPrologue)(subprotocol, names),
    staticKey: input.staticKey,
    ephemeralKey: defences.ephemeralKey?.() ?? generateLinkKey(input.random),
    ...(defences.dh === undefined ? {} : { dh: defences.dh }),
    ...(defences.cipher === undefined ? {} : { cipher: defences.cipher }),
  });
  try {
    if (initiator) {
      channel.send(handshake.write(Buffer.alloc(0)));
      const peer = await judge(handshake, handshake.read(await channel.receive()), input);
      channel.send(handshake.write(identityPayload(own, offers)));
      return { session: handshake.session(), peer };
    }
    handshake.read(await channel.receive());
    channel.send(handshake.write(identityPayload(own)));
    const peer = await judge(handshake, handshake.read(await channel.receive()), input);
    return { session: handshake.session(), peer };
  } catch (error) {
    if (error instanceof NoiseError) throw new HandshakeRefused(error.code, { cause: error });
    throw error;
  }
}

async function judge(handshake: HandshakeXX, payload: Buffer, input: HandshakeInput): Promise<PeerIdentity> {
  const { remoteStatic } = handshake;
  if (remoteStatic === undefined) throw new Error('The pattern sends the static key before this payload');
  const verdict = judgeIdentity(payload, {
    own: input.own,
    partner: input.partner,
    remoteLinkPublicKey: remoteStatic,
    ...(input.role === 'acceptor' ? { seenOffers: input.offers } : {}),
    now: input.clock.now(),
    rotations: input.rotations,
    ...(input.defences?.identity === undefined ? {} : { checks: input.defences.identity }),
  });
  if (!verdict.ok) throw new HandshakeRefused(verdict.reason, { unannounced: verdict.unannounced });
  const { peer, evidence } = verdict;
  if (evidence !== undefined && (await input.rotations?.accept(peer.serverName, evidence)) !== true)
    throw new HandshakeRefused('unpinned-key', { unannounced: evidence });
  return peer;
}

/** Protocol, subprotocol and both names, the dialler's first; each with its length before it. */
export function linkPrologue(subprotocol: string, names: readonly string[]): Buffer {
  const parts: Buffer[] = [];
  for (const text of ['island-link/1', subprotocol, ...names]) {
    const bytes = Buffer.from(text);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(bytes.length);
    parts.push(length, bytes);
  }
  return Buffer.concat(parts);
}
