import Type from 'typebox';
import { AdminError } from '../../admin-error.ts';
import { applyChange } from '../../partners/change-file.ts';
import { examine } from '../../partners/doctor.ts';
import { planShare, type ShareChange } from '../../partners/share-partner.ts';
import { partnerView, showPartner } from '../../partners/show-partner.ts';
import { operation } from '../operation.ts';
import { configOf } from './cards.ts';

const serverName = Type.String({ description: 'The server name of a partner.' });
const onOrOff = Type.Optional(Type.Boolean({ description: 'Absent: as it is.' }));

export const partnerViewOperations = [
  operation({
    name: 'partner.show',
    summary:
      'Shows a partner: what the files say, what was done at run time, and what holds, each with its place.',
    roles: ['partner-manager', 'security', 'auditor', 'support'],
    params: { server_name: serverName },
    result: partnerView,
    http: { method: 'GET', path: '/partners/:server_name' },
    audit: 'read',
    needs: 'database',
    subject: ({ server_name }) => server_name,
    run: async (context, { server_name }) => showPartner(context, server_name),
  }),
  operation({
    name: 'partner.doctor',
    summary:
      'Looks at everything that the link to a partner needs, and says what to do where something is missing.',
    roles: ['partner-manager', 'security', 'support'],
    params: { server_name: serverName },
    result: Type.Object({
      findings: Type.Array(
        Type.Object({
          check: Type.String({ description: 'What was looked at.' }),
          status: Type.Enum(['ok', 'warn', 'fail']),
          message: Type.String(),
        }),
      ),
    }),
    http: { method: 'POST', path: '/partners/:server_name/doctor' },
    audit: 'read',
    needs: 'database',
    subject: ({ server_name }) => server_name,
    run: async (context, { server_name }) => ({ findings: await examine(context, server_name) }),
  }),
  operation({
    name: 'partner.share',
    summary:
      'Changes what is told to a partner, and taken from it: presence, typing, receipts, names of devices.',
    roles: ['partner-manager'],
    params: {
      server_name: serverName,
      presence: onOrOff,
      typing: onOrOff,
      receipts: onOrOff,
      device_names: onOrOff,
    },
    result: Type.Object({
      presence: Type.Boolean(),
      typing: Type.Boolean(),
      receipts: Type.Boolean(),
      device_names: Type.Boolean(),
    }),
    http: { method: 'PUT', path: '/partners/:server_name/share' },
    audit: 'change',
    needs: 'database',
    subject: ({ server_name }) => server_name,
    async run(context, { server_name, ...given }) {
      const change: ShareChange = Object.fromEntries(
        Object.entries(given).filter(([, value]) => value !== undefined),
      );
      if (Object.keys(change).length === 0) throw new AdminError('Nothing was said to be on or off');
      const config = await configOf(context);
      const { file, text, before } = await planShare(config, server_name, change);
      const { island } = context;
      await applyChange(config, file, text, async () => {
        const report = await island?.reload({ partner: server_name });
        return { isRunning: report !== undefined, pending: report?.pending ?? [] };
      });
      return { ...before, ...change };
    },
  }),
] as const;
