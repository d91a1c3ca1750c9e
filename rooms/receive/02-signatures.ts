import type { Pdu } from '../../protocol/event.ts';
import { serverNameOf } from '../../protocol/identifiers.ts';
import { isObject } from '../../protocol/json.ts';
import type { RoomVersion } from '../../protocol/room-versions.ts';
import { verifyEventSignature } from '../../protocol/signing.ts';
import type { KeyRing } from '../ports.ts';

/** So many signatures of one server are looked at; nobody rotates keys that often within one event. */
const maxSignaturesPerServer = 8;

export type SignatureVerdict = 'valid' | 'invalid' | 'missing';

/**
 * Did this server sign the event? Keys that we do not know, and keys that had expired when the event says
 * it was made, are passed over; every other signature of the server must verify, and one at least is needed.
 */
export function signatureOf(
  pdu: Pdu,
  serverName: string,
  version: RoomVersion,
  keys: KeyRing,
): SignatureVerdict {
  const signatures = pdu.signatures[serverName];
  if (!isObject(signatures)) return 'missing';
  let valid = 0;
  let looked = 0;
  for (const keyId of Object.keys(signatures)) {
    if (looked === maxSignaturesPerServer) break;
    const key = keys.key(serverName, keyId);
    if (key === undefined) continue;
    if (key.validUntil !== undefined && pdu.origin_server_ts > key.validUntil) continue;
    looked += 1;
    if (!verifyEventSignature(pdu, version, serverName, keyId, key.publicKey)) return 'invalid';
    valid += 1;
  }
  return valid > 0 ? 'valid' : 'missing';
}

/** An invite that redeems a third-party invite may be sent by another server than the sender's. */
function isThirdPartyInvite(pdu: Pdu): boolean {
  return (
    pdu.type === 'm.room.member' &&
    pdu.content['membership'] === 'invite' &&
    pdu.content['third_party_invite'] !== undefined
  );
}

/**
 * Step 2: the signature of the sender's server (server-server API, "Validating hashes and signatures on
 * received events"). An event without it is dropped. The signature of an authorising server (restricted
 * joins) is a matter of the auth rules.
 */
export function checkSignatures(
  pdu: Pdu,
  version: RoomVersion,
  keys: KeyRing,
): { ok: true } | { ok: false; reason: string; unverified?: Pdu } {
  if (isThirdPartyInvite(pdu)) return { ok: true };
  const server = serverNameOf(pdu.sender);
  const verdict = signatureOf(pdu, server, version, keys);
  if (verdict === 'valid') return { ok: true };
  if (verdict === 'invalid')
    return { ok: false, reason: `signature: a signature of ${server} does not verify` };
  return {
    ok: false,
    reason: `signature: not signed by ${server} with a key that we know`,
    unverified: pdu,
  };
}
