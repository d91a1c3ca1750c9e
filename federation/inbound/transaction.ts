import { isObject, JsonError, type JsonValue, parseJson } from '../../protocol/json.ts';
import { sliceArray, sliceObject } from '../../protocol/json-slices.ts';
import { RoomError } from '../../rooms/errors.ts';
import { isLane, type LaneHeader, readLaneHeaders, volatileLane } from '../lanes.ts';
import { maxEdus, maxPdus } from '../outbox/transaction.ts';

/** An event or EDU of a transaction. */
export interface Member {
  /** What was sent; of what cannot be parsed its text, cut to a readable length. */
  readonly value: JsonValue;
  /** Why it cannot be used at all. */
  readonly fault?: string;
}

/** A transaction as it arrived, its shape checked. */
export interface InboundTransaction {
  readonly pdus: readonly Member[];
  readonly edus: readonly Member[];
}

const maxFaultyText = 4_096;

/**
 * Checks what needs no state: shape, origin, limits. Throws the answer for the partner. An event that is not JSON
 * as Matrix allows it does not spoil the others: it alone is marked.
 */
export function readTransaction(body: Buffer, origin: string): InboundTransaction {
  const members = sliceObject(body);
  const claimed = members.get('origin');
  if (claimed !== undefined && parseJson(claimed) !== origin)
    throw new RoomError(
      403,
      'M_FORBIDDEN',
      'The transaction names another origin than the one that sends it',
    );
  return {
    pdus: listOf(members.get('pdus'), 'pdus', maxPdus),
    edus: listOf(members.get('edus'), 'edus', maxEdus),
  };
}

function listOf(text: string | undefined, name: string, limit: number): readonly Member[] {
  if (text === undefined || text === 'null') return [];
  if (!text.startsWith('[')) throw new RoomError(400, 'M_BAD_JSON', `${name} has to be a list`);
  const items = sliceArray(text);
  if (items.length > limit) throw new RoomError(400, 'M_TOO_LARGE', `At most ${limit} ${name} are allowed`);
  return items.map(memberOf);
}

function memberOf(text: string): Member {
  try {
    return { value: parseJson(text) };
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    return { value: text.slice(0, maxFaultyText).toWellFormed(), fault: `format: ${error.message}` };
  }
}

export function valuesOf(members: readonly Member[]): JsonValue[] {
  return members.map(({ value }) => value);
}

/** The order in which a transaction is to be taken, from the header of its request. */
export type Sequencing =
  | { readonly kind: 'lane'; readonly header: LaneHeader }
  | { readonly kind: 'volatile' }
  /** A transport without lanes: one transaction after the other. */
  | { readonly kind: 'plain' };

export function sequencingOf(headers: Readonly<Record<string, string>>): Sequencing {
  const { lane } = headers;
  if (lane === undefined) return { kind: 'plain' };
  if (lane === volatileLane) return { kind: 'volatile' };
  const header = isLane(lane) ? readLaneHeaders(headers) : undefined;
  if (header === undefined)
    throw new RoomError(400, 'M_INVALID_PARAM', 'The lane or its numbers are not valid');
  return { kind: 'lane', header };
}

/** A lane carries one kind of thing, so that its numbers count it. */
export function checkLane(transaction: InboundTransaction, header: LaneHeader): void {
  const { pdus, edus } = transaction;
  const [carried, other] = header.lane === 'pdu' ? [pdus, edus] : [edus, pdus];
  if (other.length > 0) throw new RoomError(400, 'M_INVALID_PARAM', 'This lane carries something else');
  if (carried.length > header.last - header.first + 1)
    throw new RoomError(400, 'M_INVALID_PARAM', 'There is more in it than its numbers say');
}

/** The room that an event says it belongs to. */
export function roomOf(pdu: JsonValue): string | undefined {
  const roomId = isObject(pdu) ? pdu['room_id'] : undefined;
  return typeof roomId === 'string' && roomId !== '' && roomId.length <= 255 ? roomId : undefined;
}
