import leven from 'leven';

/** The known word that was probably meant, or undefined where none is near enough to be worth naming. */
export function closest(word: string, known: readonly string[]): string | undefined {
  const simple = simplified(word);
  let best: { word: string; distance: number } | undefined;
  for (const candidate of known) {
    const distance = distanceOf(simple, simplified(candidate));
    if (best === undefined || distance < best.distance) best = { word: candidate, distance };
  }
  return best !== undefined && best.distance <= Math.max(1, Math.floor(word.length / 3))
    ? best.word
    : undefined;
}

/** Letters that changed places count as one mistake. */
function distanceOf(word: string, other: string): number {
  return sorted(word) === sorted(other) ? Math.min(1, leven(word, other)) : leven(word, other);
}

function sorted(word: string): string {
  return [...word].sort().join('');
}

function simplified(word: string): string {
  return word.toLowerCase().replace(/[-_ ]/g, '');
}
