import Type from 'typebox';
import type { Config } from '../../../config/config.ts';
import { loadConfig } from '../../../config/load.ts';
import { describeProblems } from '../../../config/problem.ts';
import { fingerprint, readFingerprint } from '../../../federation/keys/fingerprint.ts';
import { keysOnCard } from '../../../federation/partners/registry.ts';
import { AdminError } from '../../admin-error.ts';
import { addPartner, planPartner } from '../../partners/add-partner.ts';
import { describePartner } from '../../partners/describe-partner.ts';
import { linkUrls, objectionToUrls, ownCard } from '../../partners/own-card.ts';
import { removePartner } from '../../partners/remove-partner.ts';
import type { AdminContext, IslandParts } from '../context.ts';
import { operation } from '../operation.ts';

const card = Type.String({ description: 'The text of the card that their admin sent.' });
const replaceKeys = Type.Optional(
  Type.Boolean({ description: 'Take the new keys of a partner that was set up anew; false by default.' }),
);
const kind = Type.Enum(['new', 'newer', 'same'], {
  description: 'same: this very card is in force already.',
});
const pending = Type.Array(Type.String(), {
  description:
    'Keys of which the files say something else than what is in force, since nobody reloaded them.',
});

export const cardOperations = [
  operation({
    name: 'partner.card',
    summary: 'Gives the card of this island, for the admin of another one. It holds no secrets.',
    roles: ['partner-manager'],
    params: {
      for: Type.Optional(
        Type.String({
          description: 'Propose what our configuration says of this partner; else the defaults.',
        }),
      ),
    },
    result: Type.Object({
      card: Type.String(),
      objection: Type.Union([Type.String(), Type.Null()], {
        description: 'What they would run into with it.',
      }),
    }),
    http: { method: 'GET', path: '/card' },
    audit: 'read',
    needs: 'database',
    async run({ config, ownKeys, clock }, params) {
      return {
        card: ownCard(config, ownKeys.own, clock.now(), params.for),
        objection: objectionToUrls(linkUrls(config)) ?? null,
      };
    },
  }),
  operation({
    name: 'partner.preview',
    summary: 'Reads a card and says what adding it would mean. Nothing is changed.',
    roles: ['partner-manager'],
    params: { card, replace_keys: replaceKeys },
    result: Type.Object({
      server_name: Type.String(),
      kind,
      keys: Type.Array(Type.Object({ key_id: Type.String(), fingerprint: Type.String() })),
      description: Type.String({ description: 'What each side may do then, as lines for people.' }),
    }),
    http: { method: 'POST', path: '/partners/preview' },
    audit: 'read',
    needs: 'running island',
    detail: (_, { server_name }) => ({ server_name }),
    async run(context, { card: text, replace_keys = false }) {
      const planned = await plan(context, text, replace_keys);
      return {
        server_name: planned.card.serverName,
        kind: planned.kind,
        keys: keysOf(planned.card.verifyKeys),
        description: describePartner(planned, context.config.serverName),
      };
    },
  }),
  operation({
    name: 'partner.add',
    summary:
      'Makes an island a partner from its card, once the fingerprint was compared by phone. Both sides have to.',
    roles: ['partner-manager'],
    params: {
      card,
      fingerprint: Type.String({ description: '30 digits, as their admin read them out.' }),
      replace_keys: replaceKeys,
    },
    result: Type.Object({ server_name: Type.String(), kind, pending }),
    http: { method: 'POST', path: '/partners' },
    audit: 'change',
    needs: 'running island',
    detail: ({ fingerprint: read, replace_keys = false }, { server_name, kind }) => ({
      server_name,
      fingerprint: read,
      kind,
      replace_keys,
    }),
    async run(context, { card: text, fingerprint: read, replace_keys = false }) {
      const planned = await plan(context, text, replace_keys);
      const { serverName, verifyKeys } = planned.card;
      const heard = readFingerprint(read);
      if (heard === undefined)
        throw new AdminError('A fingerprint is 30 digits, and its check digits have to fit', {
          param: 'fingerprint',
        });
      if (!keysOf(verifyKeys).some((key) => key.fingerprint === heard))
        throw new AdminError(
          `This is not the fingerprint of the card. Nothing was changed: ask the admin of ${serverName} for a new card by another way.`,
          { param: 'fingerprint' },
        );
      const files = await configOf(context);
      const { pending } = await addPartner(files, planned, () => reload(context.island, serverName));
      return { server_name: serverName, kind: planned.kind, pending: [...pending] };
    },
  }),
  operation({
    name: 'partner.remove',
    summary:
      'Ends a partnership that `partner.add` began: the link closes, and nothing passes any more. Rooms and history stay.',
    roles: ['partner-manager'],
    params: { server_name: Type.String({ description: 'The server name of a partner.' }) },
    result: Type.Object({ server_name: Type.String(), pending }),
    http: { method: 'DELETE', path: '/partners/:server_name' },
    audit: 'change',
    needs: 'running island',
    subject: ({ server_name }) => server_name,
    async run(context, { server_name: serverName }) {
      const files = await configOf(context);
      const { pending } = await removePartner(files, serverName, () => reload(context.island, serverName));
      return { server_name: serverName, pending: [...pending] };
    },
  }),
] as const;

/** What the files say now: somebody may have changed them since they were read. */
export async function configOf({ config, clock }: AdminContext): Promise<Config> {
  const loaded = await loadConfig(config.file, { now: clock.now() });
  if (loaded.ok) return loaded.config;
  throw new AdminError(describeProblems(loaded.problems, config.directory), { kind: 'conflict' });
}

async function plan(context: AdminContext, text: string, replaceKeys: boolean) {
  const { clock, partners } = context;
  const now = clock.now();
  return planPartner(await configOf(context), text, {
    now,
    replaceKeys,
    keysInUse: (serverName) => {
      const partner = partners.get(serverName);
      return partner === undefined ? undefined : keysOnCard(partner, now);
    },
  });
}

async function reload(island: IslandParts, partner: string) {
  const report = await island.reload({ partner });
  return { isRunning: true, pending: report.pending };
}

function keysOf(verifyKeys: ReadonlyMap<string, string>): { key_id: string; fingerprint: string }[] {
  return [...verifyKeys].map(([keyId, key]) => ({ key_id: keyId, fingerprint: fingerprint(key) }));
}
