import type { Config } from '../../config/config.ts';
import { parseUserId } from '../../protocol/identifiers.ts';
import { AdminError } from '../admin-error.ts';

/** The local part of a user that an administrator named: `ann`, or `@ann:acme.example` in full. */
export function localpartOf(user: string, { serverName }: Config): string {
  if (!user.startsWith('@')) return user;
  const parsed = parseUserId(user);
  if (parsed?.serverName === serverName) return parsed.localpart;
  throw new AdminError(`${user} is not a user of ${serverName}`);
}
