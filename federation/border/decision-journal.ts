import type { Logger } from 'pino';
import type { Decision } from '../../policy/decision.ts';
import type { Question } from '../../policy/question.ts';
import type { Clock } from '../../protocol/runtime.ts';
import type { Database } from '../../storage/database.ts';
import { DecisionRecorder } from './decision-recorder.ts';
import { DenialLog } from './denial-log.ts';

/** What is kept of the border's answers: all of them for `policy replay`, denials in the audit log. */
export class DecisionJournal {
  readonly #recorder: DecisionRecorder;
  readonly #denials: DenialLog;

  constructor(deps: { db: Database; clock: Clock; log: Logger }) {
    const { db, clock, log } = deps;
    this.#recorder = new DecisionRecorder({ store: db.decisions, clock, log });
    this.#denials = new DenialLog({ record: (event) => db.audit.record(event), clock });
  }

  /** Costs next to nothing: it is called in hot paths. */
  readonly asked = (question: Question, decision: Decision, eventId?: string): void => {
    this.#recorder.asked(question, decision);
    if (!decision.allowed) this.#denials.asked(question, decision, eventId);
  };

  readonly warned = (question: Question): void => this.#denials.warned(question);

  /** Writes what waits. */
  async flush(): Promise<void> {
    this.#denials.flush();
    await this.#recorder.flush();
  }
}
