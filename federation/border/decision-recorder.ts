import { createHash } from 'node:crypto';
import type { Logger } from 'pino';
import type { Decision } from '../../policy/decision.ts';
import type { Question } from '../../policy/question.ts';
import { isObject, type JsonObject, type JsonValue, parseJson } from '../../protocol/json.ts';
import type { Clock } from '../../protocol/runtime.ts';
import type { DecisionRecord, DecisionStore } from '../../storage/stores/decision-store.ts';

/** What is lost when the process is killed: the decisions of so many milliseconds. */
const flushEveryMs = 2_000;
/** Decisions that wait to be written; more in that time are not recorded, and the log says so. */
const maxWaiting = 50_000;
/** So many are looked at before something else gets its turn. */
const perTurn = 200;
const pruneEveryMs = 3_600_000;
const keptMs = 30 * 24 * 3_600_000;
/** Different questions that are kept. */
const maxKept = 200_000;
/** People of a partner that a question keeps: of larger rooms the first ones. */
const maxPeople = 500;

interface Asked {
  readonly question: Question;
  readonly decision: Decision;
  readonly firstTs: number;
  lastTs: number;
  times: number;
}

/**
 * Records what the border was asked and answered, for `policy replay`. Whoever asks what was asked a moment ago pays for
 * a comparison, whoever asks something new for a place in a list; the rest happens later, in pieces. Facts only:
 * questions hold no content.
 */
export class DecisionRecorder {
  readonly #store: DecisionStore;
  readonly #clock: Clock;
  readonly #log: Logger;
  #waiting: Asked[] = [];
  /** Of those that wait the last one of each kind. */
  #recent = new Map<string, Asked>();
  #skipped = 0;
  #isTimerSet = false;
  #flushing: Promise<void> = Promise.resolve();
  #prunedAt = Number.NEGATIVE_INFINITY;

  constructor(deps: { store: DecisionStore; clock: Clock; log: Logger }) {
    this.#store = deps.store;
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  asked(question: Question, decision: Decision): void {
    const now = this.#clock.now();
    const kind = kindOf(question);
    const known = this.#recent.get(kind);
    if (known !== undefined && isSame(known.question, question) && isSame(known.decision, decision)) {
      known.times += 1;
      known.lastTs = now;
      return;
    }
    if (this.#waiting.length >= maxWaiting) {
      this.#skipped += 1;
      return;
    }
    const asked = { question, decision, firstTs: now, lastTs: now, times: 1 };
    this.#waiting.push(asked);
    this.#recent.set(kind, asked);
    if (this.#isTimerSet) return;
    this.#isTimerSet = true;
    this.#clock.setTimer(flushEveryMs, () => {
      this.#isTimerSet = false;
      void this.flush();
    });
  }

  /** Writes what waits. Never rejects: what could not be written is lost, and the log says so. */
  flush(): Promise<void> {
    this.#flushing = this.#flushing.then(() => this.#flush());
    return this.#flushing;
  }

  async #flush(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#recent = new Map();
    const skipped = this.#skipped;
    this.#skipped = 0;
    if (skipped > 0) this.#log.warn({ skipped }, 'more decisions of the border than can be recorded');
    try {
      const records = await merged(waiting);
      if (records.length > 0) await this.#store.add(records);
      const now = this.#clock.now();
      if (now - this.#prunedAt < pruneEveryMs) return;
      this.#prunedAt = now;
      await this.#store.prune(now - keptMs, maxKept);
    } catch (error) {
      this.#log.error({ err: error, decisions: waiting.length }, 'decisions of the border were not recorded');
    }
  }
}

/** Questions of one kind are mostly the same question. */
function kindOf(question: Question): string {
  const { action, direction, remoteServer } = question;
  const local = 'local' in question ? question.local?.userId : undefined;
  const room = 'room' in question ? question.room?.roomId : undefined;
  const type = 'eventType' in question ? question.eventType : undefined;
  return `${action} ${direction} ${remoteServer} ${local} ${room} ${type}`;
}

/** Plain data: the same values, or the same objects. */
function isSame(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false;
  if (Array.isArray(one)) {
    if (!Array.isArray(other) || one.length !== other.length) return false;
    return one.every((value, index) => isSame(value, other[index]));
  }
  const [left, right] = [one as Record<string, unknown>, other as Record<string, unknown>];
  let keys = 0;
  for (const key in left) {
    if (!isSame(left[key], right[key])) return false;
    keys += 1;
  }
  for (const _key in right) keys -= 1;
  return keys === 0;
}

/** One record for each question and answer. */
async function merged(all: readonly Asked[]): Promise<DecisionRecord[]> {
  const records = new Map<string, DecisionRecord>();
  for (const [index, asked] of all.entries()) {
    const { question, decision, firstTs, lastTs, times } = asked;
    if (index % perTurn === perTurn - 1) await new Promise((resolve) => setImmediate(resolve));
    if (isHalfway(question, decision)) continue;
    // Built in one place, so equal questions are equal texts; the digest does not depend on that.
    const key = JSON.stringify([briefly(question), violationsOf(decision)]);
    const known = records.get(key);
    if (known === undefined) records.set(key, recordOf(key, { firstTs, lastTs, times }));
    else records.set(key, { ...known, lastTs, times: known.times + times });
  }
  return [...records.values()];
}

/** A file that is being fetched is judged again with each piece of it: only a refusal is news. */
function isHalfway(question: Question, decision: Decision): boolean {
  return (
    decision.allowed &&
    question.action === 'file' &&
    question.file.size !== undefined &&
    question.file.mime === undefined
  );
}

/** What is recorded of a question: no free text, and nothing that makes equal ones differ. */
function briefly(question: Question): Question {
  const { verdict, quotaMs } = question;
  return {
    ...question,
    ...('remote' in question ? { remote: question.remote.slice(0, maxPeople) } : {}),
    ...('audience' in question ? { audience: question.audience?.slice(0, maxPeople) } : {}),
    ...(verdict === undefined ? {} : { verdict: { decision: verdict.decision } }),
    ...(quotaMs === undefined ? {} : { quotaMs: quotaMs > 0 ? 1 : 0 }),
  };
}

function violationsOf(decision: Decision): readonly object[] {
  if (decision.allowed) return [];
  return decision.violations.map(({ code, message, rule }) =>
    // What a callback said is its own affair.
    code === 'callback_denied' ? { code, message: 'The callback refused it', rule } : { code, message, rule },
  );
}

function recordOf(key: string, when: Pick<DecisionRecord, 'firstTs' | 'lastTs' | 'times'>): DecisionRecord {
  // The text was written a moment ago.
  const [question, violations] = parseJson(key) as [JsonObject, JsonValue[]];
  const codes = violations.map((violation) => (isObject(violation) ? violation['code'] : null));
  const digest = createHash('sha256')
    .update(JSON.stringify([question, codes], sortedKeys))
    .digest('base64');
  return { digest, question, violations, ...when };
}

function sortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
