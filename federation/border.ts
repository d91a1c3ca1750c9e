import { decide } from '../policy/decide.ts';
import { allOf, allowed, type Decision, denied } from '../policy/decision.ts';
import type { Shared } from '../policy/partner-policy.ts';
import type { FileFacts, Question, RoomFacts } from '../policy/question.ts';
import { mayShare } from '../policy/rules/share.ts';
import type { RoomEvent } from '../protocol/event.ts';
import { serverNameOf } from '../protocol/identifiers.ts';
import type { Clock } from '../protocol/runtime.ts';
import type { Border, LocalEvent, RoomPlan } from '../rooms/ports.ts';
import type { RoomView } from '../rooms/types.ts';
import {
  changeOf,
  classOf,
  fileOf,
  isCleartext,
  otherServers,
  peopleOf,
  roomClassType,
  roomFacts,
} from './border-facts.ts';
import type { PartnerRegistry } from './partners.ts';
import type { LocalPeople } from './people.ts';

/** What the media store knows of a file of ours. */
export type FileLookup = (uri: string) => Promise<FileFacts | undefined>;

export interface BorderDeps {
  readonly partners: PartnerRegistry;
  readonly people: LocalPeople;
  readonly clock: Clock;
  readonly files: FileLookup;
  /** Told of every question and its answer. */
  readonly asked?: ((question: Question, decision: Decision) => void) | undefined;
}

/** The border's rules, asked with the facts of this moment. */
export class PartnerBorder implements Border {
  readonly #deps: BorderDeps;

  constructor(deps: BorderDeps) {
    this.#deps = deps;
  }

