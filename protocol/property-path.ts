/** The keys of a dot-separated path (appendices, "Dot-separated property paths"): a backslash escapes a dot or itself. */
export function propertyPath(path: string): string[] {
  const keys: string[] = [];
  let key = '';
  for (let index = 0; index < path.length; index++) {
    const char = path.charAt(index);
    const next = path[index + 1];
    if (char === '\\' && (next === '.' || next === '\\')) {
      key += next;
      index++;
    } else if (char === '.') {
      keys.push(key);
      key = '';
    } else {
      key += char;
    }
  }
  keys.push(key);
  return keys;
}
