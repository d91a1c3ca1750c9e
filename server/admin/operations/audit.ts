import Type from 'typebox';
import type { AuditRecord, ChainFault } from '../../../storage/audit/chain.ts';
import { operation } from '../operation.ts';

const pageSize = 1_000;

const record = Type.Object({
  seq: Type.Integer({ description: 'From 1 on, without gaps.' }),
  ts: Type.Integer({ description: 'Milliseconds since the epoch.' }),
  action: Type.String({ description: 'What was done, as `partner.suspend`.' }),
  outcome: Type.Enum(['done', 'denied', 'failed']),
  actor: Type.String({ description: 'A user id, `command line`, `configuration`, or a server.' }),
  subject: Type.Optional(Type.String({ description: 'Whom or what it concerns.' })),
  detail: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  prev: Type.String({ description: 'The hash of the line before.' }),
  hash: Type.String({ description: 'SHA-256 of the canonical JSON of everything else, in Base64.' }),
});

const fault = Type.Object({
  kind: Type.Enum(['altered', 'missing', 'broken']),
  seq: Type.Integer({ description: 'The line.' }),
});

export const auditOperations = [
  operation({
    name: 'audit.page',
    summary: 'Gives lines of the audit log, oldest first.',
    roles: ['auditor'],
    params: {
      after: Type.Optional(
        Type.Integer({ minimum: 0, description: 'The line after which the page begins; 0 by default.' }),
      ),
      limit: Type.Optional(
        Type.Integer({ minimum: 1, maximum: pageSize, description: 'How many at most; 1000 by default.' }),
      ),
    },
    result: Type.Object({
      lines: Type.Array(record),
      next: Type.Union([Type.Integer(), Type.Null()], {
        description: 'What `after` is for the next page; null at the end.',
      }),
    }),
    http: { method: 'GET', path: '/audit' },
    audit: 'read',
    needs: 'database',
    async run({ db }, { after, limit = pageSize }) {
      const lines = (await db.audit.page({ after, limit })).map(lineOf);
      return { lines, next: lines.length < limit ? null : (lines.at(-1)?.seq ?? null) };
    },
  }),
  operation({
    name: 'audit.verify',
    summary: 'Checks that no line of the audit log was changed, taken out or cut off.',
    roles: ['auditor'],
    params: {},
    result: Type.Object({
      lines: Type.Integer({ description: 'How many are whole.' }),
      fault: Type.Union([fault, Type.Null()], { description: 'The first thing that is wrong.' }),
    }),
    http: { method: 'GET', path: '/audit/verify' },
    audit: 'read',
    needs: 'database',
    async run({ db }) {
      await db.audit.settled();
      const verdict = await db.audit.verify();
      return { lines: verdict.lines, fault: (verdict.fault satisfies ChainFault | undefined) ?? null };
    },
  }),
] as const;

function lineOf({ subject, detail, ...line }: AuditRecord) {
  return {
    ...line,
    ...(subject === undefined ? {} : { subject }),
    ...(detail === undefined ? {} : { detail }),
  };
}
