import Type from 'typebox';
import { operation } from '../operation.ts';

const names = (description: string) => Type.Array(Type.String(), { description });

export const configOperations = [
  operation({
    name: 'config.reload',
    summary: 'Reads the configuration again and takes it over, all or nothing.',
    roles: ['admin', 'partner-manager'],
    params: {
      partner: Type.Optional(
        Type.String({ description: 'Take over the entry of this partner alone, and nothing else.' }),
      ),
    },
    result: Type.Object({
      partners: Type.Object({
        total: Type.Integer({ description: 'How many there are now.' }),
        added: names('Those that were not partners before.'),
        changed: names('Those whose entry says something else.'),
        removed: names('Those that are no partners any more.'),
      }),
      changed: names('Other keys whose new value is in force now.'),
      waiting: names('Keys whose new value waits for a restart.'),
      pending: names('With `partner`: what else the files say that is not in force.'),
      warnings: names('What is no mistake and still wants attention, as FILE:LINE:COLUMN: TEXT.'),
    }),
    http: { method: 'POST', path: '/config/reload' },
    audit: 'change',
    needs: 'running island',
    subject: ({ partner }) => partner,
    detail: (_, { partners: { added, changed, removed }, ...report }) => ({
      added,
      changed,
      removed,
      keys: report.changed,
      waiting: report.waiting,
    }),
    run: async ({ island }, { partner }) => island.reload({ partner }),
  }),
  operation({
    name: 'config.diff',
    summary: 'Says what a reload of the configuration would change, and what a restart.',
    roles: ['admin', 'partner-manager'],
    params: {},
    result: Type.Object({
      partners: Type.Object({
        added: names('Those that would become partners.'),
        changed: names('Those whose entry says something else.'),
        removed: names('Those that would no longer be partners.'),
      }),
      changes: Type.Array(
        Type.Object({
          key: Type.String({ description: 'As `partners[bolt.example].policy.files.direction`.' }),
          before: Type.Union([Type.String(), Type.Null()], {
            description: 'The value in force, as JSON; null for none. Secrets are not shown.',
          }),
          after: Type.Union([Type.String(), Type.Null()], { description: 'The value in the files.' }),
          takes_effect: Type.Enum(['reload', 'restart']),
        }),
      ),
    }),
    http: { method: 'GET', path: '/config/diff' },
    audit: 'read',
    needs: 'running island',
    run: async ({ island }) => island.diff(),
  }),
] as const;
