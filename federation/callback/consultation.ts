import { decide } from '../../policy/decide.ts';
import type { CallbackVerdict, Question } from '../../policy/question.ts';
import { callbackFor } from '../../policy/rules/callback.ts';
import { serverNameOf } from '../../protocol/identifiers.ts';
import type { Clock } from '../../protocol/runtime.ts';
import { noVerdicts } from '../../rooms/consult.ts';
import type { Matter, Verdicts } from '../../rooms/ports.ts';
import { fileOf, otherServers } from '../border/facts.ts';
import type { BorderQuestions } from '../border/questions.ts';
import type { PartnerRegistry } from '../partners/registry.ts';
import type { CallbackChecker } from './checker.ts';
import type { FileMaterial, Material } from './facts.ts';

export interface ConsultationDeps {
  readonly partners: PartnerRegistry;
  readonly questions: BorderQuestions;
  readonly clock: Clock;
  readonly checker: CallbackChecker;
  /** A file of ours, by its `mxc://` URI. */
  readonly file: (uri: string) => Promise<FileMaterial | undefined>;
}

/** Which callbacks are asked about what, and with what: the questions of the border that the policies name. */
export class Consultation {
  readonly #deps: ConsultationDeps;

  constructor(deps: ConsultationDeps) {
    this.#deps = deps;
  }

  /** Undefined where no partner that it concerns has a callback. */
  about(matter: Matter): (() => Promise<Verdicts>) | undefined {
    const { partners } = this.#deps;
    const hasCallback = this.#servers(matter).some(
      (server) => partners.get(server)?.policy.callback !== undefined,
    );
    return hasCallback ? () => this.#consult(matter) : undefined;
  }

  /** A file that crosses. */
  async aboutFile(question: Question, file: FileMaterial): Promise<Verdicts> {
    return this.#ask([question], { file });
  }

  #servers(matter: Matter): readonly string[] {
    const { serverName } = this.#deps.partners;
    switch (matter.kind) {
      case 'send':
        return otherServers(matter.room, serverName);
      case 'invite':
        return [serverNameOf(matter.from), serverNameOf(matter.to)];
      case 'join': {
        const { userId, where } = matter;
        if (typeof where === 'string') return [where];
        const server = serverNameOf(userId);
        return server === serverName ? otherServers(where, serverName) : [server];
      }
      case 'receive':
        return [serverNameOf(matter.event.pdu.sender)];
    }
  }

  async #consult(matter: Matter): Promise<Verdicts> {
    const { questions } = this.#deps;
    switch (matter.kind) {
      case 'send': {
        const { type, stateKey, content } = matter.event;
        const claimed = stateKey === undefined ? fileOf(content) : undefined;
        const file = claimed?.uri === undefined ? undefined : await this.#deps.file(claimed.uri);
        const known = file === undefined ? claimed : { ...claimed, size: file.size, mime: file.mime };
        const material = { eventType: type, content, file };
        return this.#ask(questions.send(matter.room, matter.event, known), material);
      }
      case 'invite':
        return this.#ask(questions.invite(matter.from, matter.to, matter.where), {});
      case 'join':
        return this.#ask(questions.join(matter.userId, matter.where), {});
      case 'receive': {
        const { pdu } = matter.event;
        const { type, sender, content, state_key: stateKey } = pdu;
        const signedBy = Object.keys(pdu.signatures[serverNameOf(sender)] ?? {});
        const asked = questions.received(matter.room, { type, sender, stateKey, content }, signedBy);
        return this.#ask(asked, { eventType: type, content });
      }
    }
  }

  /** Nobody is asked about what is forbidden anyway. */
  async #ask(questions: readonly Question[], material: Material): Promise<Verdicts> {
    const { partners, checker, clock } = this.#deps;
    const verdicts = await Promise.all(
      questions.map(async (question): Promise<[string, CallbackVerdict] | undefined> => {
        const policy = partners.get(question.remoteServer)?.policy;
        const asked = policy === undefined ? undefined : callbackFor(policy, question);
        if (asked === undefined || !decide(partners, question, clock.now()).allowed) return undefined;
        const { callback, actions } = asked;
        return [question.remoteServer, await checker.check(callback, actions, question, material)];
      }),
    );
    const given = verdicts.filter((verdict) => verdict !== undefined);
    return given.length === 0 ? noVerdicts : new Map(given);
  }
}
