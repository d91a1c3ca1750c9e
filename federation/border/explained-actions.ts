/** What `policy explain` answers for. In a file that imports nothing, so that the help of the command loads quickly. */
export const explainedActions = [
  'message',
  'file',
  'invite',
  'join',
  'create-room',
  'profile',
  'directory',
  'presence',
  'typing',
  'receipt',
] as const;

export type ExplainedAction = (typeof explainedActions)[number];
