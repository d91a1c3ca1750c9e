import type { Logger } from 'pino';
import { isObject, type JsonObject, type JsonValue, parseJson } from '../../protocol/json.ts';
import type { Clock } from '../../protocol/runtime.ts';
import type { SigningKey } from '../../protocol/signing.ts';
import { badJson, RoomError } from '../../rooms/errors.ts';
import type { RoomEngine } from '../../rooms/room-engine.ts';
import type { Database } from '../../storage/database.ts';
import type { Approvals } from '../approvals/approvals.ts';
import type { PartnerBorder } from '../border/border.ts';
import type { FederationResponse } from '../exchange.ts';
import type { Inbound } from '../inbound/inbound.ts';
import type { OwnKeys } from '../keys/own-keys.ts';
import type { LaneStandings } from '../lanes.ts';
import type { LocalMedia } from '../media/media.ts';
import type { Drifts } from '../rooms/drifts.ts';

/** What a handler sees: the request with its path taken apart. */
export interface RouteRequest {
  readonly origin: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** A parameter of the path, percent-decoded once. */
  param(name: string): string;
  /** The parsed body, which has to be an object. */
  json(): Promise<JsonObject>;
  /** The body as it came. */
  bytes(): Promise<Buffer>;
  readonly log: Logger;
}

/** What the handlers use. */
export interface RouteParts {
  readonly serverName: string;
  readonly signingKey: SigningKey;
  readonly ownKeys: OwnKeys;
  readonly software: { readonly name: string; readonly version: string };
  readonly engine: RoomEngine;
  readonly db: Database;
  readonly border: PartnerBorder;
  readonly media: LocalMedia;
  readonly approvals: Approvals;
  readonly inbound: Inbound;
  readonly drifts: Pick<Drifts, 'reported'>;
  /** How the lanes of a partner stand here, both ways. */
  standings(partner: string): Promise<LaneStandings>;
  readonly clock: Clock;
}

export interface FederationRoute {
  readonly method: 'GET' | 'PUT' | 'POST';
  /** With `:name` segments. */
  readonly path: string;
  /** Limit of the body in bytes; default 128 KiB: an event and what goes with it. */
  readonly maxBodyBytes?: number;
  /** Gives a JSON value (status 200) or a whole response. Called in the order of arrival, before any await. */
  handle(request: RouteRequest, parts: RouteParts): Promise<JsonValue | { response: FederationResponse }>;
}

export const defaultMaxBodyBytes = 128 * 1024;

/** Parses a body as strict Matrix JSON. */
export async function readObject(body: Promise<Buffer>): Promise<JsonObject> {
  const value = parseJson(await body);
  if (!isObject(value)) throw badJson('The body has to be a JSON object');
  return value;
}

/** A query parameter that has to be there. */
export function requiredQuery(request: RouteRequest, name: string): string {
  const value = request.query.get(name);
  if (value === null || value === '') throw new RoomError(400, 'M_MISSING_PARAM', `${name} is missing`);
  return value;
}

/** A number of the query or of a body, cut to the range; `fallback` where there is none. */
export function clampedInteger(
  value: JsonValue | undefined,
  fallback: number,
  range: { min: number; max: number },
): number {
  const number = typeof value === 'string' && /^[0-9]{1,15}$/.test(value) ? Number(value) : value;
  if (number === undefined || number === null) return fallback;
  if (typeof number !== 'number' || !Number.isSafeInteger(number))
    throw new RoomError(400, 'M_INVALID_PARAM', 'A whole number was expected');
  return Math.min(Math.max(number, range.min), range.max);
}

/** A list of texts in a body; an empty one where there is none. */
export function textList(value: JsonValue | undefined, name: string): string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw badJson(`${name} has to be a list`);
  return value.map((item) => {
    if (typeof item !== 'string') throw badJson(`${name} has to hold texts`);
    return item;
  });
}
