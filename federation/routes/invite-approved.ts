import { serverNameOf } from '../../protocol/identifiers.ts';
import { badJson } from '../../rooms/errors.ts';
import type { FederationRoute } from './route.ts';

/** Not of Matrix: an island that held an invitation of ours says that it lets it in now. */
export const inviteApprovedPath = '/_archipelago/federation/v1/invite_approved';

/** The answer does not say whether there is such an invitation; one that there is is sent again. */
export const inviteApproved: FederationRoute = {
  method: 'POST',
  path: inviteApprovedPath,
  async handle(request, { approvals, serverName }) {
    const { room_id: roomId, inviter, invitee } = await request.json();
    if (typeof roomId !== 'string' || typeof inviter !== 'string' || typeof invitee !== 'string')
      throw badJson('room_id, inviter and invitee are needed');
    // A partner speaks for its own people only.
    if (serverNameOf(invitee) === request.origin && serverNameOf(inviter) === serverName)
      await approvals.approvedElsewhere({ direction: 'outbound', roomId, inviter, invitee });
    return {};
  },
};
