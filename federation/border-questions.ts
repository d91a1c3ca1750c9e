import type { Direction, FileFacts, Question, RoomFacts } from '../policy/question.ts';
import { serverNameOf } from '../protocol/identifiers.ts';
import type { JsonObject } from '../protocol/json.ts';
import type { LocalEvent, RoomPlan } from '../rooms/ports.ts';
import type { Approvals } from './approvals/approvals.ts';
import {
  type BorderRoom,
  changeOf,
  classOf,
  fileFacts,
  fileOf,
  isCleartext,
  otherServers,
  peopleOf,
  roomClassType,
  roomFacts,
  takesAway,
} from './border-facts.ts';
import type { PartnerRegistry } from './partners.ts';
import type { LocalPeople } from './people.ts';

/** Signs of life that cross in EDUs. */
export type SignOfLife = 'typing' | 'receipt' | 'presence';

/** An event of theirs, as far as the rules look at it. */
export interface ForeignEvent {
  readonly type: string;
  readonly sender: string;
  readonly stateKey?: string | undefined;
  readonly content: JsonObject;
}

/**
 * What has to be asked about each thing that somebody does: the one place where facts become questions. The border
 * asks them when it is done, `policy explain` when it might be. No questions: it is nobody else's business.
 */
export class BorderQuestions {
  readonly #partners: PartnerRegistry;
  readonly #people: LocalPeople;
  readonly #approvals: Pick<Approvals, 'standing' | 'wasLetThrough'> | undefined;

  constructor(deps: {
    partners: PartnerRegistry;
    people: LocalPeople;
    approvals?: Pick<Approvals, 'standing' | 'wasLetThrough'> | undefined;
  }) {
    this.#approvals = deps.approvals;
    this.#partners = deps.partners;
    this.#people = deps.people;
  }

  /**
   * Users of one server may always invite each other; between servers the partners' policies decide. Of a room that we
   * do not hold the id is known at most.
   */
  invite(from: string, to: string, where: BorderRoom | string | undefined): Question[] {
    const { serverName } = this.#partners;
    const outbound = serverNameOf(from) === serverName;
    const [local, remote] = outbound ? [from, to] : [to, from];
    const remoteServer = serverNameOf(remote);
    if (remoteServer === serverName) return [];
    const direction = outbound ? 'outbound' : 'inbound';
    const roomId = typeof where === 'string' ? where : where?.roomId;
    const standing =
      roomId === undefined
        ? 'none'
        : this.#approvals?.standing({ direction, roomId, inviter: from, invitee: to });
    return [
      {
        action: 'invite',
        direction,
        remoteServer,
        local: this.#people.person(local),
        remote: [remote],
        room: where === undefined || typeof where === 'string' ? undefined : this.#room(where),
        isApproved: standing === 'approved',
        ...(standing === 'refused' ? { isRefused: true } : {}),
      },
    ];
  }

