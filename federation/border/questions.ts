import type { Direction, FileFacts, Question, RoomFacts } from '../../policy/question.ts';
import { classOf, roomClassType } from '../../policy/room-class.ts';
import { serverNameOf } from '../../protocol/identifiers.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { LocalEvent, RoomPlan, ToldRoom } from '../../rooms/ports.ts';
import type { Approvals } from '../approvals/approvals.ts';
import type { PartnerRegistry } from '../partners/registry.ts';
import {
  type BorderRoom,
  changeOf,
  fileFacts,
  fileOf,
  isCleartext,
  otherServers,
  peopleOf,
  roomFacts,
  takesAway,
} from './facts.ts';
import { opensJoins, type ServersIn } from './join-rule-facts.ts';
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

/** Rooms that are read-only here because somebody else let a server in. In memory: every event asks. */
export interface FreezeBook {
  /** The servers that were let in, and the partner whose policy forbids it. */
  get(roomId: string): { readonly servers: readonly string[]; readonly partner: string } | undefined;
}

/** What islands answered that were asked about a server, by name. */
export interface AdmissionAnswers {
  readonly refusedBy: readonly string[];
  /** Those that did not answer, or cannot be asked. */
  readonly unanswered: readonly string[];
}

/**
 * What has to be asked about each thing that somebody does: the one place where facts become questions. The border
 * asks them when it is done, `policy explain` when it might be. No questions: it is nobody else's business.
 */
export class BorderQuestions {
  readonly #partners: PartnerRegistry;
  readonly #people: LocalPeople;
  readonly #approvals: Pick<Approvals, 'standing' | 'wasLetThrough'> | undefined;
  readonly #freezes: FreezeBook | undefined;
  readonly #serversIn: ServersIn;

  /** Without `freezes` no room is frozen, and without `serversIn` nothing is known of other rooms. */
  constructor(deps: {
    partners: PartnerRegistry;
    people: LocalPeople;
    approvals?: Pick<Approvals, 'standing' | 'wasLetThrough'> | undefined;
    freezes?: FreezeBook | undefined;
    serversIn?: ServersIn | undefined;
  }) {
    this.#approvals = deps.approvals;
    this.#partners = deps.partners;
    this.#people = deps.people;
    this.#freezes = deps.freezes;
    this.#serversIn = deps.serversIn ?? (() => undefined);
  }

  /**
   * Users of one server may always invite each other; between servers the partners' policies decide. Of a room that we
   * do not hold it is known what the invitation tells, or the id at most.
   */
  invite(from: string, to: string, where: BorderRoom | ToldRoom | string | undefined): Question[] {
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
    const base = {
      action: 'invite',
      direction,
      remoteServer,
      local: this.#people.person(local),
      remote: [remote],
      isApproved: standing === 'approved',
      ...(standing === 'refused' ? { isRefused: true } : {}),
    } as const;
    if (where === undefined || typeof where === 'string') return [{ ...base, room: undefined }];
    if ('creatorServer' in where) return [{ ...base, room: { ...where, ...classOf({}), servers: [] } }];
    const room = this.room(where);
    return [
      { ...base, room },
      ...this.admission(room, room.servers.includes(remoteServer) ? [] : [remoteServer], direction),
    ];
  }

