import type { PolicyBook } from '../../policy/book.ts';
import { roomClassType, sharedByInvitation } from '../../policy/room-class.ts';
import { serverNameOf } from '../../protocol/identifiers.ts';
import type { RoomDefaults, RoomPlan } from '../../rooms/ports.ts';
import type { LocalPeople } from './people.ts';

/** What most rooms ask of whoever changes their state; it is above whatever a limited partner may have. */
const moderatorLevel = 50;

/**
 * What the admin's choices make of a new room: internal for departments that are named, else shared with the partners
 * who are invited; encrypted where everything is; and where a partner's levels are limited, closed to its invitations.
 */
export function defaultsOf(
  deps: {
    readonly partners: PolicyBook;
    readonly people: LocalPeople;
    readonly internalDepartments?: (() => readonly string[]) | undefined;
  },
  plan: RoomPlan,
): RoomDefaults {
  const { partners, people } = deps;
  const internalDepartments = deps.internalDepartments?.() ?? [];
  const servers = [...new Set([...plan.invitees, ...plan.additionalCreators].map(serverNameOf))].filter(
    (server) => server !== partners.serverName,
  );
  const { departments } = people.person(plan.creator);
  const isInternal = departments.some((department) => internalDepartments.includes(department));
  const state: RoomDefaults['state'][number][] = [];
  if (isInternal) state.push({ type: roomClassType, stateKey: '', content: { class: 'internal' } });
  else if (servers.length > 0)
    state.push({ type: roomClassType, stateKey: '', content: sharedByInvitation(servers) });
  if (partners.island?.encryption === 'required')
    state.push({ type: 'm.room.encryption', stateKey: '', content: { algorithm: 'm.megolm.v1.aes-sha2' } });
  const limits = servers.flatMap((server) => {
    const rooms = partners.get(server)?.policy.rooms;
    return rooms?.thirdParties === 'deny' && rooms.maxRemotePowerLevel < 100
      ? [rooms.maxRemotePowerLevel]
      : [];
  });
  const inviteLevel = limits.length === 0 ? 0 : Math.max(moderatorLevel, ...limits.map((limit) => limit + 1));
  return { state, inviteLevel };
}
