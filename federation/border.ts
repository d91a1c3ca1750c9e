import { decide } from '../policy/decide.ts';
import { allOf, allowed, type Decision, denied } from '../policy/decision.ts';
import type { Shared } from '../policy/partner-policy.ts';
import type { Direction, FileFacts, Question } from '../policy/question.ts';
import { mayShare } from '../policy/rules/share.ts';
import type { RoomEvent } from '../protocol/event.ts';
import { serverNameOf } from '../protocol/identifiers.ts';
import type { Clock } from '../protocol/runtime.ts';
import type { Border, LocalEvent, RoomPlan } from '../rooms/ports.ts';
import type { RoomView } from '../rooms/types.ts';
import { fileOf, otherServers, takesAway } from './border-facts.ts';
import { BorderQuestions } from './border-questions.ts';
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
  readonly #questions: BorderQuestions;

  constructor(deps: BorderDeps) {
    this.#deps = deps;
    this.#questions = new BorderQuestions(deps);
  }

  mayInvite(from: string, to: string, view?: RoomView): Decision {
    return this.#askAll(this.#questions.invite(from, to, view));
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

  mayJoin(userId: string, where: RoomView | string): Decision {
    return this.#askAll(this.#questions.join(userId, where));
  }

  judgeReceived(view: RoomView, event: RoomEvent): Decision {
    const { pdu } = event;
    const foreign = { type: pdu.type, sender: pdu.sender, stateKey: pdu.state_key, content: pdu.content };
    const remoteServer = serverNameOf(pdu.sender);
    if (remoteServer === this.#deps.partners.serverName || takesAway(foreign)) return allowed;
    const signature = this.#signature(remoteServer, Object.keys(pdu.signatures[remoteServer] ?? {}));
    const decision = this.#askAll(this.#questions.received(view, foreign));
    return signature.allowed ? decision : allOf(signature, decision);
  }

  /** May that server send requests to us at all? */
  mayAsk(remoteServer: string): Decision {
    return this.#ask(this.#questions.talk(remoteServer));
  }

  mayShare(serverName: string, what: Shared): boolean {
    const partner = this.#deps.partners.get(serverName);
    return (
      partner !== undefined && this.#deps.partners.isActive(serverName) && mayShare(partner, what).allowed
    );
  }

  /** `outbound`: they fetch a file of ours. */
  mayTransferFiles(remoteServer: string, direction: Direction, file: FileFacts = {}): Decision {
    return this.#ask(this.#questions.transfer(remoteServer, direction, file));
  }

  #ask(question: Question): Decision {
    const decision = decide(this.#deps.partners, question, this.#deps.clock.now());
    this.#deps.asked?.(question, decision);
    return decision;
  }

  #askAll(questions: readonly Question[]): Decision {
    const [first] = questions;
    if (first === undefined) return allowed;
    if (questions.length === 1) return this.#ask(first);
    return allOf(...questions.map((question) => this.#ask(question)));
  }

  /** A revoked key vouches for nothing that comes after that. */
  #signature(server: string, keyIds: readonly string[]): Decision {
    const revoked = this.#deps.partners.get(server)?.revokedKeys;
    if (revoked === undefined || revoked.size === 0 || !keyIds.every((keyId) => revoked.has(keyId)))
      return allowed;
    return denied('key_revoked', `The signing key of ${server} was revoked`, `revoked key of ${server}`);
  }
}