  /**
   * Servers come into a room: each of those that will be there together is asked about each other. Nothing is asked
   * of one that has no policy here. `answers` are what islands said that were asked themselves.
   */
  admission(
    room: RoomFacts,
    newcomers: readonly string[],
    direction: Direction,
    answers: AdmissionAnswers = { refusedBy: [], unanswered: [] },
  ): Question[] {
    const { serverName } = this.#partners;
    const coming = newcomers.filter((server) => server !== serverName);
    const all = [...new Set([...room.servers, ...coming])].filter((server) => server !== serverName);
    if (coming.length === 0 || all.length < 2) return [];
    return this.#concerned(all).flatMap((remoteServer) =>
      all
        .filter((server) => server !== remoteServer)
        .filter((server) => coming.includes(server) || coming.includes(remoteServer))
        .map(
          (server): Question => ({
            action: 'third-party',
            direction,
            remoteServer,
            room,
            server,
            ...answers,
          }),
        ),
    );
  }

  /** An event of ours before the policy of every partner in the room. `file` is what is known of the one it carries. */
  send(view: BorderRoom, event: LocalEvent, file: FileFacts | undefined): Question[] {
    // What takes people out or content away is never held back.
    if (takesAway(event)) return [];
    const servers = otherServers(view, this.#partners.serverName);
    const frozen = this.#freezes?.get(view.roomId);
    if (servers.length === 0 && frozen === undefined) return this.#sendAtHome(view, event);
    const room = roomFacts(view, servers, frozen?.servers);
    const local = this.#people.person(event.sender);
    const carried = fileFacts(file);
    // Whose policy froze the room has a word in it until it is thawed, whoever left.
    const concerned = this.#concerned(servers);
    // Where nobody else is left than servers that are partners no more, the room is closed as it was while suspended.
    if (concerned.length === 0) concerned.push(...servers);
    if (frozen !== undefined && !concerned.includes(frozen.partner)) concerned.push(frozen.partner);
    const named = event.stateKey === undefined ? [] : this.#classPartners(event);
    const opens =
      event.type === 'm.room.join_rules' &&
      opensJoins(event.content, [...servers, this.#partners.serverName], this.#serversIn);
    const questions = concerned.map((remoteServer): Question => {
      const remote = peopleOf(view, remoteServer);
      const { type, stateKey, content } = event;
      const direction = 'outbound';
      // Written out: spreading costs more than the rules themselves.
      if (stateKey === undefined)
        return {
          action: 'message',
          direction,
          remoteServer,
          local,
          remote,
          room,
          eventType: type,
          isCleartext: isCleartext(type),
          file: carried,
        };
      const base = { direction, remoteServer, local, remote, room } as const;
      const before = view.get(type, stateKey)?.pdu.content;
      const change = {
        ...changeOf(remoteServer, type, content, before, [room.creatorServer]),
        ...(opens ? { opensJoins: true } : {}),
      };
      return { ...base, action: 'state', eventType: type, change };
    });
    return named.length === 0
      ? questions
      : [...questions, ...this.#talkWith(named), ...this.admission(room, named, 'outbound')];
  }

  /** An event of a room with our own people only. */
  #sendAtHome(view: BorderRoom, event: LocalEvent): Question[] {
    const { serverName, island } = this.#partners;
    const { type, stateKey, content, sender } = event;
    if (stateKey !== undefined && type === roomClassType) {
      const named = this.#classPartners(event);
      return [...this.#talkWith(named), ...this.admission(this.room(view), named, 'outbound')];
    }
    if (island === undefined || island.encryption === 'optional') return [];
    const local = this.#people.person(sender);
    const base = { direction: 'outbound', remoteServer: serverName, local, remote: [] } as const;
    if (stateKey === undefined)
      return [{ ...base, action: 'message', eventType: type, isCleartext: isCleartext(type) }];
    return [{ ...base, action: 'state', eventType: type, change: changeOf(serverName, type, content) }];
  }

  /** The partners for whom a class event makes the room. */
  #classPartners({ type, content }: LocalEvent): readonly string[] {
    if (type !== roomClassType) return [];
    return classOf(content).sharedWith.filter((server) => server !== this.#partners.serverName);
  }

  #talkWith(servers: readonly string[]): Question[] {
    return servers.map((remoteServer) => ({ action: 'talk', direction: 'outbound', remoteServer }));
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
    const room = this.plannedRoom(plan);
    const local = this.#people.person(plan.creator);
    const opens = opensJoins(content('m.room.join_rules') ?? {}, room.servers, this.#serversIn);
    const named = room.sharedWith.filter((server) => !byServer.has(server));
    const atHome: Question[] = [
      {
        action: 'create-room',
        direction: 'outbound',
        remoteServer: serverName,
        local,
        remote: [],
        change: {},
        isEncrypted: room.isEncrypted,
      },
    ];
    const theirs = [...byServer].flatMap(([remoteServer, users]): Question[] => {
      const base = { direction: 'outbound', remoteServer, local, remote: [...new Set(users)] } as const;
      const change = {
        ...changeOf(remoteServer, 'm.room.power_levels', content('m.room.power_levels') ?? {}),
        ...changeOf(remoteServer, 'm.room.history_visibility', content('m.room.history_visibility') ?? {}),
        remoteCreators: plan.additionalCreators.filter((id) => serverNameOf(id) === remoteServer),
        ...(opens ? { opensJoins: true } : {}),
      };
      return [
        { ...base, action: 'create-room', change, isEncrypted: room.isEncrypted },
        // Whoever has to approve it is asked when the room is there.
        { ...base, action: 'invite', room, isApproved: true },
      ];
    });
    return [
      ...(byServer.size === 0 ? atHome : theirs),
      ...this.#talkWith(named),
      ...this.admission({ ...room, servers: [] }, [...byServer.keys(), ...named], 'outbound'),
    ];
  }

  /**
   * One of ours joins that room, or (where we do not hold it) a room that a server lets them into; one of a partner
   * joins a room of ours.
   */
  join(userId: string, where: BorderRoom | string): Question[] {
    const server = serverNameOf(userId);
    if (server !== this.#partners.serverName) {
      const enter = this.#enter(server, [userId], where);
      if (typeof where === 'string' || where.joinedServers().has(server)) return [enter];
      return [enter, ...this.admission(this.room(where), [server], 'inbound')];
    }
    const local = this.#people.person(userId);
    const base = { action: 'join', direction: 'outbound', local, remote: [] } as const;
    if (typeof where === 'string') return [{ ...base, remoteServer: where }];
    const room = this.room(where);
    return this.#concerned(room.servers).map((remoteServer) => ({ ...base, remoteServer, room }));
  }

  /** A partner learns of a room by an alias of it: whoever may not join it may not. */
  find(remoteServer: string, view: BorderRoom): Question {
    return this.#enter(remoteServer, [], view);
  }

  #enter(remoteServer: string, remote: readonly string[], where: BorderRoom | string): Question {
    const room = typeof where === 'string' ? undefined : this.room(where);
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
      room: this.room(view),
    } as const;
    const { type, stateKey, content } = event;
    const target = type === 'm.room.member' ? stateKey : undefined;
    const { membership } = content;
    if (target !== undefined && membership === 'invite') {
      const invited = serverNameOf(target);
      // One who brings in a server of others speaks for the room to all who are in it.
      if (invited !== serverName)
        return this.admission(base.room, base.room.servers.includes(invited) ? [] : [invited], 'inbound');
      const invitation = { direction: 'inbound', inviter: event.sender, invitee: target } as const;
      // Approved before it was signed here; a partner that did not ask for our signature has no approval.
      const isApproved =
        view.get(type, target)?.pdu.content['membership'] === 'join' ||
        this.#approvals?.wasLetThrough({ ...invitation, roomId: view.roomId }) === true;
      return [{ ...base, action: 'invite', local: this.#people.person(target), isApproved }];
    }
    if (target !== undefined && membership === 'join') {
      const newcomers = view.joinedServers().has(remoteServer) ? [] : [remoteServer];
      return [{ ...base, action: 'join' }, ...this.admission(base.room, newcomers, 'inbound')];
    }
    if (stateKey !== undefined) {
      const before = view.get(type, stateKey)?.pdu.content;
      const change = changeOf(remoteServer, type, content, before, [base.room.creatorServer, remoteServer]);
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

  /** A room that is about to be made. Nobody is in it yet but our own. */
  plannedRoom(plan: RoomPlan): RoomFacts {
    const content = (type: string) => plan.state.find((event) => event.type === type)?.content;
    const servers = [...plan.invitees, ...plan.additionalCreators].map(serverNameOf);
    return {
      roomId: 'the new room',
      ...classOf(content(roomClassType) ?? {}),
      creatorServer: this.#partners.serverName,
      isEncrypted: content('m.room.encryption') !== undefined,
      servers: [...new Set([this.#partners.serverName, ...servers])],
    };
  }

  /** A room of which we know nothing but its id. */
  unknownRoom(roomId: string): RoomFacts {
    return { roomId, class: undefined, sharedWith: [], creatorServer: '', isEncrypted: false, servers: [] };
  }

  room(view: BorderRoom): RoomFacts {
    const frozen = this.#freezes?.get(view.roomId);
    return roomFacts(view, otherServers(view, this.#partners.serverName), frozen?.servers);
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
