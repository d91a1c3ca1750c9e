import { LinkUnavailable } from './types.ts';

/** Every limit of a link; times in milliseconds, sizes in bytes (island-link §1, §2). */
export interface LinkLimits {
  /** Sockets between the upgrade request and the end of the handshake, and the time each has. */
  readonly handshakes: number;
  readonly handshakeMs: number;
  /** How far a dialler's clock may be from ours. */
  readonly clockSkewMs: number;
  readonly addressBurst: number;
  readonly addressPerSecond: number;
  readonly originBurst: number;
  readonly originPerSecond: number;
  /** Time for the first record each way, after the handshake. */
  readonly helloMs: number;
  /** Open requests that one side may have, and of them those of the two heavy classes. */
  readonly streams: number;
  readonly bulkStreams: number;
  readonly mediaStreams: number;
  /** Requests that wait for one of those places. */
  readonly waitingRequests: number;
  readonly streamWindow: number;
  readonly connectionWindow: number;
  /** The longest that a partner's request may run. */
  readonly maxDeadlineMs: number;
  /** What may wait in the socket before we stop handing it more. */
  readonly sendBuffer: number;
  /** Small frames (credit, resets, pongs) that may wait for a peer that does not read. */
  readonly controlFrames: number;
  /** A peer that takes nothing for so long is terminated. */
  readonly stalledMs: number;
  readonly pingAfterMs: number;
  readonly deadAfterMs: number;
  /** Time for a PONG when two links are compared. */
  readonly compareMs: number;
  /** Time for open requests to finish before a link that is left is closed. */
  readonly drainMs: number;
  readonly firstRetryMs: number;
  readonly maxRetryMs: number;
  readonly alarmRetryMs: number;
}

export const defaultLinkLimits: LinkLimits = {
  handshakes: 64,
  handshakeMs: 10_000,
  clockSkewMs: 10 * 60_000,
  addressBurst: 100,
  addressPerSecond: 5,
  originBurst: 30,
  originPerSecond: 2,
  helloMs: 10_000,
  streams: 64,
  bulkStreams: 8,
  mediaStreams: 4,
  waitingRequests: 1024,
  streamWindow: 256 * 1024,
  connectionWindow: 4 * 1024 * 1024,
  maxDeadlineMs: 10 * 60_000,
  sendBuffer: 256 * 1024,
  controlFrames: 1024,
  stalledMs: 20_000,
  pingAfterMs: 20_000,
  deadAfterMs: 50_000,
  compareMs: 5_000,
  drainMs: 5_000,
  firstRetryMs: 1_000,
  maxRetryMs: 60_000,
  alarmRetryMs: 10 * 60_000,
};

/** WebSocket close codes of ours. The text beside them never says more. */
export const closeCodes = {
  goingAway: 1001,
  /** A frame or a message that this protocol does not have. */
  protocol: 4400,
  /** The handshake was refused; the reason stays with who refused. */
  refused: 4403,
  /** A record did not decrypt. */
  record: 4408,
  /** Another link to the same partner is kept. */
  replaced: 4409,
} as const;

/** Why a link ended, for whoever waits on it. */
export function linkLost(why: string): LinkUnavailable {
  return new LinkUnavailable(`The link went down: ${why}`, { maybeDelivered: true });
}
