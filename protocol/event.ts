import type { JsonObject } from './json.ts';

/** A persistent data unit: an event as servers exchange it (room versions 10 to 12). Absent keys are absent. */
export interface Pdu extends JsonObject {
  /** Absent in the create event of room version 12, whose hash is the room id. */
  room_id?: string;
  type: string;
  sender: string;
  /** Present in state events. */
  state_key?: string;
  content: JsonObject;
  prev_events: string[];
  auth_events: string[];
  depth: number;
  /** Milliseconds since the epoch, by the clock of the sender's server. */
  origin_server_ts: number;
  hashes: { sha256: string };
  signatures: Record<string, Record<string, string>>;
  unsigned?: JsonObject;
  /** Room version 10: the event that a redaction redacts; later versions have it in the content. */
  redacts?: string;
}

/** An event that has not been hashed and signed yet. */
export interface UnsignedPdu extends JsonObject {
  room_id?: string;
  type: string;
  sender: string;
  state_key?: string;
  content: JsonObject;
  prev_events: string[];
  auth_events: string[];
  depth: number;
  origin_server_ts: number;
  redacts?: string;
}

/** An event with the names that its PDU only implies. */
export interface RoomEvent {
  readonly eventId: string;
  readonly roomId: string;
  /** As signed; the redacted form if it was redacted. */
  readonly pdu: Pdu;
  /** Failed the checks on receipt: may be referenced, must not be used. */
  readonly rejected: boolean;
}

/** One string for the pair (event type, state key). */
export type StateKey = string & { readonly stateKey: unique symbol };

/** Event ids by state key. */
export type StateMap = ReadonlyMap<StateKey, string>;

/** Unambiguous for all strings, those with a NUL too: the length says where the type ends. */
export function stateKeyOf(type: string, stateKey: string): StateKey {
  // A brand, not a conversion: nothing else makes state keys.
  return `${type.length}:${type}${stateKey}` as StateKey;
}

export function splitStateKey(key: StateKey): { type: string; stateKey: string } {
  const colon = key.indexOf(':');
  const end = colon + 1 + Number(key.slice(0, colon));
  return { type: key.slice(colon + 1, end), stateKey: key.slice(end) };
}
