import type { Decision, ViolationCode } from '../policy/decision.ts';
import type { Question } from '../policy/question.ts';
import type { JsonObject } from '../protocol/json.ts';
import type { Clock } from '../protocol/runtime.ts';
import type { AuditEvent } from '../storage/audit/chain.ts';

/** Equal denials within this time are one more line with their number. */
const windowMs = 60_000;
/** What is withheld without anybody having asked for it (typing, presence) is summed up for so long. */
const quietWindowMs = 3_600_000;
/** Different denials in a window; of more, one line each tells the number for a partner and action. */
const maxLines = 200;
const maxPeople = 10;

const quietCodes: ReadonlySet<ViolationCode> = new Set([
  'presence_not_shared',
  'typing_not_shared',
  'receipts_not_shared',
  'device_names_not_shared',
]);

/** A line of the audit log that was written, and how often the same happened since. */
interface Repeated {
  readonly event: AuditEvent;
  more: number;
}

/**
 * The border's denials as lines of the audit log: the first of a kind at once, its repetitions within a minute as
 * one line with a count when the minute is over. So a flood of them cannot fill the disk.
 */
export class DenialLog {
  readonly #record: (event: AuditEvent) => void;
  readonly #clock: Clock;
  readonly #loud: Window;
  readonly #quiet: Window;

  constructor(deps: { record: (event: AuditEvent) => void; clock: Clock }) {
    this.#record = deps.record;
    this.#clock = deps.clock;
    this.#loud = this.#window(windowMs);
    this.#quiet = this.#window(quietWindowMs);
  }

  /** `eventId`: the event that took its place in quarantine. */
  asked(question: Question, decision: Decision, eventId?: string): void {
    if (decision.allowed) return;
    const codes = [...new Set(decision.violations.map(({ code }) => code))];
    const isQuiet = codes.every((code) => quietCodes.has(code));
    const rules = [...new Set(decision.violations.map(({ rule }) => rule))];
    const { action, direction, remoteServer } = question;
    const common = { action, direction, codes, rules };
    if (isQuiet) {
      this.#quiet.add(JSON.stringify([remoteServer, common]), {
        action: 'border.deny',
        outcome: 'denied',
        actor: remoteServer,
        subject: remoteServer,
        detail: common,
      });
      return;
    }
    const event = denial(question, common);
    const key = JSON.stringify([event.actor, remoteServer, event.detail]);
    const line = eventId === undefined ? event : { ...event, detail: { ...event.detail, event_id: eventId } };
    if (eventId === undefined) this.#loud.add(key, line);
    // Each event in quarantine is named, as long as there are not too many of them.
    else this.#loud.add(`${key} ${eventId}`, line);
  }

  /** Writes the counts that are not written yet. */
  flush(): void {
    this.#loud.end();
    this.#quiet.end();
  }

  #window(ms: number): Window {
    return new Window({ ms, clock: this.#clock, record: this.#record });
  }
}

/** The lines of some time, and their repetitions. */
class Window {
  readonly #deps: { ms: number; clock: Clock; record: (event: AuditEvent) => void };
  readonly #lines = new Map<string, Repeated>();
  readonly #beyond = new Map<string, Repeated>();

  constructor(deps: { ms: number; clock: Clock; record: (event: AuditEvent) => void }) {
    this.#deps = deps;
  }

  add(key: string, event: AuditEvent): void {
    const known = this.#lines.get(key);
    if (known !== undefined) {
      known.more += 1;
      return;
    }
    if (this.#lines.size + this.#beyond.size === 0)
      this.#deps.clock.setTimer(this.#deps.ms, () => this.end());
    if (this.#lines.size < maxLines) {
      this.#lines.set(key, { event, more: 0 });
      this.#deps.record(event);
      return;
    }
    const { actor, subject, detail = {} } = event;
    const summed = { action: detail['action'] ?? null, direction: detail['direction'] ?? null };
    const sum = `${subject} ${JSON.stringify(summed)}`;
    const counted = this.#beyond.get(sum);
    if (counted !== undefined) counted.more += 1;
    else if (this.#beyond.size < maxLines)
      this.#beyond.set(sum, { event: { ...event, actor: subject ?? actor, detail: summed }, more: 1 });
  }

  end(): void {
    for (const { event, more } of [...this.#lines.values(), ...this.#beyond.values()])
      if (more > 0) this.#deps.record({ ...event, detail: { ...event.detail, times: more } });
    this.#lines.clear();
    this.#beyond.clear();
  }
}

function denial(question: Question, common: JsonObject): AuditEvent {
  const { remoteServer, direction } = question;
  const local = 'local' in question ? question.local?.userId : undefined;
  const remote = 'remote' in question ? question.remote : [];
  const room = 'room' in question ? question.room?.roomId : undefined;
  const eventType = 'eventType' in question ? question.eventType : undefined;
  const thirdParty = question.action === 'third-party' ? question.server : undefined;
  const actor = direction === 'outbound' ? local : remote[0];
  return {
    action: 'border.deny',
    outcome: 'denied',
    actor: actor ?? remoteServer,
    subject: remoteServer,
    detail: {
      ...common,
      ...(local === undefined ? {} : { local }),
      ...(remote.length === 0 ? {} : { remote: remote.slice(0, maxPeople) }),
      ...(remote.length > maxPeople ? { people: remote.length } : {}),
      ...(room === undefined ? {} : { room }),
      ...(eventType === undefined ? {} : { event_type: eventType }),
      ...(thirdParty === undefined ? {} : { third_party: thirdParty }),
    },
  };
}
