/** What somebody may do, in the order of the documentation. Who has several may do what any of them may. */
export const roles = ['owner', 'admin', 'partner-manager', 'security', 'auditor', 'support'] as const;

export type Role = (typeof roles)[number];

export const roleMeanings: Readonly<Record<Role, string>> = {
  owner: 'gives roles, their own as well',
  admin: 'people and rooms',
  'partner-manager': 'partners and policy',
  security: 'suspension, keys, quarantine',
  auditor: 'reads the audit log, and changes nothing',
  support: 'sees the state of users and links, and ends sessions',
};

/** Those of some names that are roles, in the order of the documentation. */
export function rolesIn(names: Iterable<string>): Role[] {
  const held = new Set(names);
  return roles.filter((role) => held.has(role));
}
