import { decide } from '../../policy/decide.ts';
import { allOf, allowed, type Decision } from '../../policy/decision.ts';
import { type Profile, profileView } from '../../policy/profile-view.ts';
import type { Direction, FileFacts, Question, RoomFacts } from '../../policy/question.ts';
import { callbackFor, isWarning } from '../../policy/rules/callback.ts';
import type { RoomEvent } from '../../protocol/event.ts';
import { serverNameOf } from '../../protocol/identifiers.ts';
import type { Clock } from '../../protocol/runtime.ts';
import { noVerdicts } from '../../rooms/consult.ts';
import { externalLabel } from '../../rooms/external-label.ts';
import type {
  Border,
  ExternalLabel,
  LocalEvent,
  Matter,
  RoomDefaults,
  RoomPlan,
  StrangersEvent,
  ToldRoom,
  Verdicts,
} from '../../rooms/ports.ts';
import type { RoomView } from '../../rooms/types.ts';
import type { Approvals } from '../approvals/approvals.ts';
import type { CallbackChecker } from '../callback/checker.ts';
import { Consultation } from '../callback/consultation.ts';
import type { FileMaterial } from '../callback/facts.ts';
import type { PartnerRegistry } from '../partners/registry.ts';
import { fileOf, otherServers, takesAway } from './facts.ts';
import { type Intruder, intrudersIn } from './intruders.ts';
import type { ServersIn } from './join-rule-facts.ts';
import type { LocalPeople } from './people.ts';
import { type AdmissionAnswers, BorderQuestions, type FreezeBook, type SignOfLife } from './questions.ts';
import { Quotas } from './quotas.ts';
import { defaultsOf } from './room-defaults.ts';

/** So long a server may take to come into a room after we said yes. */
const expectedForMs = 600_000;

export type Asked = (question: Question, decision: Decision, eventId?: string) => void;
/** Asks islands whether servers may come into a room; resolves within ten seconds, whatever they do. */
export type AskConsent = (
  islands: readonly string[],
  question: {
    readonly roomId: string;
    /** Everybody else who would be in it, newcomers included. */
    readonly servers: readonly string[];
    readonly newcomers: readonly string[];
  },
) => Promise<AdmissionAnswers>;

export interface BorderDeps {
  readonly partners: PartnerRegistry;
  readonly people: LocalPeople;
  readonly clock: Clock;
  /** A file of ours, as the media store has it. */
  readonly file: (uri: string) => Promise<FileMaterial | undefined>;
  readonly checker: CallbackChecker;
  /** What was decided about single invitations. */
  readonly approvals?: Approvals | undefined;
  readonly freezes?: FreezeBook | undefined;
  readonly serversIn?: ServersIn | undefined;
  /** Departments whose people's rooms begin as internal. */
  readonly internalDepartments?: (() => readonly string[]) | undefined;
  /** Asks islands about servers that are to come into a room; without it nobody can be asked. */
  readonly consents?: AskConsent | undefined;
  readonly metStranger?: Border['metStranger'] | undefined;
  /** Told of every question and its answer, and of an event that takes its place in the room all the same. */
  readonly asked?: Asked | undefined;
  /** Told of what is allowed with a warning. */
  readonly warned?: ((question: Question) => void) | undefined;
}

/** What is known beside the facts of a question, and under what circumstances it is asked. */
interface Asking {
  readonly eventId?: string | undefined;
  /** What the callbacks said; absent: they have yet to be asked. */
  readonly verdicts?: Verdicts | undefined;
}

/** The border's rules, asked with the facts of this moment. */
export class PartnerBorder implements Border {
  readonly #deps: BorderDeps;
  readonly #questions: BorderQuestions;
  readonly #consultation: Consultation;
  readonly #quotas: Quotas;
  readonly #expected = new Map<string, { readonly servers: readonly string[]; readonly until: number }>();

  constructor(deps: BorderDeps) {
    this.#deps = deps;
    this.#questions = new BorderQuestions(deps);
    this.#consultation = new Consultation({ ...deps, questions: this.#questions });
    this.#quotas = new Quotas(deps.clock);
  }

  consult(matter: Matter): (() => Promise<Verdicts>) | undefined {
    return this.#consultation.about(matter);
  }

  /** Every one that is allowed counts for the quota of the partner. */
  mayInvite(from: string, to: string, where: RoomView | ToldRoom, verdicts: Verdicts): Decision {
    return this.#askAll(this.#questions.invite(from, to, where), { verdicts });
  }

  foresees(from: string, to: string, view: RoomView): boolean {
    const { partners, clock } = this.#deps;
    return this.#questions
      .invite(from, to, view)
      .every((question) => decide(partners, question, clock.now()).allowed);
  }

  mayTalkTo(serverName: string): boolean {
    const { partners } = this.#deps;
    return serverName === partners.serverName || partners.isActive(serverName);
  }

  keepsFor(serverName: string): boolean {
    return this.#deps.partners.get(serverName) !== undefined;
  }

