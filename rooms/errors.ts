import type { Decision, Violation } from '../policy/decision.ts';
import type { JsonObject } from '../protocol/json.ts';

/**
 * A refusal with the answer that the Matrix APIs give for it: HTTP status, errcode, and further keys of the
 * error body. The client API and the federation routes turn it into a response as it stands.
 */
export class RoomError extends Error {
  readonly status: number;
  readonly errcode: string;
  readonly extra: JsonObject;

  constructor(status: number, errcode: string, message: string, extra: JsonObject = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'RoomError';
    this.status = status;
    this.errcode = errcode;
    this.extra = extra;
  }
}

export function forbidden(message: string): RoomError {
  return new RoomError(403, 'M_FORBIDDEN', message);
}

/**
 * A refusal of the border; `org.archipelago.violations` names each reason. Where only a quota stands against it, a 429
 * `M_LIMIT_EXCEEDED` that says when to try again.
 */
export function deniedByBorder(violations: readonly Violation[]): RoomError {
  const message = violations.map((violation) => violation.message).join('; ');
  const extra = { 'org.archipelago.violations': violations.map(({ code, message }) => ({ code, message })) };
  const waits = violations.map(({ retryAfterMs }) => retryAfterMs);
  if (!waits.every((ms) => ms !== undefined)) return new RoomError(403, 'M_FORBIDDEN', message, extra);
  return new RoomError(429, 'M_LIMIT_EXCEEDED', message, { ...extra, retry_after_ms: Math.max(...waits) });
}

/** Throws {@link deniedByBorder} unless the decision allows. */
export function requireAllowed(decision: Decision): void {
  if (!decision.allowed) throw deniedByBorder(decision.violations);
}

export function notFound(message: string): RoomError {
  return new RoomError(404, 'M_NOT_FOUND', message);
}

export function invalidParam(message: string): RoomError {
  return new RoomError(400, 'M_INVALID_PARAM', message);
}

export function badJson(message: string): RoomError {
  return new RoomError(400, 'M_BAD_JSON', message);
}

/** A partner that we needed could not be reached, or gave an answer that we cannot use. */
export function badGateway(message: string, cause?: unknown): RoomError {
  return new RoomError(502, 'M_UNKNOWN', message, {}, cause);
}

/** A received event cannot be judged now (a partner or the database does not answer): try again later. */
export class TryAgain extends Error {
  /** The event for want of which it waits, where it is one: when that is here is the time to try again. */
  readonly awaitedEvent: string | undefined;

  constructor(message: string, cause?: unknown, awaitedEvent?: string) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'TryAgain';
    this.awaitedEvent = awaitedEvent;
  }
}
