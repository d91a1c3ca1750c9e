import Type from 'typebox';
import { fingerprint } from '../../../federation/keys/fingerprint.ts';
import { judgeStatements, type StatementRefusal } from '../../../federation/keys/judge-statements.ts';
import { readRecoveryKey } from '../../../federation/keys/recovery-key.ts';
import { type KeyStatement, readStatementText } from '../../../federation/keys/statement.ts';
import { PartnerActionRefused } from '../../../federation/partners/actions.ts';
import { decodeBase64 } from '../../../protocol/base64.ts';
import { AdminError } from '../../admin-error.ts';
import type { AdminContext } from '../context.ts';
import { operation, secret } from '../operation.ts';

const serverName = Type.String({ description: 'The server name of a partner.' });
const keyId = Type.String({ pattern: '^ed25519:[a-zA-Z0-9_]{1,64}$', description: 'The id of a key.' });
const publicKey = Type.String({ description: 'A public key, unpadded Base64.' });
const print = Type.String({ description: '30 digits, to be compared by phone.' });

const named = { key_id: keyId, key: publicKey, fingerprint: print };

export const keyOperations = [
  operation({
    name: 'key.show',
    summary:
      'Shows the public keys of this island: the one that signs, those before it, and the recovery key.',
    roles: ['partner-manager', 'security', 'auditor', 'support'],
    params: {},
    result: Type.Object({
      current: Type.Object(named),
      old: Type.Array(Type.Object({ ...named, valid_until_ts: Type.Integer() })),
      recovery: Type.Union([Type.Object(named), Type.Null()]),
    }),
    http: { method: 'GET', path: '/keys' },
    audit: 'read',
    needs: 'database',
    async run({ ownKeys: { own } }) {
      const { current, oldKeys, record } = own;
      const { recoveryKey } = record;
      return {
        current: shown(current.keyId, current.publicKey),
        old: [...oldKeys].map(([id, { key, validUntil }]) => ({
          ...shown(id, key),
          valid_until_ts: validUntil,
        })),
        recovery: recoveryKey === undefined ? null : shown(recoveryKey.keyId, recoveryKey.key),
      };
    },
  }),
  operation({
    name: 'key.rotate',
    summary:
      'Makes a new signing key, in use at once, and proves it to the partners. With the recovery key alone it proves the key in use, after the one before it was lost.',
    roles: ['security'],
    params: {
      compromised: Type.Optional(
        Type.Boolean({
          description:
            'The old key fell into wrong hands: partners believe it no more. Needs the recovery key.',
        }),
      ),
      recovery_key: Type.Optional(secret('The text of the recovery key.')),
    },
    result: Type.Object({
      key_id: keyId,
      fingerprint: print,
      previous_key_id: keyId,
      statement: Type.String({ description: 'Proves the key to a partner that is told by mail.' }),
    }),
    http: { method: 'POST', path: '/keys/rotate' },
    audit: 'own',
    needs: 'database',
    async run({ ownKeys, config }, { compromised, recovery_key: text }, { name: by }) {
      const recoveryKey = text === undefined ? undefined : readRecoveryKey(text, config.serverName);
      if (typeof recoveryKey === 'string') throw new AdminError(recoveryKey);
      const rotation = await ownKeys.rotate({ by, isCompromised: compromised === true, recoveryKey });
      return {
        key_id: rotation.keyId,
        fingerprint: rotation.fingerprint,
        previous_key_id: rotation.previousKeyId,
        statement: rotation.statement,
      };
    },
  }),
  operation({
    name: 'key.set-recovery-key',
    summary: 'Keeps the public part of an offline recovery key, for the cards of this island.',
    roles: ['security'],
    params: {
      key_id: keyId,
      key: publicKey,
      replace: Type.Optional(Type.Boolean({ description: 'Whether it may take the place of another one.' })),
    },
    result: Type.Object({ fingerprint: print }),
    http: { method: 'PUT', path: '/keys/recovery' },
    audit: 'own',
    needs: 'database',
    async run({ ownKeys }, { key_id: id, key, replace = false }, { name: by }) {
      requireKey(key);
      return ownKeys.setRecoveryKey({ by, keyId: id, key, mayReplace: replace });
    },
  }),
  operation({
    name: 'partner.accept-key',
    summary:
      'Pins a new signing key of a partner: by the word of an admin, or by a statement that proves it.',
    roles: ['security'],
    params: {
      server_name: serverName,
      key_id: Type.Optional(keyId),
      key: Type.Optional(publicKey),
      statement: Type.Optional(Type.String({ description: 'A key statement, in the place of id and key.' })),
    },
    result: Type.Object({
      ...named,
      was_pinned: Type.Boolean({ description: 'It was in use here before.' }),
    }),
    http: { method: 'POST', path: '/partners/:server_name/keys/accept' },
    audit: 'own',
    needs: 'database',
    subject: ({ server_name }) => server_name,
    unchanged: ({ was_pinned }) => was_pinned,
    async run(context, { server_name, key_id: id, key, statement: text }, { name: by }) {
      const { partnerActions } = context;
      if (text !== undefined) {
        const statement = readStatementText(text);
        if (typeof statement === 'string') throw new AdminError(statement);
        requireProof(context, server_name, statement);
        const options = { by, dummyKey: context.ownKeys.own.current.publicKey };
        const isNew = await refusable(partnerActions.acceptStatements(server_name, [statement], options));
        return { ...shown(statement.keyId, statement.key), was_pinned: !isNew };
      }
      if (id === undefined || key === undefined)
        throw new AdminError('Give the id of the key and the key, or a statement');
      requireKey(key);
      const plain = key.replace(/=+$/, '');
      const isNew = await refusable(partnerActions.acceptKey(server_name, { keyId: id, key: plain, by }));
      return { ...shown(id, plain), was_pinned: !isNew };
    },
  }),
  operation({
    name: 'partner.revoke-key',
    summary:
      'Believes a key of a partner no more: its link closes, and what it signed and comes later is quarantined.',
    roles: ['security'],
    params: { server_name: serverName, key_id: keyId },
    result: Type.Object({ was_revoked: Type.Boolean({ description: 'Whether it was revoked before.' }) }),
    http: { method: 'POST', path: '/partners/:server_name/keys/revoke' },
    audit: 'own',
    needs: 'database',
    subject: ({ server_name }) => server_name,
    unchanged: ({ was_revoked }) => was_revoked,
    async run({ partnerActions }, { server_name, key_id: id }, { name: by }) {
      return { was_revoked: !(await refusable(partnerActions.revokeKey(server_name, { keyId: id, by }))) };
    },
  }),
] as const;

