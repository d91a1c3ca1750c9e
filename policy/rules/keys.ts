import type { PartnerFacts } from '../book.ts';
import { allowed, type Decision, denied } from '../decision.ts';

/** A revoked key vouches for nothing that is received after that; one key that still does is enough. */
export function mayVouch({ serverName, revokedKeys }: PartnerFacts, keyIds: readonly string[]): Decision {
  if (revokedKeys === undefined || revokedKeys.size === 0 || !keyIds.every((keyId) => revokedKeys.has(keyId)))
    return allowed;
  return denied(
    'key_revoked',
    `The signing key of ${serverName} was revoked`,
    `revoked key of ${serverName}`,
  );
}
