import { containsWords, matchesGlob, matchesWords } from '../glob.ts';
import { isObject, type JsonObject, type JsonValue } from '../json.ts';
import { propertyPath } from '../property-path.ts';
import {
  type PushCondition,
  type PushRule,
  type PushRuleKind,
  type PushRuleset,
  pushRuleKinds,
} from './default-rules.ts';

/** What the conditions ask besides the event. */
export interface PushFacts {
  readonly userId: string;
  /** The user's display name in the room. */
  readonly displayName: string | undefined;
  /** Joined members of the room. */
  readonly memberCount: number;
  /** Whether the sender's power suffices for `notifications.{key}`. */
  mayNotify(sender: string, key: string): boolean;
}

export interface PushOutcome {
  readonly notify: boolean;
  readonly highlight: boolean;
  readonly sound: string | undefined;
}

const nothing: PushOutcome = { notify: false, highlight: false, sound: undefined };

/** What the first matching rule says of an event. Nobody is notified of what they sent themselves. */
export function evaluatePushRules(rules: PushRuleset, event: JsonObject, facts: PushFacts): PushOutcome {
  if (event['sender'] === facts.userId) return nothing;
  for (const kind of pushRuleKinds) {
    for (const rule of rules[kind]) {
      if (rule.enabled && matches(kind, rule, event, facts)) return outcomeOf(rule);
    }
  }
  return nothing;
}

function outcomeOf(rule: PushRule): PushOutcome {
  let outcome = nothing;
  for (const action of rule.actions) {
    if (action === 'notify') outcome = { ...outcome, notify: true };
    else if (typeof action === 'string') continue;
    else if (action.set_tweak === 'highlight') outcome = { ...outcome, highlight: action.value !== false };
    else if (action.set_tweak === 'sound' && typeof action.value === 'string') {
      outcome = { ...outcome, sound: action.value };
    }
  }
  return outcome;
}

function matches(kind: PushRuleKind, rule: PushRule, event: JsonObject, facts: PushFacts): boolean {
  switch (kind) {
    case 'override':
    case 'underride':
      return (rule.conditions ?? []).every((condition) => holds(condition, event, facts));
    case 'content':
      return matchesProperty(event, 'content.body', rule.pattern);
    case 'room':
      return event['room_id'] === rule.rule_id;
    case 'sender':
      return event['sender'] === rule.rule_id;
  }
}

function holds(condition: PushCondition, event: JsonObject, facts: PushFacts): boolean {
  switch (condition.kind) {
    case 'event_match':
      return matchesProperty(event, condition.key, condition.pattern);
    case 'event_property_is': {
      const value = propertyAt(event, condition.key);
      return isSimple(value) && value === condition.value;
    }
    case 'event_property_contains': {
      const value = propertyAt(event, condition.key);
      return Array.isArray(value) && isSimple(condition.value) && value.includes(condition.value);
    }
    case 'contains_display_name': {
      const body = propertyAt(event, 'content.body');
      const { displayName } = facts;
      const isNamed = displayName !== undefined && displayName !== '';
      return isNamed && typeof body === 'string' && containsWords(displayName, body);
    }
    case 'room_member_count':
      return comparesTo(condition.is ?? '', facts.memberCount);
    case 'sender_notification_permission':
      return typeof event['sender'] === 'string' && facts.mayNotify(event['sender'], condition.key ?? '');
    default:
      // An unknown condition matches nothing.
      return false;
  }
}

function comparesTo(is: string, count: number): boolean {
  const match = /^(==|<=|>=|<|>)?(-?\d+)$/.exec(is);
  if (match === null) return false;
  const bound = Number(match[2]);
  switch (match[1]) {
    case '<':
      return count < bound;
    case '>':
      return count > bound;
    case '<=':
      return count <= bound;
    case '>=':
      return count >= bound;
    default:
      return count === bound;
  }
}

function isSimple(value: JsonValue | undefined): value is string | number | boolean | null {
  return value === null || (value !== undefined && typeof value !== 'object');
}

/** Only the body is searched; of every other property the whole value has to match. */
function matchesProperty(event: JsonObject, path: string | undefined, pattern: string | undefined): boolean {
  const value = propertyAt(event, path);
  if (typeof value !== 'string' || pattern === undefined) return false;
  return path === 'content.body' ? matchesWords(pattern, value) : matchesGlob(pattern, value);
}

function propertyAt(event: JsonObject, path: string | undefined): JsonValue | undefined {
  if (path === undefined) return undefined;
  let value: JsonValue | undefined = event;
  for (const key of propertyPath(path)) {
    if (!isObject(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}
