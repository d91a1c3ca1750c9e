import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import type { CallbackAction, CallbackPolicy } from '../../policy/partner-policy.ts';
import type { CallbackVerdict, Question } from '../../policy/question.ts';
import { encodeBase64Url } from '../../protocol/base64.ts';
import { isObject, parseJson } from '../../protocol/json.ts';
import type { Clock } from '../../protocol/runtime.ts';
import { TryAgain } from '../../rooms/errors.ts';
import { factsOf, type Material } from './facts.ts';
import { CallbackWire } from './post.ts';

const maxReason = 500;
const severity = { allow: 0, warn: 1, none: 2, deny: 3 } as const;

/**
 * Asks the HTTP checks that policies name (leak prevention, virus scan, approval). Nothing is asked that no policy
 * names. Each partner has connections of its own, so that a slow check of one holds up nobody else.
 */
export class CallbackChecker {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #wires = new Map<string, CallbackWire>();
  readonly #stopping = new AbortController();

  constructor(deps: { clock: Clock; log: Logger }) {
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  /**
   * The strictest of what the callback says of each action. Whatever is no answer is `none`, with the reason in the
   * log. Rejects with {@link TryAgain} when the island stops meanwhile: then nothing is decided.
   */
  async check(
    callback: CallbackPolicy,
    actions: readonly CallbackAction[],
    question: Question,
    material: Material,
  ): Promise<CallbackVerdict> {
    let strictest: CallbackVerdict = { decision: 'allow' };
    for (const action of actions) {
      const verdict = await this.#ask(callback, action, question, material);
      if (severity[verdict.decision] > severity[strictest.decision]) strictest = verdict;
      if (verdict.decision === 'deny') break;
    }
    return strictest;
  }

  /** What is under way is given up undecided. */
  stop(): void {
    this.#stopping.abort();
    for (const wire of this.#wires.values()) wire.close();
  }

  async #ask(
    callback: CallbackPolicy,
    action: CallbackAction,
    question: Question,
    material: Material,
  ): Promise<CallbackVerdict> {
    const { url, timeout: timeoutMs } = callback;
    try {
      const facts = Buffer.from(JSON.stringify(factsOf(action, question, material)));
      const file = action === 'media' ? material.file : undefined;
      const headers = {
        ...(await this.#signature(callback, facts)),
        ...(file === undefined
          ? { 'content-type': 'application/json', 'content-length': facts.length }
          : {
              'content-type': 'application/octet-stream',
              'content-length': file.size,
              'x-archipelago-facts': encodeBase64Url(facts),
            }),
      };
      const body = file === undefined ? facts : file.open();
      const answer = await this.#wire(question.remoteServer).post({
        url,
        headers,
        body,
        timeoutMs,
        signal: this.#stopping.signal,
      });
      return verdictIn(answer);
    } catch (error) {
      if (this.#stopping.signal.aborted) throw new TryAgain('The island stops', error);
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.warn(
        { partner: question.remoteServer, action, reason, onTimeout: callback.onTimeout },
        'a callback gave no answer that can be used',
      );
      return { decision: 'none' };
    }
  }

  /** Signs the facts, which name the hash of the file where there is one. */
  async #signature({ secretPath }: CallbackPolicy, facts: Buffer): Promise<Record<string, string>> {
    if (secretPath === undefined) return {};
    const secret = (await readFile(secretPath, 'utf8')).trim();
    const seconds = Math.floor(this.#clock.now() / 1_000);
    const hex = createHmac('sha256', secret).update(`${seconds}.`).update(facts).digest('hex');
    return { 'x-archipelago-signature': `t=${seconds},sha256=${hex}` };
  }

  #wire(partner: string): CallbackWire {
    const wire = this.#wires.get(partner) ?? new CallbackWire(this.#clock);
    this.#wires.set(partner, wire);
    return wire;
  }
}

function verdictIn(answer: Buffer): CallbackVerdict {
  const json = parseJson(answer);
  const { decision, reason } = isObject(json) ? json : {};
  if (decision !== 'allow' && decision !== 'deny' && decision !== 'warn')
    throw new Error('its answer has no decision');
  if (typeof reason !== 'string' || reason === '') return { decision };
  return { decision, reason: reason.replace(/\s+/g, ' ').slice(0, maxReason).toWellFormed() };
}
