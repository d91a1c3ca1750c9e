import type { Person } from '../../policy/who.ts';
import { parseUserId } from '../../protocol/identifiers.ts';

/** Our people as policies see them: with their departments. In memory, since every event asks. */
export class LocalPeople {
  readonly #serverName: string;
  readonly #departments: Map<string, readonly string[]>;

  /** `departments` by local part. */
  constructor(serverName: string, departments: ReadonlyMap<string, readonly string[]>) {
    this.#serverName = serverName;
    this.#departments = new Map(departments);
  }

  person(userId: string): Person {
    const user = parseUserId(userId);
    const isOurs = user?.serverName === this.#serverName;
    return { userId, departments: isOurs ? (this.#departments.get(user.localpart) ?? []) : [] };
  }

  /** To be called after the change is on disk. */
  setDepartments(localpart: string, departments: readonly string[]): void {
    this.#departments.set(localpart, [...new Set(departments)].sort());
  }
}