  /** An event of ours before the policy of every partner in the room. `file` is what is known of the one it carries. */
  send(view: BorderRoom, event: LocalEvent, file: FileFacts | undefined): Question[] {
    // What takes people out or content away is never held back.
    if (takesAway(event)) return [];
    const servers = otherServers(view, this.#partners.serverName);
    if (servers.length === 0) return [];
    const room = roomFacts(view, servers);
    const local = this.#people.person(event.sender);
    const carried = fileFacts(file);
    return this.#concerned(servers).map((remoteServer) => {
      const remote = peopleOf(view, remoteServer);
      const base = { direction: 'outbound', remoteServer, local, remote, room } as const;
      const { type, stateKey, content } = event;
      if (stateKey === undefined)
        return { ...base, action: 'message', eventType: type, isCleartext: isCleartext(type), file: carried };
      const before = view.get(type, stateKey)?.pdu.content;
      const change = changeOf(remoteServer, type, content, before);
      return { ...base, action: 'state', eventType: type, change };
    });
  }

  create(plan: RoomPlan): Question[] {
    const { serverName } = this.#partners;
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
    const local = this.#people.person(plan.creator);
    return [...byServer].flatMap(([remoteServer, users]): Question[] => {
      const base = { direction: 'outbound', remoteServer, local, remote: [...new Set(users)] } as const;
      const change = {
        ...changeOf(remoteServer, 'm.room.power_levels', content('m.room.power_levels') ?? {}),
        ...changeOf(remoteServer, 'm.room.history_visibility', content('m.room.history_visibility') ?? {}),
        remoteCreators: plan.additionalCreators.filter((id) => serverNameOf(id) === remoteServer),
      };
      return [
        { ...base, action: 'create-room', change, isEncrypted: room.isEncrypted },
        // Whoever has to approve it is asked when the room is there.
        { ...base, action: 'invite', room, isApproved: true },
      ];
    });
  }

  /**
   * One of ours joins that room, or (where we do not hold it) a room that a server lets them into; one of a partner
   * joins a room of ours.
   */
  join(userId: string, where: BorderRoom | string): Question[] {
    const server = serverNameOf(userId);
    if (server !== this.#partners.serverName) return [this.#enter(server, [userId], where)];
    const local = this.#people.person(userId);
    const base = { action: 'join', direction: 'outbound', local, remote: [] } as const;
    if (typeof where === 'string') return [{ ...base, remoteServer: where }];
    const servers = otherServers(where, this.#partners.serverName);
    const room = roomFacts(where, servers);
    return this.#concerned(servers).map((remoteServer) => ({ ...base, remoteServer, room }));
  }

  /** A partner learns of a room by an alias of it: whoever may not join it may not. */
  find(remoteServer: string, view: BorderRoom): Question {
    return this.#enter(remoteServer, [], view);
  }

  #enter(remoteServer: string, remote: readonly string[], where: BorderRoom | string): Question {
    const room = typeof where === 'string' ? undefined : this.#room(where);
    return { action: 'join', direction: 'inbound', remoteServer, remote, room };
  }

  /** A sign of life of one of ours is told to a partner in the room. */
  tell(remoteServer: string, what: SignOfLife, userId: string, view: BorderRoom): Question {
    const local = this.#people.person(userId);
    return { action: what, direction: 'outbound', remoteServer, local, remote: peopleOf(view, remoteServer) };
  }

  /** A sign of life of one of theirs is shown to our people in the room. */
  hear(remoteServer: string, what: SignOfLife, userId: string, view: BorderRoom): Question {
    const audience = peopleOf(view, this.#partners.serverName)
      .filter((ours) => view.get('m.room.member', ours)?.pdu.content['membership'] === 'join')
      .map((ours) => this.#people.person(ours));
    return { action: what, direction: 'inbound', remoteServer, audience, remote: [userId] };
  }

  /** Somebody looks for a person of the other side. */
  search(asker: string, userId: string): Question {
    const outbound = serverNameOf(asker) === this.#partners.serverName;
    const [local, remote] = outbound ? [asker, userId] : [userId, asker];
    return {
      action: 'directory',
      direction: outbound ? 'outbound' : 'inbound',
      remoteServer: serverNameOf(remote),
      local: this.#people.person(local),
      remote: [remote],
    };
  }

  /** A partner reads the profile of one of ours. */
  profile(remoteServer: string, userId: string, sharesRoom: boolean): Question {
    const local = this.#people.person(userId);
    return { action: 'profile', direction: 'inbound', remoteServer, local, remote: [], sharesRoom };
  }

  /** One of ours looks up a person of a partner. What that side shows of its people is for that side to say. */
  lookUp(asker: string, userId: string): Question {
    const between = { direction: 'outbound', remoteServer: serverNameOf(userId) } as const;
    const local = this.#people.person(asker);
    return { action: 'profile', ...between, local, remote: [userId], sharesRoom: false };
  }

  /** An event of theirs that takes its place in a room; `keyIds`: the keys with which their server signed it. */
  received(view: BorderRoom, event: ForeignEvent, keyIds: readonly string[]): Question[] {
    const { serverName } = this.#partners;
    const remoteServer = serverNameOf(event.sender);
    if (remoteServer === serverName || takesAway(event)) return [];
    const content = this.#receivedContent(view, event, remoteServer);
    // Nothing is asked of keys while all of them are good, which is nearly always.
    if ((this.#partners.get(remoteServer)?.revokedKeys.size ?? 0) === 0) return content;
    return [{ action: 'signature', direction: 'inbound', remoteServer, keyIds }, ...content];
  }

  #receivedContent(view: BorderRoom, event: ForeignEvent, remoteServer: string): Question[] {
    const { serverName } = this.#partners;
    const base = {
      direction: 'inbound',
      remoteServer,
      remote: [event.sender],
      room: this.#room(view),
    } as const;
    const { type, stateKey, content } = event;
    const target = type === 'm.room.member' ? stateKey : undefined;
    const { membership } = content;
    if (target !== undefined && membership === 'invite') {
      if (serverNameOf(target) !== serverName) return [];
      const invitation = { direction: 'inbound', inviter: event.sender, invitee: target } as const;
      // Approved before it was signed here; a partner that did not ask for our signature has no approval.
      const isApproved =
        view.get(type, target)?.pdu.content['membership'] === 'join' ||
        this.#approvals?.wasLetThrough({ ...invitation, roomId: view.roomId }) === true;
      return [{ ...base, action: 'invite', local: this.#people.person(target), isApproved }];
    }
    if (target !== undefined && membership === 'join') return [{ ...base, action: 'join' }];
    if (stateKey !== undefined) {
      const change = changeOf(remoteServer, type, content, view.get(type, stateKey)?.pdu.content);
      return [{ ...base, action: 'state', eventType: type, change }];
    }
    return [
      {
        ...base,
        action: 'message',
        eventType: type,
        isCleartext: isCleartext(type),
        file: fileFacts(fileOf(content)),
      },
    ];
  }

  /** That server sends requests to us at all. */
  talk(remoteServer: string): Question {
    return { action: 'talk', direction: 'inbound', remoteServer };
  }

  /** `outbound`: they fetch a file of ours. `inbound`: `userId` of ours, if one is known, fetches one of theirs. */
  transfer(remoteServer: string, direction: Direction, file: FileFacts, userId?: string): Question {
    const local = userId === undefined ? undefined : this.#people.person(userId);
    return { action: 'file', direction, remoteServer, local, remote: [], file: fileFacts(file) ?? {} };
  }

  #room(view: BorderRoom): RoomFacts {
    return roomFacts(view, otherServers(view, this.#partners.serverName));
  }

  /**
   * The partners whose word counts. A server that is none has no policy here, and gets nothing from us either; a
   * suspended partner whose rooms are kept has no word while others are there.
   */
  #concerned(servers: readonly string[]): string[] {
    const partners = this.#partners;
    const known = servers.filter((server) => partners.get(server) !== undefined);
    if (!known.some((server) => partners.isActive(server))) return known;
    return known.filter((server) => partners.get(server)?.keepRooms !== true);
  }
}
