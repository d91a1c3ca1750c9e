import type { Decision, ViolationCode } from '../../policy/decision.ts';
import type { Question } from '../../policy/question.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Clock } from '../../protocol/runtime.ts';
import type { AuditEvent } from '../../storage/audit/chain.ts';
import { MergedLines } from '../../storage/audit/merged-lines.ts';

const windowMs = 60_000;
/** What is withheld without anybody having asked for it (typing, presence) is summed up for so long. */
const quietWindowMs = 3_600_000;
const maxPeople = 10;

const quietCodes: ReadonlySet<ViolationCode> = new Set([
  'presence_not_shared',
  'typing_not_shared',
  'receipts_not_shared',
  'device_names_not_shared',
]);

/**
 * The border's denials as lines of the audit log: the first of a kind at once, its repetitions within a minute as
 * one line with a count when the minute is over.
 */
export class DenialLog {
  readonly #loud: MergedLines;
  readonly #quiet: MergedLines;

  constructor(deps: { record: (event: AuditEvent) => void; clock: Clock }) {
    this.#loud = new MergedLines({ ...deps, windowMs });
    this.#quiet = new MergedLines({ ...deps, windowMs: quietWindowMs });
  }

  /** `eventId`: the event that took its place in quarantine; each one is named. */
  asked(question: Question, decision: Decision, eventId?: string): void {
    if (decision.allowed) return;
    const codes = [...new Set(decision.violations.map(({ code }) => code))];
    const rules = [...new Set(decision.violations.map(({ rule }) => rule))];
    const { action, direction, remoteServer } = question;
    const common = { action, direction, codes, rules };
    const kind = {
      action: 'border.deny',
      outcome: 'denied',
      actor: remoteServer,
      subject: remoteServer,
    } as const;
    if (codes.every((code) => quietCodes.has(code))) {
      const summary = { ...kind, detail: common };
      this.#quiet.add(summary, summary);
      return;
    }
    const event = denial(question, common);
    const named = eventId === undefined ? {} : { event_id: eventId };
    this.#loud.add(
      { ...event, detail: { ...event.detail, ...named } },
      { ...kind, detail: { action, direction } },
    );
  }

  /** A callback lets it pass with a warning. What it says of it stays out: it may quote what somebody wrote. */
  warned(question: Question): void {
    const { action, direction, remoteServer, verdict } = question;
    const code = verdict?.decision === 'none' ? 'callback_unanswered' : 'callback_warned';
    const event = denial(question, { action, direction, codes: [code] });
    const warning = { ...event, action: 'border.warn', outcome: 'done' } as const;
    this.#loud.add(warning, {
      action: 'border.warn',
      outcome: 'done',
      actor: remoteServer,
      subject: remoteServer,
      detail: { action, direction },
    });
  }

  /** Writes the counts that are not written yet. */
  flush(): void {
    this.#loud.end();
    this.#quiet.end();
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
