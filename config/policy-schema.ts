import Type, { type Static } from 'typebox';
import type { TextKind } from './kinds.ts';

function text(kind: TextKind, description: string) {
  return Type.String({ kind, description });
}

const closed = { additionalProperties: false };

const people = Type.Object(
  {
    everyone: Type.Optional(Type.Boolean({ description: '[reload] true: everybody of ours.' })),
    departments: Type.Optional(
      Type.Array(text('line', 'A department.'), { minItems: 1, description: '[reload] Everybody of these.' }),
    ),
    users: Type.Optional(
      Type.Array(text('user-id', '@ann:acme.example'), {
        minItems: 1,
        description: '[reload] These people.',
      }),
    ),
  },
  closed,
);

const inviteRule = (description: string) =>
  Type.Optional(Type.Enum(['allow', 'approve', 'deny'], { description }));
const shared = (what: string, byDefault: boolean) =>
  Type.Optional(Type.Boolean({ description: `[reload] ${what}; ${byDefault} by default.` }));

/** The `policy:` of a partner or of `partner_defaults`. */
export const policySchema = Type.Object(
  {
    allow_local: Type.Optional(
      Type.Array(people, {
        minItems: 1,
        description: '[reload] Who of ours the partnership is for; everyone by default.',
      }),
    ),
    allow_remote: Type.Optional(
      Type.Array(text('remote-user', '"*", or @bob:bolt.example'), {
        minItems: 1,
        description: '[reload] Who of theirs it is for; "*", everyone, by default.',
      }),
    ),
    invites: Type.Optional(
      Type.Object(
        {
          outbound: inviteRule('[reload] May ours invite theirs? allow by default.'),
          inbound: inviteRule('[reload] May theirs invite ours? allow by default.'),
        },
        closed,
      ),
    ),
    rooms: Type.Optional(
      Type.Object(
        {
          remote_may_create: Type.Optional(
            Type.Boolean({ description: '[reload] May ours be in rooms that theirs made? true by default.' }),
          ),
          encryption: Type.Optional(
            Type.Enum(['required', 'optional', 'forbidden'], {
              description: '[reload] End-to-end encryption of what crosses; optional by default.',
            }),
          ),
          third_parties: Type.Optional(
            Type.Enum(['deny', 'listed', 'allow'], {
              description:
                '[reload] Further servers in a room shared with them: none, partners of ours, any; deny by default.',
            }),
          ),
          max_remote_power_level: Type.Optional(
            Type.Integer({
              minimum: 0,
              maximum: 100,
              description: '[reload] The highest power level that theirs may have; 100 by default.',
            }),
          ),
          history_visibility: Type.Optional(
            Type.Array(
              Type.Enum(['invited', 'joined', 'shared', 'world_readable'], { description: 'A value.' }),
              {
                minItems: 1,
                description: '[reload] What the history visibility of a shared room may be; any by default.',
              },
            ),
          ),
        },
        closed,
      ),
    ),
    files: Type.Optional(
      Type.Object(
        {
          direction: Type.Optional(
            Type.Enum(['both', 'outbound', 'inbound', 'none'], {
              description: '[reload] Which way files cross; both by default.',
            }),
          ),
          max_size: Type.Optional(
            text('size', '[reload] The largest file that crosses; any size by default.'),
          ),
          mime: Type.Optional(
            Type.Array(text('media-type', '"application/pdf" or "image/*"'), {
              minItems: 1,
              description: '[reload] Which types of files cross; any by default.',
            }),
          ),
        },
        closed,
      ),
    ),
    directory: Type.Optional(
      Type.Object(
        {
          expose: Type.Optional(
            Type.Array(people, { description: '[reload] Whom of ours they find; nobody by default.' }),
          ),
          fields: Type.Optional(
            Type.Array(
              Type.Enum(['display_name', 'avatar', 'title', 'department'], { description: 'A field.' }),
              {
                description: '[reload] Which fields they see; display_name and avatar by default.',
              },
            ),
          ),
        },
        closed,
      ),
    ),
    share: Type.Optional(
      Type.Object(
        {
          presence: shared('Who is online', false),
          typing: shared('Who is typing', true),
          receipts: shared('Who has read what', true),
          device_names: shared('The names of devices', false),
        },
        closed,
      ),
    ),
    label: Type.Optional(
      Type.Object(
        {
          show: Type.Optional(
            Type.Boolean({
              description:
                '[reload] Whether our clients see of theirs that they are external; true by default. What a client has stays until it syncs the room anew.',
            }),
          ),
          suffix: Type.Optional(
            text(
              'line',
              '[reload] Stands after their display names, such as " (Bolt)"; made of display_name by default.',
            ),
          ),
        },
        closed,
      ),
    ),
    events: Type.Optional(
      Type.Object(
        {
          deny: Type.Optional(
            Type.Array(text('line', 'An event type.'), {
              description: '[reload] Event types that do not cross.',
            }),
          ),
        },
        closed,
      ),
    ),
  },
  { ...closed, description: '[reload] What may cross. Both sides have one, and the stricter rules.' },
);

export type RawPolicy = Static<typeof policySchema>;
export type RawPeople = Static<typeof people>;