function shown(id: string, key: string) {
  return { key_id: id, key, fingerprint: fingerprint(key) };
}

function requireKey(key: string): void {
  if (decodeBase64(key)?.length !== 32)
    throw new AdminError(
      'A public key is 32 bytes in Base64, such as Noi6WqcDj0QmPxCNQqgezwTlBKrfqehY1u2FyWP9uYw',
    );
}

/** Throws AdminError with the reason for which a statement proves nothing. */
function requireProof(
  { partners, clock, ownKeys }: AdminContext,
  name: string,
  statement: KeyStatement,
): void {
  const context = { now: clock.now(), dummyKey: ownKeys.own.current.publicKey };
  if (partners.get(name) === undefined)
    throw new AdminError(`${name} is not a partner of this server`, { kind: 'not-found' });
  const [verdict] = judgeStatements(partners.get(name), [statement], context);
  if (verdict?.kind === 'refused')
    throw new AdminError(`The statement was refused: ${refusals[verdict.reason]}`);
}

const refusals: Readonly<Record<StatementRefusal, string>> = {
  'another-server': 'it is about another server',
  'unknown-voucher':
    'the key that signed it is not pinned for this partner, neither as a signing nor as a recovery key',
  'voucher-ended': 'the key that signed it had been replaced already',
  'voucher-revoked': 'the key that signed it was revoked here',
  'bad-signature': 'a signature does not fit: it was altered',
  'key-revoked': 'the new key was revoked here',
  'key-id-reused': 'another key has that id already',
  overtaken: 'it is older than the card in force, or than the last statement that was taken over',
  future: 'it is dated in the future: compare the clocks',
  'compromised-without-recovery': 'only the recovery key may say that the other keys are compromised',
};

async function refusable<T>(action: Promise<T>): Promise<T> {
  try {
    return await action;
  } catch (error) {
    throw error instanceof PartnerActionRefused
      ? new AdminError(error.message, { kind: 'not-found' })
      : error;
  }
}
