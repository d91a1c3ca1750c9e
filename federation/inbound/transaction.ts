import { isObject, type JsonObject, type JsonValue } from '../../protocol/json.ts';
import { RoomError } from '../../rooms/errors.ts';
import { isLane, type LaneHeader, readLaneHeaders, volatileLane } from '../lanes.ts';
import { maxEdus, maxPdus } from '../outbox/transaction.ts';

/** A transaction as it arrived, its shape checked. */
export interface InboundTransaction {
  readonly pdus: readonly JsonValue[];
  readonly edus: readonly JsonValue[];
}

/** Checks what needs no state: shape, origin, limits. Throws the answer for the partner. */
export function readTransaction(body: JsonObject, origin: string): InboundTransaction {
  if (body['origin'] !== undefined && body['origin'] !== origin)
    throw new RoomError(
      403,
      'M_FORBIDDEN',
      'The transaction names another origin than the one that sends it',
    );
  const pdus = listOf(body, 'pdus', maxPdus);
  const edus = listOf(body, 'edus', maxEdus);
  return { pdus, edus };
}

function listOf(body: JsonObject, name: string, limit: number): readonly JsonValue[] {
  const list = body[name] ?? [];
  if (!Array.isArray(list)) throw new RoomError(400, 'M_BAD_JSON', `${name} has to be a list`);
  if (list.length > limit) throw new RoomError(400, 'M_TOO_LARGE', `At most ${limit} ${name} are allowed`);
  return list;
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