  /** Users of one server may always invite each other; between servers the partners' policies decide. */
  mayInvite(from: string, to: string, view?: RoomView): Decision {
    const { serverName } = this.#deps.partners;
    const outbound = serverNameOf(from) === serverName;
    const [local, remote] = outbound ? [from, to] : [to, from];
    const remoteServer = serverNameOf(remote);
    if (remoteServer === serverName) return allowed;
    const servers = view === undefined ? undefined : otherServers(view, serverName);
    const room = view === undefined ? undefined : roomFacts(view, servers ?? []);
    return this.#ask({
      action: 'invite',
      direction: outbound ? 'outbound' : 'inbound',
      remoteServer,
      local: this.#deps.people.person(local),
      remote: [remote],
      room,
      isApproved: false,
    });
  }

  mayTalkTo(serverName: string): boolean {
    const { partners } = this.#deps;
    return serverName === partners.serverName || partners.isActive(serverName);
  }

  maySend(view: RoomView, event: LocalEvent): Decision | Promise<Decision> {
    const { serverName } = this.#deps.partners;
    const servers = otherServers(view, serverName);
    // What takes people out or content away is never held back.
    if (servers.size === 0 || takesAway(event)) return allowed;
    const file = event.stateKey === undefined ? fileOf(event.content) : undefined;
    if (file?.uri?.startsWith(`mxc://${serverName}/`) !== true)
      return this.#askAll(view, servers, event, file);
    // The sender says what the file is; what we stored counts.
    return this.#deps
      .files(file.uri)
      .then((stored) => this.#askAll(view, servers, event, { ...file, ...stored }));
  }

  mayCreate(plan: RoomPlan): Decision {
    const { partners, people } = this.#deps;
    const { serverName } = partners;
    const byServer = new Map<string, string[]>();
    for (const userId of [...plan.invitees, ...plan.additionalCreators]) {
      const server = serverNameOf(userId);
      if (server === serverName) continue;
      byServer.set(server, [...(byServer.get(server) ?? []), userId]);
    }
    const content = (type: string) => plan.state.find((event) => event.type === type)?.content;
    const room: RoomFacts = {
      roomId: 'the new room',
      ...classOf(content(roomClassType) ?? {}),
      creatorServer: serverName,
      isEncrypted: content('m.room.encryption') !== undefined,
      servers: [serverName, ...byServer.keys()],
    };
    const local = people.person(plan.creator);
    const decisions: Decision[] = [];
    for (const [remoteServer, users] of byServer) {
      const base = { direction: 'outbound', remoteServer, local, remote: [...new Set(users)] } as const;
      const change = {
        ...changeOf(remoteServer, 'm.room.power_levels', content('m.room.power_levels') ?? {}),
        ...changeOf(remoteServer, 'm.room.history_visibility', content('m.room.history_visibility') ?? {}),
        remoteCreators: plan.additionalCreators.filter((id) => serverNameOf(id) === remoteServer),
      };
      decisions.push(
        this.#ask({ ...base, action: 'create-room', change, isEncrypted: room.isEncrypted }),
        this.#ask({ ...base, action: 'invite', room, isApproved: false }),
      );
    }
    return allOf(...decisions);
  }

  powerLimit(userId: string): number {
    const { partners } = this.#deps;
    const server = serverNameOf(userId);
    if (server === partners.serverName) return Number.POSITIVE_INFINITY;
    return partners.get(server)?.policy.rooms.maxRemotePowerLevel ?? 0;
  }

  mayJoin(userId: string, where: RoomView | string): Decision {
    const { partners, people } = this.#deps;
    const local = people.person(userId);
    if (typeof where === 'string')
      return this.#ask({ action: 'join', direction: 'outbound', remoteServer: where, local, remote: [] });
    const servers = otherServers(where, partners.serverName);
    const room = roomFacts(where, servers);
    return allOf(
      ...this.#concerned(servers).map((remoteServer) =>
        this.#ask({ action: 'join', direction: 'outbound', remoteServer, local, remote: [], room }),
      ),
    );
  }

  judgeReceived(view: RoomView, event: RoomEvent): Decision {
    const { partners } = this.#deps;
    const { pdu } = event;
    const remoteServer = serverNameOf(pdu.sender);
    if (remoteServer === partners.serverName || takesAway({ ...pdu, stateKey: pdu.state_key }))
      return allowed;
    const servers = otherServers(view, partners.serverName);
    const room = roomFacts(view, servers);
    const base = { direction: 'inbound', remoteServer, remote: [pdu.sender], room } as const;
    const signature = this.#signature(remoteServer, Object.keys(pdu.signatures[remoteServer] ?? {}));
    const target = pdu.type === 'm.room.member' ? pdu.state_key : undefined;
    const { membership } = pdu.content;
    if (target !== undefined && membership === 'invite') {
      const invited = serverNameOf(target);
      if (invited !== partners.serverName) return signature;
      const local = this.#deps.people.person(target);
      // Whoever had to approve it has done so before it was signed here.
      return allOf(signature, this.#ask({ ...base, action: 'invite', local, isApproved: true }));
    }
    if (target !== undefined && membership === 'join')
      return allOf(signature, this.#ask({ ...base, action: 'join' }));
    if (pdu.state_key !== undefined) {
      const before = view.get(pdu.type, pdu.state_key)?.pdu.content;
      const change = changeOf(remoteServer, pdu.type, pdu.content, before);
      return allOf(signature, this.#ask({ ...base, action: 'state', eventType: pdu.type, change }));
    }
    return allOf(
      signature,
      this.#ask({
        ...base,
        action: 'message',
        eventType: pdu.type,
        isCleartext: isCleartext(pdu.type),
        file: fileOf(pdu.content),
      }),
    );
  }

  /** May that server send requests to us at all? */
  mayAsk(remoteServer: string): Decision {
    return this.#ask({ action: 'talk', direction: 'inbound', remoteServer });
  }

  mayShare(serverName: string, what: Shared): boolean {
    const partner = this.#deps.partners.get(serverName);
    return (
      partner !== undefined && this.#deps.partners.isActive(serverName) && mayShare(partner, what).allowed
    );
  }

  /** `outbound`: they fetch a file of ours. */
  mayTransferFiles(remoteServer: string, direction: 'outbound' | 'inbound', file: FileFacts = {}): Decision {
    return this.#ask({ action: 'file', direction, remoteServer, remote: [], file });
  }

  #ask(question: Question): Decision {
    const decision = decide(this.#deps.partners, question, this.#deps.clock.now());
    this.#deps.asked?.(question, decision);
    return decision;
  }

  /** The same event before the policy of every partner in the room. */
  #askAll(
    view: RoomView,
    servers: ReadonlySet<string>,
    event: LocalEvent,
    file: FileFacts | undefined,
  ): Decision {
    const room = roomFacts(view, servers);
    const local = this.#deps.people.person(event.sender);
    const decisions = this.#concerned(servers).map((remoteServer) => {
      const policy = this.#deps.partners.get(remoteServer)?.policy;
      const remote =
        policy === undefined || policy.allowRemote === 'everyone' ? [] : peopleOf(view, remoteServer);
      const base = { direction: 'outbound', remoteServer, local, remote, room } as const;
      const { type, stateKey, content } = event;
      if (stateKey === undefined)
        return this.#ask({
          ...base,
          action: 'message',
          eventType: type,
          isCleartext: isCleartext(type),
          file,
        });
      const before = view.get(type, stateKey)?.pdu.content;
      const change = changeOf(remoteServer, type, content, before);
      return this.#ask({ ...base, action: 'state', eventType: type, change });
    });
    return decisions.length === 1 && decisions[0] !== undefined ? decisions[0] : allOf(...decisions);
  }

  /**
   * The partners whose word counts. A server that is none has no policy here, and gets nothing from us either; a
   * suspended partner whose rooms are kept has no word while others are there.
   */
  #concerned(servers: ReadonlySet<string>): string[] {
    const { partners } = this.#deps;
    const known = [...servers].filter((server) => partners.get(server) !== undefined);
    if (!known.some((server) => partners.isActive(server))) return known;
    return known.filter((server) => partners.get(server)?.keepRooms !== true);
  }

  /** A revoked key vouches for nothing that comes after that. */
  #signature(server: string, keyIds: readonly string[]): Decision {
    const revoked = this.#deps.partners.get(server)?.revokedKeys;
    if (revoked === undefined || revoked.size === 0 || !keyIds.every((keyId) => revoked.has(keyId)))
      return allowed;
    return denied('key_revoked', `The signing key of ${server} was revoked`, `revoked key of ${server}`);
  }
}

/** Leaving, being removed, and taking content back. */
function takesAway(event: {
  readonly type: string;
  readonly stateKey?: string | undefined;
  readonly content: { readonly [key: string]: unknown };
}): boolean {
  if (event.type === 'm.room.redaction') return true;
  const { membership } = event.content;
  return event.type === 'm.room.member' && (membership === 'leave' || membership === 'ban');
}
