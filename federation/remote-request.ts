import { isObject, JsonError, type JsonObject, type JsonValue, parseJson } from '../protocol/json.ts';
import { RemoteError } from '../rooms/ports.ts';
import {
  type LinkManager,
  type LinkPriority,
  type LinkResponse,
  LinkUnavailable,
} from './link/link-manager.ts';

/** How long a request waits for a link that is being set up, e.g. right after pairing. */
const waitForLinkMs = 10_000;
/** The same where nobody is served by waiting: it is asked again when the link is there. */
export const briefWaitMs = 1_000;
const defaultDeadlineMs = 30_000;
/** Lists of a room's state or of events; everything else answers with far less. */
export const maxBulkBytes = 16 * 1024 * 1024;
/** So many reasons of a refusal are looked at. */
const maxViolations = 20;
const maxAnswerBytes = 1024 * 1024;

/** In an answer to `make_join`: who is in the room. Not of Matrix; it tells an island before it signs anything. */
export const serversKey = 'org.archipelago.servers';

export interface RemoteQuestion {
  readonly method: 'GET' | 'PUT' | 'POST';
  readonly uri: string;
  readonly body?: JsonObject;
  readonly priority: LinkPriority;
  readonly maxBytes?: number;
  readonly deadlineMs?: number;
  /** How long to wait for a link; default 10 s. */
  readonly waitMs?: number;
}

/** Builds `/_matrix/federation/…` with each segment percent-encoded, and a query. */
export function federationUri(
  version: 'v1' | 'v2',
  segments: readonly string[],
  query: readonly (readonly [string, string])[] = [],
): string {
  const path = segments.map(encodeURIComponent).join('/');
  const search = query.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');
  return `/_matrix/federation/${version}/${path}${search === '' ? '' : `?${search}`}`;
}

/** Asks a partner over its link and gives the JSON object it answered. Rejects with a {@link RemoteError}. */
export async function ask(link: LinkManager, server: string, question: RemoteQuestion): Promise<JsonObject> {
  const maxBytes = question.maxBytes ?? maxAnswerBytes;
  const response = await open(link, server, question);
  let value: JsonValue;
  try {
    value = parseJson(await response.body(maxBytes));
  } catch (cause) {
    if (response.status !== 200) throw refusal(server, response.status, undefined);
    if (cause instanceof JsonError) throw badResponse(server, 'its answer is not valid Matrix JSON', cause);
    throw unreachable(server, cause);
  }
  if (response.status !== 200) throw refusal(server, response.status, value);
  if (!isObject(value)) throw badResponse(server, 'its answer is not a JSON object');
  return value;
}

/** Sends the question and gives the answer with its body still to come. */
export async function open(
  link: LinkManager,
  server: string,
  question: RemoteQuestion,
): Promise<LinkResponse> {
  try {
    return await link.request(
      server,
      {
        method: question.method,
        uri: question.uri,
        ...(question.body === undefined
          ? {}
          : { contentType: 'application/json', body: Buffer.from(JSON.stringify(question.body)) }),
        priority: question.priority,
        deadlineMs: question.deadlineMs ?? defaultDeadlineMs,
      },
      { waitMs: question.waitMs ?? waitForLinkMs },
    );
  } catch (cause) {
    throw unreachable(server, cause);
  }
}

/** The error that a partner's answer with another status than 200 stands for. */
export function refusal(server: string, status: number, body: JsonValue | undefined): RemoteError {
  const errcode = isObject(body) && typeof body['errcode'] === 'string' ? body['errcode'] : undefined;
  const text =
    isObject(body) && typeof body['error'] === 'string' ? body['error'].slice(0, 500) : `status ${status}`;
  const named = isObject(body) ? body['org.archipelago.violations'] : undefined;
  const violations = (Array.isArray(named) ? named.slice(0, maxViolations) : []).flatMap((violation) =>
    isObject(violation) && typeof violation['code'] === 'string' ? [violation['code'].slice(0, 100)] : [],
  );
  return new RemoteError('refused', `${server} refused: ${text}`, { status, errcode, violations });
}

export function badResponse(server: string, what: string, cause?: unknown): RemoteError {
  return new RemoteError('bad-response', `${server}: ${what}`, { cause });
}

function unreachable(server: string, cause: unknown): RemoteError {
  const why = cause instanceof LinkUnavailable ? 'there is no link to it' : 'it did not answer';
  return new RemoteError('unreachable', `${server} cannot be reached: ${why}`, { cause });
}
