import { describe, expect, it } from '@jest/globals';
import { defaultCodec, type Carried } from '../../lib/core/payload.js';

// Checked by the compiler: `npm run typecheck` fails when a line does not hold.
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Flat<T> = { [K in keyof T]: T[K] };
const holds = <T extends true>(): T | undefined => undefined;

type Brand = string & { readonly __brand: 'OrderId' };
type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
type Rich = undefined | Date | readonly Rich[] | Map<string, Rich> | Set<Rich> | { readonly [key: string]: Rich };

interface Tree {
  readonly at: Date;
  readonly children: readonly Tree[];
  parent?: Tree;
  readonly pair?: readonly [Tree, Tree];
}

class Money {
  readonly currency = 'EUR';
  note?: string;
  onChange?: () => void;
  readonly #secret = 1;
  private readonly inner = 2;
  constructor(readonly amount: bigint) {}
  plus(other: Money): Money {
    return new Money(this.amount + other.amount + BigInt(this.#secret + this.inner));
  }
}

interface PlainMoney {
  readonly currency: 'EUR';
  note?: string;
  readonly amount: bigint;
}

describe('Carried', () => {
  it('is the identity for data', () => {
    holds<Same<Carried<string | undefined>, string | undefined>>();
    holds<Same<Carried<void>, void>>();
    holds<Same<Carried<bigint | null>, bigint | null>>();
    holds<Same<Carried<Brand>, Brand>>();
    holds<Same<Carried<Date | URL | RegExp | Error>, Date | URL | RegExp | Error>>();
    holds<Same<Carried<Uint8Array | Buffer | ArrayBuffer>, Uint8Array | Buffer | ArrayBuffer>>();
    holds<Same<Carried<[a: string, b?: Date]>, [a: string, b?: Date]>>();
    holds<Same<Carried<readonly [1, 2]>, readonly [1, 2]>>();
    holds<Same<Carried<readonly Date[]>, readonly Date[]>>();
    holds<Same<Carried<Date[]>, Date[]>>();
    holds<Same<Carried<[string, ...number[]]>, [string, ...number[]]>>();
    holds<Same<Carried<Map<string, Date>>, Map<string, Date>>>();
    holds<Same<Carried<Set<bigint>>, Set<bigint>>>();
    holds<Same<Carried<ReadonlyMap<string, Date>>, ReadonlyMap<string, Date>>>();
    holds<Same<Carried<ReadonlySet<bigint>>, ReadonlySet<bigint>>>();
    holds<Same<Carried<Record<string, number>>, Record<string, number>>>();
    holds<Same<Flat<Carried<{ readonly a?: number; b: string | null }>>, { readonly a?: number; b: string | null }>>();
    holds<Same<Carried<{ kind: 'a'; a: 1 } | { kind: 'b' }>, { kind: 'a'; a: 1 } | { kind: 'b' }>>();
    expect(defaultCodec.decode(defaultCodec.encode(1, 'x'))).toBe(1);
  });

  it('leaves unknown, any and never as they are', () => {
    holds<Same<Carried<unknown>, unknown>>();
    holds<Same<Carried<never>, never>>();
    holds<Same<Carried<{ a: unknown }>, { a: unknown }>>();
    // eslint-disable-next-line typescript/no-explicit-any
    holds<Same<Carried<{ a: any }>, { a: any }>>();
    // eslint-disable-next-line typescript/no-explicit-any
    holds<Same<Carried<any>, any>>();
    expect(defaultCodec.decode(defaultCodec.encode({ a: 1 }, 'x'))).toEqual({ a: 1 });
  });

  it('has the fields of a class instance and none of its methods, however deep it stands', () => {
    holds<Same<Flat<Carried<Money>>, PlainMoney>>();
    const carried = {} as Carried<{ prices: Money[]; byName: Map<string, Money>; first?: readonly [Money] }>;
    holds<Same<Flat<(typeof carried)['prices'][number]>, PlainMoney>>();
    holds<Same<typeof carried.byName, Map<string, Carried<Money>>>>();
    holds<Same<typeof carried.first, readonly [Carried<Money>] | undefined>>();
    expect(Object.keys(defaultCodec.decode(defaultCodec.encode(new Money(1n), 'x')) as object)).toContain('amount');
  });

  it('takes recursive types', () => {
    const tree = (value: Tree): Carried<Tree> => value;
    const treeBack = (value: Carried<Tree>): Tree => value;
    const json = (value: Json): Carried<Json> => value;
    const jsonBack = (value: Carried<Json>): Json => value;
    const rich = (value: Rich): Carried<Rich> => value;
    const richBack = (value: Carried<Rich>): Rich => value;
    expect([tree, treeBack, json, jsonBack, rich, richBack]).toHaveLength(6);
  });
});
