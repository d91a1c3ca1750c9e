import type { Decision, Violation } from '../../policy/decision.ts';
import type { DriftAction } from '../../policy/partner-policy.ts';
import type { Question } from '../../policy/question.ts';
import { serverNameOf } from '../../protocol/identifiers.ts';
import type { RoomView, StoredEvent } from '../../rooms/types.ts';
import type { PartnerRegistry } from '../partners/registry.ts';

/** A server that is in a room with us and may not be there. */
export interface Intruder {
  readonly server: string;
  /** The partner whose policy forbids it. */
  readonly partner: string;
  readonly action: DriftAction;
  readonly violations: readonly Violation[];
}

/** The strictest first. */
const actions: readonly DriftAction[] = ['leave', 'freeze', 'alarm'];

/**
 * Servers with somebody joined that the policies do not want together, as the answers of `ask` say. Of two of which
 * one has to go it is the one that came later; each is named once, with the strictest of what is to be done.
 */
export function intrudersIn(
  partners: PartnerRegistry,
  room: RoomView,
  stranger: string | undefined,
  ask: (servers: readonly string[]) => (readonly [Question, Decision])[],
): Intruder[] {
  const known = [...room.joinedServers()].filter((server) => server !== partners.serverName);
  const servers = stranger === undefined ? known : [...new Set([...known, stranger])];
  if (servers.length < 2) return [];
  const order = [
    ...byArrival(room).filter((server) => server !== stranger),
    ...(stranger === undefined ? [] : [stranger]),
  ];
  const found = new Map<string, Intruder>();
  // A suspended partner is kept out in another way; its rooms are not its partners' fault.
  const inForce = (name: string): boolean => partners.get(name) === undefined || partners.isActive(name);
  for (const [question, decision] of ask(servers.filter(inForce))) {
    if (decision.allowed || question.action !== 'third-party') continue;
    if (!decision.violations.some(({ code }) => code === 'third_party_denied')) continue;
    const { remoteServer, server: other } = question;
    const server = order.indexOf(other) > order.indexOf(remoteServer) ? other : remoteServer;
    const action = partners.get(remoteServer)?.policy.rooms.onDrift ?? 'freeze';
    const known = found.get(server);
    if (known !== undefined && actions.indexOf(known.action) <= actions.indexOf(action)) continue;
    const partner = server === remoteServer ? other : remoteServer;
    found.set(server, { server, partner, action, violations: decision.violations });
  }
  return [...found.values()];
}

/** Servers in the order in which they came, as this database saw it; who made the room was there first. */
function byArrival(room: RoomView): string[] {
  const arrivals = new Map<string, number>();
  for (const [userId, event] of room.members) {
    if (event.pdu.content['membership'] !== 'join') continue;
    const server = serverNameOf(userId);
    arrivals.set(server, Math.min(arrivals.get(server) ?? Number.MAX_SAFE_INTEGER, placeOf(event)));
  }
  const create = room.get('m.room.create', '');
  if (create !== undefined) arrivals.set(serverNameOf(create.pdu.sender), -1);
  return [...arrivals].sort(([, a], [, b]) => a - b).map(([server]) => server);
}

/** What was given to us with the room has no place of its own in the timeline: it was there before us. */
function placeOf({ streamPos, outlier }: StoredEvent): number {
  if (streamPos !== null) return Math.max(0, streamPos);
  return outlier ? 0 : Number.MAX_SAFE_INTEGER;
}
