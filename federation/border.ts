import { decide } from '../policy/decide.ts';
import { allOf, allowed, type Decision } from '../policy/decision.ts';
import { type Profile, profileView } from '../policy/profile-view.ts';
import type { Direction, FileFacts, Question } from '../policy/question.ts';
import type { RoomEvent } from '../protocol/event.ts';
import { serverNameOf } from '../protocol/identifiers.ts';
import type { Clock } from '../protocol/runtime.ts';
import { externalLabel } from '../rooms/external-label.ts';
import type { Border, ExternalLabel, LocalEvent, RoomPlan } from '../rooms/ports.ts';
import type { RoomView } from '../rooms/types.ts';
import type { Approvals } from './approvals/approvals.ts';
import { fileOf, otherServers, takesAway } from './border-facts.ts';
import { BorderQuestions, type SignOfLife } from './border-questions.ts';
import type { PartnerRegistry } from './partners.ts';
import type { LocalPeople } from './people.ts';

/** What the media store knows of a file of ours. */
export type FileLookup = (uri: string) => Promise<FileFacts | undefined>;

export type Asked = (question: Question, decision: Decision, eventId?: string) => void;

export interface BorderDeps {
  readonly partners: PartnerRegistry;
  readonly people: LocalPeople;
  readonly clock: Clock;
  readonly files: FileLookup;
  /** What was decided about single invitations. */
  readonly approvals?: Approvals | undefined;
  /** Told of every question and its answer, and of an event that takes its place in the room all the same. */
  readonly asked?: Asked | undefined;
}

/** The border's rules, asked with the facts of this moment. */
export class PartnerBorder implements Border {
  readonly #deps: BorderDeps;
  readonly #questions: BorderQuestions;

  constructor(deps: BorderDeps) {
    this.#deps = deps;
    this.#questions = new BorderQuestions(deps);
  }

  mayInvite(from: string, to: string, where: RoomView | string): Decision {
    return this.#askAll(this.#questions.invite(from, to, where));
  }

  mayTalkTo(serverName: string): boolean {
    const { partners } = this.#deps;
    return serverName === partners.serverName || partners.isActive(serverName);
  }

  maySend(view: RoomView, event: LocalEvent): Decision | Promise<Decision> {
    const { serverName } = this.#deps.partners;
    const file = event.stateKey === undefined ? fileOf(event.content) : undefined;
    if (file?.uri?.startsWith(`mxc://${serverName}/`) !== true || otherServers(view, serverName).length === 0)
      return this.#askAll(this.#questions.send(view, event, file));
    // The sender says what the file is; what we stored counts.
    return this.#deps
      .files(file.uri)
      .then((stored) => this.#askAll(this.#questions.send(view, event, { ...file, ...stored })));
  }

  mayCreate(plan: RoomPlan): Decision {
    return this.#askAll(this.#questions.create(plan));
  }

  powerLimit(userId: string): number {
    const { partners } = this.#deps;
    const server = serverNameOf(userId);
    if (server === partners.serverName) return Number.POSITIVE_INFINITY;
    return partners.get(server)?.policy.rooms.maxRemotePowerLevel ?? 0;
  }

  labelOf(serverName: string): ExternalLabel | undefined {
    const { partners } = this.#deps;
    if (serverName === partners.serverName) return undefined;
    const partner = partners.get(serverName);
    return partner === undefined ? externalLabel({ serverName }) : partner.label;
  }

  mayJoin(userId: string, where: RoomView | string): Decision {
    return this.#askAll(this.#questions.join(userId, where));
  }

  judgeReceived(view: RoomView, event: RoomEvent): Decision {
    const { pdu } = event;
    const foreign = { type: pdu.type, sender: pdu.sender, stateKey: pdu.state_key, content: pdu.content };
    const remoteServer = serverNameOf(pdu.sender);
    if (remoteServer === this.#deps.partners.serverName || takesAway(foreign)) return allowed;
    const questions = this.#questions.received(
      view,
      foreign,
      Object.keys(pdu.signatures[remoteServer] ?? {}),
    );
    return this.#askAll(questions, event.eventId);
  }

  /** May that server send requests to us at all? */
  mayAsk(remoteServer: string): Decision {
    return this.#ask(this.#questions.talk(remoteServer));
  }

  /** May a partner learn of this room, of which it knows an alias? */
  mayFindRoom(remoteServer: string, view: RoomView): Decision {
    return this.#ask(this.#questions.find(remoteServer, view));
  }

  /** May a sign of life of one of ours be told to a partner in the room? */
  mayTell(remoteServer: string, what: SignOfLife, userId: string, view: RoomView): boolean {
    return this.#ask(this.#questions.tell(remoteServer, what, userId, view)).allowed;
  }

  /** May a sign of life of one of theirs be shown to our people in the room? */
  mayHear(remoteServer: string, what: SignOfLife, userId: string, view: RoomView): Decision {
    return this.#ask(this.#questions.hear(remoteServer, what, userId, view));
  }

  /**
   * What of the profile of one of ours a partner is shown. `known` is absent for somebody who does not exist; to the
   * partner they are the same as somebody whom it may not see: undefined.
   */
  profileFor(
    remoteServer: string,
    userId: string,
    known: Profile | undefined,
    sharesRoom: boolean,
  ): Profile | undefined {
    const { allowed: isAllowed } = this.#ask(this.#questions.profile(remoteServer, userId, sharesRoom));
    const policy = this.#deps.partners.get(remoteServer)?.policy;
    return isAllowed && known !== undefined && policy !== undefined
      ? profileView(policy, userId, known, sharesRoom)
      : undefined;
  }

  /** May one of ours look up a person of a partner? */
  mayLookUp(asker: string, userId: string): Decision {
    return this.#ask(this.#questions.lookUp(asker, userId));
  }

  /** `outbound`: they fetch a file of ours. `inbound`: `userId` of ours, if one is known, fetches one of theirs. */
  mayTransferFiles(
    remoteServer: string,
    direction: Direction,
    file: FileFacts = {},
    userId?: string,
  ): Decision {
    return this.#ask(this.#questions.transfer(remoteServer, direction, file, userId));
  }

  #ask(question: Question, eventId?: string): Decision {
    const decision = decide(this.#deps.partners, question, this.#deps.clock.now());
    this.#deps.asked?.(question, decision, eventId);
    return decision;
  }

  #askAll(questions: readonly Question[], eventId?: string): Decision {
    const [first] = questions;
    if (first === undefined) return allowed;
    if (questions.length === 1) return this.#ask(first, eventId);
    return allOf(...questions.map((question) => this.#ask(question, eventId)));
  }
}
