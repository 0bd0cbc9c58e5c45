import { Random } from '../crash/random.js';

/** A number of 32 bits from a seed and a name: what is drawn under one name does not depend on what others draw. */
export function hashOf(seed: number, name: string): number {
  let hash = 2_166_136_261 ^ Math.imul(seed, 2_654_435_761);
  for (let index = 0; index < name.length; index++) hash = Math.imul(hash ^ name.charCodeAt(index), 16_777_619);
  hash = Math.imul(hash ^ (hash >>> 16), 2_246_822_507);
  hash = Math.imul(hash ^ (hash >>> 13), 3_266_489_909);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** 0 <= chance < 1, of one named thing. */
export const chanceOf = (seed: number, name: string): number => hashOf(seed, name) / 2 ** 32;

/** A sequence of its own for one named thing. */
export const randomOf = (seed: number, name: string): Random => new Random(hashOf(seed, name));

/** 128 bits in hexadecimal. */
export function bitsOf(random: Random): string {
  let text = '';
  while (text.length < 32)
    text += Math.floor(random.next() * 2 ** 32)
      .toString(16)
      .padStart(8, '0');
  return text;
}

export { Random };
