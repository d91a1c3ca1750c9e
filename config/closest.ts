import leven from 'leven';

/** The known word that was probably meant, or undefined where none is near enough to be worth naming. */
export function closest(word: string, known: readonly string[]): string | undefined {
  const simple = simplified(word);
  let best: { word: string; distance: number } | undefined;
  for (const candidate of known) {
    const distance = leven(simple, simplified(candidate));
    if (best === undefined || distance < best.distance) best = { word: candidate, distance };
  }
  return best !== undefined && best.distance <= Math.max(1, Math.floor(word.length / 3))
    ? best.word
    : undefined;
}

function simplified(word: string): string {
  return word.toLowerCase().replace(/[-_ ]/g, '');
}
