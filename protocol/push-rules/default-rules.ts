import type { JsonValue } from '../json.ts';

/** Push rules (Client-Server API, "Push Rules"): their shapes, and the server-default rules of a user. */

export type PushRuleKind = 'override' | 'content' | 'room' | 'sender' | 'underride';

/** In the order in which they are checked. */
export const pushRuleKinds: readonly PushRuleKind[] = ['override', 'content', 'room', 'sender', 'underride'];

export type PushAction = 'notify' | { readonly set_tweak: string; readonly value?: JsonValue };

export interface PushCondition {
  readonly kind: string;
  readonly key?: string;
  readonly pattern?: string;
  readonly value?: JsonValue;
  readonly is?: string;
}

export interface PushRule {
  readonly rule_id: string;
  readonly default: boolean;
  readonly enabled: boolean;
  readonly actions: readonly PushAction[];
  /** Of override and underride rules. */
  readonly conditions?: readonly PushCondition[];
  /** Of content rules. */
  readonly pattern?: string;
}

export type PushRuleset = Readonly<Record<PushRuleKind, readonly PushRule[]>>;

const silently: readonly PushAction[] = [];
const notify: readonly PushAction[] = ['notify'];
const withSound: readonly PushAction[] = ['notify', { set_tweak: 'sound', value: 'default' }];
const ringing: readonly PushAction[] = ['notify', { set_tweak: 'sound', value: 'ring' }];
const highlighted: readonly PushAction[] = ['notify', { set_tweak: 'highlight' }];
const loud: readonly PushAction[] = [...withSound, { set_tweak: 'highlight' }];

const match = (key: string, pattern: string): PushCondition => ({ kind: 'event_match', key, pattern });
const isTwo: PushCondition = { kind: 'room_member_count', is: '2' };
const mayNotifyRoom: PushCondition = { kind: 'sender_notification_permission', key: 'room' };

function rule(name: string, conditions: readonly PushCondition[], actions: readonly PushAction[]): PushRule {
  return { rule_id: `.m.rule.${name}`, default: true, enabled: true, conditions, actions };
}

/**
 * "Predefined Rules", in the specification's order. Since version 1.17 there are none that look for names in the
 * body: mentions are what `m.mentions` says.
 */
export function defaultPushRules(userId: string): PushRuleset {
  return {
    override: [
      { ...rule('master', [], silently), enabled: false },
      rule('suppress_notices', [match('content.msgtype', 'm.notice')], silently),
      rule(
        'invite_for_me',
        [match('type', 'm.room.member'), match('content.membership', 'invite'), match('state_key', userId)],
        withSound,
      ),
      rule('member_event', [match('type', 'm.room.member')], silently),
      rule(
        'is_user_mention',
        [{ kind: 'event_property_contains', key: 'content.m\\.mentions.user_ids', value: userId }],
        loud,
      ),
      rule(
        'is_room_mention',
        [{ kind: 'event_property_is', key: 'content.m\\.mentions.room', value: true }, mayNotifyRoom],
        highlighted,
      ),
      rule('tombstone', [match('type', 'm.room.tombstone'), match('state_key', '')], highlighted),
      rule('reaction', [match('type', 'm.reaction')], silently),
      rule('room.server_acl', [match('type', 'm.room.server_acl'), match('state_key', '')], silently),
      rule(
        'suppress_edits',
        [{ kind: 'event_property_is', key: 'content.m\\.relates_to.rel_type', value: 'm.replace' }],
        silently,
      ),
    ],
    content: [],
    room: [],
    sender: [],
    underride: [
      rule('call', [match('type', 'm.call.invite')], ringing),
      rule('encrypted_room_one_to_one', [isTwo, match('type', 'm.room.encrypted')], withSound),
      rule('room_one_to_one', [isTwo, match('type', 'm.room.message')], withSound),
      rule('message', [match('type', 'm.room.message')], notify),
      rule('encrypted', [match('type', 'm.room.encrypted')], notify),
    ],
  };
}
