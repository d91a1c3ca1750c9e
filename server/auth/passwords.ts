import { hash, verify } from '@node-rs/argon2';
import { MatrixError } from '../../http/errors.ts';

/** Passwords as Argon2id, computed off the main thread. */

export const minPasswordLength = 8;
const maxPasswordBytes = 512;

// OWASP's recommendation for Argon2id: 19 MiB, two passes, one lane.
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** Throws 400 `M_WEAK_PASSWORD` for a password that we do not take. */
export function requireAcceptablePassword(password: string): void {
  if ([...password].length < minPasswordLength) {
    throw new MatrixError(400, 'M_WEAK_PASSWORD', `A password has at least ${minPasswordLength} characters`);
  }
  if (Buffer.byteLength(password) > maxPasswordBytes) {
    throw new MatrixError(400, 'M_INVALID_PARAM', `A password has at most ${maxPasswordBytes} bytes`);
  }
}

export function hashPassword(password: string): Promise<string> {
  return hash(password, cost);
}

/**
 * Whether the password is right. Without a stored hash (no such user, no password login) it computes all the same
 * and says no: the time does not tell whether the user exists.
 */
export async function verifyPassword(stored: string | null | undefined, password: string): Promise<boolean> {
  if (Buffer.byteLength(password) > maxPasswordBytes) return false;
  if (stored === null || stored === undefined) {
    await hashPassword(password);
    return false;
  }
  return verify(stored, password);
}
