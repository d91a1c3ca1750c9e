import Type from 'typebox';
import { examine } from '../../partners/doctor.ts';
import { partnerView, showPartner } from '../../partners/show-partner.ts';
import { operation } from '../operation.ts';

const serverName = Type.String({ description: 'The server name of a partner.' });

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
] as const;
