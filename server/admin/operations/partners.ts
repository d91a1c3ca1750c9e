import Type, { type Static } from 'typebox';
import { waitingIn } from '../../../federation/outbox/waiting.ts';
import { PartnerActionRefused } from '../../../federation/partners/actions.ts';
import { AdminError } from '../../admin-error.ts';
import type { AdminContext } from '../context.ts';
import { operation } from '../operation.ts';

const serverName = Type.String({ description: 'The server name of a partner.' });

const summary = Type.Object({
  server_name: Type.String(),
  state: Type.Enum(['active', 'suspended']),
  link: Type.Object({
    state: Type.Enum(['connected', 'connecting', 'down']),
    since: Type.Union([Type.Integer(), Type.Null()], {
      description: 'Milliseconds since the epoch; null while the island does not run.',
    }),
    dialled_by: Type.Union([Type.Literal('us'), Type.Literal('them'), Type.Null()]),
  }),
  outbox: Type.Object(
    { pdu: Type.Integer(), device: Type.Integer(), ephemeral: Type.Integer() },
    { description: 'How much is still to be delivered.' },
  ),
});

export type PartnerSummary = Static<typeof summary>;

const suspension = Type.Object({
  was_suspended: Type.Boolean({ description: 'Whether it was suspended before.' }),
  people: Type.Integer({
    description: 'So many people of ours share rooms with it and are told of a change.',
  }),
});

export const partnerOperations = [
  operation({
    name: 'partner.list',
    summary: 'Lists the partners, the links to them, and what is still to be delivered.',
    roles: ['partner-manager', 'security', 'support'],
    params: {},
    result: Type.Object({ partners: Type.Array(summary) }),
    http: { method: 'GET', path: '/partners' },
    audit: 'read',
    needs: 'database',
    run: async (context) => ({ partners: await partnersOf(context) }),
  }),
  operation({
    name: 'partner.suspend',
    summary: 'Cuts a partner off, in effect when it answers.',
    roles: ['security'],
    params: {
      server_name: serverName,
      reason: Type.Optional(Type.String({ description: 'Why, for the audit log.' })),
      keep_rooms: Type.Optional(
        Type.Boolean({
          description: 'Whether rooms that have other partners too stay open; false by default.',
        }),
      ),
    },
    result: suspension,
    http: { method: 'POST', path: '/partners/:server_name/suspend' },
    audit: 'own',
    needs: 'database',
    subject: ({ server_name }) => server_name,
    unchanged: ({ was_suspended }) => was_suspended,
    async run({ partnerActions, db }, { server_name, reason, keep_rooms: keepRooms = false }, { name: by }) {
      const done = await refusable(partnerActions.suspend(server_name, { by, reason, keepRooms }));
      // Counted after the cut: that waits for nothing.
      return { was_suspended: !done, people: (await db.memberships.peopleWith(server_name)).size };
    },
  }),
  operation({
    name: 'partner.resume',
    summary: 'Lifts a suspension: everything that waited is delivered in order.',
    roles: ['security'],
    params: { server_name: serverName },
    result: suspension,
    http: { method: 'POST', path: '/partners/:server_name/resume' },
    audit: 'own',
    needs: 'database',
    subject: ({ server_name }) => server_name,
    unchanged: ({ was_suspended }) => !was_suspended,
    async run({ partnerActions, db }, { server_name }, { name: by }) {
      const done = await refusable(partnerActions.resume(server_name, { by }));
      return { was_suspended: done, people: (await db.memberships.peopleWith(server_name)).size };
    },
  }),
] as const;

/** The partners as a running island sees them, or as the database of a stopped one has them. */
async function partnersOf({ island, partners, db }: AdminContext): Promise<PartnerSummary[]> {
  if (island !== undefined) {
    return (await island.federation.status()).map(({ serverName, state, link, outbox }) => ({
      server_name: serverName,
      state,
      link: { state: link.state, since: link.since, dialled_by: link.dialledBy },
      outbox: { pdu: outbox.pdu, device: outbox.device, ephemeral: outbox.ephemeral },
    }));
  }
  const waiting = await waitingIn(db.outbox);
  return partners.all().map((partner) => ({
    server_name: partner.serverName,
    state: partners.isActive(partner.serverName) ? 'active' : 'suspended',
    link: { state: 'down', since: null, dialled_by: null },
    outbox: waiting(partner.serverName),
  }));
}

async function refusable<T>(action: Promise<T>): Promise<T> {
  try {
    return await action;
  } catch (error) {
    throw error instanceof PartnerActionRefused
      ? new AdminError(error.message, { kind: 'not-found' })
      : error;
  }
}
