import Type from 'typebox';
import { explainDeed } from '../../../federation/border/explain.ts';
import { explainedActions } from '../../../federation/border/explained-actions.ts';
import { BorderQuestions } from '../../../federation/border/questions.ts';
import { parseUserId, serverNameOf } from '../../../protocol/identifiers.ts';
import { roomReader } from '../../../rooms/room-reader.ts';
import type { RoomView } from '../../../rooms/types.ts';
import { AdminError } from '../../admin-error.ts';
import type { AdminContext } from '../context.ts';
import { operation } from '../operation.ts';

const violation = Type.Object({
  code: Type.String({ description: 'Stable, for programs.' }),
  message: Type.String({ description: 'A sentence for people.' }),
  rule: Type.String({ description: 'The line of the configuration, or the record, that decided.' }),
});

const recorded = Type.Object({
  digest: Type.String(),
  question: Type.Record(Type.String(), Type.Unknown(), { description: 'Facts; never content.' }),
  violations: Type.Array(Type.Unknown(), { description: 'Empty where it was allowed.' }),
  first_ts: Type.Integer({ description: 'Milliseconds since the epoch.' }),
  last_ts: Type.Integer(),
  times: Type.Integer({ description: 'How often this was asked and answered so.' }),
});

export const policyOperations = [
  operation({
    name: 'policy.explain',
    summary: 'Says whether the border would let something cross, and which line decides.',
    roles: ['partner-manager', 'security', 'auditor', 'support'],
    params: {
      from: Type.String({ description: 'The user id of whoever does it. One of the two is of this server.' }),
      to: Type.String({ description: 'The user id of whomever it reaches.' }),
      action: Type.Enum([...explainedActions]),
      room: Type.Optional(Type.String({ description: 'The id of a room that this server holds.' })),
      event_type: Type.Optional(Type.String({ description: 'Of a message; m.room.message by default.' })),
      size: Type.Optional(Type.Integer({ minimum: 0, description: 'Of a file, in bytes.' })),
      mime: Type.Optional(Type.String({ description: 'The type of a file, as image/png.' })),
      encrypted: Type.Optional(
        Type.Boolean({ description: 'Whether it is end-to-end encrypted; by default as the room is.' }),
      ),
    },
    result: Type.Object({
      decision: Type.Enum(['allow', 'deny']),
      violations: Type.Array(violation),
      assumed: Type.Array(Type.String(), { description: 'What was taken for granted.' }),
    }),
    http: { method: 'GET', path: '/policy/explain' },
    audit: 'read',
    needs: 'database',
    subject: ({ from }) => from,
    async run(context, { from, to, action, room: roomId, event_type: eventType, size, mime, encrypted }) {
      const { partners, people, approvals, clock, db } = context;
      const local = localOne(partners.serverName, from, to);
      const room = roomId === undefined ? undefined : await heldRoom(context, roomId);
      const remoteServer = serverNameOf(local === from ? to : from);
      const { decision, assumed } = explainDeed(
        { partners, questions: new BorderQuestions({ partners, people, approvals }), now: clock.now() },
        {
          from,
          to,
          action,
          room,
          eventType,
          file: { size, mime },
          isEncrypted: encrypted ?? room?.get('m.room.encryption', '') !== undefined,
          sharesRoom: await db.memberships.sharesRoomWith(local, remoteServer),
        },
      );
      return {
        decision: decision.allowed ? ('allow' as const) : ('deny' as const),
        violations: decision.allowed
          ? []
          : decision.violations.map(({ code, message, rule }) => ({ code, message, rule })),
        assumed: [...assumed],
      };
    },
  }),
  operation({
    name: 'policy.decisions',
    summary: 'Gives what the border was asked and answered, for a replay with another policy.',
    roles: ['partner-manager', 'security', 'auditor'],
    params: {
      since: Type.Integer({ minimum: 0, description: 'Milliseconds since the epoch.' }),
      after: Type.Optional(Type.String({ description: 'The digest after which the page begins.' })),
    },
    result: Type.Object({
      decisions: Type.Array(recorded, { description: 'In the order of their digests; none at the end.' }),
      overlays: Type.Record(Type.String(), Type.String(), {
        description: 'What was done to partners at run time, as JSON by server name; in the first page.',
      }),
    }),
    http: { method: 'GET', path: '/policy/decisions' },
    audit: 'read',
    needs: 'database',
    async run({ db }, { since, after = '' }) {
      const page = await db.decisions.page(since, after);
      return {
        decisions: page.map(({ digest, question, violations, firstTs, lastTs, times }) => ({
          digest,
          question,
          violations,
          first_ts: firstTs,
          last_ts: lastTs,
          times,
        })),
        overlays: after === '' ? Object.fromEntries(await db.partnerOverlays.all()) : {},
      };
    },
  }),
] as const;

/** The one of ours. Throws AdminError unless both are user ids and one is ours. */
function localOne(serverName: string, from: string, to: string): string {
  for (const userId of [from, to])
    if (parseUserId(userId) === undefined) throw new AdminError(`${userId} is not a user id (@name:server)`);
  const local = [from, to].find((userId) => serverNameOf(userId) === serverName);
  if (local === undefined)
    throw new AdminError(
      `Neither ${from} nor ${to} is of ${serverName}: what passes between others is not decided here`,
    );
  return local;
}

async function heldRoom({ island, db, partners }: AdminContext, roomId: string): Promise<RoomView> {
  const view =
    island === undefined
      ? await roomReader(partners.serverName, db)(roomId)
      : await island.engine.view(roomId);
  if (view === undefined)
    throw new AdminError(`This island does not hold the room ${roomId}`, { kind: 'not-found' });
  return view;
}
