import { createHash } from 'node:crypto';
import { canonicalJson } from '../protocol/canonical-json.ts';
import { isObject, type JsonValue } from '../protocol/json.ts';

/**
 * What stays of an event in every room version when it is redacted, and what its id is made of; enough to tell
 * two events apart without knowing the version of their room.
 */
const identifying = [
  'room_id',
  'type',
  'state_key',
  'sender',
  'depth',
  'origin_server_ts',
  'prev_events',
  'auth_events',
] as const;

/**
 * The digest of a transaction's list of events and EDUs, in order (unpadded base64url). An event that was
 * redacted between two attempts gives the same digest, another event does not.
 */
export function transactionDigest(pdus: readonly JsonValue[], edus: readonly JsonValue[]): string {
  const hash = createHash('sha256');
  for (const pdu of pdus) hash.update('p').update(pduIdentity(pdu)).update('\n');
  for (const edu of edus) hash.update('e').update(canonicalJson(edu)).update('\n');
  return hash.digest('base64url');
}

function pduIdentity(pdu: JsonValue): string {
  if (!isObject(pdu)) return JSON.stringify(pdu);
  const { hashes } = pdu;
  const sha256 = isObject(hashes) ? hashes['sha256'] : undefined;
  return JSON.stringify([sha256 ?? null, ...identifying.map((key) => pdu[key] ?? null)]);
}