  maySend(view: RoomView, event: LocalEvent, verdicts: Verdicts): Decision | Promise<Decision> {
    const { serverName } = this.#deps.partners;
    const file = event.stateKey === undefined ? fileOf(event.content) : undefined;
    if (file?.uri?.startsWith(`mxc://${serverName}/`) !== true || otherServers(view, serverName).length === 0)
      return this.#askAll(this.#questions.send(view, event, file), { verdicts });
    // The sender says what the file is; what we stored counts.
    return this.#deps.file(file.uri).then((stored) => {
      const known = stored === undefined ? file : { ...file, size: stored.size, mime: stored.mime };
      return this.#askAll(this.#questions.send(view, event, known), { verdicts });
    });
  }

  mayCreate(plan: RoomPlan): Decision {
    return this.#askAll(this.#questions.create(plan));
  }

  defaultsOf(plan: RoomPlan): RoomDefaults {
    return defaultsOf(this.#deps, plan);
  }

  async mayAdmit(where: RoomView | RoomPlan, newcomers: readonly string[]): Promise<Decision> {
    const room = 'roomId' in where ? this.#questions.room(where) : this.#questions.plannedRoom(where);
    const decision = this.#askAll(this.#questions.admission(room, newcomers, 'outbound'));
    if (!decision.allowed) return decision;
    const { serverName } = this.#deps.partners;
    const all = [...new Set([...room.servers, ...newcomers])].filter((server) => server !== serverName);
    const answer = all.length < 2 ? allowed : await this.#askIslands(room, all, newcomers);
    if (answer.allowed && 'roomId' in where) this.expect(where.roomId, newcomers);
    return answer;
  }

  async #askIslands(
    room: RoomFacts,
    all: readonly string[],
    newcomers: readonly string[],
  ): Promise<Decision> {
    const islands = all.filter((server) => this.#deps.partners.isActive(server));
    const { consents } = this.#deps;
    const answers =
      consents === undefined
        ? { refusedBy: [], unanswered: islands }
        : await consents(islands, { roomId: room.roomId, servers: all, newcomers });
    return this.#askAll(this.#questions.admission(room, newcomers, 'outbound', answers));
  }

  /** What we say to an island that asks whether these servers may be together in a room with us. */
  consent(room: RoomView | undefined, roomId: string, servers: readonly string[]): Decision {
    const facts = room === undefined ? this.#questions.unknownRoom(roomId) : this.#questions.room(room);
    return this.#askAll(this.#questions.admission({ ...facts, servers: [] }, servers, 'inbound'));
  }

  /**
   * Servers that are in a room with us and may not be there, by the policy of whom, and what is to be done. `stranger`
   * is one of whose membership we know only by hearsay.
   */
  intruders(room: RoomView, stranger?: string): Intruder[] {
    return intrudersIn(this.#deps.partners, room, stranger, (servers) =>
      this.#questions
        .admission({ ...this.#questions.unknownRoom(room.roomId), servers: [] }, servers, 'inbound')
        .map(
          (question) => [question, decide(this.#deps.partners, question, this.#deps.clock.now())] as const,
        ),
    );
  }

  /** Our yes to a server that is to come into a room: for a while it counts as one that may be there. */
  expect(roomId: string, servers: readonly string[]): void {
    const until = this.#deps.clock.now() + expectedForMs;
    for (const [room, known] of this.#expected)
      if (known.until <= this.#deps.clock.now()) this.#expected.delete(room);
    const before = this.#expected.get(roomId)?.servers ?? [];
    this.#expected.set(roomId, { servers: [...new Set([...before, ...servers])], until });
  }

  admitted(room: RoomView): string[] | undefined {
    const { partners } = this.#deps;
    const facts = this.#questions.room(room);
    if (facts.class !== 'shared') return undefined;
    this.#arrived(room.roomId, facts.servers);
    const meant = [
      ...new Set([...facts.servers, ...facts.sharedWith, ...this.#expectedIn(room.roomId)]),
    ].filter((server) => server !== partners.serverName);
    const named = meant.filter((server) => partners.isActive(server));
    // Where none of those for whom it is may talk to us, nobody is told anything.
    if (named.length === 0 && meant.length > 0) return undefined;
    // Whoever wants any server in the room wants no list of them, and is not shut out by one of before.
    const isClosed = named.some((server) => partners.get(server)?.policy.rooms.thirdParties !== 'allow');
    if (named.length > 0 && !isClosed && named.every((server) => room.allowsServer(server))) return undefined;
    const now = this.#deps.clock.now();
    const alone = { ...facts, servers: [], frozenFor: undefined };
    return named.filter((server) =>
      this.#questions
        .admission(
          { ...alone, servers: named.filter((other) => facts.servers.includes(other)) },
          [server],
          'outbound',
        )
        .every((question) => decide(partners, question, now).allowed),
    );
  }

  /** Whoever has come is expected no longer: when it leaves again it is out. */
  #arrived(roomId: string, servers: readonly string[]): void {
    const known = this.#expected.get(roomId);
    if (known === undefined) return;
    const still = known.servers.filter((server) => !servers.includes(server));
    if (still.length === 0) this.#expected.delete(roomId);
    else this.#expected.set(roomId, { ...known, servers: still });
  }

  #expectedIn(roomId: string): readonly string[] {
    const known = this.#expected.get(roomId);
    return known === undefined || known.until <= this.#deps.clock.now() ? [] : known.servers;
  }

  metStranger(room: RoomView, origin: string, event: StrangersEvent): void {
    this.#deps.metStranger?.(room, origin, event);
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

  mayBeWith(servers: readonly string[]): Decision {
    const room = this.#questions.unknownRoom('the room to be joined');
    return this.#askAll(this.#questions.admission(room, servers, 'outbound'));
  }

  mayJoin(userId: string, where: RoomView | string, verdicts?: Verdicts): Decision {
    return this.#askAll(this.#questions.join(userId, where), { verdicts });
  }

  judgeReceived(view: RoomView, event: RoomEvent, verdicts: Verdicts = noVerdicts): Decision {
    const { pdu } = event;
    const foreign = { type: pdu.type, sender: pdu.sender, stateKey: pdu.state_key, content: pdu.content };
    const remoteServer = serverNameOf(pdu.sender);
    if (remoteServer === this.#deps.partners.serverName || takesAway(foreign)) return allowed;
    const questions = this.#questions.received(
      view,
      foreign,
      Object.keys(pdu.signatures[remoteServer] ?? {}),
    );
    return this.#askAll(questions, { eventId: event.eventId, verdicts });
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

  /**
   * A file that crosses, with its bytes: the callback sees it, and it counts for the quota. Rejects with `TryAgain`
   * when the island stops.
   */
  async mayPassFile(remoteServer: string, direction: Direction, file: FileMaterial): Promise<Decision> {
    const { size, mime } = file;
    const question = this.#questions.transfer(remoteServer, direction, { size, mime });
    const decision = this.#ask(question, { verdicts: await this.#consultation.aboutFile(question, file) });
    const rate = this.#deps.partners.get(remoteServer)?.policy.rate;
    if (decision.allowed && rate !== undefined)
      this.#quotas.addMedia(remoteServer, direction, rate, file.size);
    return decision;
  }

  /** A file of ours that a partner fetches; one that is not there is nothing to object to. */
  async mayGiveFile(remoteServer: string, uri: string): Promise<Decision> {
    const file = await this.#deps.file(uri);
    return file === undefined ? allowed : this.mayPassFile(remoteServer, 'outbound', file);
  }

  /** Has the partner's quota room for a further file? Nothing is known of that one yet. */
  mayBeginTransfer(remoteServer: string, direction: Direction): Decision {
    const rate = this.#deps.partners.get(remoteServer)?.policy.rate;
    const quotaMs = rate === undefined ? 0 : this.#quotas.media(remoteServer, direction, rate, 0);
    const question = this.#questions.transfer(remoteServer, direction, {});
    return this.#ask({ ...question, quotaMs });
  }

  /** Takes so many events of a partner; 0, or the milliseconds after which it may send them. */
  eventsWait(remoteServer: string, count: number): number {
    const rate = this.#deps.partners.get(remoteServer)?.policy.rate;
    return rate === undefined ? 0 : this.#quotas.events(remoteServer, rate, count);
  }

  #ask(question: Question, { eventId, verdicts }: Asking = {}): Decision {
    const { partners, clock, asked, warned } = this.#deps;
    const now = clock.now();
    let full = question;
    let decision = decide(partners, question, now);
    const partner = partners.get(question.remoteServer);
    if (decision.allowed && partner !== undefined) {
      if (verdicts !== undefined && callbackFor(partner.policy, question) !== undefined)
        full = { ...full, verdict: verdicts.get(question.remoteServer) ?? { decision: 'none' } };
      if (full !== question) decision = decide(partners, full, now);
      // One that comes by way of the room was counted when it was signed here.
      if (
        decision.allowed &&
        question.action === 'invite' &&
        verdicts !== undefined &&
        eventId === undefined
      ) {
        const { direction, remoteServer } = question;
        const quotaMs = this.#quotas.invite(remoteServer, direction, partner.policy.rate);
        if (quotaMs > 0) {
          full = { ...full, quotaMs };
          decision = decide(partners, full, now);
        }
      }
      if (decision.allowed && full.verdict !== undefined && isWarning(partner, full)) warned?.(full);
    }
    asked?.(full, decision, eventId);
    return decision;
  }

  #askAll(questions: readonly Question[], asking?: Asking): Decision {
    const [first] = questions;
    if (first === undefined) return allowed;
    if (questions.length === 1) return this.#ask(first, asking);
    return allOf(...questions.map((question) => this.#ask(question, asking)));
  }
}
