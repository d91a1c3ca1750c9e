import Type, { type Static } from 'typebox';
import { endOf } from '../../../federation/approvals/approval.ts';
import { type Approval, ApprovalRefused } from '../../../federation/approvals/approvals.ts';
import { AdminError } from '../../admin-error.ts';
import { operation } from '../operation.ts';
import type { Role } from '../roles.ts';

/** Beside them the invitee's manager is to decide, once there are managers. */
const deciders: readonly Role[] = ['admin', 'partner-manager'];

const moment = Type.Integer({ description: 'Milliseconds since the epoch.' });
const orNull = <T extends Type.TSchema>(schema: T, description: string) =>
  Type.Union([schema, Type.Null()], { description });

const approval = Type.Object({
  id: Type.String(),
  direction: Type.Enum(['outbound', 'inbound'], { description: 'inbound: somebody of a partner invites.' }),
  state: Type.Enum(['waiting', 'approved', 'elsewhere', 'again', 'denied', 'done', 'failed', 'expired'], {
    description:
      'waiting: for a word here. approved: it is sent, or let in, next. elsewhere: the partner holds it. again: the partner let it in, and it is sent again.',
  }),
  inviter: Type.String(),
  invitee: Type.String(),
  room_id: Type.String(),
  room_name: orNull(Type.String(), 'As the inviter sees it.'),
  created_ts: moment,
  ends_ts: Type.Integer({ description: 'When it ends by itself, in milliseconds since the epoch.' }),
  decided_ts: orNull(Type.Integer(), 'Milliseconds since the epoch.'),
  decided_by: orNull(Type.String(), 'Who decided it here.'),
});

export type ApprovalSummary = Static<typeof approval>;

const id = Type.String({ maxLength: 64, description: 'The number of the invitation.' });

export const approvalOperations = [
  operation({
    name: 'approval.list',
    summary: 'Lists the invitations that wait for a word, the oldest first.',
    roles: [...deciders, 'security', 'support'],
    params: {
      all: Type.Optional(
        Type.Boolean({
          description: 'Whether those that were decided lately are listed too; false by default.',
        }),
      ),
    },
    result: Type.Object({ approvals: Type.Array(approval) }),
    http: { method: 'GET', path: '/approvals' },
    audit: 'read',
    needs: 'database',
    async run({ approvals }, { all: isAll = false }) {
      return { approvals: (await approvals.list({ isAll })).map(summaryOf) };
    },
  }),
  operation({
    name: 'approval.approve',
    summary: 'Lets an invitation pass: one of ours is sent, one of a partner may come again.',
    roles: deciders,
    params: { id },
    result: approval,
    http: { method: 'POST', path: '/approvals/:id/approve' },
    audit: 'own',
    needs: 'database',
    run: ({ approvals }, { id }, { name }) => decided(approvals.decide(id, 'approved', name)),
  }),
  operation({
    name: 'approval.deny',
    summary: 'Refuses an invitation; the same one cannot be asked for again for a week.',
    roles: deciders,
    params: { id },
    result: approval,
    http: { method: 'POST', path: '/approvals/:id/deny' },
    audit: 'own',
    needs: 'database',
    run: ({ approvals }, { id }, { name }) => decided(approvals.decide(id, 'denied', name)),
  }),
] as const;

async function decided(decision: Promise<Approval>): Promise<ApprovalSummary> {
  try {
    return summaryOf(await decision);
  } catch (error) {
    throw error instanceof ApprovalRefused ? new AdminError(error.message, { kind: 'not-found' }) : error;
  }
}

function summaryOf(approval: Approval): ApprovalSummary {
  const { approvalId, invitation, state, createdTs, decidedTs, decidedBy } = approval;
  const { direction, inviter, invitee, roomId, roomName } = invitation;
  return {
    id: approvalId,
    direction,
    state,
    inviter,
    invitee,
    room_id: roomId,
    room_name: roomName ?? null,
    created_ts: createdTs,
    ends_ts: endOf(approval),
    decided_ts: decidedTs ?? null,
    decided_by: decidedBy ?? null,
  };
}
