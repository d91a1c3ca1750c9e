import type { JsonObject, JsonValue } from '../../protocol/json.ts';
import { parseJson } from '../../protocol/json.ts';
import type { Reader } from '../connection.ts';
import type { Tx, Writer } from '../writer.ts';

/** A question that the border was asked, with its answer, and how often. Times in milliseconds. */
export interface DecisionRecord {
  /** SHA-256 of question and answer: equal ones are one row. */
  readonly digest: string;
  readonly question: JsonObject;
  /** Empty where it was allowed. */
  readonly violations: JsonValue[];
  readonly firstTs: number;
  readonly lastTs: number;
  readonly times: number;
}

interface DecisionRow {
  readonly digest: string;
  readonly question: string;
  readonly violations: string;
  readonly first_ts: number;
  readonly last_ts: number;
  readonly times: number;
}

const pageSize = 1_000;

/** Decisions of the border, for `policy replay`: a protocol that is pruned, not evidence (that is the audit log). */
export class DecisionStore {
  readonly #reader: Reader;
  readonly #writer: Writer;

  constructor(reader: Reader, writer: Writer) {
    this.#reader = reader;
    this.#writer = writer;
  }

  /** Adds to the rows that are there. */
  async add(records: readonly DecisionRecord[]): Promise<void> {
    await this.#writer.transact('decisions', async (tx) => {
      for (const record of records) await addOne(tx, record);
    });
  }

  /** Those that came at or after a time, in the order of their digests, from after one on. Index: decisions_pkey. */
  async page(since: number, after = ''): Promise<DecisionRecord[]> {
    const rows = await this.#reader.query<DecisionRow>(
      'SELECT * FROM decisions WHERE digest > ? AND last_ts >= ? ORDER BY digest LIMIT ?',
      [after, since, pageSize],
    );
    return rows.map((row) => ({
      digest: row.digest,
      // Only `add` writes these columns.
      question: parseJson(row.question) as JsonObject,
      violations: parseJson(row.violations) as JsonValue[],
      firstTs: row.first_ts,
      lastTs: row.last_ts,
      times: row.times,
    }));
  }

  /** Forgets what came last before a time, and of the rest the oldest beyond `most`. Index: decisions_last. */
  async prune(before: number, most: number): Promise<void> {
    await this.#writer.transact('prune decisions', async (tx) => {
      await tx.query('DELETE FROM decisions WHERE last_ts < ?', [before]);
      await tx.query(
        `DELETE FROM decisions WHERE last_ts <
           (SELECT last_ts FROM decisions ORDER BY last_ts DESC LIMIT 1 OFFSET ?)`,
        [most - 1],
      );
    });
  }
}

/** Many rows have one form, so the statement is prepared once. */
async function addOne(tx: Tx, record: DecisionRecord): Promise<void> {
  const { digest, question, violations, firstTs, lastTs, times } = record;
  await tx.query(
    `INSERT INTO decisions (digest, question, violations, first_ts, last_ts, times) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (digest) DO UPDATE SET violations = excluded.violations, last_ts = excluded.last_ts,
       times = decisions.times + excluded.times`,
    [digest, JSON.stringify(question), JSON.stringify(violations), firstTs, lastTs, times],
  );
}
