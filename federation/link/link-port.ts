import type { Logger } from 'pino';
import type { Clock } from '../../protocol/runtime.ts';
import type { FrameSender } from './frame-sender.ts';
import { frameParts, frameTypes, jsonBytes } from './frames.ts';
import { IncomingBody } from './incoming-body.ts';
import type { LinkLimits } from './limits.ts';
import type { ResetReason } from './types.ts';

/** What both directions of requests use of their link. */
export interface LinkPort {
  readonly serverName: string;
  readonly clock: Clock;
  readonly limits: LinkLimits;
  readonly log: Logger;
  readonly sender: FrameSender;
  /** Credit for one stream that the peer announced, in bytes. */
  readonly streamWindow: number;
  /** Bytes of ours were consumed; the connection's credit follows. */
  drained(bytes: number): void;
  /** A stream is over; a link that is being left may now close. */
  quiet(): void;
}

/** A mistake of the peer after which the link cannot go on. */
export class ProtocolViolation extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ProtocolViolation';
  }
}

export function sendReset(port: LinkPort, stream: number, reason: ResetReason): void {
  port.sender.control(frameParts(frameTypes.reset, stream, true, jsonBytes({ reason })));
}

/** A body of this stream that grants credit as it is consumed. */
export function incomingBody(port: LinkPort, stream: number, abandoned: () => void): IncomingBody {
  return new IncomingBody(port.limits.streamWindow, {
    drained: (bytes) => port.drained(bytes),
    grant: (bytes) => sendWindow(port.sender, stream, bytes),
    abandoned,
  });
}

export function sendWindow(sender: FrameSender, stream: number, bytes: number): void {
  const payload = Buffer.allocUnsafe(4);
  payload.writeUInt32BE(bytes);
  sender.control(frameParts(frameTypes.window, stream, false, undefined, payload));
}

const reasons: readonly ResetReason[] = ['cancelled', 'too_large', 'timeout', 'policy', 'internal'];

/** A reason that we do not know counts as `internal`. */
export function readReason(value: unknown): ResetReason {
  return reasons.find((reason) => reason === value) ?? 'internal';
}

/** The keys of a REQ's or RES's header that are not part of the protocol, as texts. */
export function extraHeaders(
  header: Readonly<Record<string, unknown>>,
  known: ReadonlySet<string>,
): Record<string, string> {
  const extra: Record<string, string> = {};
  for (const [name, value] of Object.entries(header)) {
    if (known.has(name)) continue;
    if (typeof value === 'string') extra[name] = value;
    else if (typeof value === 'number' || typeof value === 'boolean') extra[name] = String(value);
  }
  return extra;
}
