/** People of either side as a policy names them: everyone, or all that at least one entry fits. */
export type Who = 'everyone' | readonly WhoEntry[];

/** A user id, a whole department of ours, or a server's people by `"*"` in the file (which is `everyone`). */
export type WhoEntry = { readonly user: string } | { readonly department: string };

/** A person as the rules see them. Only people of ours have departments here. */
export interface Person {
  readonly userId: string;
  readonly departments: readonly string[];
}

export function includes(who: Who, person: Person): boolean {
  if (who === 'everyone') return true;
  return who.some((entry) =>
    'user' in entry ? entry.user === person.userId : person.departments.includes(entry.department),
  );
}
