import { forbidden, missingParam } from '../../http/errors.ts';
import { Reply } from '../../http/route.ts';
import { isObject, type JsonObject, type JsonValue } from '../../protocol/json.ts';
import type { Random } from '../../protocol/runtime.ts';
import type { Accounts } from './accounts.ts';

/** User-Interactive Authentication, with the stages that we have: the account's password, or nothing. */

/**
 * Asks for the user's password again before something that a stolen token must not do. Gives the 401 that tells the
 * client what to send, or undefined when the password was right.
 */
export async function requirePassword(
  accounts: Accounts,
  random: Random,
  userId: string,
  auth: JsonValue | undefined,
): Promise<Reply | undefined> {
  if (!isObject(auth) || auth['type'] === undefined) return challenge(random, 'm.login.password', auth);
  if (auth['type'] !== 'm.login.password') {
    const error = 'Only m.login.password is known here';
    return challenge(random, 'm.login.password', auth, { errcode: 'M_UNRECOGNIZED', error });
  }
  if (typeof auth['password'] !== 'string') throw missingParam('auth.password is missing or not a string');
  if (claimedUser(auth) !== undefined && !isSameUser(accounts, claimedUser(auth) ?? '', userId)) {
    throw forbidden('The password of another user does not count');
  }
  if (await accounts.isPassword(userId, auth['password'])) return undefined;
  return challenge(random, 'm.login.password', auth, { errcode: 'M_FORBIDDEN', error: 'Wrong password' });
}

/** For open registration: a stage that only says "go on". */
export function requireDummy(random: Random, auth: JsonValue | undefined): Reply | undefined {
  if (isObject(auth) && auth['type'] === 'm.login.dummy') return undefined;
  return challenge(random, 'm.login.dummy', auth);
}

function challenge(
  random: Random,
  stage: string,
  auth: JsonValue | undefined,
  error: JsonObject = {},
): Reply {
  const session = isObject(auth) && typeof auth['session'] === 'string' ? auth['session'] : undefined;
  return new Reply(401, {
    ...error,
    flows: [{ stages: [stage] }],
    params: {},
    session: session ?? random.bytes(18).toString('base64url'),
  });
}

function claimedUser(auth: JsonObject): string | undefined {
  const { identifier } = auth;
  if (isObject(identifier) && typeof identifier['user'] === 'string') return identifier['user'];
  return typeof auth['user'] === 'string' ? auth['user'] : undefined;
}

function isSameUser(accounts: Accounts, claimed: string, userId: string): boolean {
  return (claimed.startsWith('@') ? claimed : accounts.userIdOf(claimed)) === userId;
}
